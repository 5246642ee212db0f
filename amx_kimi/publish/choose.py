"""Chooses which text of an item may be published."""

from dataclasses import dataclass

from amx_kimi.journal import Described
from amx_kimi.types import CONFIDENCES, Confidence

__all__ = ["Choice"]


@dataclass(frozen=True)
class Choice:
    """What people accepted; with `unreviewed`, also the best alternative of undecided items at or
    above the confidence `least`."""

    unreviewed: bool = False
    least: Confidence = "low"

    def text(self, row: Described) -> str | None:
        """The text to publish, or None."""
        if row.decision:
            return row.decision.text
        if not self.unreviewed or row.suggestion is None:
            return None
        sure = CONFIDENCES.index(row.suggestion.confidence) <= CONFIDENCES.index(self.least)
        return row.suggestion.alternatives[0] if sure else None
