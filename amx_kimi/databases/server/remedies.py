"""What to do about a server's errors: patterns of its words, and a remedy for each."""

import re
from collections.abc import Mapping

__all__ = ["NONE", "Remedies", "remedy_for"]

Remedies = Mapping[str, str]
"""Patterns (in any case) and remedies; the first that occurs counts."""
NONE: Remedies = {}


def remedy_for(remedies: Remedies, reason: str, otherwise: str = "") -> str:
    """The remedy for a server's words, or `otherwise`."""
    flags = re.IGNORECASE | re.DOTALL
    found = (text for words, text in remedies.items() if re.search(words, reason, flags))
    return next(found, otherwise)
