"""What a value looks like, without saying what it is."""

import re

__all__ = ["Masked", "shape"]

_LONGEST = 24
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d[\d:.,+\- Z]{0,24}")
_MAIL = re.compile(r"(?P<local>[^\s@])[^\s@]*@(?P<host>[^\s@.])[^\s@]*\.(?P<top>[a-z]{2,6})")


class Masked(str):
    """A text that may leave; made in this package only."""

    __slots__ = ()


def shape(value: str) -> Masked:
    """`AA-9999` for `KD-4711`, `j***@e***.com` for an e-mail address, `free text, ~240 characters`
    for prose."""
    if mail := _MAIL.fullmatch(value):
        return Masked(f"{mail['local']}***@{mail['host']}***.{mail['top']}")
    if len(value) > _LONGEST and not _MOMENT.fullmatch(value):
        digits = sum(c.isdigit() for c in value)
        kind = "digits" if digits > len(value) * 0.8 else "free text"
        return Masked(f"{kind}, ~{_rounded(len(value))} characters")
    return Masked("".join(map(_class_of, value)))


def _class_of(character: str) -> str:
    if character.isdigit():
        return "9"
    if character.isalpha():
        return "A" if character.isupper() else "a"
    return character if character.isascii() and character.isprintable() else "?"


def _rounded(length: int) -> int:
    return length if length < 100 else round(length, -1)
