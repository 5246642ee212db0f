"""The one chokepoint between a database and whatever leaves it or is kept of it.

`Redactor` turns what a source read into `Masked` texts, the only ones that a prompt accepts. A
value leaves as it is when it occurs at least five times (or is declared: an enum's or a check's)
and no detector objects; everything else leaves as its shape. When in doubt, the shape.

- `redactor`: a column's values; `texts`: comments and SQL; `shapes`: what a value looks like
- `columns`: what a column's name says; `people`: whether it is somebody's name; `detectors`:
  numbers, addresses, keys; `words` and `words/`: lists of words, with their sources
"""

from amx_kimi.redact.redactor import (
    ColumnFacts,
    Redactor,
    check_masked,
    facts_again,
    kept,
)
from amx_kimi.redact.shapes import Masked, shape
from amx_kimi.redact.texts import redact_sql, redact_text

__all__ = [
    "ColumnFacts",
    "Masked",
    "Redactor",
    "check_masked",
    "facts_again",
    "kept",
    "redact_sql",
    "redact_text",
    "shape",
]
