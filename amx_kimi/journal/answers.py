"""Answers for the items of a run: the model's, and what is known without asking it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Subquery,
    and_,
    bindparam,
    delete,
    exists,
    func,
    insert,
    literal,
    select,
    update,
)

from amx_kimi.blocks import blocks
from amx_kimi.journal.decisions import Decision, carry_over, holds
from amx_kimi.journal.items import Inherited, Stored
from amx_kimi.journal.runs import now
from amx_kimi.journal.schema import columns, decisions, runs, suggestions
from amx_kimi.journal.shared import spread
from amx_kimi.types import Suggestion

__all__ = [
    "count_known",
    "imported_texts",
    "replace_suggestion",
    "reuse",
    "reuse_known",
    "save_imported",
    "save_inherited",
    "save_suggestions",
]

_Edits = dict[tuple[str, ...], list[tuple[str, str]]]

_AT_ONCE = 500
_PLACE = ("schema_name", "table_name", "column_name")
_DESCRIBED = (
    update(columns)
    .where(columns.c.id == bindparam("item"))
    .values(status="described", error=None, facts=bindparam("shown"))
)


def reuse(connection: Connection, run: str, *, shared: bool = True) -> None:
    """Give pending items what was imported for them, or the newest suggestion that any run has for
    the same reuse key; `shared` False leaves out what was asked for another column. Decisions come
    along."""
    _reuse_imported(connection, run)
    foreign = ("inherited",) if shared else ("inherited", "shared")
    newest_id = func.max(suggestions.c.id).label("id")
    newest = (
        select(suggestions.c.reuse_key, newest_id)
        .where(suggestions.c.reused_from.is_(None), suggestions.c.signal.not_in(foreign))
        .group_by(suggestions.c.reuse_key)
        .subquery()
    )
    copied = ("alternatives", "confidence", "signal", "score", "model")
    found = (
        select(
            columns.c.id,
            columns.c.reuse_key,
            *(suggestions.c[name] for name in copied),
            suggestions.c.id,
            literal(now()),
        )
        .join(newest, newest.c.reuse_key == columns.c.reuse_key)
        .join(suggestions, suggestions.c.id == newest.c.id)
        .where(columns.c.run_id == run, columns.c.status == "pending")
        .order_by(columns.c.id)
    )
    target = ("column_id", "reuse_key", *copied, "reused_from", "created_at")
    connection.execute(insert(suggestions).from_select(target, found))
    _mark_reused(connection, run)
    carry_over(connection, run)


def _reuse_imported(connection: Connection, run: str) -> None:
    """What people accepted elsewhere holds for whatever model is asked now, unless a person has
    worded it here since."""
    database = select(runs.c.database).where(runs.c.id == run).scalar_subquery()
    newest = _newest_imported(database)
    _copy(connection, run, newest)
    for some in blocks(_worded_since(connection, run, newest), _AT_ONCE):
        connection.execute(delete(suggestions).where(suggestions.c.column_id.in_(some)))
    _mark_reused(connection, run)


def _worded_since(connection: Connection, run: str, newest: Subquery) -> list[int]:
    """Pending items that a person has worded after the text that is imported for them was accepted
    elsewhere, in a run that does not have it."""
    edits = _edits(connection, run)
    if not edits:
        return []
    imported = decisions.alias()
    accepted = (
        select(func.max(imported.c.decided_at))
        .where(imported.c.column_id == suggestions.c.column_id)
        .scalar_subquery()
        .label("accepted")
    )
    place = (columns.c[name] for name in _PLACE)
    found = (
        select(columns.c.id, suggestions.c.reuse_key, accepted, *place)
        .join(newest, _same_item(newest))
        .join(suggestions, suggestions.c.id == newest.c.id)
        .where(columns.c.run_id == run, columns.c.status == "pending")
    )
    edited: list[int] = []
    for row in connection.execute(found):
        theirs = edits.get(_place_of(row), ())
        if row.accepted and any(key != row.reuse_key and at > row.accepted for key, at in theirs):
            edited.append(row.id)
    return edited


def _edits(connection: Connection, run: str) -> _Edits:
    """The items of a run's database whose last decision in some run is a person's own text: the
    reuse key of what it replaced, and when, by schema, table and column."""
    # Compared by the caller: joined with the items of the run, SQLite read all rows for each.
    database = select(runs.c.database).where(runs.c.id == run).scalar_subquery()
    place = [columns.c[name] for name in _PLACE]
    query = (
        select(suggestions.c.reuse_key, decisions.c.decided_at, *place)
        .select_from(columns)
        .join(runs, runs.c.id == columns.c.run_id)
        .join(decisions, holds(columns.c.id))
        .join(suggestions, suggestions.c.column_id == columns.c.id)
        .where(runs.c.database == database, decisions.c.action == "edit")
    )
    found: _Edits = {}
    for row in connection.execute(query):
        found.setdefault(_place_of(row), []).append((row.reuse_key, row.decided_at))
    return found


def _place_of(row: Row[Any]) -> tuple[str, ...]:
    return row.schema_name, row.table_name, row.column_name


def _copy(connection: Connection, run: str, newest: Subquery) -> None:
    """Give pending items these suggestions."""
    copied = ("reuse_key", "alternatives", "confidence", "signal", "score", "model")
    found = (
        select(
            columns.c.id,
            *(suggestions.c[name] for name in copied),
            *(suggestions.c.id, literal(now())),
        )
        .join(newest, _same_item(newest))
        .join(suggestions, suggestions.c.id == newest.c.id)
        .where(columns.c.run_id == run, columns.c.status == "pending")
        .order_by(columns.c.id)
    )
    target = ("column_id", *copied, "reused_from", "created_at")
    connection.execute(insert(suggestions).from_select(target, found))


def reuse_known(connection: Connection, run: str, language: str) -> None:
    """Give pending items what any run of this database described in this language, whatever model,
    style or number of wordings it was asked for. Decisions come along."""
    _copy(connection, run, _newest_known(run, language))
    _mark_reused(connection, run)
    carry_over(connection, run)


def count_known(connection: Connection, run: str, language: str) -> int:
    """How many pending columns `reuse_known` would describe."""
    newest = _newest_known(run, language)
    mine = columns.join(newest, _same_item(newest))
    pending = (columns.c.run_id == run, columns.c.status == "pending", columns.c.kind == "column")
    count = select(func.count()).select_from(mine).where(*pending)
    return connection.execute(count).scalar_one()


def _same_item(known: Subquery) -> ColumnElement[bool]:
    same = [known.c[name] == columns.c[name] for name in (*_PLACE, "type")]
    return and_(*same)


def _newest_known(run: str, language: str) -> Subquery:
    """The newest answer of a model for each item of a run's database, in a language."""
    database = select(runs.c.database).where(runs.c.id == run).scalar_subquery()
    spoken = runs.c.options.like(f'%"language": {json.dumps(language)}%')
    of_models = suggestions.c.signal.in_(("logprobs", "declared", "shared"))
    return _newest(database, of_models, spoken)


def imported_texts(connection: Connection, database: str) -> dict[tuple[str, ...], str]:
    """What was imported for a database already: the newest text of each item, by its schema, table,
    column and type."""
    newest = _newest_imported(database)
    query = select(newest, suggestions.c.alternatives).join(
        suggestions, suggestions.c.id == newest.c.id
    )
    keys = (*_PLACE, "type")
    return {
        tuple(getattr(row, key) for key in keys): json.loads(row.alternatives)[0]
        for row in connection.execute(query)
    }


def _newest_imported(database: Any) -> Subquery:
    """The newest imported suggestion of each item of a database."""
    return _newest(database, suggestions.c.signal == "imported")


def _newest(database: Any, *where: ColumnElement[bool]) -> Subquery:
    """The newest suggestion of each item of a database that was not reused itself."""
    theirs = columns.alias()
    item = [theirs.c[name] for name in (*_PLACE, "type")]
    newest_id = func.max(suggestions.c.id).label("id")
    return (
        select(*item, newest_id)
        .join(suggestions, suggestions.c.column_id == theirs.c.id)
        .join(runs, runs.c.id == theirs.c.run_id)
        .where(suggestions.c.reused_from.is_(None), runs.c.database == database, *where)
        .group_by(*item)
        .subquery()
    )


def _mark_reused(connection: Connection, run: str) -> None:
    """What has an answer now is reused, with the facts that the model saw of it then."""
    theirs = columns.alias()
    first = suggestions.alias()
    shown = (
        select(theirs.c.facts)
        .join(first, first.c.column_id == theirs.c.id)
        .join(suggestions, suggestions.c.reused_from == first.c.id)
        .where(suggestions.c.column_id == columns.c.id)
        .scalar_subquery()
    )
    has_one = exists().where(suggestions.c.column_id == columns.c.id)
    connection.execute(
        update(columns)
        .where(columns.c.run_id == run, columns.c.status == "pending", has_one)
        .values(status="reused", facts=shown)
    )


def save_imported(
    connection: Connection, found: Sequence[tuple[Stored, str, str, Decision]]
) -> None:
    """Texts that people accepted elsewhere: each an item, the text, the model that worded it, and
    the decision, with who and when."""
    rows = [
        _row(model, stored.id, stored.reuse_key, Suggestion((text,), "high", "imported"))
        for stored, text, model, _ in found
    ]
    if not rows:
        return
    connection.execute(insert(suggestions), rows)
    connection.execute(
        update(columns).where(columns.c.id == bindparam("item")).values(status="described"),
        [{"item": stored.id} for stored, *_ in found],
    )
    connection.execute(
        insert(decisions),
        [
            {
                "column_id": stored.id,
                "action": decision.action,
                "text": decision.text,
                "decided_by": decision.by,
                "decided_at": decision.at,
            }
            for stored, _, _, decision in found
        ],
    )


def save_inherited(connection: Connection, found: Sequence[Inherited]) -> None:
    """Descriptions that cost nothing, marked with where they come from."""
    if not found:
        return
    inherited = [
        _row(
            "dbt",
            heir.stored.id,
            heir.stored.reuse_key,
            Suggestion((heir.text,), "high", "inherited"),
        )
        for heir in found
    ]
    connection.execute(insert(suggestions), inherited)
    connection.execute(
        update(columns)
        .where(columns.c.id == bindparam("item"))
        .values(status="inherited", facts=bindparam("shown")),
        [
            {"item": heir.stored.id, "shown": json.dumps({"inherited_from": heir.origin})}
            for heir in found
        ],
    )


def save_suggestions(
    connection: Connection,
    model: str,
    found: Sequence[tuple[Stored, Suggestion]],
    facts: Mapping[int, Mapping[str, Any]],
) -> None:
    """The answers of one reply, and by item id the masked facts that the model saw; an item that
    has an answer already keeps it."""
    ids = [stored.id for stored, _ in found]
    is_open = and_(columns.c.id.in_(ids), columns.c.status.in_(("pending", "failed")))
    open_ids = select(columns.c.id).where(is_open)
    still_open = set(connection.execute(open_ids).scalars())
    taken: dict[int, tuple[Stored, Suggestion]] = {}
    for stored, suggestion in found:
        if stored.id in still_open:
            taken.setdefault(stored.id, (stored, suggestion))
    if not taken:
        return
    rows = [
        _row(model, stored.id, stored.reuse_key, suggestion)
        for stored, suggestion in taken.values()
    ]
    connection.execute(insert(suggestions), rows)
    shown = ((item, facts.get(item)) for item in taken)
    connection.execute(
        _DESCRIBED,
        [
            {"item": item, "shown": json.dumps(seen, ensure_ascii=False) if seen else None}
            for item, seen in shown
        ],
    )
    if asked := [id_ for id_, (stored, _) in taken.items() if "in_tables" in stored.item.details]:
        spread(connection, asked)


def replace_suggestion(connection: Connection, item: int, new: Suggestion, model: str) -> None:
    """Another answer for an item, in place of the one that it may have."""
    key = select(columns.c.reuse_key).where(columns.c.id == item)
    values = _row(model, item, connection.execute(key).scalar_one(), new)
    mine = suggestions.c.column_id == item
    replaced = update(suggestions).where(mine).values(**values, reused_from=None)
    found = connection.execute(replaced)
    if not found.rowcount:
        connection.execute(insert(suggestions).values(**values))
    described = update(columns).where(columns.c.id == item)
    connection.execute(described.values(status="described", error=None))


def _row(model: str, item: int, key: str, suggestion: Suggestion) -> dict[str, Any]:
    return {
        "column_id": item,
        "reuse_key": key,
        "alternatives": json.dumps(suggestion.alternatives, ensure_ascii=False),
        "confidence": suggestion.confidence,
        "signal": suggestion.signal,
        "score": suggestion.score,
        "model": model,
        "created_at": now(),
    }
