"""Reads the JSON documents of an answer from its bytes, whatever its Content-Type says.

An answer is an event stream (with or without blank lines between the events), one JSON document,
or several in sequence. Servers often label these wrongly, or not at all.
"""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

__all__ = ["DONE", "Documents", "Event", "MalformedError"]

Kind = Literal["", "events", "json", "other"]

_BLANK = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
_FIELD = re.compile(rb"(?:data|event|id|retry)?[ \t]*:")
_MOST_HELD = 8 * 1024 * 1024
"""The most bytes of one document: enough for the longest answer with log probabilities."""
_LONGEST_FIELD = 16  # bytes that tell an event stream from prose
_DECODER = json.JSONDecoder()
_NO_BLANK = re.compile(r"\S")


class MalformedError(ValueError):
    """An event's data is not a JSON document."""


@dataclass(frozen=True)
class Event:
    """A JSON document that arrived (of an `error` event also a text), and the event's name."""

    document: Any
    name: str = ""


DONE = Event(None, "[DONE]")


class Documents:
    """Takes bytes as they arrive, and returns events. `kind` is what the bytes turned out to be."""

    def __init__(self) -> None:
        self.kind: Kind = ""
        self.head = b""  # the first bytes of what is neither JSON nor an event stream
        self._held: list[bytes] = []  # a line that is not ended, or the whole of what is no stream
        self._size = self._data_size = 0  # of what is held
        self._name = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that these bytes complete.

        Raises:
            MalformedError: an event is not JSON, or too long.
            UnicodeDecodeError: an event is not UTF-8.
        """
        if not self.kind:  # blanks are not held: there may be many of them
            chunk = (self._taken() + chunk).removeprefix(_BOM).lstrip(_BLANK)
            self.kind = _kind_of(chunk, is_all=False)
        ends_line = b"\n" in chunk or b"\r" in chunk
        if self.kind == "events" and ends_line:
            yield from self._lines(chunk)
        elif chunk:
            self._held.append(chunk)
            self._count(chunk)

    def close(self) -> Iterator[Event]:
        """The events that the end of the bytes completes, without one that is cut off.

        Raises:
            MalformedError: the whole is not JSON.
            UnicodeDecodeError: the whole is not UTF-8.
        """
        self.kind = self.kind or _kind_of(b"".join(self._held), is_all=True)
        if self.kind == "events":
            with suppress(MalformedError, UnicodeDecodeError):
                yield from self._lines(b"\n\n")
            return
        whole = self._taken().removeprefix(_BOM)
        if self.kind == "json":
            yield from _sequence(whole.decode())
        else:
            self.head = whole

    def _taken(self) -> bytes:
        held, self._held = b"".join(self._held), []
        self._size = 0
        return held

    def _count(self, more: bytes | str) -> None:
        self._size += len(more)
        if self._size > _MOST_HELD:
            raise MalformedError(f"a document of more than {_MOST_HELD:,} bytes")

    def _lines(self, chunk: bytes) -> Iterator[Event]:
        *lines, last = _split(self._taken() + chunk)
        self._held = [last] if last else []
        self._count(last)
        for line in lines:
            if event := self._line(line.decode()):
                yield event

    def _line(self, line: str) -> Event | None:
        if not line:
            return self._dispatch()
        if line.startswith("{") or line.strip() == "[DONE]":  # its `data:` was lost
            return self._add(line)
        name, _, value = line.partition(":")
        match name.strip():
            case "event":
                self._name = value.strip()
            case "data":
                return self._add(value)
        return None

    def _add(self, value: str) -> Event | None:
        """A line of data. A complete document needs no blank line to end it."""
        text = value.strip().removeprefix("data:").strip()
        if not self._data:
            if text == "[DONE]":
                return DONE
            try:
                return self._named(json.loads(text)) if text else None
            except (ValueError, RecursionError):
                pass
        self._data.append(value)
        self._data_size += len(value) + 1
        if self._data_size > _MOST_HELD:
            raise MalformedError(f"an event of more than {_MOST_HELD:,} bytes")
        return None

    def _dispatch(self) -> Event | None:
        text, self._data = "\n".join(self._data), []
        self._data_size = 0
        if not text.strip():
            return None
        try:
            return self._named(json.loads(text))
        except (ValueError, RecursionError) as error:
            if self._name == "error":  # a reason in plain words
                return self._named(text.strip())
            raise MalformedError(str(error)) from None

    def _named(self, document: Any) -> Event:
        name, self._name = self._name, ""
        return Event(document, name)


def _split(data: bytes) -> list[bytes]:
    """The lines, with any kind of line end; the last one is not complete yet."""
    if b"\r" not in data:
        return data.split(b"\n")
    held = b"\r" if data.endswith(b"\r") else b""  # perhaps half of a line end
    body = data.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    *lines, last = body.split(b"\n")
    return [*lines, last + held]


def _kind_of(data: bytes, *, is_all: bool) -> Kind:
    text = data.removeprefix(_BOM).lstrip(_BLANK)
    if text[:1] in (b"{", b"["):
        return "json"
    if _FIELD.match(text):
        return "events"
    is_enough = is_all or len(text) > _LONGEST_FIELD or b"\n" in text
    return "other" if is_enough else ""


def _sequence(text: str) -> Iterator[Event]:
    """One document, or several, such as one per line."""
    place = 0
    while found := _NO_BLANK.search(text, place):
        try:
            document, place = _DECODER.raw_decode(text, found.start())
        except (ValueError, RecursionError) as error:
            raise MalformedError(str(error)) from None
        yield Event(document)
