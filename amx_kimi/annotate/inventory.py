"""The inventory: streams every selected column into the journal with its reuse key, and adds what
dbt or an earlier run already knows about it."""

import hashlib
import json
from collections.abc import Sequence
from functools import partial

from amx_kimi.annotate.inherit import inherit
from amx_kimi.annotate.job import Job, OpenRun
from amx_kimi.annotate.moved import moved
from amx_kimi.annotate.technical import technical_names
from amx_kimi.blocks import blocks
from amx_kimi.databases.base import TableGoneError
from amx_kimi.databases.selection import check_selection, nothing_found
from amx_kimi.journal import Described, answers, items, results, runs
from amx_kimi.journal.differences import Difference, keep_changed, reopen, seen_before
from amx_kimi.journal.shared import share
from amx_kimi.text import counted
from amx_kimi.types import Item, RawFacts

__all__ = ["reuse_key", "take_inventory"]

_AT_ONCE = 1_000
_MOST_SHOWN = 50


async def take_inventory(run: OpenRun) -> None:
    """Fill the run's inventory, reuse earlier answers, and defer what is beyond `limit`.

    Raises:
        SourceError: there is nothing to describe, or a schema or table is missing; names it.
    """
    journal, job = run.journal, run.job
    await journal.write(runs.clear_inventory, run.id)  # a killed process may have left half of one
    if job.again_of:
        await _take_low(run)
    else:
        await _take_all(run)
        await inherit(journal, run.id, job)
    changed = await journal.write(keep_changed, run.id) if job.only_changed else []
    await journal.write(partial(answers.reuse, shared=job.share), run.id)
    if job.keep_known:
        await journal.write(answers.reuse_known, run.id, job.wanted.language)
    if job.only_changed == "data" and not job.names_only:
        # After reuse, because it is the earlier answer that may no longer hold.
        changed += await _reopen_moved(run)
    if job.limit is not None:
        await journal.write(items.defer_beyond, run.id, job.limit)
    if job.share:
        await journal.write(share, run.id, technical_names())
    await journal.write(runs.note_inventory, run.id)
    if job.only_changed:
        run.reader.source.notes += _changes_in_words(changed)


async def _take_all(run: OpenRun) -> None:
    reader, job = run.reader, run.job
    await reader.call(check_selection, reader.source, job.selection)
    found = blocks(reader.source.items(job.selection), _AT_ONCE)
    redactor = job.redactor
    count = 0
    while chunk := await reader.call(lambda: next(found, [])):
        rows = [
            (redactor.item(item), reuse_key(item, reader.source.identity, job), _status(item, job))
            for item in chunk
        ]
        await run.journal.write(items.add_items, run.id, rows)
        count += len(rows)
    if not count:
        raise nothing_found(reader.source, job.selection)


async def _take_low(run: OpenRun) -> None:
    """Copy the inventory of the run to ask again; low-confidence items are pending."""
    journal, job = run.journal, run.job
    for chunk in blocks(journal.stream(results.described, job.again_of), _AT_ONCE):
        rows = [
            (
                old.item,
                reuse_key(old.item, run.reader.source.identity, job),
                "pending" if _is_low(old) else "unchanged",
            )
            for old in chunk
        ]
        await journal.write(items.add_items, run.id, rows)


def _is_low(old: Described) -> bool:
    return (
        old.suggestion is not None
        and old.suggestion.confidence == "low"
        and old.status != "unchanged"
    )


async def _reopen_moved(run: OpenRun) -> list[Difference]:
    """Ask again about columns with the same schema but changed data; reads all statistics."""
    journal, reader, job = run.journal, run.reader, run.job
    found: list[Difference] = []
    for table in journal.read(items.table_items, run.id):
        seen = journal.read(seen_before, run.id, table.schema, table.table)
        if not seen:
            continue
        names = {name for _, name, _ in seen}
        try:
            raw = await reader.call(reader.source.profile, table, sorted(names))
        except TableGoneError:
            continue
        stored = journal.read(items.columns_of, run.id, table.schema, table.table)
        ids = []
        for id_, name, before in seen:
            facts = raw.get(name, RawFacts())
            now = job.redactor.column(stored[name], facts).as_json()
            if what := moved(before, {**now, "rows": table.rows}):
                found.append(Difference("moved", stored[name].name, after=what))
                ids.append(id_)
        await journal.write(reopen, ids)
    return found


def _changes_in_words(changed: Sequence[Difference]) -> list[str]:
    if not changed:
        return ["Nothing has changed since earlier runs"]
    more = len(changed) - _MOST_SHOWN
    shown = [str(change) for change in changed[:_MOST_SHOWN]]
    return [*shown, f"and {counted(more, 'more change')}"] if more > 0 else shown


def reuse_key(item: Item, database: str, job: Job) -> str:
    """What identifies an item for reuse: the item itself, and what the context says about it.

    Never its neighbours, samples or statistics, nor amx-kimi's version.
    """
    parts = [
        database,
        item.schema,
        item.table,
        item.column,
        item.type or item.kind,
        item.key_role,
        item.comment,
        job.profile.model,
        job.wanted.language,
        job.wanted.alternatives,
        job.wanted.style,
        *job.context.part(item),
    ]
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()


def _status(item: Item, job: Job) -> str:
    return "commented" if item.comment and not job.all_columns else "pending"
