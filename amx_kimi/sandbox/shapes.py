"""What passes between the rooms of an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Column:
    """A column as a request describes it."""

    name: str
    id: str = ""
    type: str = ""
    nulls: int | None = None
    distinct: int | None = None
    samples: tuple[str, ...] = ()
    fk: str = ""
    hint: str = ""


@dataclass(frozen=True)
class Table:
    """A table as a request describes it; ``ask`` says whether it is wanted itself."""

    name: str
    id: str = ""
    ask: bool = False
    rows: int | None = None
    hint: str = ""
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True)
class Described:
    """A confidence (h, m or l), wordings best first, and what the name was read as."""

    confidence: str
    wordings: tuple[str, ...]
    what: str


@dataclass(frozen=True)
class Part:
    """A stretch of an answer with the confidence it declares."""

    text: str
    confidence: str = ""


@dataclass(frozen=True)
class Answer:
    """A whole answer, and how many columns were asked for."""

    parts: tuple[Part, ...]
    columns: int = 0
    tool_calls: tuple[dict[str, Any], ...] = ()

    @property
    def text(self) -> str:
        """The content."""
        return "".join(part.text for part in self.parts)
