"""`import-amx`: imports texts that people accepted in AMX."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from amx_kimi.cli.common import KimiCommand, echo_json, open_journal, warn
from amx_kimi.cli.options import json_option, store_option, yes_option
from amx_kimi.text import counted, one_line

__all__ = ["import_amx"]

_MOST_NAMED = 20


@click.command(cls=KimiCommand, name="import-amx")
@click.option(
    "--db-profile", metavar="NAME", help="AMX's database profile (default: its active one)."
)
@click.option(
    "--history",
    type=click.Path(dir_okay=False, path_type=Path),
    help="AMX's history.db (default: the one in AMX's folder).",
)
@yes_option
@click.option("--no-input", is_flag=True, help="Never ask questions, such as for a password.")
@store_option
@json_option
def import_amx(db_profile: str | None, store: str | None, as_json: bool, **options: Any) -> int:
    """Import texts that people accepted in AMX.

    The texts become a run of their own, already accepted. Later runs over the same database use
    them, whatever their model, so they are never paid for again. `apply`, `export` and `report`
    work with this run, too.

    If nothing is new since the last import, no run is created.
    """
    from amx_kimi.cli.target import find_target
    from amx_kimi.publish.import_amx import import_amx as take_in
    from amx_kimi.settings import Settings

    settings = Settings.from_environment()
    target = find_target((), db_profile, settings, options)
    history = options["history"] or settings.config_dir / "history.db"
    with open_journal(store, settings) as journal:
        found = take_in(target, history, target.db_profile, journal)
    if as_json:
        figures = {"run": found.run, "texts": found.texts, "new": found.new}
        echo_json({**figures, "gone": list(found.gone), "worded": list(found.worded)})
        return 0
    _say_skipped(found.gone, "the database no longer has it")
    _say_skipped(found.worded, "a person wrote its text here (amx-kimi review)")
    accepted = counted(found.texts, "accepted text")
    if found.run is None:
        click.echo(f"Nothing new: {accepted} in AMX, all imported already")
    else:
        click.echo(f"Run {found.run}: {accepted} from AMX, {found.new:,} new")
    return 0


def _say_skipped(names: Sequence[str], why: str) -> None:
    for name in names[:_MOST_NAMED]:
        warn(f"{one_line(name)}: {why}", label="Skipped")
    more = len(names) - _MOST_NAMED
    if more > 0:
        warn(f"and {more:,} more: {why}", label="Skipped")
