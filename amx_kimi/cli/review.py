"""`amx-kimi review`: people decide about suggestions, in a terminal or a spreadsheet."""

import getpass
import os
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from amx_kimi.cli.common import KimiCommand, echo_json, open_journal, warn
from amx_kimi.cli.options import complete_profiles, complete_runs, json_option, store_option
from amx_kimi.cli.output import mode_option, output
from amx_kimi.errors import KimiError
from amx_kimi.text import counted

if TYPE_CHECKING:
    from amx_kimi.journal import Journal, Run
    from amx_kimi.publish.decision_file import Row

__all__ = ["review"]

_AT_ONCE = 500


@click.command(cls=KimiCommand)
@click.argument("run", shell_complete=complete_runs)
@click.option(
    "--accept",
    type=click.Choice(["high", "medium", "low"]),
    help="Accept the best alternative of open items at or above this confidence. Text that people"
    " wrote, in this run or another one, stays.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the suggestions to a CSV file, to decide in a spreadsheet.",
)
@click.option(
    "--decisions",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Read decisions back from such a CSV file.",
)
@click.option("--by", metavar="NAME", help="Who decides (default: your login name).")
@click.option(
    "--profile",
    metavar="NAME",
    shell_complete=complete_profiles,
    help="The LLM profile for asking again with a hint (default: the run's).",
)
@mode_option
@store_option
@json_option
def review(run: str, store: str | None, as_json: bool, **options: Any) -> int:
    """Decide about the suggestions of a run.

    RUN is the id of a run, or `last`. In a terminal, you accept, choose, edit or reject the
    suggestions, one table at a time; ? shows the keys. Each decision is saved at once, with who
    decided and when, so you can leave and come back at any time.

    Without a terminal, use --accept, or write a CSV file with --out and read it back with
    --decisions. In its column `decision`, enter accept, the number of an alternative, or reject. A
    text of your own goes into the column `text`. Invalid rows are refused and listed (exit code
    1); the others are kept.
    """
    from amx_kimi.cli.show import note_if_going
    from amx_kimi.journal import meant
    from amx_kimi.settings import Settings

    chosen = [name for name in ("accept", "out", "decisions") if options[name]]
    if len(chosen) > 1:
        raise click.UsageError("Use only one of --accept, --out and --decisions.")
    by = options["by"] or _login_name()
    with open_journal(store, Settings.from_environment(), create=False) as journal:
        found = journal.read(meant.run_with_results, run)
        note_if_going(found)
        if options["accept"]:
            return _accept(journal, found, options["accept"], by, as_json=as_json)
        if options["out"]:
            return _out(journal, found, options["out"])
        if options["decisions"]:
            return _in(journal, found, options["decisions"], by, as_json=as_json)
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise click.UsageError(
                "Without a terminal, use --accept high, --out FILE or --decisions FILE."
            )
        return _on_screen(journal, found, by, options["profile"])


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return f"user {os.getuid()}" if os.name != "nt" else "somebody"


def _accept(journal: "Journal", run: "Run", least: Any, by: str, *, as_json: bool) -> int:
    from amx_kimi.publish.review import accept_all

    found = accept_all(journal, run, least, by)
    did = {"accepted": found.count, "left": found.left}
    _say_progress(journal, run, did, f"Accepted {found.count:,}", as_json=as_json)
    if found.left:
        warn(
            f"Skipped, because a person wrote their text in another run: {found.left:,}. "
            f"`amx-kimi review {run.id}` shows the texts."
        )
    return 0


def _out(journal: "Journal", run: "Run", path: Path) -> int:
    from amx_kimi.journal import results
    from amx_kimi.publish.decision_file import write_decisions

    if path.exists():
        raise click.UsageError(
            f"{path} already exists, and may contain decisions. Read them with --decisions, or "
            "move the file."
        )
    with output(path) as file:
        file.write("\ufeff")  # without it, a spreadsheet reads the file as Latin-1
        count = write_decisions(file, journal.stream(results.described, run.id))
    warn(f"Wrote {counted(count, 'row')} to {path}")
    warn(f"Read the decisions back with: amx-kimi review {run.id} --decisions {path}")
    return 0


def _in(journal: "Journal", run: "Run", path: Path, by: str, *, as_json: bool) -> int:
    from amx_kimi.publish.decision_file import read_decisions

    kept, refused = 0, []
    for some in _some_at_once(read_decisions(path, journal, run)):
        count, others = _keep(journal, some, by)
        kept += count
        for row in others:
            refused.append({"row": row.number, "why": row.refused})
            if not as_json:
                warn(f"{path}, row {row.number}: {row.refused}", label="Refused")
    said = f"Kept {counted(kept, 'decision')}, refused {counted(len(refused), 'row')}"
    _say_progress(journal, run, {"kept": kept, "refused": refused}, said, as_json=as_json)
    return int(bool(refused))


def _some_at_once(rows: Iterator["Row"]) -> Iterator[list["Row"]]:
    """Rows in lists of at most _AT_ONCE. If the file cannot be read to its end, the rows before
    the error come first."""
    some: list[Row] = []
    try:
        for row in rows:
            some.append(row)
            if len(some) == _AT_ONCE:
                yield some
                some = []
    except KimiError:
        yield some
        raise
    yield some


def _keep(journal: "Journal", rows: list["Row"], by: str) -> tuple[int, list["Row"]]:
    """Keep the decisions of these rows; returns how many, and the refused rows."""
    from amx_kimi.journal import decisions

    wanted = [row.decided for row in rows if row.decided]
    kept = journal.write_now(decisions.decide, wanted, by)
    late = "somebody else has decided about it in the meantime"
    checked = (
        replace(row, decided=None, refused=late)
        if row.decided and row.decided.id not in kept
        else row
        for row in rows
    )
    return len(kept), [row for row in checked if row.refused]


def _say_progress(
    journal: "Journal", run: "Run", did: dict[str, Any], said: str, *, as_json: bool
) -> None:
    from amx_kimi.databases.registry import kind_of
    from amx_kimi.journal import decisions

    counts = dict(journal.read(decisions.progress, run.id))
    if as_json:
        echo_json({**did, **counts})
        return
    total = sum(counts.values())
    done = total - counts["open"]
    suggested = counted(total, "suggestion")
    click.echo(f"{said}. Decided: {done:,} of {suggested}.")
    if counts["accept"] + counts["edit"]:
        kind = kind_of(run.database)
        write = f"amx-kimi apply {run.id} --dry-run, or " if kind and kind.is_written else ""
        click.echo(f"Next: {write}amx-kimi export {run.id} --help")


def _on_screen(journal: "Journal", run: "Run", by: str, profile_name: str | None) -> int:
    from amx_kimi.cli.review_screen import Screen
    from amx_kimi.journal import Described
    from amx_kimi.publish.review import Review
    from amx_kimi.settings import Settings
    from amx_kimi.types import Suggestion

    async def ask_again(row: Described, hint: str) -> Suggestion:
        from amx_kimi.annotate.hint import ask_with_hint
        from amx_kimi.config import find_profile

        settings = Settings.from_environment()
        profile = find_profile(profile_name or run.profile, settings)
        return await ask_with_hint(journal, run, row, hint, profile, settings)

    session = Review(journal, run, by)
    Screen(session, ask_again).run()
    _say_progress(journal, run, {}, "Kept", as_json=False)
    return 0
