"""What has to hold after each life of the program, however it ended."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy.pool import NullPool

from amx_kimi.sandbox.record import Seen
from tests.chaos.world import KEY, Ended, World

_SPURIOUS = ("Traceback", "Exception ignored", "never awaited", "was destroyed", "Warning:")
_ANSWERED = frozenset({"described", "reused", "inherited", "shared"})
_HARMLESS = frozenset({None, "hostile", "repeat"})  # a drip may end just after its asker gave up
_INTERRUPTED = 130
_NANO = 1_000_000_000
_OURS = ("config.yml", "kimi.yml", "kimi-learned.json", "kimi.db")
_ALLOWED = {*_OURS, *(f"{name}.lock" for name in _OURS), "kimi.db-wal", "kimi.db-shm"}


@dataclass(frozen=True)
class Paid:
    """A row of `requests`: tokens in and out, the cost in billionths, None where unknown."""

    prompt: int
    cached: int
    completion: int
    cost: int | None
    worst: int


@dataclass(frozen=True)
class Ledger:
    """What the journal knows of the world's run: items with an answer, items without, requests."""

    run: str = ""
    answers: frozenset[tuple[str, str]] = frozenset()
    open: frozenset[str] = frozenset()
    requests: tuple[Paid, ...] = ()

    @classmethod
    def read(cls, world: World) -> Ledger:
        """As a process of its own would find it, which the program's end cannot disturb."""
        store = world.store or f"sqlite:///{world.folder / 'kimi.db'}"
        url = sqlalchemy.make_url(store)
        if url.get_backend_name() == "sqlite":
            return cls._of_copy(Path(url.database or ""), world.run)
        if url.get_backend_name() == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        return _read(url, world.run)

    @classmethod
    def _of_copy(cls, file: Path, run: str) -> Ledger:
        """Reading mends a file that a killed process left behind: that is not ours to do."""
        if not file.exists():
            return cls()
        with tempfile.TemporaryDirectory() as folder:
            for path in file.parent.glob(f"{file.name}*"):
                shutil.copy(path, folder)
            return _read(sqlalchemy.URL.create("sqlite", database=f"{folder}/{file.name}"), run)


def _read(url: sqlalchemy.URL, run: str) -> Ledger:
    engine = sqlalchemy.create_engine(url, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            return _ledger(connection, run)
    finally:
        engine.dispose()


def _ledger(connection: sqlalchemy.Connection, run: str) -> Ledger:
    def rows(query: str) -> Sequence[Any]:
        return connection.execute(sqlalchemy.text(query), {"run": run}).fetchall()

    if not sqlalchemy.inspect(connection).has_table("kimi_meta"):
        return Ledger()
    if not run:
        found = rows("SELECT id FROM runs ORDER BY started_at DESC LIMIT 1")
        if not found:
            return Ledger()
        run = found[0][0]
        return _ledger(connection, run)
    items = rows(
        "SELECT c.schema_name, c.table_name, c.column_name, c.status, s.alternatives "
        "FROM columns c LEFT JOIN suggestions s ON s.column_id = c.id WHERE c.run_id = :run"
    )
    paid = rows(
        "SELECT prompt_tokens, cached_tokens, completion_tokens, cost, worst_cost "
        "FROM requests WHERE run_id = :run ORDER BY id"
    )
    return Ledger(
        run=run,
        answers=frozenset((_named(*i[:3]), i[4]) for i in items if i[3] in _ANSWERED),
        open=frozenset(_named(*i[:3]) for i in items if i[3] not in _ANSWERED),
        requests=tuple(
            Paid(r[0] or 0, r[1] or 0, r[2] or 0, None if r[3] is None else int(r[3]), r[4] or 0)
            for r in paid
        ),
    )


def _named(schema: str, table: str, column: str) -> str:
    """As a question names an item: `schema.table.column`; a table itself has no column."""
    return f"{'.'.join(filter(None, (schema, table)))}.{column}"


def asked(seen: Seen) -> Iterator[str]:
    """The items that a request asks for."""
    if not seen.body:
        return
    for table in json.loads(seen.body["messages"][-1]["content"])["tables"]:
        if table["ask"]:
            yield f"{table['name']}."
        yield from (f"{table['name']}.{column['name']}" for column in table["columns"])


def check(
    world: World, before: Ledger, after: Ledger, seen: Sequence[Seen], life: Sequence[Seen]
) -> list[str]:
    """What does not hold after a life: `seen` is all that this run has sent, `life` what this
    process sent."""
    return [
        *_lost(before, after),
        *_paid_twice(before, life, whole=not world.sandbox.options.forget_above),
        *_unkept(world, after, life),
        *_bill(after, seen),
        *_left_behind(world),
    ]


def _lost(before: Ledger, after: Ledger) -> Iterator[str]:
    if gone := before.answers - after.answers:
        yield f"lost answers that were journalled: {sorted(gone)[:3]}"


def _paid_twice(before: Ledger, life: Iterable[Seen], *, whole: bool) -> Iterator[str]:
    """`whole`: whether an answer that went well has every item that was asked for."""
    known = {name for name, _ in before.answers}
    clean: Counter[str] = Counter()
    for seen in life:
        names = list(asked(seen))
        if again := known.intersection(names):
            yield f"asked again though journalled: {sorted(again)[:3]}"
        if whole and seen.finish_reason == "stop" and seen.fault in _HARMLESS:
            clean.update(set(names))
    if twice := [name for name, count in clean.items() if count > 1]:
        yield f"answered well more than once in one life: {sorted(twice)[:3]}"


def _unkept(world: World, after: Ledger, life: Iterable[Seen]) -> Iterator[str]:
    """What was answered well, and is not in the journal, was in flight: no more than that."""
    kept = {name for name, _ in after.answers}
    well = (one for one in life if one.finish_reason == "stop" and one.fault in _HARMLESS)
    lost = {name for one in well for name in asked(one)} - kept
    if world.in_flight is not None and len(lost) > world.in_flight:
        yield f"{len(lost)} answers were paid and not kept: {sorted(lost)[:3]}"


def _bill(after: Ledger, seen: Sequence[Seen]) -> Iterator[str]:
    """Each request has its row; what the journal knows exactly is what was billed, and the rest is
    counted at no less than was billed."""
    if len(seen) > len(after.requests):
        yield f"{len(seen)} requests were sent, {len(after.requests)} are in the journal"
    billed = Counter(_figures(one.usage) for one in seen if one.usage)
    known = Counter(
        (paid.prompt, paid.cached, paid.completion)
        for paid in after.requests
        if paid.cost is not None and paid.prompt
    )
    if invented := known - billed:
        yield f"the journal has tokens that were never billed: {list(invented)[:3]}"
    unsure = [paid for paid in after.requests if paid.cost is None]
    left = billed - known
    if left.total() > len(unsure):
        yield f"{left.total()} billed requests are not in the journal's {len(unsure)} unsure ones"
    counted = sum(paid.worst if paid.cost is None else paid.cost for paid in after.requests)
    cost = sum(one.cost for one in seen) * _NANO
    if counted < cost or (not unsure and counted != cost):
        yield f"the journal counts {counted / _NANO}, {float(cost) / _NANO} were billed"


def _figures(usage: dict[str, int]) -> tuple[int, int, int]:
    return usage["prompt_tokens"], usage["cached_tokens"], usage["completion_tokens"]


def _left_behind(world: World) -> Iterator[str]:
    if left := list(world.temporary.iterdir()):
        yield f"left in TMPDIR: {[path.name for path in left][:3]}"
    for path in world.folder.iterdir():
        # Half-written ones of a process that was killed go with the next that writes.
        half = path.name.startswith(tuple(f".{name}." for name in _OURS)) and world.kills
        if path.name not in _ALLOWED and not half:
            yield f"left in AMX_CONFIG_DIR: {path.name}"
        if path.stat().st_mode & 0o077:
            yield f"readable by others: {path.name} {path.stat().st_mode:o}"


def check_words(ended: Ended, after: Ledger, *, worked: bool = True) -> list[str]:
    """Whether exit code, figures and messages of a process that was not killed are true; `worked`:
    it had come to asking."""
    # Interrupted while it still imports, Python itself says where it was.
    spurious = _SPURIOUS if worked else ()
    wrong = [f"said {word!r}: {ended.err[-600:]}" for word in spurious if word in ended.err]
    wrong += [f"said the key: {ended.out[-300:]}"] if KEY in ended.out + ended.err else []
    is_whole = bool(after.answers) and not after.open
    if ended.code != _INTERRUPTED and (ended.code == 0) != is_whole:
        wrong.append(f"exit code {ended.code}, open: {sorted(after.open)[:3]}: {ended.err[-400:]}")
    goes_on = f"--resume {after.run}" in ended.err
    if ended.code == _INTERRUPTED and worked and after.open and not goes_on:
        wrong.append(f"interrupted, and no way on is named: {ended.err[-300:]}")
    if ended.code not in (0, 1, 2, 3, 4, _INTERRUPTED):
        wrong.append(f"exit code {ended.code}: {ended.err[-600:]}")
    if ended.code and not ended.err.strip():
        wrong.append(f"exit code {ended.code}, and not a word")
    if summary := ended.summary:
        wrong += _check_summary(summary, after)
    elif ended.code == 0:
        wrong.append("exit code 0 without figures")
    return wrong


def _check_summary(said: dict[str, Any], after: Ledger) -> Iterator[str]:
    columns = [name for name, _ in after.answers if not name.endswith(".")]
    found = {
        "described": len(columns),
        "requests": len(after.requests),
        "prompt": sum(paid.prompt for paid in after.requests),
        "completion": sum(paid.completion for paid in after.requests),
        "cost": sum(paid.worst if paid.cost is None else paid.cost for paid in after.requests),
    }
    told = {name: said.get(name, said["tokens"].get(name)) for name in found}
    told["cost"] = round((said["cost"]["amount"] or 0) * _NANO)
    if told != found:
        yield f"said {told}, the journal has {found}"
