"""Prose and SQL as they may leave: what people wrote, without what belongs to a person."""

import re

from amx_kimi.redact.detectors import is_formatted, spans
from amx_kimi.redact.people import is_full_name
from amx_kimi.redact.shapes import Masked, shape

__all__ = ["LONGEST_VALUE", "declared_value", "redact_sql", "redact_text"]

LONGEST_VALUE = 32
_LONGEST_DECLARED = 64
_LONGEST_SQL = 200_000

_SQL = re.compile(  # or what may hold an apostrophe that begins none; the end may be cut off
    r"""(?P<comment>--[^\n]*+|/\*.*?(?:\*/|\Z))|"""
    r"""\b[eE]'(?P<escaped>(?:[^'\\]++|''|\\.)*+)(?:'|\\?\Z)|"""
    r"""'(?P<text>(?:[^']++|'')*+)(?:'|\Z)|"""
    r"""\$(?P<tag>\w*)\$(?P<dollar>.*?)(?:\$(?P=tag)\$|\Z)|"""
    r"""(?P<quoted>"[^"]*+(?:"|\Z)|`[^`]*+(?:`|\Z))|(?P<number>(?<![\w.])\.?\d[\w.]*+)""",
    re.DOTALL,
)
_UNSURE = re.compile(  # where quotes may mean something else: nobody can say what is a literal
    r"""(?<![eE])'[^'\\]*+\\+['"]|"[^"\\]*+\\+["']|\#[^\n>'"\#]*+['"]|/\*(?:(?!\*/).)*/\*""",
    re.DOTALL,
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
    """SQL without its comments, its literals as their shapes (without `values`: not even those);
    a single digit, such as a flag or a place in a list, stays.

    `declared` is for checks and types: their values are part of the schema, and only what has a
    personal format, or is a full name, is masked. SQL whose quoting is not sure is left out, and
    what is longer than 200,000 characters.
    """
    if len(sql) > _LONGEST_SQL or _UNSURE.search(sql):
        return Masked("")

    def literal(text: str) -> str:
        masked = declared_value(text, countries) if declared else shape(text)
        return "'" + masked.replace("'", "''") + "'" if values else "'…'"

    def replace(found: re.Match[str]) -> str:
        if found["comment"] is not None:
            return " "
        if (name := found["quoted"]) is not None:
            return name[0] + identifier(name[1:], countries)
        if (number := found["number"]) is not None:
            is_told = values and declared and not is_formatted(number, countries)
            return number if is_told or len(number.strip(".")) == 1 else shape(number)
        if found["escaped"] is not None:
            return literal(re.sub(r"\\(.)|''", lambda m: m[1] or "'", found["escaped"]))
        if found["text"] is None:
            return literal(found["dollar"])
        return literal(found["text"].replace("''", "'"))

    return Masked(_SQL.sub(replace, sql))


def identifier(name: str, countries: tuple[str, ...]) -> Masked:
    """A quoted name: in some databases it may be a literal, or made of data."""
    bare = name.strip('"`')
    personal = is_formatted(bare, countries) or is_full_name(bare)
    return Masked(name.replace(bare, shape(bare)) if personal else name)


def declared_value(text: str, countries: tuple[str, ...]) -> Masked:
    """A value that the schema itself names: of an enum, or of a check."""
    harmless = (
        len(text) <= _LONGEST_DECLARED
        and text.isprintable()
        and not is_formatted(text, countries)
        and not is_full_name(text)
    )
    return Masked(text) if harmless else shape(text)
