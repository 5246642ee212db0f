"""Whether to go on asking: a model proves itself first, and what keeps failing is stopped."""

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
_FIRST = 10  # items of the first request, where the model has not answered in our format yet
_FIRST_FAILURES = 3  # requests that fail alike before the first usable answer
_FAILURES_IN_A_ROW = 8
_OF_SOME_COLUMNS = (ContentFilterError, ContextError, TooLargeError)  # say nothing of the others


class Trial:
    """Counts what brought nothing since the last usable answer. `proven` once an answer was usable,
    here or in an earlier run."""

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
        """A question (`of_one`: for a single item) ended in this error after so many requests;
        returns whether to stop."""
        if error.stops_run:
            return True
        is_of_some = isinstance(error, _OF_SOME_COLUMNS)
        if is_of_some and (self.proven or not of_one):
            return False
        self._failures += 1
        self._alike = requests + (self._alike if type(error) is self._last else 0)
        self._last = type(error)
        # With fewer columns an answer may be whole; thinking takes what it gets.
        is_cut = isinstance(error, TruncatedError) and bool(error.reply and error.reply.content)
        if not (self.proven or is_cut or is_of_some):
            return self._alike >= _FIRST_FAILURES
        return self._failures >= _FAILURES_IN_A_ROW


def first_size(items: int, most: int, *, proven: bool) -> int | None:
    """How many items the first request carries at most; None: as many as any other."""
    return None if proven or items <= most else _FIRST


def is_proven(facts: Facts) -> bool:
    """Whether the model has answered in our format at this endpoint, not too long ago."""
    return "contract" in facts.quirks
