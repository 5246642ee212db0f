"""`check`: counts the columns that have a comment, for CI."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from amx_kimi.cli.common import KimiCommand, echo_json, warn
from amx_kimi.cli.options import chosen, database_options, json_option
from amx_kimi.cli.tables import Column, print_table
from amx_kimi.text import counted

if TYPE_CHECKING:
    from amx_kimi.types import Item

__all__ = ["check"]

_COLUMNS = (
    Column("Table"),
    Column("Without", right=True),
    Column("Columns without a comment", rank=1, flows=True),
)


@click.command(cls=KimiCommand)
@database_options
@click.option(
    "--min-coverage",
    type=click.FloatRange(0, 100),
    default=100.0,
    show_default=True,
    metavar="P",
    help="The required percentage of columns with a comment.",
)
@click.option("--no-input", is_flag=True, help="Never ask questions, such as for a password.")
@json_option
def check(urls: tuple[str, ...], db_profile: str | None, as_json: bool, **options: Any) -> int:
    """Count the columns that have a comment, for CI.

    The exit code is 1 if fewer than --min-coverage percent have one. Columns without a comment are
    listed by table.

    Only the database's catalog is read. No model is asked, and nothing is written.
    """
    from dataclasses import replace

    from amx_kimi.cli.target import find_target
    from amx_kimi.databases.opening import open_source
    from amx_kimi.databases.selection import check_selection, nothing_found
    from amx_kimi.publish.coverage import measure
    from amx_kimi.settings import Settings

    target = find_target(urls, db_profile, Settings.from_environment(), options)
    selection, csv = chosen(options)
    source = open_source(target.url, replace(target.reading, csv=csv))
    missing: list[Item] = []
    try:
        check_selection(source, selection)
        coverage = measure(source.items(selection), missing)
    finally:
        source.close()
    if not coverage.columns:
        raise nothing_found(source, selection)
    for note in source.notes:
        warn(note, label="Note")
    least = options["min_coverage"]
    enough = coverage.percent >= least
    if as_json:
        names = [item.name for item in missing]
        figures = {"columns": coverage.columns, "commented": coverage.commented}
        echo_json({**figures, "percent": coverage.percent, "ok": enough, "missing": names})
        return int(not enough)
    if missing:
        print_table(_COLUMNS, _by_table(missing))
    columns = counted(coverage.columns, "column")
    compared = "at or above" if enough else "below"
    click.echo(
        f"With a comment: {coverage.commented:,} of {columns}, "
        f"{coverage.percent:.1f}% ({compared} the required {least:g}%)"
    )
    return int(not enough)


def _by_table(missing: "Sequence[Item]") -> Iterator[list[str]]:
    tables = groupby(missing, key=lambda item: (item.schema, item.table))
    for (schema, table), items in tables:
        names = [item.column for item in items]
        place = ".".join(filter(None, (schema, table)))
        yield [place, f"{len(names):,}", ", ".join(names)]
