"""Runs and their requests, as functions over a connection."""

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, Connection, case, delete, func, insert, select, update

from amx_kimi.conceal import shown
from amx_kimi.errors import JournalError
from amx_kimi.journal.lease import FIRST_FENCE, Claim, lease_end, now, present
from amx_kimi.journal.owner import is_at_work, is_here, me
from amx_kimi.journal.schema import columns, decisions, requests, runs, suggestions
from amx_kimi.text import is_blank
from amx_kimi.types import Attempt

__all__ = [
    "AT_WORK",
    "Run",
    "Spending",
    "Totals",
    "begin_request",
    "begin_run",
    "clear_inventory",
    "find_run",
    "forget_run",
    "list_runs",
    "note_inventory",
    "now",
    "set_status",
    "settle_request",
    "speeds",
    "spending",
    "totals",
]

AT_WORK = ("inventory", "running")
"""What a run's status is until it has ended."""
_NANO = Decimal(1_000_000_000)
_WHICH = "Give an id, the beginning of one, or `last`; `amx-kimi runs` lists them."


@dataclass(frozen=True)
class Run:
    """One row of `runs`; `options` is JSON."""

    id: str
    source: str
    database: str
    profile: str
    model: str
    endpoint: str
    currency: str | None
    options: str
    status: str
    inventoried: int
    owner: str
    error: str | None
    started_at: str
    finished_at: str | None
    fence: int = 0
    lease_until: str | None = None
    seen_at: str = field(default="", compare=False)  # when this was read, by the journal's clock

    @property
    def killed(self) -> bool:
        """Whether it was at work in a process that is gone: one of this machine that has ended, or
        one elsewhere whose lease has."""
        if self.status not in AT_WORK:
            return False
        return not (is_at_work(self.owner) if is_here(self.owner) else self.is_leased)

    @property
    def is_leased(self) -> bool:
        """Whether its worker's lease has not ended."""
        return self.lease_until is not None and self.lease_until > self.seen_at


@dataclass(frozen=True)
class Totals:
    """A run in figures. `columns` are those it set out to describe; `shared` got the answer that
    another one was asked for, and `waiting` are to get it; `deferred` are beyond its limit; `cost`
    counts requests without a known cost (`uncertain` of them) at their worst case, and is None
    without a price."""

    columns: int = 0
    described: int = 0
    reused: int = 0
    inherited: int = 0
    shared: int = 0
    waiting: int = 0
    deferred: int = 0
    failed: int = 0
    tables: int = 0
    tables_described: int = 0
    requests: int = 0
    retries: int = 0
    uncertain: int = 0
    prompt: int = 0
    cached: int = 0
    completion: int = 0
    reasoning: int = 0
    cost: Decimal | None = None


def begin_run(connection: Connection, **fields: Any) -> str:
    """A new run in the state `inventory`, claimed by this process (with the number `FIRST_FENCE`);
    returns its id."""
    run = f"{datetime.now(UTC):%Y%m%d}-{secrets.token_hex(3)}"
    connection.execute(
        insert(runs).values(
            id=run,
            status="inventory",
            inventoried=0,
            owner=me(),
            fence=FIRST_FENCE,
            lease_until=lease_end(connection),
            started_at=now(),
            **fields,
        )
    )
    return run


def set_status(
    connection: Connection,
    run: str,
    status: str,
    error: str | None = None,
    *,
    claim: Claim | None = None,
) -> None:
    """Note where the run stands; any state but inventory and running is final. A worker gives its
    claim: one whose run was taken over notes nothing."""
    finished = None if status in AT_WORK else now()
    is_mine = () if claim is None else (runs.c.fence == claim.fence,)
    connection.execute(
        update(runs)
        .where(runs.c.id == run, *is_mine)
        .values(status=status, error=error, finished_at=finished)
    )


def note_inventory(connection: Connection, run: str) -> None:
    """The inventory is whole: from here on the run can be resumed without it."""
    this = update(runs).where(runs.c.id == run)
    connection.execute(this.values(inventoried=1, status="running"))


def clear_inventory(connection: Connection, run: str) -> None:
    """Forget an inventory that nothing was asked of yet: one that was cut off, or a dry run's."""
    ids = select(columns.c.id).where(columns.c.run_id == run)
    for table in (decisions, suggestions):
        connection.execute(delete(table).where(table.c.column_id.in_(ids)))
    connection.execute(delete(columns).where(columns.c.run_id == run))


def forget_run(connection: Connection, run: str) -> None:
    """Remove a run that asked nothing (a dry run), with its inventory."""
    clear_inventory(connection, run)
    connection.execute(delete(runs).where(runs.c.id == run))


def find_run(connection: Connection, name: str) -> Run:
    """The run with this id or unique beginning of one; `last` is the newest.

    Raises:
        JournalError: there is none, or more than one.
    """
    if is_blank(name):
        raise JournalError("The run's id is blank", remedy=_WHICH)
    query = select(runs).order_by(runs.c.started_at.desc(), runs.c.id).limit(2)
    if name != "last":
        query = query.where(runs.c.id.startswith(name, autoescape=True))
    seen_at = present(connection)
    found = [Run(**row, seen_at=seen_at) for row in connection.execute(query).mappings()]
    if not found and name == "last":
        raise JournalError("There are no runs yet", remedy="Start one with `amx-kimi run`.")
    if not found:
        raise JournalError(f"There is no run {shown(name)}", remedy="`amx-kimi runs` lists them.")
    if len(found) > 1 and name not in ("last", found[0].id):
        said = f"{shown(name)} is the beginning of several run ids; give more of it"
        raise JournalError(said, remedy="`amx-kimi runs` lists them.")
    return found[0]


def list_runs(connection: Connection) -> Iterator[Run]:
    """Every run, newest first."""
    query = select(runs).order_by(runs.c.started_at.desc(), runs.c.id)
    seen_at = present(connection)
    with connection.execute(query) as rows:
        for row in rows.mappings():
            yield Run(**row, seen_at=seen_at)


def begin_request(
    connection: Connection, run: str, worst: Decimal | None, fields: Mapping[str, Any]
) -> int:
    """A row for an attempt that is about to be sent, with its label, model, budget, reason and the
    digest of its messages; returns its id."""
    row = insert(requests).values(run_id=run, worst_cost=_nano(worst), sent_at=now(), **fields)
    result = connection.execute(row)
    return int(result.inserted_primary_key[0])  # type: ignore[index]


def settle_request(connection: Connection, request: int, attempt: Attempt) -> int:
    """How an attempt ended, and what it cost; returns the number of the claim that its run is now
    under."""
    usage = attempt.usage
    connection.execute(
        update(requests)
        .where(requests.c.id == request)
        .values(
            outcome=attempt.outcome,
            prompt_tokens=usage.prompt,
            cached_tokens=usage.cached,
            completion_tokens=usage.completion,
            reasoning_tokens=usage.reasoning,
            cost=_nano(attempt.cost),
            seconds=attempt.seconds,
        )
    )
    of = select(requests.c.run_id).where(requests.c.id == request).scalar_subquery()
    fence = select(runs.c.fence).where(runs.c.id == of)
    return int(connection.execute(fence).scalar() or 0)


def totals(connection: Connection, run: str) -> Totals:
    """The run's figures, from the journal alone."""
    spent = requests.c
    row = connection.execute(
        select(
            func.count(),
            func.sum(case((spent.reason != "first", 1), else_=0)),
            func.sum(case((spent.cost.is_(None), 1), else_=0)),
            *(
                func.coalesce(func.sum(column), 0)
                for column in (
                    spent.prompt_tokens,
                    spent.cached_tokens,
                    spent.completion_tokens,
                    spent.reasoning_tokens,
                )
            ),
            func.sum(func.coalesce(spent.cost, spent.worst_cost)),
        ).where(spent.run_id == run)
    ).one()
    currency = select(runs.c.currency).where(runs.c.id == run)
    priced = connection.execute(currency).scalar_one()
    return Totals(
        **_counts(connection, run),
        requests=row[0],
        retries=int(row[1] or 0),
        uncertain=int(row[2] or 0) if priced else 0,
        prompt=int(row[3]),
        cached=int(row[4]),
        completion=int(row[5]),
        reasoning=int(row[6]),
        cost=Decimal(int(row[7] or 0)) / _NANO if priced else None,
    )


@dataclass(frozen=True)
class Spending:
    """What requests took, of one run, model or day; `cost` and `uncertain` as in `Totals`."""

    of: str
    currency: str | None
    requests: int
    uncertain: int
    prompt: int
    cached: int
    completion: int
    reasoning: int
    cost: Decimal | None


def spending(connection: Connection, by: str) -> list[Spending]:
    """The journal's requests in figures, by `run`, `model` or `day` (UTC); the newest first."""
    spent = requests.c
    kind: ColumnElement[Any] = {
        "run": spent.run_id,
        "model": spent.model,
        "day": func.substr(spent.sent_at, 1, 10),
    }[by]
    tokens = (spent.prompt_tokens, spent.cached_tokens, spent.completion_tokens)
    query = (
        select(
            kind,
            runs.c.currency,
            func.count(),
            func.sum(case((spent.cost.is_(None), 1), else_=0)),
            *(func.coalesce(func.sum(column), 0) for column in (*tokens, spent.reasoning_tokens)),
            func.coalesce(func.sum(func.coalesce(spent.cost, spent.worst_cost)), 0),
        )
        .join(runs, runs.c.id == spent.run_id)
        .group_by(kind, runs.c.currency)
        .order_by(func.max(spent.sent_at).desc())
    )
    return [
        Spending(
            of=str(row[0]),
            currency=row[1],
            requests=row[2],
            uncertain=int(row[3]) if row[1] else 0,
            prompt=int(row[4]),
            cached=int(row[5]),
            completion=int(row[6]),
            reasoning=int(row[7]),
            cost=Decimal(int(row[8])) / _NANO if row[1] else None,
        )
        for row in connection.execute(query)
    ]


def speeds(connection: Connection) -> dict[str, float]:
    """Output tokens a second of one request, by model, of the requests that were answered."""
    spent = requests.c
    query = (
        select(spent.model, func.sum(spent.completion_tokens), func.sum(spent.seconds))
        .where(spent.outcome == "ok", spent.completion_tokens > 0, spent.seconds > 0)
        .group_by(spent.model)
    )
    found = connection.execute(query)
    return {model: int(tokens) / float(took) for model, tokens, took in found}


def _counts(connection: Connection, run: str) -> dict[str, int]:
    query = (
        select(columns.c.kind, columns.c.status, func.count())
        .where(columns.c.run_id == run, columns.c.status.in_((*_ASKED, "deferred")))
        .group_by(columns.c.kind, columns.c.status)
    )
    found = connection.execute(query).all()

    def of(is_column: bool, *states: str) -> int:
        return sum(
            count
            for kind, status, count in found
            if (kind == "column") == is_column and status in states
        )

    return {
        "columns": of(True, *_ASKED),
        "described": of(True, *_DONE),
        "reused": of(True, "reused"),
        "inherited": of(True, "inherited"),
        "shared": of(True, "shared"),
        "waiting": of(True, "waiting"),
        "deferred": of(True, "deferred"),
        "failed": of(True, "failed"),
        "tables": of(False, *_ASKED),
        "tables_described": of(False, *_DONE),
    }


_DONE = ("described", "reused", "inherited", "shared")
_ASKED = ("pending", "waiting", "failed", *_DONE)


def _nano(amount: Decimal | None) -> int | None:
    return None if amount is None else round(amount * _NANO)
