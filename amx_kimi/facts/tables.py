"""The tables that say what refusals mean, and how thinking is marked."""

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, TypeVar

from amx_kimi import errors
from amx_kimi.errors import FactsError, ServiceError
from amx_kimi.plain_yaml import FAST_LOADER, load_yaml
from amx_kimi.typed import build

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["RefusalRow", "RefusalTable", "ThoughtTable", "load_refusals", "load_thoughts"]

_T = TypeVar("_T", bound="DataclassInstance")


@dataclass(frozen=True)
class RefusalSample:
    """An example of an answer; `by` says whether it was seen, documented, or is our own wording."""

    status: int
    body: str
    by: str


@dataclass(frozen=True)
class RefusalRow:
    """One row of refusals.yml; its columns are described at the head of that file."""

    error: str
    status: tuple[int, ...] = ()
    words: str = ""
    remedy: str = ""
    samples: tuple[RefusalSample, ...] = ()

    @property
    def error_class(self) -> type[ServiceError]:
        """The class in errors.py."""
        found = getattr(errors, self.error, None)
        if not (isinstance(found, type) and issubclass(found, ServiceError)):
            raise FactsError(f"refusals.yml: {self.error!r} is not an error of a service")
        return found

    def fits(self, status: int, probe: str) -> bool:
        """Whether a refusal matches this row; if `status` is unknown (0), words must match."""
        if status and self.status and status not in self.status:
            return False
        if not self.words:
            return bool(status) or not self.status
        return re.search(self.words, probe) is not None


@dataclass(frozen=True)
class RefusalTable:
    """The rows in the order in which they are tried; the last one matches everything."""

    source: str
    date: datetime.date
    refusals: tuple[RefusalRow, ...]
    siblings: tuple[tuple[str, ...], ...] = ()
    statuses: Mapping[str, int] = field(default_factory=dict)

    def row(self, status: int, probe: str) -> RefusalRow:
        """The first row that matches."""
        return next(row for row in self.refusals if row.fits(status, probe))


@dataclass(frozen=True)
class ThoughtRow:
    """The marks around a thought, and who writes them."""

    open: str
    close: str


@dataclass(frozen=True)
class ThoughtTable:
    """How thinking is marked inside content; `noise` are marks around the answer itself."""

    source: str
    date: datetime.date
    marks: tuple[ThoughtRow, ...]
    noise: tuple[str, ...] = ()


@cache
def load_refusals() -> RefusalTable:
    """What refusals mean.

    Raises:
        FactsError: names the row and the column.
    """
    table = _load(RefusalTable, "refusals.yml")
    for row in table.refusals:
        _ = row.error_class
    if table.refusals[-1].status or table.refusals[-1].words:
        raise FactsError("refusals.yml: the last row must match every refusal")
    return table


@cache
def load_thoughts() -> ThoughtTable:
    """How thinking is marked.

    Raises:
        FactsError: names the row and the column.
    """
    return _load(ThoughtTable, "thoughts.yml")


def _load(kind: type[_T], name: str) -> _T:
    text = (files("amx_kimi.facts") / name).read_text("utf-8")
    return build(kind, load_yaml(text, FAST_LOADER), name)
