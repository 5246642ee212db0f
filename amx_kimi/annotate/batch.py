"""A batch: the columns of one request, by table, with the ids that the answer uses."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

from amx_kimi.journal import Stored
from amx_kimi.redact import ColumnFacts, check_masked
from amx_kimi.text import counted
from amx_kimi.types import Item

__all__ = ["Batch", "Piece"]


@dataclass(frozen=True)
class Piece:
    """Some columns of one table, with the table as context.

    `ask` is the table's own entry, if it is to be described. `neighbours` are the names of its
    columns, as context if they are not all asked together. `known` is what the schema says about
    the table, such as its comment or a view's SQL, masked.
    """

    table: Item
    ask: Stored | None
    columns: tuple[tuple[Stored, ColumnFacts], ...]
    neighbours: tuple[str, ...] = ()
    known: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_masked(self.known)

    @property
    def size(self) -> int:
        """How many descriptions it asks for."""
        return len(self.columns) + (self.ask is not None)


@dataclass(frozen=True)
class Batch:
    """The pieces of one request. `tries` counts how often its items were asked in vain."""

    pieces: tuple[Piece, ...]
    tries: int = 0
    refs: dict[str, Stored] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        refs: dict[str, Stored] = {}
        for number, piece in enumerate(self.pieces, 1):
            if piece.ask:
                refs[f"T{number}"] = piece.ask
        columns = (stored for piece in self.pieces for stored, _ in piece.columns)
        refs |= {str(number): stored for number, stored in enumerate(columns, 1)}
        object.__setattr__(self, "refs", refs)

    @property
    def size(self) -> int:
        """How many descriptions it asks for."""
        return len(self.refs)

    @property
    def label(self) -> str:
        """The batch in a few words, for logs and errors."""
        names = list(dict.fromkeys(piece.table.name for piece in self.pieces))
        others = len(names) - 1
        more = f" and {counted(others, 'more table')}" if others > 0 else ""
        return f"{counted(self.size, 'item')} of {names[0]}{more}"

    def facts_shown(self) -> dict[int, Mapping[str, object]]:
        """What the model sees of each column, masked, by the item's id in the journal."""
        columns = (pair for piece in self.pieces for pair in piece.columns)
        return {stored.id: facts.as_json() for stored, facts in columns}

    def only(self, ids: Sequence[int], *, tries: int) -> "Batch":
        """A batch of these items alone (ids in the journal), with their tables as context."""
        wanted = set(ids)
        pieces = (
            replace(
                piece,
                ask=piece.ask if piece.ask and piece.ask.id in wanted else None,
                columns=tuple(pair for pair in piece.columns if pair[0].id in wanted),
            )
            for piece in self.pieces
        )
        return Batch(tuple(piece for piece in pieces if piece.size), tries)

    def bare(self) -> "Batch":
        """The same items, without context from the rest of their tables."""
        pieces = (
            replace(
                piece,
                neighbours=(),
                known={},
                columns=tuple((_without_fk(stored), facts) for stored, facts in piece.columns),
            )
            for piece in self.pieces
        )
        return Batch(tuple(pieces), self.tries)

    @property
    def is_bare(self) -> bool:
        """Whether it has no context beside the items themselves."""
        return not any(
            piece.neighbours or piece.known or any(stored.item.fk for stored, _ in piece.columns)
            for piece in self.pieces
        )

    def leaving_out(self, names: Set[str]) -> "Batch":
        """The same items, without the neighbours of these names (`schema.table.column`)."""
        pieces = (
            replace(
                piece,
                neighbours=tuple(
                    name for name in piece.neighbours if f"{piece.table.name}.{name}" not in names
                ),
            )
            for piece in self.pieces
        )
        return Batch(tuple(pieces), self.tries)

    def halves(self) -> tuple["Batch", "Batch"]:
        """The same items in two batches; there must be at least two items."""
        ids = [stored.id for stored in self.refs.values()]
        middle = len(ids) // 2
        first = self.only(ids[:middle], tries=self.tries)
        second = self.only(ids[middle:], tries=self.tries)
        return first, second


def _without_fk(stored: Stored) -> Stored:
    return replace(stored, item=replace(stored.item, fk=""))
