"""The definitions of columns in `SHOW CREATE TABLE`, with other comments. Pure functions.

MySQL changes a column's comment only together with its whole definition. The server's own text of
it is repeated, so that every other attribute stays as it is, whatever it means.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "alter",
    "column_definitions",
    "escaped",
    "is_told_in_full",
    "quoted_name",
    "without_comments",
]

_JSON = re.compile("longtext(?: CHARACTER SET utf8mb4)?(?: COLLATE utf8mb4_bin)?")
_TEXT = r"'(?:[^'\\]|\\.|'')*'"
_TOKEN = re.compile(
    rf"COMMENT(?:\s+|=){_TEXT}|{_TEXT}|`(?:[^`]|``)*`|\w+|[(),]|[^\w'`(),]+|.", re.DOTALL
)


def column_definitions(create: str) -> Mapping[str, str]:
    """Each column's definition by its name, as `SHOW CREATE TABLE` tells it."""
    found = {}
    for part in _taken_apart(create)[1]:
        if part.startswith("`"):
            name = next(_tokens(part))
            found[name[1:-1].replace("``", "`")] = part[len(name) :].strip()
    return found


def without_comments(create: str) -> str:
    """`SHOW CREATE TABLE` without the comments of the table and its columns; and without the next
    automatic number, which others may move meanwhile."""
    head, parts, tail = _taken_apart(create)
    body = ",\n".join(_commented(part, None) if part.startswith("`") else part for part in parts)
    options = re.sub(r" AUTO_INCREMENT=[0-9]+", "", tail.removeprefix(")"))
    return f"{head}{body}) {' '.join(_commented(options, None).split())}"


def is_told_in_full(definition: str) -> bool:
    """Whether the server tells a definition as it is: of characters beyond U+FFFF in a text, it
    tells question marks only."""
    plain = _commented(definition, None)
    return not any(token.startswith("'") and "?" in token for token in _tokens(plain))


def alter(
    table: str, create: str, comments: Mapping[str, str | None], *, as_json: bool = True
) -> str:
    """The statement that gives a table (its quoted name) and its columns these comments; "" is the
    table itself, None means no comment. It copies no rows, or the server refuses it.

    MariaDB tells a JSON column as a text with a check; `as_json` calls such a column JSON again.
    """
    definitions = column_definitions(create)
    changes = []
    for column, text in comments.items():
        if not column:
            changes.append(f"COMMENT = {escaped(text or '')}")
            continue
        definition = definitions[column]
        if as_json and f"CHECK (json_valid({quoted_name(column)}))" in definition:
            definition = _JSON.sub("json", definition, count=1)
        changes.append(f"MODIFY COLUMN {quoted_name(column)} {_commented(definition, text or '')}")
    return f"ALTER TABLE {table} {', '.join(changes)}, ALGORITHM = INPLACE"


def quoted_name(name: str) -> str:
    """A name in backticks."""
    return "`" + name.replace("`", "``") + "`"


def escaped(text: str) -> str:
    """A text as a literal, where backslashes escape."""
    return "'" + text.replace("\\", "\\\\").replace("'", "''").replace("\0", "\\0") + "'"


def _commented(definition: str, text: str | None) -> str:
    """A definition with this comment where it has one, or where it belongs; None: without any."""
    tokens = list(_tokens(definition))
    places = {word: place for place, word in _outer(tokens) if word in ("COMMENT", "CHECK")}
    # MariaDB tells a column's CHECK after its comment.
    place = places.get("COMMENT", places.get("CHECK", len(tokens)))
    rest = "".join(tokens[place + ("COMMENT" in places) :]).strip()
    comment = "" if text is None else f"COMMENT {escaped(text)}"
    return " ".join(part for part in ("".join(tokens[:place]).strip(), comment, rest) if part)


def _outer(tokens: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The tokens outside parentheses, and their places; of a comment, its first word."""
    depth = 0
    for place, token in enumerate(tokens):
        depth += {"(": 1, ")": -1}.get(token, 0)
        if depth == 0:
            yield place, "COMMENT" if token.startswith("COMMENT") and "'" in token else token


def _taken_apart(create: str) -> tuple[str, list[str], str]:
    """What stands before the parenthesis of columns and keys, these, and what follows."""
    tokens = list(_tokens(create))
    first = tokens.index("(")
    depth, parts, part = 0, [], ""
    for place, token in enumerate(tokens[first + 1 :], first + 1):
        if depth == 0 and token in (",", ")"):
            parts.append(part.strip())
            part = ""
            if token == ")":
                return "".join(tokens[: first + 1]), parts, "".join(tokens[place:])
            continue
        depth += {"(": 1, ")": -1}.get(token, 0)
        part += token
    raise ValueError("the definition of the table does not end")


def _tokens(text: str) -> Iterator[str]:
    for match in _TOKEN.finditer(text):
        yield match[0]
