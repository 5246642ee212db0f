"""A YAML text as a tree whose nodes know their places, in characters and in the parser's events.

The tree serves whoever adds to the text (`yaml_lines`): it is made of the events of libyaml in one
pass, without recursion, and holds what is below the keys that somebody reads. An alias is a node of
its own that shares what it names.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import yaml

__all__ = [
    "MERGE",
    "Document",
    "Node",
    "YAMLPlacesError",
    "fingerprint",
    "fingerprints",
    "is_null",
    "read_document",
]

MERGE = "<<"
_NULLS = ("", "~", "null", "Null", "NULL")
_BLOCK_STYLES = ("|", ">")
_STARTS = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
# The pure parser is for a PyYAML that was built without libyaml.
_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class YAMLPlacesError(ValueError):
    """What is wrong with a text; `line` counts from 1, None where no line is to blame."""

    def __init__(self, problem: str, line: int | None = None) -> None:
        super().__init__(problem)
        self.line = line


@dataclass(slots=True, eq=False)
class Node:
    """A node and its places.

    `value` is a scalar's text, a list of nodes, or a mapping's nodes by key: of a double key the
    last, as YAML is read, and None for a key that nobody reads. The text from `start` to `end` is
    the value's own: of a flow collection with its brackets, of a block one from its first key or
    dash to the end of its last value, without the comments and empty lines behind. Its events are
    those from `at` to `until`, both included. `column` is where a block collection's keys or dashes
    stand. `dressed`: it has an anchor or a tag. `shared`: an alias means it, or it is one.
    `closed`: what is added to the mapping would not mean what it says, for a merge key's sake or
    for want of braces.
    """

    kind: Literal["scalar", "mapping", "sequence"]
    value: Any
    start: int
    end: int
    at: int
    until: int
    line: int
    column: int = 0
    flow: bool = False
    plain: bool = False
    dressed: bool = False
    shared: bool = False
    closed: bool = False


@dataclass
class Document:
    """A text, its tree (None where it holds no document, or an empty one), the fingerprint of each
    event, and a (line, key) for each key that stands in a mapping twice."""

    text: str
    root: Node | None = None
    prints: "array[int]" = field(default_factory=lambda: array("q"))
    doubles: list[tuple[int, str]] = field(default_factory=list)


def read_document(text: str, keys: frozenset[str]) -> Document:
    """The tree of a text without a byte order mark, with the values of these keys.

    Raises:
        YAMLPlacesError: it is not YAML, or more than one document.
    """
    composer = _Composer(text, keys | {MERGE})
    prints = composer.document.prints
    for at, event in enumerate(_events(text)):
        prints.append(fingerprint(event))
        composer.take(at, event)
    return composer.document


def fingerprint(event: Any) -> int:
    """A number for what an event says: neither for its place nor for its style."""
    kind = type(event)
    if kind is yaml.ScalarEvent:
        value = event.value
        # At the end of a text without a last line end, a block scalar has none either.
        value = value.rstrip("\n") if event.style in _BLOCK_STYLES else value
        return hash((value, event.implicit[0], event.tag, event.anchor))
    if kind in _STARTS:
        return hash((kind, event.tag, event.anchor))
    return hash((kind, getattr(event, "anchor", None)))


def fingerprints(text: str) -> "array[int]":
    """A number for each event of a text: equal ones mean that the same is read.

    Raises:
        YAMLPlacesError: it is not YAML.
    """
    return array("q", map(fingerprint, _events(text)))


def is_null(node: Node) -> bool:
    """Whether YAML reads nothing there."""
    return node.kind == "scalar" and node.plain and node.value in _NULLS


def _events(text: str) -> Iterator[yaml.Event]:
    try:
        loader = _LOADER(text)
        yield from iter(loader.get_event, None)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "not valid YAML"
        # The end of a text without a last line end is to libyaml the line behind.
        line = None
        if mark:
            last = len(text.rstrip().splitlines()) - 1
            line = min(mark.line, last) + 1
        raise YAMLPlacesError(problem, line) from None
    except yaml.YAMLError as error:
        raise YAMLPlacesError(str(error).splitlines()[0]) from None


_NO_KEY = object()


class _Composer:
    """Takes the events one by one; `_open` are the collections whose end has not come yet, each
    with the key that waits for its value."""

    def __init__(self, text: str, read: frozenset[str]) -> None:
        self.document = Document(text)
        self._text, self._read = text, read
        self._open: list[Node] = []
        self._keys: list[Any] = []
        self._anchors: dict[str, Node] = {}
        self._documents = 0
        self._take = {
            yaml.ScalarEvent: self._scalar,
            yaml.AliasEvent: self._alias,
            yaml.MappingStartEvent: self._mapping,
            yaml.SequenceStartEvent: self._sequence,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.DocumentStartEvent: self._document,
        }

    def take(self, at: int, event: Any) -> None:
        """The next event."""
        handle = self._take.get(type(event))
        if handle:
            handle(at, event)

    def _document(self, _: int, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            raise YAMLPlacesError("it contains two documents", event.start_mark.line + 1)

    def _scalar(self, at: int, event: Any) -> None:
        if event.anchor is None and self._open and self._open[-1].kind == "mapping":
            key = self._keys[-1]
            if key is _NO_KEY:
                self._key(event.value, event.start_mark.line + 1, event.end_mark.index)
                return
            if key not in self._read:
                self._open[-1].end = self._scalar_end(event)
                self._keys[-1] = _NO_KEY
                return
        mark, end = event.start_mark, self._scalar_end(event)
        # The mark of nothing may be that of what comes next.
        start = end if mark.index == event.end_mark.index else mark.index
        node = Node("scalar", event.value, start, end, at, at, mark.line + 1)
        node.plain = event.implicit[0] and event.tag is None
        self._note(node, event)
        self._place(node)

    def _scalar_end(self, event: Any) -> int:
        end: int = event.end_mark.index
        if event.start_mark.index == end:
            return self._before_spaces(end)
        if event.style not in _BLOCK_STYLES:
            return end
        first_line = self._text[event.start_mark.index : end].split("\n", 1)[0]
        header = first_line.split("#")[0]
        words = event.value.rstrip("\n")
        if "+" in header or words != words.rstrip():
            return end  # the empty lines behind are of the text
        return self._before_spaces(end)

    def _before_spaces(self, end: int) -> int:
        """Where the white space before a place begins."""
        while end and self._text[end - 1].isspace():
            end -= 1
        return end

    def _alias(self, at: int, event: Any) -> None:
        target = self._anchors.get(event.anchor)
        if target is None:
            raise YAMLPlacesError(
                f"the alias *{event.anchor} names nothing", event.start_mark.line + 1
            )
        target.shared = True
        start, end = event.start_mark, event.end_mark
        self._place(
            Node(
                *(target.kind, target.value, start.index, end.index, at, at, start.line + 1),
                plain=target.plain,
                dressed=True,
                shared=True,
                closed=target.closed,
            )
        )

    def _mapping(self, at: int, event: Any) -> None:
        node = self._begun("mapping", {}, at, event)
        if event.flow_style and self._text[node.start] != "{":
            node.closed = True
        self._note(node, event)
        self._open.append(node)
        self._keys.append(_NO_KEY)

    def _sequence(self, at: int, event: Any) -> None:
        node = self._begun("sequence", [], at, event)
        # A list that is no deeper than its key is marked behind its first dash.
        behind = self._text[node.start : node.start + 1] != "-"
        if not event.flow_style and event.end_mark.index and behind:
            node.start, node.column = node.start - 1, node.column - 1
        self._note(node, event)
        self._open.append(node)
        self._keys.append(None)

    def _begun(self, kind: Any, value: Any, at: int, event: Any) -> Node:
        mark = event.end_mark  # behind anchor and tag
        start = mark.index - 1 if event.flow_style else mark.index
        line = event.start_mark.line + 1
        return Node(kind, value, start, start, at, at, line, mark.column, bool(event.flow_style))

    def _note(self, node: Node, event: Any) -> None:
        node.dressed = event.anchor is not None or event.tag is not None
        if event.anchor is not None:
            self._anchors[event.anchor] = node

    def _end(self, at: int, event: Any) -> None:
        node = self._open.pop()
        self._keys.pop()
        node.until = at
        if node.flow:
            node.end = event.end_mark.index
        self._place(node)

    def _place(self, node: Node) -> None:
        """Put a whole node where it belongs."""
        if not self._open:
            self.document.root = node
            return
        parent, key = self._open[-1], self._keys[-1]
        if parent.kind == "sequence":
            parent.value.append(node)
            parent.end = node.end
        elif key is _NO_KEY:
            self._key(node.value if node.kind == "scalar" else None, node.line, node.end)
        else:
            if key in self._read:
                parent.value[key] = node
            parent.end = node.end
            self._keys[-1] = _NO_KEY

    def _key(self, key: str | None, line: int, end: int) -> None:
        parent = self._open[-1]
        if key == MERGE:
            parent.closed = True
        elif key is not None and key in parent.value:
            self.document.doubles.append((line, key))
        parent.value[key] = None
        parent.end = end
        self._keys[-1] = key
