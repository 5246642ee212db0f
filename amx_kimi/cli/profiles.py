"""`llm-profiles`: reading the configuration."""

from typing import TYPE_CHECKING, Any

import click

from amx_kimi.cli.common import KimiCommand, echo_json, json_option, say
from amx_kimi.cli.tables import Column, print_table

if TYPE_CHECKING:
    from amx_kimi.settings import Settings

__all__ = ["llm_profiles"]

_COLUMNS = (
    Column(""),
    Column("Name"),
    Column("Model"),
    Column("Endpoint", rank=1),
    Column("Key", rank=2),
    Column("Last check", rank=3),
    Column("Problem", rank=4, flows=True),
)


@click.command("llm-profiles", cls=KimiCommand)
@json_option
def llm_profiles(as_json: bool) -> None:
    """List the LLM profiles of AMX's config.yml; * marks the active one."""
    from amx_kimi.config import active_profile, config_path, profile_names
    from amx_kimi.settings import Settings

    settings = Settings.from_environment()
    active = active_profile(settings)
    rows = [
        {
            "name": name,
            "active": name == active,
            "provider": provider,
            **_details(name, provider, settings),
        }
        for name, provider in profile_names(settings).items()
    ]
    if as_json:
        echo_json(rows)
        return
    if not rows:
        path = config_path(settings.config_dir)
        say(f"There are no LLM profiles in {path}. Add one: amx-kimi add-llm-profile")
        return
    print_table(_COLUMNS, map(_cells, rows))


def _cells(row: dict[str, Any]) -> list[str]:
    return [
        "*" if row["active"] else "",
        row["name"],
        row.get("model") or f"(provider {row['provider'] or 'missing'})",
        row.get("label") or "",
        row.get("key") or "",
        row.get("last_check") or "",
        row.get("problem") or "",
    ]


def _details(name: str, provider: str, settings: "Settings") -> dict[str, Any]:
    from amx_kimi.config import LearnedStore, load_profile
    from amx_kimi.errors import ConfigError

    if provider != "kimi":
        return {}
    try:
        profile = load_profile(name, settings)
    except ConfigError as error:
        return {"problem": error.message}
    store = LearnedStore(settings.config_dir)
    check = store.last_check(name, profile.base_url, profile.model)
    return {
        "model": profile.model,
        "endpoint": profile.base_url,
        "label": profile.endpoint.label,
        "key": _key_place(profile.overlay.api_key_ref or profile.api_key, profile.endpoint.auth),
        "last_check": f"{'ok' if check.ok else 'failed'} {check.on}" if check else None,
    }


def _key_place(reference: str, auth: str) -> str:
    """Where the key lives, without opening the keyring."""
    if auth == "none":
        return "none needed"
    if not reference:
        return "AMX_LLM_API_KEY"
    if reference.startswith("keyring:"):
        return "OS keyring"
    return reference if reference.startswith(("env:", "file:")) else "config.yml, in clear"
