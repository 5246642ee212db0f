"""Deleting runs: what would be lost, which have to stay, and that others lose nothing by it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, exists, func, select, update

from amx_kimi.errors import JournalError
from amx_kimi.journal.decisions import holds
from amx_kimi.journal.lease import present
from amx_kimi.journal.meant import belongs_to
from amx_kimi.journal.runs import AT_WORK, Run, list_runs, totals
from amx_kimi.journal.schema import columns, decisions, requests, runs, suggestions, writes

__all__ = ["Loss", "delete_runs", "has_to_stay", "loss", "started_before", "with_their_own"]


@dataclass(frozen=True)
class Loss:
    """What deleting runs takes away: so many descriptions (`described`); `only`, the columns and
    tables that no other run has one of (a later run asks, and pays, again), and `decisions`, those
    of them that were decided; and the record of `requests`, with their `cost` by currency."""

    described: int
    only: int
    decisions: int
    requests: int
    cost: Mapping[str, Decimal]


def started_before(connection: Connection, when: str) -> list[Run]:
    """The runs that began before `when` (ISO 8601, UTC), newest first."""
    return [run for run in list_runs(connection) if run.started_at < when]


def with_their_own(connection: Connection, found: Sequence[Run]) -> list[Run]:
    """These runs, and those that asked again for one of them: they go together."""
    family = {run.id: run for run in found}
    for run in reversed(list(list_runs(connection))):  # whoever asks again is newer
        if belongs_to(run) in family:
            family[run.id] = run
    return [*family.values()]


def has_to_stay(connection: Connection, run: Run) -> str:
    """Why a run cannot be deleted, in words that go on after its id; "" if it can."""
    if run.status in AT_WORK and not run.killed:
        return "is still running"
    query = (
        select(func.count())
        .select_from(writes.join(columns, columns.c.id == writes.c.column_id))
        .where(columns.c.run_id == run.id, writes.c.undone_at.is_(None))
    )
    if connection.execute(query).scalar_one():
        return (
            "wrote comments that are in a database, and is needed to tell them from people's; "
            f"it can be deleted after `amx-kimi apply {run.id} --undo`"
        )
    return ""


def loss(connection: Connection, ids: Sequence[str]) -> Loss:
    """What is lost with these runs."""
    of_these = columns.c.run_id.in_(ids)
    answered = columns.join(suggestions, suggestions.c.column_id == columns.c.id)
    different = select(func.count(suggestions.c.reuse_key.distinct()))
    only = (of_these, ~_known_elsewhere(ids))
    decided = answered.join(decisions, holds(columns.c.id))

    def count(query: Select[Any]) -> int:
        return int(connection.execute(query).scalar_one())

    spent = [(found, totals(connection, found.id)) for found in _found(connection, ids)]
    cost: dict[str, Decimal] = {}
    for run, figures in spent:
        if run.currency and figures.cost:
            cost[run.currency] = cost.get(run.currency, Decimal(0)) + figures.cost
    return Loss(
        described=count(select(func.count()).select_from(answered).where(of_these)),
        only=count(different.select_from(answered).where(*only)),
        decisions=count(different.select_from(decided).where(*only, decisions.c.action != "open")),
        requests=sum(figures.requests for _, figures in spent),
        cost=cost,
    )


def delete_runs(connection: Connection, ids: Sequence[str]) -> None:
    """Delete these runs with all that belongs to them. What other runs have of theirs stays known:
    a description that was reused is reused again, and the last decision about it stays with it.

    Raises:
        JournalError: one of them has to stay, or is not there; nothing is deleted.
    """
    for run in _found(connection, ids):
        if reason := has_to_stay(connection, run):
            raise JournalError(f"The run {run.id} {reason}", remedy="Nothing was deleted.")
    _keep_decisions(connection, ids)
    _make_originals(connection, ids)
    gone = _gone(ids)
    for table in (writes, decisions, suggestions):
        connection.execute(delete(table).where(table.c.column_id.in_(gone)))
    connection.execute(delete(requests).where(requests.c.run_id.in_(ids)))
    connection.execute(delete(columns).where(columns.c.run_id.in_(ids)))
    these = delete(runs).where(runs.c.id.in_(ids))
    deleted = connection.execute(these).rowcount
    if deleted != len(set(ids)):
        raise JournalError(
            f"{deleted} of {len(set(ids))} runs could be deleted", remedy="Nothing was deleted."
        )


def _found(connection: Connection, ids: Sequence[str]) -> list[Run]:
    query = select(runs).where(runs.c.id.in_(ids))
    seen_at = present(connection)
    return [Run(**row, seen_at=seen_at) for row in connection.execute(query).mappings()]


def _gone(ids: Sequence[str]) -> Any:
    return select(columns.c.id).where(columns.c.run_id.in_(ids)).scalar_subquery()


def _known_elsewhere(ids: Sequence[str]) -> ColumnElement[bool]:
    """For a query with `suggestions`: whether another run has an answer for the same item."""
    other = suggestions.alias()
    return exists().where(
        other.c.reuse_key == suggestions.c.reuse_key, other.c.column_id.not_in(_gone(ids))
    )


def _keep_decisions(connection: Connection, ids: Sequence[str]) -> None:
    """The last decision about an item moves to the newest answer that other runs have for it."""
    last_decision = func.max(decisions.c.id).label("id")
    newest = (
        select(suggestions.c.reuse_key, last_decision)
        .join(decisions, decisions.c.column_id == suggestions.c.column_id)
        .group_by(suggestions.c.reuse_key)
        .subquery()
    )
    last_suggestion = func.max(suggestions.c.id).label("id")
    left = (
        select(suggestions.c.reuse_key, last_suggestion)
        .where(suggestions.c.column_id.not_in(_gone(ids)))
        .group_by(suggestions.c.reuse_key)
        .subquery()
    )
    query = (
        select(decisions.c.id, suggestions.c.column_id)
        .join(newest, newest.c.id == decisions.c.id)
        .join(left, left.c.reuse_key == newest.c.reuse_key)
        .join(suggestions, suggestions.c.id == left.c.id)
        .where(decisions.c.column_id.in_(_gone(ids)))
    )
    for id_, heir in connection.execute(query).all():
        decision = update(decisions).where(decisions.c.id == id_)
        connection.execute(decision.values(column_id=heir))


def _make_originals(connection: Connection, ids: Sequence[str]) -> None:
    """Of the copies of an answer that goes, the first becomes what further runs reuse."""
    gone, heir, original = _gone(ids), suggestions.alias(), suggestions.alias()
    first = (
        select(func.min(heir.c.id))
        .where(
            heir.c.reuse_key == suggestions.c.reuse_key,  # has an index, unlike the next
            heir.c.reused_from == suggestions.c.reused_from,
            heir.c.column_id.not_in(gone),
        )
        .scalar_subquery()
    )
    lost = select(original.c.id).where(original.c.column_id.in_(gone))
    loses_its_own = and_(
        suggestions.c.column_id.not_in(gone),
        suggestions.c.reused_from.in_(lost),
    )
    connection.execute(update(suggestions).where(loses_its_own).values(reused_from=first))
    connection.execute(
        update(suggestions)
        .where(suggestions.c.reused_from == suggestions.c.id)
        .values(reused_from=None)
    )
