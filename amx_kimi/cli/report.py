"""`report`: writes a run as one HTML file."""

from pathlib import Path

import click

from amx_kimi.cli.common import KimiCommand, open_journal, warn
from amx_kimi.cli.options import complete_runs, store_option
from amx_kimi.cli.output import mode_option, output

__all__ = ["report"]


@click.command(cls=KimiCommand)
@click.argument("run", shell_complete=complete_runs)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file to write (default: amx-kimi-RUN.html in the current folder).",
)
@mode_option
@store_option
def report(run: str, out: Path | None, store: str | None) -> None:
    """Write a run as one HTML file.

    The report of RUN (an id, or `last`) shows coverage, confidence, cost, what failed, what was
    sent, and every table, with search and filters. It loads nothing from the network.
    """
    from amx_kimi.cli.show import note_if_going
    from amx_kimi.journal import meant
    from amx_kimi.publish.report import write_report
    from amx_kimi.settings import Settings

    with open_journal(store, Settings.from_environment(), create=False) as journal:
        found = journal.read(meant.run_with_results, run)
        note_if_going(found)
        path = out or Path(f"amx-kimi-{found.id}.html")
        with output(path) as file:
            write_report(file, journal, found)
    warn(f"Wrote {path}")
