"""`amx-kimi apply`: writes accepted suggestions as comments to a database, or to a SQL file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from amx_kimi.cli.common import KimiCommand, echo_json, open_journal, warn
from amx_kimi.cli.options import (
    catalog_option,
    choice_options,
    complete_paths,
    complete_runs,
    json_option,
    store_option,
)
from amx_kimi.cli.output import mode_option, output
from amx_kimi.databases.registry import names_of_dialects
from amx_kimi.text import counted, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from amx_kimi.databases.base import Comments
    from amx_kimi.journal import Journal, Run
    from amx_kimi.publish.apply import Change, Outcome, Rules
    from amx_kimi.publish.choose import Choice

__all__ = ["apply", "choice_of", "none_accepted"]

_SHOWN = 50
_WORDS = {
    "write": "to write",
    "undo": "to restore",
    "written": "written",
    "undone": "restored",
    "same": "already the same",
    "kept": "kept: text written by people",
    "stands": "rejected, but our text is still there",
    "gone": "gone",
    "long": "too long",
    "unstored": "not stored by this database (views)",
    "refused": "refused",
}
_FAILED = ("gone", "long", "refused")


@click.command(cls=KimiCommand)
@click.argument("run", shell_complete=complete_runs)
@click.option(
    "--to",
    metavar="URL",
    shell_complete=complete_paths,
    help="A database other than the run's own.",
)
@click.option("--db-profile", metavar="NAME", help="One of AMX's database profiles.")
@catalog_option
@choice_options
@click.option("--overwrite", is_flag=True, help="Also replace text that people wrote.")
@click.option("--cut", is_flag=True, help="Cut texts that are too long for the database.")
@click.option("--dry-run", is_flag=True, help="Show what would change; write nothing.")
@click.option(
    "--sql",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write SQL statements to this file, and nothing to the database.",
)
@click.option(
    "--dialect",
    type=click.Choice(names_of_dialects()),
    help="With --sql: write for this kind of database, without opening one.",
)
@click.option("--undo", is_flag=True, help="Restore the comments from before the run.")
@click.option(
    "--yes",
    is_flag=True,
    help="Write without asking; also agree to what the database bills for that.",
)
@click.option("--no-input", is_flag=True, help="Never ask questions, such as for a password.")
@mode_option
@store_option
@json_option
def apply(run: str, store: str | None, **options: Any) -> int:
    """Write accepted suggestions as database comments.

    RUN is the id of a run, or `last`. Its comments are written to the database that it described,
    table by table. --sql FILE --dialect D writes the statements for any kind of database instead.

    The differences are shown first, and you are asked. Without a terminal, --yes is required. Text
    that people wrote is kept, unless you use --overwrite.

    The previous comments are kept in the journal: --undo restores them, and asks first. After an
    interruption, run the same command again.

    Exit codes: 1 if some comments could not be written (they are listed), 2 if nobody could be
    asked.
    """
    from amx_kimi.cli.show import note_if_going
    from amx_kimi.journal import meant
    from amx_kimi.settings import Settings

    _check(options)
    with open_journal(store, Settings.from_environment(), create=False) as journal:
        which = meant.run_with_writes if options["undo"] else meant.run_with_results
        found = journal.read(which, run)
        note_if_going(found)
        if options["dialect"]:
            return _offline(journal, found, options)
        database = _open(found, options)
        warn(f"Run {found.id}, to {database.identity}")
        try:
            if options["undo"]:
                return _undo(journal, found, database, options)
            return _apply(journal, found, database, options)
        finally:
            database.close()


def choice_of(options: dict[str, Any]) -> "Choice":
    """Which texts are published, by `--unreviewed` and `--min-confidence`."""
    from amx_kimi.publish.choose import Choice

    if options["min_confidence"] and not options["unreviewed"]:
        raise click.UsageError(
            "--min-confidence requires --unreviewed: accepted texts are always included."
        )
    return Choice(options["unreviewed"], options["min_confidence"] or "low")


def _check(options: dict[str, Any]) -> None:
    if options["sql"] and options["dry_run"]:
        raise click.UsageError("--sql writes only a file: remove --dry-run.")
    if options["dialect"] and not options["sql"]:
        raise click.UsageError("--dialect requires --sql FILE.")
    others = ("sql", "unreviewed", "min_confidence", "overwrite", "cut")
    if options["undo"] and any(options[name] for name in others):
        raise click.UsageError(
            "--undo can be combined only with --to, --db-profile, --catalog, --dry-run and --yes."
        )
    if options["dialect"] and any(options[name] for name in ("to", "db_profile", "catalog")):
        raise click.UsageError(
            "--dialect opens no database: remove --to, --db-profile and --catalog."
        )


def _open(run: "Run", options: dict[str, Any]) -> "Comments":
    from amx_kimi.cli.target import target_of
    from amx_kimi.databases.opening import open_comments
    from amx_kimi.errors import SourceError
    from amx_kimi.settings import Settings

    urls = (options["to"],) if options["to"] else ()
    settings = Settings.from_environment()
    only = {**options, "comments": True}
    target = target_of(run, urls, options["db_profile"], settings, only)
    try:
        return open_comments(target.url, agreed=target.reading.agreed)
    except SourceError as error:
        if urls or target.db_profile or "://" not in run.source:
            raise
        kept = "The journal keeps no password: if yours was in the URL, use --to URL."
        raise SourceError(error.message, remedy=f"{error.remedy} {kept}".strip()) from None


def _rules(options: dict[str, Any]) -> "Rules":
    from amx_kimi.publish.apply import Rules

    return Rules(choice_of(options), options["overwrite"], options["cut"])


def _offline(journal: "Journal", run: "Run", options: dict[str, Any]) -> int:
    from amx_kimi.databases.opening import dialect_of
    from amx_kimi.publish.apply import plan_offline

    dialect = dialect_of(options["dialect"])
    return _to_file(run, dialect, plan_offline(journal, run, dialect, _rules(options)), options)


def _to_file(run: "Run", dialect: Any, chunks: Any, options: dict[str, Any]) -> int:
    from amx_kimi.publish.apply import write_sql

    with output(options["sql"]) as file:
        outcome = write_sql(file, dialect, run, chunks)
    warn(f"Wrote {options['sql']}")
    return _report(outcome, options)


def _apply(journal: "Journal", run: "Run", database: "Comments", options: dict[str, Any]) -> int:
    from amx_kimi.journal import writes
    from amx_kimi.publish.apply import apply_plan, plan

    rules = _rules(options)
    if options["sql"]:
        return _to_file(run, database.dialect, plan(journal, run, database, rules), options)
    most = None if options["dry_run"] else _SHOWN
    changes = (c for chunk in plan(journal, run, database, rules) for t in chunk for c in t)
    outcome = _show(changes, most, quiet=options["as_json"])
    is_first = not journal.read(writes.ours, database.identity)
    if database.caution and is_first and outcome.counts["write"]:
        warn(database.caution, label="Note")
    if options["dry_run"] or not outcome.counts["write"]:
        if not outcome.counts and not options["unreviewed"]:
            warn(none_accepted(run))
        return _report(outcome, options)
    comments = counted(outcome.counts["write"], "comment")
    question = f"Write {comments} to {database.identity}?"
    if not _agreed(question, outcome, options):
        return 0
    return _report(apply_plan(journal, database, plan(journal, run, database, rules)), options)


def _undo(journal: "Journal", run: "Run", database: "Comments", options: dict[str, Any]) -> int:
    from amx_kimi.publish.apply import plan_undo, undo

    changes = (change for table in plan_undo(journal, run, database) for change in table.changes)
    outcome = _show(changes, None if options["dry_run"] else _SHOWN, quiet=options["as_json"])
    if not outcome.counts:
        warn(f"No comments of run {run.id} are in {database.identity}.")
    comments = counted(outcome.counts["undo"], "comment")
    question = f"Restore {comments} in {database.identity}?"
    if options["dry_run"]:
        return _report(outcome, options)
    if outcome.counts["undo"] and not _agreed(question, outcome, options):
        return 0
    return _report(undo(journal, run, database), options)


def _agreed(question: str, planned: "Outcome", options: dict[str, Any]) -> bool:
    """Ask before anything is written. Without a terminal, --yes is required.

    Raises:
        ConfigError: there is no terminal, and no --yes.
    """
    from amx_kimi.errors import ConfigError

    if options["yes"]:
        return True
    if options["no_input"] or not sys.stdin.isatty():
        _report(planned, options)
        raise ConfigError("Nothing was written", remedy="Use --yes to write without being asked.")
    if click.confirm(question, err=True):
        return True
    warn("Nothing was written.")
    return False


def _show(changes: "Iterable[Change]", most: int | None, *, quiet: bool) -> "Outcome":
    """Print at most `most` differences (None: all), and count them all."""
    from amx_kimi.publish.apply import Outcome

    outcome, table = Outcome(), None
    for change in changes:
        outcome.count(change)
        shown = outcome.counts["write"] + outcome.counts["undo"]
        is_written = change.state in ("write", "undo")
        if quiet or not is_written or (most is not None and shown > most):
            continue
        place = (change.place.schema, change.place.table)
        if place != table:
            table = place
            click.secho(one_line(".".join(filter(None, place))), bold=True)
        click.echo(f"  {one_line(change.place.column) or '(the table)'}")
        if change.before:
            click.secho(f"    - {one_line(change.before)}", fg="red")
        if change.after:
            click.secho(f"    + {one_line(change.after)}", fg="green")
    shown = outcome.counts["write"] + outcome.counts["undo"]
    if not quiet and most is not None and shown > most:
        click.echo(f"… and {shown - most:,} more (--dry-run shows all)")
    return outcome


def none_accepted(run: "Run", part: str = "this run") -> str:
    """Why there is nothing to publish of a run, or of a part of it, and what to do."""
    return (
        f"No suggestion of {part} is accepted yet. Accept some with `amx-kimi review {run.id}`, or "
        "add --unreviewed to publish undecided ones."
    )


def _report(outcome: "Outcome", options: dict[str, Any]) -> int:
    counts = {state: outcome.counts[state] for state in _WORDS if outcome.counts[state]}
    if options["as_json"]:
        echo_json({**counts, "problems": outcome.problems, "kept_names": outcome.kept})
    else:
        for problem in outcome.problems:
            warn(one_line(problem), label="Not written" if not options["undo"] else "Not restored")
        for name in outcome.kept:
            warn(one_line(name), label="Kept, written by people")
        words = [f"{count:,} {_WORDS[state]}" for state, count in counts.items()]
        click.echo("Comments: " + (", ".join(words) or "none"))
    failed = (*_FAILED, "kept") if options["undo"] else _FAILED
    return int(any(outcome.counts[state] for state in failed))
