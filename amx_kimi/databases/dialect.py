"""The SQL of a comment in each dialect: pure functions from names and texts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from sqlglot import exp

from amx_kimi.text import one_line

__all__ = ["Dialect", "Place", "cut", "keeps_comment", "statement", "too_long"]

_SIZES: Mapping[str, Callable[[str], int]] = {
    "characters": len,
    "bytes": lambda text: len(text.encode("utf-8", "replace")),
    "utf16": lambda text: len(text.encode("utf-16-le", "replace")) // 2,
}


@dataclass(frozen=True, eq=False)
class Dialect:
    """How one kind of database writes comments; the fields are explained in `sql_only.yml`.
    `catalog` is that of the open database, if names need it."""

    name: str
    sqlglot: str
    table: str
    column: str
    head: tuple[str, ...] = ()
    begin: str = ""
    end: str = ""
    upper: bool = False
    here: str = "''"
    lines: bool = True
    dollar: str = "$"
    unicode: bool = False
    most: Mapping[str, int] = field(default_factory=dict)
    unit: str = "characters"
    views: Mapping[str, str] = field(default_factory=dict)
    materialized: Mapping[str, str] = field(default_factory=dict)
    nested: str = ""
    catalog: str = ""


@dataclass(frozen=True)
class Place:
    """Where a comment belongs: `column` is "" for the table itself; `kind` is `table`, `view`,
    `materialized view` or `foreign table`."""

    schema: str
    table: str
    column: str = ""
    kind: str = "table"


def statement(dialect: Dialect, place: Place, text: str | None) -> str:
    """The statement that makes `text` the comment of a place; None removes the comment, if the
    dialect does that with `IS NULL`."""
    template = _template(dialect, place)
    if dialect.nested and ("." in place.column or "*" in place.table):
        template = dialect.nested
    if text is not None and not dialect.lines:
        text = " ".join(text.split("\n")).replace("$(", "$ (")
    filled: str = template.format_map(_Slots(dialect, place, text))
    return one_line(filled) if template.startswith("--") else filled


def keeps_comment(dialect: Dialect, place: Place) -> bool:
    """Whether such a database stores a comment there at all."""
    return not _template(dialect, place).startswith("--")


def _template(dialect: Dialect, place: Place) -> str:
    part = "column" if place.column else "table"
    template = getattr(dialect, part)
    if place.kind in ("view", "materialized view"):
        template = dialect.views.get(part, template)
    if place.kind == "materialized view":
        template = dialect.materialized.get(part, template)
    return str(template)


class _Slots(dict[str, str]):
    """The slots of a template, filled when the template uses them."""

    def __init__(self, dialect: Dialect, place: Place, text: str | None) -> None:
        super().__init__(kind=place.kind.upper())
        self._dialect, self._place, self._text = dialect, place, text

    def __missing__(self, slot: str) -> str:
        dialect, place = self._dialect, self._place
        if slot == "text":
            return "NULL" if self._text is None else _literal(dialect, self._text)
        if slot == "schema_here":
            return _literal(dialect, place.schema) if place.schema else dialect.here
        if slot in ("table", "table_text"):
            parts = (dialect.catalog, place.schema, place.table)
            name = ".".join(_name(dialect, part) for part in parts if part)
        elif slot in ("column", "quoted_column_text"):
            name = _name(dialect, place.column)
        else:
            plain = {"schema": place.schema, "name": place.table, "column": place.column}
            name = plain[slot.removesuffix("_text")]
        return _literal(dialect, name) if slot.endswith("_text") else name


def too_long(dialect: Dialect, place: Place, text: str) -> int | None:
    """The maximum length of a text here, if `text` is longer; else None."""
    most = dialect.most.get("column" if place.column else "table")
    return most if most is not None and _SIZES[dialect.unit](text) > most else None


def cut(dialect: Dialect, place: Place, text: str) -> str:
    """A text shortened to the maximum length of its place, with an ellipsis if it was cut."""
    if too_long(dialect, place, text) is None:
        return text
    shorter = text
    while shorter and too_long(dialect, place, shorter + "…") is not None:
        cut = max(1, len(shorter) // 200)
        shorter = shorter[: len(shorter) - cut]
    return shorter.rstrip() + "…"


@lru_cache(10_000)
def _name(dialect: Dialect, name: str) -> str:
    if dialect.upper and name == name.lower() and name.isidentifier() and name.isascii():
        name = name.upper()
    return exp.Identifier(this=name, quoted=True).sql(dialect=dialect.sqlglot)


def _literal(dialect: Dialect, text: str) -> str:
    kind = exp.National(this=text) if dialect.unicode else exp.Literal.string(text)
    literal: str = kind.sql(dialect=dialect.sqlglot)
    return literal.replace("$", dialect.dollar)
