"""`models`: amx-kimi's facts about models, and what the endpoint lists."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from amx_kimi.cli.common import KimiCommand, echo_json, warn
from amx_kimi.cli.options import json_option, profile_or_preset_option
from amx_kimi.cli.tables import Column, print_table

if TYPE_CHECKING:
    from amx_kimi.config import Profile, Served
    from amx_kimi.facts import ModelRow
    from amx_kimi.settings import Settings

__all__ = ["models"]

_NOT_KNOWN = "served, but not in amx-kimi's table yet"
_COLUMNS = (
    Column(""),
    Column("Model"),
    Column("Context", rank=1, right=True),
    Column("Thinks", rank=2),
    Column("USD in/out"),
    Column("As of", rank=3),
    Column("Pick it for", rank=4, flows=True),
)


@click.command(cls=KimiCommand)
@profile_or_preset_option
@click.option("--retired", is_flag=True, help="Include models that Moonshot no longer serves.")
@click.option("--refresh", is_flag=True, help="Ask the profile's endpoint which models it serves.")
@json_option
def models(profile: str | None, retired: bool, refresh: bool, as_json: bool) -> None:
    """List Kimi's models, with prices and recommendations.

    With --refresh, also says which of them the profile's endpoint serves. Its answer is kept, and
    shown when the endpoint is not asked or cannot be reached.
    """
    from amx_kimi.facts import load_catalog
    from amx_kimi.settings import Settings

    settings = Settings.from_environment()
    loaded = _profile(profile, settings, wanted=refresh or profile is not None)
    served = _served(loaded, settings, refresh=refresh) if loaded else None
    everything = load_catalog().models
    rows = [row for row in everything if row.live or retired or _is_served(row, served)]
    new = _unknown(served, everything)
    if as_json:
        listed = [{**_model_json(row), "served": _is_served(row, served)} for row in rows]
        unknown = [{"id": i, "context": size or None, "served": True} for i, size in new.items()]
        echo_json(listed + unknown)
        return
    _print(rows, new, served)
    if loaded and served:
        click.echo(f"* = served by {loaded.endpoint.label}, according to its list of {served.on}.")


def _profile(name: str | None, settings: "Settings", *, wanted: bool) -> "Profile | None":
    """The profile whose endpoint to ask; None if there is no configuration, unless `wanted`."""
    from amx_kimi.config import find_profile
    from amx_kimi.errors import ConfigError

    try:
        return find_profile(name, settings)
    except ConfigError:
        if wanted:
            raise
        return None


def _served(profile: "Profile", settings: "Settings", *, refresh: bool) -> "Served | None":
    import anyio

    from amx_kimi.client import KimiClient
    from amx_kimi.config import LearnedStore
    from amx_kimi.errors import TransportError

    store = LearnedStore(settings.config_dir)
    known = store.served(profile.base_url)
    if not refresh:
        return known

    async def ask() -> list[dict[str, Any]]:
        async with KimiClient(profile, settings) as client:
            return await client.models()

    try:
        rows = anyio.run(ask)
    except TransportError as error:
        since = f"its list of {known.on}" if known else "the facts that come with amx-kimi"
        warn(f"{error.message}. Showing {since}.")
        return known
    sizes: dict[str, int] = {}
    for row in rows:
        if row.get("id"):
            size = row.get("context_length")
            sizes[str(row["id"])] = size if isinstance(size, int) else 0
    return store.note_served(profile.base_url, sizes)


def _bare(name: str) -> str:
    """An id as Moonshot writes it, without the maker's name that gateways put before it."""
    return name.lower().rpartition("/")[2]


def _is_served(row: "ModelRow", served: "Served | None") -> bool | None:
    if served is None:
        return None
    return not {row.id, *row.aliases}.isdisjoint(map(_bare, served.models))


def _unknown(served: "Served | None", rows: "Sequence[ModelRow]") -> dict[str, int]:
    """Kimi models that the endpoint lists but the facts lack, with their context sizes."""
    known = {name for row in rows for name in (row.id, *row.aliases)}
    listed = served.models if served else {}
    unknown = {}
    for name, size in listed.items():
        is_ours = "kimi" in name.lower() or "moonshot" in name.lower()
        if is_ours and _bare(name) not in known:
            unknown[name] = size
    return unknown


def _print(rows: "list[ModelRow]", new: dict[str, int], served: "Served | None") -> None:
    known = [_cells(row, _is_served(row, served)) for row in rows]
    unknown = [
        ["*", name, f"{size:,}" if size else "?", "?", "–", "", _NOT_KNOWN]
        for name, size in new.items()
    ]
    print_table(_COLUMNS, [*known, *unknown])
    click.echo("Prices are per 1M tokens.")


def _cells(row: "ModelRow", served: bool | None) -> list[str]:
    usd = row.prices.get("USD")
    price = "subscription" if row.live else "–"
    if usd:
        price = f"{usd.miss:g} / {usd.output:g}"
    retired = f" (retired on {row.retired_on}; successor {row.successor})" if row.retired_on else ""
    return [
        "*" if served else "",
        row.id,
        f"{row.context:,}",
        row.thinking,
        price,
        str(row.date or ""),
        row.pick + retired,
    ]


def _model_json(row: "ModelRow") -> dict[str, Any]:
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
