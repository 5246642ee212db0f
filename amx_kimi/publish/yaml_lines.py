"""Additions to a YAML text: lines at the places that a parser names, and every other byte stays.

What comes out is parsed again: its events have to be those of the old text, with the events of the
additions at their places. Otherwise nothing comes out.
"""

import json
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import yaml

from amx_kimi.publish.yaml_places import (
    Document,
    Node,
    YAMLPlacesError,
    fingerprint,
    fingerprints,
    is_null,
)

__all__ = ["Closed", "Edits", "Flow", "Unwritable", "flow", "quoted"]

_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_LAST_BREAK = re.compile("(\r\n|[\n\r\x85\u2028\u2029])\\Z")
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")
_STEP = 2


class Closed(Exception):
    """Nothing can be added there; says why."""


class Unwritable(Exception):
    """The additions would not be read as what they are meant to be."""


class Flow(dict[str, Any]):
    """A mapping that is written on one line, in braces."""


def quoted(text: str) -> str:
    """A double-quoted YAML scalar: JSON's, with what YAML cannot hold as it is escaped too."""
    written = json.dumps(text, ensure_ascii=False)
    return _UNPRINTABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


def flow(value: Any) -> str:
    """A value on one line; keys are words of ours, which need no quotes."""
    if isinstance(value, Mapping):
        entries = [f"{key}: {flow(one)}" for key, one in value.items()]
        return "{" + ", ".join(entries) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    return quoted(value) if isinstance(value, str) else json.dumps(value)


def _line_end(found: re.Match[str] | None) -> str:
    """The line end of what `_BREAK` found, to be used for new lines, too."""
    return found[0] if found and found[0] in ("\r\n", "\r") else "\n"


class _Edit(NamedTuple):
    """The text from `start` to `stop` becomes `text`, and the events from `at` to before `until`
    become those with the fingerprints `prints`."""

    at: int
    until: int
    start: int
    stop: int
    text: str
    prints: "array[int]"


class _Plan(NamedTuple):
    """An edit whose `value` may still grow."""

    at: int
    until: int
    start: int
    stop: int
    value: Any
    prints: Callable[[Any], Iterator[int]]
    write: Callable[[Any], str]

    def edit(self) -> _Edit:
        written = self.write(self.value)
        return _Edit(*self[:4], written, array("q", self.prints(self.value)))


@dataclass(frozen=True)
class _Place:
    """The end of the line of some value: what is added there are lines below it."""

    index: int
    newline: str

    def below(self, lines: Iterable[str]) -> str:
        return "".join(self.newline + line for line in lines)


class Edits:
    """Additions to one document, collected and then written at once; a document that holds nothing
    is begun as a property file of dbt is.

    A method that cannot do what it says raises `Closed`, and has done nothing.
    """

    def __init__(self, document: Document) -> None:
        self._document, self._text = document, document.text
        self._edits: list[_Edit] = []
        self._growing: list[_Plan] = []
        self._lists: dict[tuple[int, str], list[Any]] = {}
        self._begun: dict[str, Any] | None = None
        found = _BREAK.search(self._text)
        self._newline = _line_end(found)
        self._offset = _offset(document.root)

    def put(self, mapping: Node, path: Sequence[str], value: Any, after: str = "") -> None:
        """Set the value at a path of keys below a mapping. What is missing on the way is added,
        behind the key `after`; what stands there at its end is replaced.

        Raises:
            Closed: something on the way belongs to others too, or is no mapping.
        """
        plan = self._plan(mapping, path, value, after)
        if plan:
            self._edits.append(plan.edit())

    def check(self, mapping: Node, path: Sequence[str]) -> None:
        """Whether `put` could do it.

        Raises:
            Closed: it could not; says why.
        """
        self._way(mapping, path)

    def append(self, mapping: Node | None, key: str, value: Any) -> None:
        """Append to the list below a key of a mapping (None: of the document), which is made where
        it is missing or empty.

        Raises:
            Closed: the list belongs to others too, or is none.
        """
        root = self._document.root
        if mapping is None and root is not None and not is_null(root):
            mapping = root
        if mapping is not None:
            self._list(mapping, key).append(value)
            return
        if self._begun is None:
            self._begun = {"version": 2}
            self._begin(self._begun)
        self._begun.setdefault(key, []).append(value)

    def text(self) -> str:
        """The text with the additions.

        Raises:
            Unwritable: a parser would read something else in it.
        """
        prints, text = self._document.prints, self._text
        expected, pieces, event, index = array("q"), [], 0, 0
        edits = [*self._edits, *(plan.edit() for plan in self._growing)]
        for edit in sorted(edits, key=lambda edit: edit.at):
            if edit.at < event or edit.start < index:
                raise Unwritable("two additions meet")
            expected += prints[event : edit.at]
            expected += edit.prints
            pieces += [text[index : edit.start], edit.text]
            event, index = edit.until, edit.stop
        expected += prints[event:]
        written = "".join([*pieces, text[index:]])
        try:
            if fingerprints(written) != expected:
                raise Unwritable("it would be read as something else")
        except YAMLPlacesError as error:
            raise Unwritable(str(error)) from None
        return written

    def _list(self, mapping: Node, key: str) -> list[Any]:
        """What is to be appended to a list; whoever asks does append."""
        known = self._lists.get((id(mapping), key))
        if known is not None:
            return known
        there = mapping.value.get(key)
        made: list[Any] = []
        if there is None or there.kind != "sequence":
            plan = self._plan(mapping, (key,), made, "")
        elif there.shared or mapping.shared:
            raise Closed(f"its {key} are or contain an alias (line {there.line})")
        else:
            plan = self._more(there, made)
        self._growing += [plan] if plan else []
        self._lists[id(mapping), key] = made
        return made

    # Where

    def _way(self, mapping: Node, path: Sequence[str]) -> tuple[Node, str, Sequence[str]]:
        """The mapping and the key where something is to be added or replaced, and the keys of the
        path that come below what is added."""
        node = mapping
        for depth, key in enumerate(path):
            there = node.value.get(key)
            if node.shared or node.closed:
                raise Closed(f"it has an alias, a merge key or no braces (line {node.line})")
            rest = path[depth + 1 :]
            if there is None or not rest or is_null(there):
                if there is not None and there.dressed:
                    raise Closed(f"its {key} has an anchor or a tag (line {there.line})")
                return node, key, rest
            if there.kind != "mapping":
                raise Closed(f"its {key} is not a mapping (line {there.line})")
            node = there
        raise AssertionError("a path has a key")

    def _line_end(self, index: int) -> _Place:
        """The end of the line of the value that ends there; a text in lines of its own (`|`) may
        end behind its last line."""
        ended = _LAST_BREAK.search(self._text, max(0, index - 2), index)
        if ended:
            index = ended.start()
        found = _BREAK.search(self._text, index)
        if not found:
            return _Place(len(self._text), self._newline)
        return _Place(found.start(), _line_end(found))

    # What

    def _begin(self, value: dict[str, Any]) -> None:
        root, place = self._document.root, self._line_end(len(self._text))
        span = (root.at, root.until + 1) if root else (1, 1)

        def write(value: Any) -> str:
            lines = self._pairs(value, 0)
            if not self._text:
                return "".join(line + self._newline for line in lines)
            return place.below(lines)

        def whole(value: Any) -> Iterator[int]:
            start, end = _DOCUMENT
            return iter([start, *_prints(value), end])

        prints = _prints if root else whole
        self._growing.append(_Plan(*span, place.index, place.index, value, prints, write))

    def _plan(self, mapping: Node, path: Sequence[str], value: Any, after: str) -> _Plan | None:
        node, key, rest = self._way(mapping, path)
        for name in reversed(rest):
            value = {name: value}
        there = node.value.get(key)
        if there is not None:
            return self._replaced(node, there, value)
        before = node.value.get(after) if node is mapping else None
        return self._added(node, {key: value}, before)

    def _added(self, mapping: Node, pair: dict[str, Any], before: Node | None) -> _Plan:
        """A pair behind the value `before`; without one, at the end of a block mapping, or behind
        the brace."""
        at = mapping.at + 1 if mapping.flow else mapping.until
        if before:
            at = before.until + 1
        write: Callable[[Any], str]
        if mapping.flow:
            index = before.end if before else mapping.start + 1

            def write(value: Any) -> str:
                written = flow(value)[1:-1]
                return f", {written}" if before else f"{written}, " if mapping.value else written
        else:
            place = self._line_end(before.end if before else mapping.end)
            index = place.index
            apart = [""] if mapping is self._document.root else []

            def write(value: Any) -> str:
                return place.below([*apart, *self._pairs(value, mapping.column)])

        return _Plan(at, at, index, index, pair, _inner_prints, write)

    def _replaced(self, parent: Node, there: Node, value: Any) -> _Plan | None:
        start = there.start
        stop = start + len(self._text[start : there.end].rstrip())
        write: Callable[[Any], str] = flow
        if start == stop and _has_lines(value) and not parent.flow:
            place = self._line_end(stop)
            start = stop = place.index

            def write(value: Any) -> str:
                return place.below(self._below(value, parent.column))
        elif start == stop:

            def write(value: Any) -> str:
                return " " + flow(value)
        elif not _has_lines(value) and self._text[start:stop] == flow(value):
            return None  # it stands there already
        return _Plan(there.at, there.until + 1, start, stop, value, _prints, write)

    def _more(self, sequence: Node, value: list[Any]) -> _Plan:
        """Items behind a sequence's own."""
        last = sequence.value[-1] if sequence.value else None
        write: Callable[[Any], str]
        if sequence.flow:
            index = last.end if last else sequence.start + 1
            begin = self._newline + " " * (self._column(sequence.start) + 1)

            def write(value: Any) -> str:
                written = f",{begin}".join(map(flow, value))
                return f",{begin}{written}" if last else written
        else:
            place = self._line_end(sequence.end)
            index = place.index

            def write(value: Any) -> str:
                return place.below(self._items(value, sequence.column))

        at = sequence.until
        return _Plan(at, at, index, index, value, _inner_prints, write)

    def _column(self, index: int) -> int:
        breaks = _BREAK.finditer(self._text, max(0, index - 10_000), index)
        return index - max((found.end() for found in breaks), default=0)

    # Lines

    def _pairs(self, value: Mapping[str, Any], column: int) -> Iterator[str]:
        for key, one in value.items():
            if _has_lines(one):
                yield f"{' ' * column}{key}:"
                yield from self._below(one, column)
            else:
                yield f"{' ' * column}{key}: {flow(one)}"

    def _below(self, value: Any, column: int) -> Iterator[str]:
        if isinstance(value, list):
            return self._items(value, column + self._offset)
        return self._pairs(value, column + _STEP)

    def _items(self, values: list[Any], column: int) -> Iterator[str]:
        for value in values:
            first, *rest = self._pairs(value, column + 2)
            yield f"{' ' * column}- {first.lstrip()}"
            yield from rest


def _has_lines(value: Any) -> bool:
    """Whether a value of ours is written in lines below its key."""
    return isinstance(value, dict | list) and not isinstance(value, Flow)


def _offset(root: Node | None) -> int:
    """How much deeper than their key this file's dashes stand."""
    for node in root.value.values() if root and root.kind == "mapping" else ():
        if node and node.kind == "sequence" and not node.flow and not node.shared:
            return max(0, int(node.column) - root.column) if root else _STEP
    return _STEP


_MAPPING = (
    fingerprint(yaml.MappingStartEvent(None, None, True)),
    fingerprint(yaml.MappingEndEvent()),
)
_SEQUENCE = (
    fingerprint(yaml.SequenceStartEvent(None, None, True)),
    fingerprint(yaml.SequenceEndEvent()),
)
_DOCUMENT = (fingerprint(yaml.DocumentStartEvent()), fingerprint(yaml.DocumentEndEvent()))


def _prints(value: Any) -> Iterator[int]:
    """The fingerprints of what a parser is to read in a value of ours."""
    if isinstance(value, dict | list):
        start, end = _SEQUENCE if isinstance(value, list) else _MAPPING
        yield start
        yield from _inner_prints(value)
        yield end
    else:
        is_text = isinstance(value, str)
        written = value if is_text else json.dumps(value)
        yield fingerprint(yaml.ScalarEvent(None, None, (not is_text, is_text), written))


def _inner_prints(value: dict[str, Any] | list[Any]) -> Iterator[int]:
    """The same without the beginning and the end of the collection."""
    if isinstance(value, list):
        for one in value:
            yield from _prints(one)
        return
    for key, one in value.items():
        yield fingerprint(yaml.ScalarEvent(None, None, (True, False), key))
        yield from _prints(one)
