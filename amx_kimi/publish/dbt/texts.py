"""The parts of a run that go to dbt: tables with descriptions, their texts, and their provenance.

dbt renders names, descriptions and `meta` with Jinja, so braces are escaped. Provenance is in
`config.meta.amx_kimi` (dbt 1.10 moved `meta` there), with a digest of the text. A description that
still matches its digest is ours and may be replaced; any other belongs to a person.
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
    """The result of an export: how many descriptions were `added`, `kept` (written by people) and
    `absent` (without an entry, with `only_existing`); a line in `problems` for each thing that was
    skipped; and `warnings` about the files."""

    added: int = 0
    kept: int = 0
    absent: int = 0
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def escape(text: str) -> str:
    """A text escaped for dbt's Jinja, which knows only one kind of line end."""
    return escape_name(text.replace("\r\n", "\n").replace("\r", "\n").strip())


def escape_name(name: str) -> str:
    """A name, which is a template to dbt as well."""
    return _BRACE.sub("{{ '{' }}", name)


def qualified(schema: str, table: str) -> str:
    """A table's name for people."""
    return f"{schema}.{table}".lstrip(".")


def chosen_tables(rows: Iterable[Described], choice: Choice) -> Iterator[list[Described]]:
    """Tables with chosen texts: their own row, if chosen, and the chosen columns."""
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
    """A digest that tells our text from a person's; line wrapping does not change it."""
    words = " ".join(text.split())
    return hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()[:12]
