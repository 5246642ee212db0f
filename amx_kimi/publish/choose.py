"""Which text of an item may leave the journal for a place where people look."""

from dataclasses import dataclass

from amx_kimi.journal import Described
from amx_kimi.types import CONFIDENCES, Confidence

__all__ = ["Choice"]


@dataclass(frozen=True)
class Choice:
    """What people accepted; with `unreviewed`, also the best wording of what nobody has decided
    yet, from a confidence of `least` on."""

    unreviewed: bool = False
    least: Confidence = "low"

    def text(self, row: Described) -> str | None:
        """The text that may leave, or None."""
        if row.decision:
            return row.decision.text
        if not self.unreviewed or row.suggestion is None:
            return None
        sure = CONFIDENCES.index(row.suggestion.confidence) <= CONFIDENCES.index(self.least)
        return row.suggestion.alternatives[0] if sure else None
