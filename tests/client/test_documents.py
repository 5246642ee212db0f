"""What the bytes are decides: streams, documents, and everything else, however they are cut."""

from __future__ import annotations

import json
from contextlib import suppress
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amx_kimi.client.documents import DONE, Documents, MalformedError

BOM = b"\xef\xbb\xbf"
CHUNKS = [{"choices": [{"delta": {"content": text}}]} for text in ("a", "ü", "漢\u2028字", "")]


def read(*pieces: bytes) -> tuple[str, list[Any]]:
    documents = Documents()
    events = [event for piece in pieces for event in documents.feed(piece)]
    events += documents.close()
    return documents.kind, ["DONE" if event is DONE else event.document for event in events]


def encoded(end: str, after: str, done: str, mark: bytes = b"") -> bytes:
    lines = [f"data: {json.dumps(chunk, ensure_ascii=False)}{end}{after}" for chunk in CHUNKS]
    return mark + "".join([*lines, *([f"data: {done}{end}{after}"] if done else [])]).encode()


ENDS = ["\n", "\r\n", "\r"]


@given(
    end=st.sampled_from(ENDS),
    blank=st.booleans(),
    done=st.sampled_from(["", "[DONE]", "[DONE] "]),
    mark=st.sampled_from([b"", BOM]),
    cuts=st.lists(st.integers(0, 400), max_size=12),
)
def test_a_stream_is_read_however_it_is_framed_and_cut(
    end: str, blank: bool, done: str, mark: bytes, cuts: list[int]
) -> None:
    data = encoded(end, end if blank else "", done, mark)
    places = sorted({0, len(data), *(cut % len(data) for cut in cuts)})
    pieces = [data[a:b] for a, b in pairwise(places)]
    kind, documents = read(*pieces)
    assert kind == "events"
    assert documents == [*CHUNKS, *["DONE"] * bool(done)]


@pytest.mark.parametrize(
    ("data", "kind", "documents"),
    [
        (b'{"a": 1}', "json", [{"a": 1}]),
        (BOM + b'\n\n {"a": 1}\n', "json", [{"a": 1}]),
        (b'{"a": 1}\n{"a": 2}\n', "json", [{"a": 1}, {"a": 2}]),
        (b"[1]", "json", [[1]]),
        (b": ping\n\ndata: 1\n\n", "events", [1]),
        (b"event: error\ndata: {}\n\n", "events", [{}]),
        (b"event: error\ndata: Internal error\n\n", "events", ["Internal error"]),
        (b'data: {"a":\ndata: 1}\n\n', "events", [{"a": 1}]),
        (b'data: data: {"a": 1}\n\n', "events", [{"a": 1}]),
        (b'data: {"a": 1}\n\n{"a": 2}\n[DONE]\n', "events", [{"a": 1}, {"a": 2}, "DONE"]),
        (b'data: {"a": 1}\n\ndata: {"cut', "events", [{"a": 1}]),
        (b'data:{"a":"[DONE]"}\n', "events", [{"a": "[DONE]"}]),
        (b"<html>", "other", []),
        (b"upstream connect error", "other", []),
        (b"", "other", []),
        (b" \n", "other", []),
    ],
)
def test_what_it_is(data: bytes, kind: str, documents: list[Any]) -> None:
    for pieces in ([data], [data[at : at + 1] for at in range(len(data))]):
        assert read(*pieces) == (kind, documents)


@pytest.mark.parametrize("data", [b'{"cut', b"data: <html>\n\n", b"data: " + b"[" * 9999 + b"\n\n"])
def test_what_is_no_json_is_said(data: bytes) -> None:
    with pytest.raises(MalformedError):
        read(data)


@given(st.binary(max_size=300), st.integers(1, 7))
def test_no_bytes_do_anything_else(data: bytes, size: int) -> None:
    with suppress(MalformedError, UnicodeDecodeError):
        read(*[data[at : at + size] for at in range(0, len(data), size)])
