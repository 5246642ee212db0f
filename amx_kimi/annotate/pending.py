"""Makes batches of the journal's pending items; reads statistics only for the next tables."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence

from amx_kimi.annotate.batch import Batch, Piece
from amx_kimi.annotate.job import OpenRun
from amx_kimi.annotate.pack import Packer
from amx_kimi.databases.base import TableGoneError
from amx_kimi.journal import Journal, Stored, items
from amx_kimi.redact import kept
from amx_kimi.types import Item, RawFacts

__all__ = ["batches"]

_PAGE = 500
_MOST_NEIGHBOURS = 60


async def batches(
    run: OpenRun, packer: Packer, lost: Callable[[int], None] = lambda _: None
) -> AsyncGenerator[Batch, None]:
    """Everything that the run still has to ask, batch by batch, in the order of the inventory.

    Items of a table that was dropped meanwhile are noted as failed; `lost` gets their number.
    """
    async for group in _by_table(run.journal, run.id):
        piece = await _piece(run, group)
        if piece is None:
            lost(sum(1 for stored in group if stored.item.column))
        else:
            for batch in packer.add(piece):
                yield batch
    for batch in packer.flush():
        yield batch


async def _by_table(journal: Journal, run: str) -> AsyncIterator[list[Stored]]:
    group: list[Stored] = []
    after = 0
    while page := journal.read(items.pending, run, after, _PAGE):
        for stored in page:
            if group and _place(stored.item) != _place(group[0].item):
                yield group
                group = []
            group.append(stored)
        after = page[-1].id
    if group:
        yield group


async def _piece(run: OpenRun, group: Sequence[Stored]) -> Piece | None:
    journal, reader = run.journal, run.reader
    columns = [stored for stored in group if stored.item.column]
    ask = next((stored for stored in group if not stored.item.column), None)
    table = ask.item if ask else journal.read(items.table_of, run.id, group[0].item)
    raw: Mapping[str, RawFacts] = {}
    if not run.job.names_only:
        try:
            names = [stored.item.column for stored in columns]
            raw = await reader.call(reader.source.profile, table, names)
        except TableGoneError as error:
            await journal.write(items.fail_items, [stored.id for stored in group], error.message)
            return None
    redactor = run.job.redactor
    facts = [
        redactor.column(stored.item, raw.get(stored.item.column, RawFacts())) for stored in columns
    ]
    place = _place(table)
    neighbours = journal.read(items.column_names, run.id, *place, _MOST_NEIGHBOURS)
    return Piece(
        table=table,
        ask=ask,
        columns=tuple(zip(columns, facts, strict=True)),
        neighbours=tuple(neighbours),
        known=kept(table),
    )


def _place(item: Item) -> tuple[str, str]:
    return item.schema, item.table
