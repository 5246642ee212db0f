"""Decides whether to continue: a model must prove itself first; repeated failures stop a run."""

from amx_kimi.errors import (
    ContentFilterError,
    ContextError,
    KimiError,
    ReplyError,
    TooLargeError,
    TruncatedError,
)
from amx_kimi.facts import Facts

__all__ = ["NOTHING", "Trial", "first_size", "is_proven"]

NOTHING = ReplyError(
    "The model's answers have no usable entry",
    remedy="Try another model: `amx-kimi models` says when to pick which.",
)
_FIRST = 10  # items of the first request, if the model has not yet answered in our format
_FIRST_FAILURES = 3  # requests that fail in the same way before the first usable answer
_FAILURES_IN_A_ROW = 8
_OF_SOME_COLUMNS = (ContentFilterError, ContextError, TooLargeError)  # say nothing about others


class Trial:
    """Counts the failures since the last usable answer. `proven`: an answer was usable, in this run
    or an earlier one."""

    def __init__(self, proven: bool) -> None:
        self.proven = proven
        self._failures = 0
        self._alike = 0
        self._last: type[KimiError] | None = None

    def usable(self) -> None:
        """An answer was kept."""
        self.proven = True
        self._failures = self._alike = 0

    def failed(self, error: KimiError, requests: int, *, of_one: bool = False) -> bool:
        """Note that a question failed after so many requests (`of_one`: it was about one item);
        returns whether to stop."""
        if error.stops_run:
            return True
        is_of_some = isinstance(error, _OF_SOME_COLUMNS)
        if is_of_some and (self.proven or not of_one):
            return False
        self._failures += 1
        self._alike = requests + (self._alike if type(error) is self._last else 0)
        self._last = type(error)
        # A cut answer may be complete with fewer columns; cut thinking uses any budget.
        is_cut = isinstance(error, TruncatedError) and bool(error.reply and error.reply.content)
        if not (self.proven or is_cut or is_of_some):
            return self._alike >= _FIRST_FAILURES
        return self._failures >= _FAILURES_IN_A_ROW


def first_size(items: int, most: int, *, proven: bool) -> int | None:
    """How many items the first request carries at most; None: as many as any other."""
    return None if proven or items <= most else _FIRST


def is_proven(facts: Facts) -> bool:
    """Whether the model has answered in our format at this endpoint recently."""
    return "contract" in facts.quirks
