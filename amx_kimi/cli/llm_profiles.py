"""`llm-profiles`, `use-llm`, `set-`, `rename-` and `remove-llm-profile`."""

import sys
from typing import TYPE_CHECKING, Any

import click

from amx_kimi.cli.alias import pairs_of, warn_of_unknown
from amx_kimi.cli.common import KimiCommand, echo_json, say, warn
from amx_kimi.cli.options import complete_profiles, json_option
from amx_kimi.cli.tables import Column, print_table
from amx_kimi.text import counted

if TYPE_CHECKING:
    from amx_kimi.settings import Settings

__all__ = [
    "llm_profiles",
    "remove_llm_profile",
    "rename_llm_profile",
    "set_llm_profile",
    "use_llm",
]

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
    """List the LLM profiles; * marks the active one."""
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
    """Where the key is stored, without opening the keyring."""
    if auth == "none":
        return "none needed"
    if not reference:
        return "AMX_LLM_API_KEY"
    if reference.startswith("keyring:"):
        return "OS keyring"
    return reference if reference.startswith(("env:", "file:")) else "config.yml, in plain text"


@click.command("use-llm", cls=KimiCommand)
@click.argument("name", shell_complete=complete_profiles)
def use_llm(name: str) -> None:
    """Make NAME the active LLM profile, for AMX too."""
    from amx_kimi.config import profile_names, use_profile
    from amx_kimi.settings import Settings

    settings = Settings.from_environment()
    use_profile(settings, name)
    warn(f"Active LLM profile: {name}")
    if (provider := profile_names(settings)[name]) != "kimi":
        warn(f"Its provider is {provider!r}, but amx-kimi's commands need a kimi profile.")


@click.command("remove-llm-profile", cls=KimiCommand)
@click.argument("name", shell_complete=complete_profiles)
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove_llm_profile(name: str, yes: bool) -> int:
    """Remove an LLM profile, with its settings and key.

    Removes the profile NAME from AMX's config.yml, its settings from kimi.yml, and its key from
    the OS keyring. Without a terminal, --yes is required.
    """
    from amx_kimi.config import remove_profile
    from amx_kimi.settings import Settings

    if not yes and not sys.stdin.isatty():
        raise click.UsageError("Nothing was removed. Without a terminal, --yes is required.")
    if not yes:
        click.confirm(f"Remove the LLM profile {name!r} and its key?", abort=True)
    removed = remove_profile(Settings.from_environment(), name)
    keys = f", and {counted(removed.secrets, 'key')} from the OS keyring" if removed.secrets else ""
    file = f", and its key file {removed.key_file}" if removed.key_file else ""
    warn(f"Removed the LLM profile {name!r}{keys}{file}.")
    if removed.active:
        warn(f"Active LLM profile: {removed.active}")
    if removed.problem:
        warn(f"Its key could not be removed from the OS keyring: {removed.problem}", label="Error")
        warn(f"Run `amx-kimi remove-llm-profile {name}` again when the keyring is available.")
    return 1 if removed.problem else 0


@click.command("rename-llm-profile", cls=KimiCommand)
@click.argument("old", shell_complete=complete_profiles)
@click.argument("new")
def rename_llm_profile(old: str, new: str) -> None:
    """Rename an LLM profile, with its settings and key.

    Renames the profile OLD to NEW, in AMX's config.yml and in kimi.yml.
    """
    from amx_kimi.config import rename_profile
    from amx_kimi.settings import Settings

    rename_profile(Settings.from_environment(), old, new)
    warn(f"Renamed the LLM profile {old!r} to {new!r}.")


@click.command("set-llm-profile", cls=KimiCommand)
@click.argument("name", shell_complete=complete_profiles)
@click.argument("changes", metavar="FIELD=VALUE...", nargs=-1, required=True)
def set_llm_profile(name: str, changes: tuple[str, ...]) -> None:
    """Change fields of an LLM profile.

    Changes fields of the profile NAME, in AMX's config.yml or in kimi.yml. FIELD= resets a field.

    Example: amx-kimi set-llm-profile bulk max_tokens=8192 tier=1 effort=high
    """
    from amx_kimi.config import set_fields
    from amx_kimi.settings import Settings

    settings = Settings.from_environment()
    written = set_fields(settings, name, pairs_of(changes))
    for field, value in written.items():
        change = "was reset to its default" if value is None else f"= {value}"
        warn(f"{name}: {field} {change}")
    warn_of_unknown(written.get("model"), settings)
