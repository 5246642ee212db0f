"""`runs delete` and `journal prune`: delete runs from the journal, after saying what is lost."""

import re
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import click

from amx_kimi.cli.common import KimiCommand, KimiGroup, echo_json, open_journal, warn
from amx_kimi.cli.options import complete_runs, json_option, store_option
from amx_kimi.text import counted

if TYPE_CHECKING:
    from amx_kimi.journal import Journal, Run
    from amx_kimi.journal.prune import Loss

__all__ = ["delete", "journal"]

_DAYS = {"d": 1, "w": 7, "y": 365}
_yes = click.option("--yes", is_flag=True, help="Do not ask.")


class _Age(click.ParamType):  # type: ignore[type-arg]  # no generic before click 8.2
    name = "age"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> str:
        """`90d`, `12w`, `1y` or `2026-01-31` as a moment in UTC; runs from before it are older."""
        text = str(value).strip().lower()
        if found := re.fullmatch(r"(\d{1,5})([dwy])", text):
            days = int(found[1]) * _DAYS[found[2]]
            try:
                return (datetime.now(UTC) - timedelta(days)).isoformat(timespec="microseconds")
            except OverflowError:
                self.fail(f"{value!r} is too long ago", param, ctx)
        try:
            day = date.fromisoformat(text)
        except ValueError:
            self.fail(f"{value!r} is not a valid age, such as 90d, 12w, 1y, or a date", param, ctx)
        return datetime.combine(day, time(), UTC).isoformat(timespec="microseconds")


@click.command(cls=KimiCommand)
@click.argument("names", metavar="RUN...", nargs=-1, required=True, shell_complete=complete_runs)
@_yes
@store_option
@json_option
@click.pass_context
def delete(
    context: click.Context, names: tuple[str, ...], yes: bool, store: str | None, as_json: bool
) -> int:
    """Delete runs from the journal.

    Each RUN (an id, or `last`) is deleted with everything that belongs to it, including what
    --escalate asked again for it. Descriptions that other runs have reused stay known.

    You are told what is lost, and asked. Without a terminal, --yes is required. A run whose
    comments are in a database cannot be deleted, because `apply --undo` needs it.
    """
    from amx_kimi.errors import JournalError
    from amx_kimi.journal import prune, runs

    above = context.parent.params.get("store") if context.parent else None
    with _open(store or above) as journal:
        named = [journal.read(runs.find_run, name) for name in names]
        found = journal.read(prune.with_their_own, named)
        for run in found:
            if reason := journal.read(prune.has_to_stay, run):
                raise JournalError(f"The run {run.id} {reason}", remedy="Nothing was deleted.")
        return _delete(journal, found, yes=yes, as_json=as_json)


@click.group(cls=KimiGroup)
def journal() -> None:
    """Manage the journal, where results are kept."""


@journal.command()
@click.option(
    "--older-than",
    "before",
    type=_Age(),
    required=True,
    metavar="AGE",
    help="Delete runs that began longer ago than this, such as 90d, 12w or 1y, or before this date "
    "(UTC), such as 2026-01-31.",
)
@_yes
@store_option
@json_option
def prune(before: str, yes: bool, store: str | None, as_json: bool) -> int:
    """Delete old runs, as `runs delete` does.

    Runs that are still running, and those whose comments are in a database, are kept.
    """
    from amx_kimi.journal import prune as stored

    with _open(store) as journal:
        found = journal.read(stored.started_before, before)
        doomed: dict[str, Run] = {}
        kept: dict[str, str] = {}
        for run in found:
            family = journal.read(stored.with_their_own, [run])
            reasons = {one.id: journal.read(stored.has_to_stay, one) for one in family}
            kept |= {id_: reason for id_, reason in reasons.items() if reason}
            if not any(reasons.values()):
                doomed |= {one.id: one for one in family}
        for id_, reason in kept.items():
            warn(f"The run {id_} {reason}.", label="Kept")
        if not doomed:
            if as_json:
                echo_json({"deleted": []})
            day = before[:16].replace("T", " ")
            warn(f"There is no run from before {day} UTC that can be deleted.")
            return 0
        return _delete(journal, [*doomed.values()], yes=yes, as_json=as_json)


def _open(store: str | None) -> "Journal":
    from amx_kimi.settings import Settings

    return open_journal(store, Settings.from_environment(), create=False)


def _delete(journal: "Journal", runs: "Sequence[Run]", *, yes: bool, as_json: bool) -> int:
    from amx_kimi.errors import JournalError
    from amx_kimi.journal import prune

    ids = [run.id for run in runs]
    warn(_in_words(runs, journal.read(prune.loss, ids)))
    if not yes and not sys.stdin.isatty():
        raise click.UsageError("Nothing was deleted. Without a terminal, --yes is required.")
    if not yes:
        count = counted(len(ids), "run")
        click.confirm(f"Delete {count}?", abort=True, err=True)
    journal.write_now(prune.delete_runs, ids)
    try:
        journal.compact()
    except JournalError as error:
        warn(f"The journal's file was not made smaller: {error.message}", label="Note")
    warn(f"Deleted {counted(len(ids), 'run')}.")
    if as_json:
        echo_json({"deleted": ids})
    return 0


def _in_words(runs: "Sequence[Run]", loss: "Loss") -> str:
    costs = [f"{amount:.4f} {currency}" for currency, amount in loss.cost.items()]
    spent = f" ({', '.join(costs)})" if costs else ""
    lines = [
        f"This deletes {counted(len(runs), 'run')}, with "
        f"{counted(loss.described, 'description')} and the record of "
        f"{counted(loss.requests, 'request')}{spent}",
    ]
    for run in runs[:10]:
        day = run.started_at[:10]
        lines.append(f"  {run.id} of {day}, {run.database}")
    if len(runs) > 10:
        lines.append(f"  and {counted(len(runs) - 10, 'more run')}")
    if loss.only:
        lines.append(
            f"No other run describes {counted(loss.only, 'column or table', 'columns and tables')} "
            "of these: `amx-kimi run` would ask about them, and pay, again"
        )
    if loss.decisions:
        lines.append(f"Also lost: {counted(loss.decisions, 'decision')} by people")
    return "\n".join(lines)
