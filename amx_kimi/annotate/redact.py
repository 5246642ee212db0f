"""What may leave of a value: `Masked` is the only kind of value that a prompt accepts.

A value leaves as it is when it occurs at least five times and looks harmless; else its shape does.
When in doubt, the shape.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from amx_kimi.annotate.sources.base import RawFacts

__all__ = ["ColumnFacts", "Masked", "mask", "redact", "redact_definition", "shape"]

_LEAST_OCCURRENCES = 5
_LONGEST_VALUE = 32
_LONGEST_SHAPE = 24

_PERSONAL_NAME = re.compile(  # in a column's name: people, places, ways to reach them, secrets
    r"name|mail|phone|tel(?!l)|fax|mobil|handy|add?r|street|stra?(ss|ß)e|^str$|city|"
    r"(^|_|wohn)ort|plz|zip|postal|birth|geb|iban|konto|kto|acc(oun)?t_?n|ssn|passw|pwd|kennw|"
    r"secret|token|card|vorn|nachn|person|kontakt|contact|user|usr|login|bemerk|comm?ent|komment|"
    r"note|notiz|text|txt|memo|(^|_)nm\d?$|mitarb|angest|ansprech|verk(ae|ä)ufer|sachb|bearb|erfass|"
    r"erstell|author|autor|owner|actor|(^|_)by$|inhaber|kunde$|customer$|patient|diagn|dob$|"
    r"(^|_)pin$|(^|_)key$|api_?key|steuer_?n|tax_?id|cc_|plate|vermerk",
    re.IGNORECASE,
)
_SUSPECT = re.compile(  # in a value: an address of any kind, long digits, a key
    r"@|://|\d{7,}|(?:\d[ (),./-]*){9,}|^\+[\d ()./-]{6,}$|^\(?0\d{1,5}\)?[ ./-]+\d{3,}|"
    r"^\d{3}[ .-]\d{4}$|\b(?:\d{1,3}\.){3}\d{1,3}\b|::|(?:[0-9A-Fa-f]{1,4}:){3}|"
    r"(?:[0-9A-Fa-f]{2}-){5}|[A-Za-z0-9_+/=-]{20,}|^(?:sk|pk|rk|gh[a-z]|xox[a-z])[-_]|"
    r"^[A-Z]{2}\d{2}[ A-Z0-9]{8,}$|^[\[{]"
)
_NAME_PART = re.compile(r"[\w.'’-]+")
_LITERAL = re.compile(  # or what may hold an apostrophe that begins none; the end may be cut off
    r"""'(?P<text>(?:[^']++|'')*+)(?:'|\Z)|\$(?P<tag>\w*)\$(?P<dollar>.*?)(?:\$(?P=tag)\$|\Z)|"""
    r"""(?P<name>"[^"]*+(?:"|\Z)|`[^`]*+(?:`|\Z))|--[^\n]*+|/\*.*?(?:\*/|\Z)""",
    re.DOTALL,
)


class Masked(str):
    """A text that has passed `mask`; made nowhere else."""

    __slots__ = ()


@dataclass(frozen=True)
class ColumnFacts:
    """A column's statistics as the model sees them."""

    nulls: int | None = None
    distinct: int | None = None
    least: Masked | None = None
    greatest: Masked | None = None
    samples: tuple[Masked, ...] = ()

    def as_json(self) -> Mapping[str, object]:
        """The prompt's and the journal's form; unknown facts are left out."""
        shown = {
            "nulls": self.nulls,
            "distinct": self.distinct,
            "min": self.least,
            "max": self.greatest,
            "samples": list(self.samples) or None,
        }
        return {name: value for name, value in shown.items() if value is not None}


def redact(column: str, raw: RawFacts, *, values: bool = True) -> ColumnFacts:
    """Mask a column's statistics; with `values` False (`--no-samples`) only counts remain."""
    if not values:
        return ColumnFacts(raw.nulls, raw.distinct)
    counts = dict(raw.values)

    def bound(value: str | None) -> Masked | None:
        return None if value is None else mask(column, value, counts.get(value, 1))

    masked = (mask(column, value, count) for value, count in raw.values)
    return ColumnFacts(
        nulls=raw.nulls,
        distinct=raw.distinct,
        least=bound(raw.least),
        greatest=bound(raw.greatest),
        samples=tuple(dict.fromkeys(masked)),
    )


def mask(column: str, value: str, occurrences: int) -> Masked:
    """The value itself if it may leave, else its shape."""
    may_leave = (
        occurrences >= _LEAST_OCCURRENCES
        and len(value) <= _LONGEST_VALUE
        and value.isprintable()
        and not _sounds_personal(column)
        and not _SUSPECT.search(value)
        and not _is_full_name(value)
    )
    return Masked(value if may_leave else shape(value))


def redact_definition(sql: str, *, values: bool = True) -> Masked:
    """A view's SQL without comments, with each text literal as it may leave; without `values`, as
    its shape."""

    def literal(found: re.Match[str]) -> str:
        if found["name"]:
            return found["name"]
        text = found["dollar"] if found["text"] is None else found["text"].replace("''", "'")
        if text is None:
            return " "
        masked = mask("", text, _LEAST_OCCURRENCES if values else 0)
        return "'" + masked.replace("'", "''") + "'"

    return Masked(_LITERAL.sub(literal, sql))


def shape(value: str) -> Masked:
    """What a value looks like: `AA-9999` for `KD-4711`, `free text, ~240 characters` for prose."""
    if len(value) > _LONGEST_SHAPE:
        digits = sum(c.isdigit() for c in value)
        kind = "digits" if digits > len(value) * 0.8 else "free text"
        return Masked(f"{kind}, ~{_rounded(len(value))} characters")
    return Masked("".join(map(_class_of, value)))


@lru_cache(maxsize=1_000)
def _sounds_personal(column: str) -> bool:
    return _PERSONAL_NAME.search(column) is not None


def _is_full_name(value: str) -> bool:
    """Anna Schmidt; Müller, Hans; José García-Lang: capitalised words, not capitals only."""
    words = [word.removesuffix(",") for word in value.split()]
    return (
        len(words) > 1
        and all(_NAME_PART.fullmatch(word) and word[0].isupper() for word in words)
        and any(character.islower() for character in words[-1])
    )


def _class_of(character: str) -> str:
    if character.isdigit():
        return "9"
    if character.isalpha():
        return "A" if character.isupper() else "a"
    return character if character.isascii() and character.isprintable() else "?"


def _rounded(length: int) -> int:
    return length if length < 100 else round(length, -1)
