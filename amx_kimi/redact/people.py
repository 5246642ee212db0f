"""Names of people, told from other words: by how they are written, by dictionaries, by how many
of a column's values look like names. Written for every script."""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

from amx_kimi.redact.words import (
    between_names,
    first_names,
    function_words,
    last_names,
    ordinary_words,
    surnames,
)

__all__ = ["are_names", "are_words", "is_full_name"]

_WORD = re.compile(r"[^\s,;:/()\"・·|]+")
_JOINED = re.compile(  # Anna_Weber, anna.weber, AnnaWeber
    r"(?<=[^\W\d_]{2})[_.&–‐](?=[^\W\d_]{2})|(?<=[a-zß-ÿ]{2})(?=[A-ZÀ-Þ][a-zß-ÿ]{2})"
)
_INVERTED = re.compile(r"\s*([^\s,;]+)\s*,\s*([^\s,;]+)\s*")
_AROUND = "()[]{}\"' .;"
_LONGEST_WORD = 4  # letters in a row: shorter ones in one case are codes
_SHORT, _PAIR = 3, 2
_LONGEST_NAME = 6  # written without a space: 佐々木小次郎
_MOSTLY = 0.75


@lru_cache(maxsize=50_000)
def is_full_name(value: str) -> bool:
    """Anna Schmidt; Müller, Hans; WEBER ANNA; anna weber; K. Lang; Anna von Berg; 김 민수: words
    side by side that are written alike and that dictionaries do not know, or know as names; also
    within a longer text."""
    value = unicodedata.normalize("NFC", value)
    if inverted := _INVERTED.fullmatch(value.strip(_AROUND)):
        last, first = inverted.groups()
        return _are_letters(first, last) and not _is_phrase(first, last)
    words = _WORD.findall(value)
    between = between_names()
    # Of two words both are the name's: Linh Do, Le Hoa.
    parts = [word for word in words if len(words) == _PAIR or word.casefold() not in between]
    if any(map(_is_pair, parts, parts[1:])):
        return True
    return any(map(_is_joined, words))


def are_names(values: Sequence[str]) -> bool:
    """Whether a column's values are names of people: half of them in full, or most of them as they
    are written without a space."""
    if 2 * sum(map(is_full_name, values)) >= len(values):
        return True
    begun = [first for value in values if (first := _surname(value))]
    # Words that begin alike (周一, 周二), or end alike (金色, 白色), are no names of people.
    ends = {value[-1:] for value in values}
    various = min(len(set(begun)), len(ends))
    are_various = 2 * various >= len(values)
    return len(begun) >= _MOSTLY * len(values) and are_various


def are_words(values: Sequence[str]) -> bool:
    """Whether at least half of them are words, and most of them not ordinary ones: many of those
    are names of something: people, places, firms."""
    values = [unicodedata.normalize("NFC", value) for value in values]
    if sum(map(_is_ordinary, values)) >= _MOSTLY * len(values):
        return False
    words = sum(map(_has_word, values))
    if 2 * words >= len(values):
        return True
    lengths = {len(value) for value in values if value.isalpha() and len(value) > 1}
    return len(lengths) > 1 and all(map(str.isalpha, values))  # KIM, NG, CHOI: no codes


def _is_joined(word: str) -> bool:
    """Whether a word is a name without its blank; `in_progress` and `kd_typ` are none."""
    parts = _JOINED.split(word)
    is_code = "_" in word and word.islower()
    if len(parts) < 2 or is_code:
        return False
    return any(map(_is_pair, parts, parts[1:]))


def _is_pair(first: str, last: str) -> bool:
    last = last.rstrip("0123456789") or last  # Anna Weber2
    if not (_are_letters(first, last) and _are_alike(first, last)):
        return False
    a, b = _bare(first), _bare(last)
    if _is_initial(first):
        return not _is_known(b) or (b in last_names() and first.endswith("."))
    if _is_initial(last):
        return len(a) >= _SHORT and not _is_known(a)
    if a in function_words() or b in function_words():
        # Amit Das, Li Na, Le Hoa: a name beside a word that is none.
        return first.istitle() and last.istitle() and not (_is_known(a) and _is_known(b))
    return not _is_phrase(first, last)


def _is_phrase(first: str, last: str) -> bool:
    """Whether both are ordinary words, and together no name such as Mark Baker."""
    a, b = _bare(first), _bare(last)
    are_names = (a in first_names() and b in last_names()) or (
        a in last_names() and b in first_names()
    )
    return _is_known(a) and _is_known(b) and not are_names


def _bare(word: str) -> str:
    """A word as the lists of names have it: in small letters, without a period at its end."""
    return word.casefold().rstrip(".")


def _is_known(word: str) -> bool:
    """Whether each part of a word in small letters is an ordinary one: `part-time`, `driver's`."""
    known = ordinary_words()
    parts = re.split(r"[-'’&+.]", word.removesuffix("'s").removesuffix("’s"))
    return all(part in known or part in function_words() or not part for part in parts)


def _is_ordinary(value: str) -> bool:
    """Whether a value is a phrase of ordinary words, or one that is no name."""
    match [word.casefold() for word in _WORD.findall(value)]:
        case []:
            return False
        case [word]:
            return _is_known(word) and word not in first_names() | last_names()
        case words:
            return all(map(_is_known, words)) and not is_full_name(value)


def _are_letters(*words: str) -> bool:
    """Whether words consist of letters, their marks, and what stands in names: . ' ’ -"""
    for word in words:
        if not any(sign.isalpha() for sign in word):
            return False
        if not all(sign in ".'’-" or _is_of_word(sign) for sign in word):
            return False
    return True


def _is_of_word(sign: str) -> bool:
    """Whether a sign is a letter, or a mark on one."""
    return unicodedata.category(sign)[0] in "LM"


def _are_alike(first: str, last: str) -> bool:
    """Whether two words are written as those of a name: Like This, LIKE THIS, LIKE This, like this;
    scripts without capitals write no other way."""
    a, b = _style(first), _style(last)
    return a == b or {a, b} <= {"Title", "UPPER"}


def _style(word: str) -> str:
    letters = [c for c in word if c.isalpha()]
    if not any(c.isupper() or c.islower() for c in letters):
        return "uncased"
    if all(not c.islower() for c in letters):
        return "UPPER"
    return "Title" if letters[0].isupper() else "small"


def _is_initial(word: str) -> bool:
    return len(word.rstrip(".")) == 1 and word[0].isupper()


def _surname(value: str) -> str:
    """The surname with which a name begins that is written without a space; "" for other texts."""
    value = unicodedata.normalize("NFC", value).strip()
    if not 2 <= len(value) <= _LONGEST_NAME or not value.isalpha():
        return ""
    script = _script(value)
    tables = {"HANGUL": ("hangul",), "CJK": ("japanese", "han")}.get(script, ())
    starts = [value[:length] for length in (3, 2, 1)]
    known = (start for name in tables for start in starts if start in surnames()[name])
    found = next(known, "")
    # One sign is a Chinese or Korean surname, and two more at most follow it.
    is_short = len(found) > 1 or len(value) <= 3
    return found if is_short and len(found) < len(value) else ""


def _script(value: str) -> str:
    """The script of a value's first letter: the first word of its name in Unicode."""
    return unicodedata.name(value[0], "").split(" ", 1)[0]


def _has_word(value: str) -> bool:
    """Whether letters stand in a row as in a word: four, three small ones, two Like So, one of a
    script without capitals. Two or three capitals look like a code."""
    return any(
        len(run) >= _LONGEST_WORD
        or _style(run) == "uncased"
        or (len(run) >= _SHORT and run.islower())
        or (len(run) > 1 and run.istitle())
        for run in _runs(value)
    )


def _runs(value: str) -> Iterator[str]:
    """What stands in a row of letters and their marks."""
    spaced = "".join(c if _is_of_word(c) else " " for c in value)
    return (run for run in spaced.split() if any(c.isalpha() for c in run))
