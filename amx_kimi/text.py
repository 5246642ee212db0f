"""Text hygiene: what people are shown of a text, wrapped between words where there is a terminal,
without its escapes, and with counts that agree with their noun."""

import re
import shutil
import textwrap
from unicodedata import category

__all__ = [
    "HIDDEN",
    "counted",
    "is_blank",
    "one_line",
    "printable",
    "visible",
    "without_controls",
    "without_marks",
    "wrap",
]

HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what turns the direction of a text around
    "\u00ad\u180e\u200b\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
"""What no person should be shown raw: controls, and what is not seen. Joiners stay: words of
Persian and of India's languages, and emoji, are made with them."""


def counted(count: int, one: str, many: str = "") -> str:
    """So many of a thing: `1 column`, `1,200 columns`; `many` is for what takes more than an s."""
    if count == 1:
        return f"{count:,} {one}"
    return f"{count:,} {many or one + 's'}"


def wrap(text: str, columns: int | None = None) -> str:
    """`text` in lines of at most `columns` (the terminal's), each line's indent kept.

    Words such as URLs and paths are never broken.
    """
    width = columns or min(100, shutil.get_terminal_size().columns)
    lines = []
    for line in text.split("\n"):
        indent = " " * (len(line) - len(line.lstrip()))
        wrapped = textwrap.wrap(
            line,
            width - 1,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
            drop_whitespace=True,
        )
        lines += wrapped or [""]
    return "\n".join(lines)


def one_line(text: str) -> str:
    """Whatever a database, a model or a person says, as a line without control characters."""
    return HIDDEN.sub("�", text.replace("\n", "⏎"))


def visible(text: str) -> str:
    """The same with its lines kept."""
    lines = text.replace("\t", " ").split("\n")
    return "\n".join(HIDDEN.sub("�", line) for line in lines)


def printable(text: str, keep: str = "") -> str:
    """The same with a blank in place of each control character, but for those to keep."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else " " for c in text)


def without_controls(text: str) -> str:
    """The text with a blank in place of each control character but line ends and tabs."""
    return _CONTROLS.sub(" ", text)


def without_marks(text: str, keep: str = "") -> str:
    """The text without marks that take no room, such as a zero-width space."""
    return "".join(c for c in text if category(c) != "Cf" or c in keep)


def is_blank(text: str) -> bool:
    """Whether there is nothing to be seen in a text: blanks, line ends and controls at most."""
    return all(category(character) in _UNSEEN for character in text)


_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_UNSEEN = frozenset(("Zs", "Zl", "Zp", "Cc", "Cf"))
