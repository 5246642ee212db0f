"""Prose and SQL as they may leave: what people wrote, without what belongs to a person."""

import re

from amx_kimi.annotate.redact.detectors import (
    is_formatted,
    is_full_name,
    sounds_personal,
    spans,
)
from amx_kimi.annotate.redact.shapes import Masked, shape

__all__ = ["LONGEST_VALUE", "redact_sql", "redact_text"]

LONGEST_VALUE = 32
_LONGEST_DECLARED = 64

_SQL = re.compile(  # or what may hold an apostrophe that begins none; the end may be cut off
    r"""(?P<comment>--[^\n]*+|/\*.*?(?:\*/|\Z))|"""
    r"""\b[eE]'(?P<escaped>(?:[^'\\]++|''|\\.)*+)(?:'|\\?\Z)|"""
    r"""'(?P<text>(?:[^']++|'')*+)(?:'|\Z)|"""
    r"""\$(?P<tag>\w*)\$(?P<dollar>.*?)(?:\$(?P=tag)\$|\Z)|"""
    r"""(?P<quoted>"[^"]*+(?:"|\Z)|`[^`]*+(?:`|\Z))|(?P<word>[^\W\d]\w*+)|"""
    r"""(?P<number>(?<![\w.])\d{7,}+)""",
    re.DOTALL,
)
_NO_COLUMN = frozenset(  # between a column and the value that it is compared with
    "all and any array as between bpchar case cast character distinct else from ilike in is like "
    "not null on or select similar string text then to values varchar varying when where".split()
)


def redact_text(text: str) -> Masked:
    """Prose, such as a comment: formats of addresses, numbers and keys are replaced by shapes."""
    parts, end = [], 0
    for start, stop in spans(text):
        parts += [text[end:start], shape(text[start:stop])]
        end = stop
    return Masked("".join([*parts, text[end:]]))


def redact_sql(
    sql: str, countries: tuple[str, ...] = (), *, declared: bool = False, values: bool = True
) -> Masked:
    """SQL without its comments, with each literal as it may leave; without `values`, as its shape.

    A literal beside a column that sounds personal is a shape too. `declared` is for checks: their
    values are part of the schema, and only what has a personal format is masked.
    """
    column = ""

    def literal(text: str) -> str:
        if not values:
            masked = shape(text)
        elif declared:
            masked = declared_value(text, countries)
        elif (
            len(text) <= LONGEST_VALUE  # first: the detectors are for short texts
            and text.isprintable()
            and not sounds_personal(column)
            and not is_formatted(text, countries)
            and not is_full_name(text)
        ):
            masked = Masked(text)
        else:
            masked = shape(text)
        return "'" + masked.replace("'", "''") + "'"

    def replace(found: re.Match[str]) -> str:
        nonlocal column
        if found["comment"] is not None:
            return " "
        if (name := found["word"] or found["quoted"]) is not None:
            if name.lower() not in _NO_COLUMN:
                column = name.strip('"`')
            return redact_text(name) if found["quoted"] else name
        if found["number"] is not None:
            return shape(found["number"]) if not values or not declared else found["number"]
        if found["escaped"] is not None:
            return literal(re.sub(r"\\(.)|''", lambda m: m[1] or "'", found["escaped"]))
        text = found["dollar"] if found["text"] is None else found["text"].replace("''", "'")
        return literal(text)

    return Masked(_SQL.sub(replace, sql))


def declared_value(text: str, countries: tuple[str, ...]) -> Masked:
    """A value that the schema itself names: of an enum, or of a check."""
    harmless = (
        len(text) <= _LONGEST_DECLARED and text.isprintable() and not is_formatted(text, countries)
    )
    return Masked(text) if harmless else shape(text)
