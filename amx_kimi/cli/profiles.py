"""`llm-profiles`, `models`: reading the configuration and the facts."""

from typing import TYPE_CHECKING, Any

import click

from amx_kimi.cli.common import KimiCommand, console, echo_json, json_option

if TYPE_CHECKING:
    from amx_kimi.settings import Settings

__all__ = ["llm_profiles", "models"]


@click.command("llm-profiles", cls=KimiCommand)
@json_option
def llm_profiles(as_json: bool) -> None:
    """List the LLM profiles of AMX's config.yml; * marks the active one."""
    from rich.table import Table

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
        click.echo(f"There are no LLM profiles in {path}. Add one: amx-kimi add-llm-profile")
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("", "Name", "Model", "Endpoint", "Key", "Last check"):
        table.add_column(head, overflow="fold")
    for row in rows:
        other = f"(provider {row['provider'] or 'missing'})"
        table.add_row(
            "*" if row["active"] else "",
            row["name"],
            row.get("model") or other,
            row.get("label") or row.get("problem") or "",
            row.get("key") or "",
            row.get("last_check") or "",
        )
    console().print(table)


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


@click.command(cls=KimiCommand)
@click.option("--retired", is_flag=True, help="Also those that Moonshot no longer serves.")
@json_option
def models(retired: bool, as_json: bool) -> None:
    """List Kimi's models with context, price and when to pick them."""
    from rich.table import Table

    from amx_kimi.facts import load_catalog

    rows = [row for row in load_catalog().models if row.live or retired]
    if as_json:
        echo_json([_model_json(row) for row in rows])
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("Model", "Context", "Thinks", "USD in/out", "Pick it for"):
        table.add_column(head, no_wrap=head != "Pick it for")
    for row in rows:
        usd = row.prices.get("USD")
        price = f"{usd.miss:g} / {usd.output:g}" if usd else "subscription" if row.live else "–"
        pick = row.pick
        if row.retired_on:
            pick += f" (retired on {row.retired_on}; successor {row.successor})"
        table.add_row(row.id, f"{row.context:,}", row.thinking, price, pick)
    console().print(table)
    click.echo("Prices are per 1M tokens, of the dates that `--json` shows.")


def _model_json(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "aliases": list(row.aliases),
        "context": row.context,
        "thinking": row.thinking,
        "prices": {
            currency: {name: float(p) for name, p in vars(prices).items() if p is not None}
            for currency, prices in row.prices.items()
        },
        "vision": row.vision,
        "batch": row.batch,
        "pick": row.pick,
        "retired_on": row.retired_on,
        "successor": row.successor or None,
        "source": row.source,
        "date": row.date,
    }
