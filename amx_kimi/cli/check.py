"""`check`: how many columns have a comment, for CI."""

import sys
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
    help="Percent of the columns that have to have a comment.",
)
@click.option("--no-input", is_flag=True, help="Never ask anything, such as for a password.")
@json_option
def check(urls: tuple[str, ...], db_profile: str | None, as_json: bool, **options: Any) -> int:
    """Say how many columns of a database have a comment; exit code 1 below --min-coverage.

    From the database's catalog alone: no model is asked, nothing is written. Those without a
    comment are listed, table by table.
    """
    from dataclasses import replace

    from amx_kimi.cli.target import find_target, with_password
    from amx_kimi.databases.opening import open_source
    from amx_kimi.databases.selection import check_selection, nothing_found
    from amx_kimi.publish.coverage import measure
    from amx_kimi.settings import Settings

    target = find_target(urls, db_profile, Settings.from_environment())
    target = with_password(target, ask=not options["no_input"] and sys.stdin.isatty())
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
    click.echo(
        f"With a comment: {coverage.commented:,} of {counted(coverage.columns, 'column')}, "
        f"{coverage.percent:.1f}%, {'enough' if enough else 'too few'} (wanted: {least:g}%)"
    )
    return int(not enough)


def _by_table(missing: "Sequence[Item]") -> Iterator[list[str]]:
    for (schema, table), items in groupby(missing, key=lambda item: (item.schema, item.table)):
        names = [item.column for item in items]
        yield [".".join(filter(None, (schema, table))), f"{len(names):,}", ", ".join(names)]
