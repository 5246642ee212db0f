"""What dbt gets of a run: tables with something to say, their texts, and where a text comes from.

Names, descriptions and `meta` are Jinja to dbt, so braces are escaped. Provenance stands below
`config.meta.amx_kimi` (dbt 1.10 moved `meta` there), with a digest of the text: a description that
still has its digest is ours and may be replaced; any other is a person's.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Literal

from amx_kimi.journal import Described, Run
from amx_kimi.publish.choose import Choice
from amx_kimi.publish.export import written_by
from amx_kimi.publish.yaml_lines import Flow

__all__ = [
    "NO_SCHEMA",
    "Merged",
    "Section",
    "chosen_tables",
    "digest",
    "escape",
    "escape_name",
    "provenance",
    "qualified",
]

Section = Literal["sources", "models"]
NO_SCHEMA = "main"
_BRACE = re.compile(r"\{(?=[{%#])")


@dataclass
class Merged:
    """What came of an export: descriptions `added`, `kept` (a person's) and `absent` (nothing there
    to describe, and nothing was to be added), a line in `problems` for each thing that was left
    alone, and `warnings` about the files."""

    added: int = 0
    kept: int = 0
    absent: int = 0
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def escape(text: str) -> str:
    """A text that dbt's Jinja renders as itself; it knows one sort of line end."""
    return escape_name(text.replace("\r\n", "\n").replace("\r", "\n").strip())


def escape_name(name: str) -> str:
    """A name, which is a template to dbt as well."""
    return _BRACE.sub("{{ '{' }}", name)


def qualified(schema: str, table: str) -> str:
    """A table as people are told of it."""
    return f"{schema}.{table}".lstrip(".")


def chosen_tables(rows: Iterable[Described], choice: Choice) -> Iterator[list[Described]]:
    """Tables with something to say: their own row (when it is chosen) and the chosen columns."""
    for _, group in groupby(rows, key=lambda row: (row.item.schema, row.item.table)):
        chosen = [row for row in group if choice.text(row) is not None]
        if chosen:
            yield chosen


def provenance(row: Described, run: Run, text: str) -> Flow:
    """Where a description (as it is written) comes from."""
    decision = row.decision
    known = {
        "ai_generated": written_by(row) == "AI",
        "model": row.model,
        "run": run.id,
        "confidence": row.suggestion.confidence if row.suggestion else None,
        "reviewer": decision.by if decision else None,
        "digest": digest(text),
    }
    return Flow(
        (key, escape(value) if isinstance(value, str) else value)
        for key, value in known.items()
        if value is not None
    )


def digest(text: str) -> str:
    """What tells a text of ours from a person's; it does not depend on how lines are wrapped."""
    return hashlib.sha256(" ".join(text.split()).encode("utf-8", "replace")).hexdigest()[:12]
