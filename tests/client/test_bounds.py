"""Whatever a server sends ends: packed bombs, blanks and events without number."""

from __future__ import annotations

import gzip
import io
import itertools
import zlib
from collections.abc import Callable

import pytest

from amx_kimi.client import bounds, wire
from amx_kimi.client.documents import Documents, MalformedError
from amx_kimi.errors import BrokenStreamError, KimiError, ServerError, UnreachableError

from .helpers import Scripted, chat, piece, profile, response, stream, with_client

MOST = 300_000


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "_MOST_BYTES", MOST)


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


PACKERS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", raw_deflate),
    "twice": ("gzip, gzip", lambda data: gzip.compress(gzip.compress(data))),
    "in parts": ("gzip", lambda data: gzip.compress(data[:9]) + gzip.compress(data[9:])),
}


@pytest.mark.parametrize("kind", PACKERS)
def test_a_packed_answer_is_read(kind: str) -> None:
    name, pack = PACKERS[kind]
    _, *events = stream(piece("hello", "stop"))
    script = response(pack(b"".join(events)), content_encoding=name)
    with Scripted(script) as server:
        assert chat(profile(server.url)).content == "hello"
    whole = response(pack(b'{"data": [{"id": "kimi-k3"}]}'), content_encoding=name)
    with Scripted(whole) as server:
        assert with_client(profile(server.url), lambda c: c.models()) == [{"id": "kimi-k3"}]


BOMBS = {
    "a stream": b'data: {"choices": [{"delta": {"content": "' + b"x" * 5 * MOST + b'"}}]}\n\n',
    "a whole answer": b'{"choices": [{"message": {"content": "' + b"x" * 5 * MOST + b'"}}]}',
    "blanks": b" " * 5 * MOST,
    "a list": b'{"data": [' + b'{"id": "x"},' * MOST + b"]}",
}


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("kind", ["gzip", "deflate", "twice"])
@pytest.mark.parametrize("bomb", BOMBS)
def test_what_comes_out_of_a_packed_answer_is_bounded(bomb: str, kind: str) -> None:
    name, pack = PACKERS[kind]
    script = response(pack(BOMBS[bomb]), content_encoding=name)
    with Scripted(script) as server, pytest.raises(BrokenStreamError, match="ReadError"):
        chat(profile(server.url), retries=0)
    with Scripted(script) as server, pytest.raises(UnreachableError, match="longer than 64 MB"):
        with_client(profile(server.url), lambda client: client.models())


def test_a_gigabyte_of_zeros_is_not_unpacked_into_memory() -> None:
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=9) as file:
        for _ in range(256):
            file.write(bytes(1 << 22))
    unpacker = bounds._Unpacker("gzip")
    blocks = unpacker.unpack(buffer.getvalue())
    assert all(len(block) <= 64 * 1024 for block in itertools.islice(blocks, 1_000))


@pytest.mark.usefixtures("_small")
def test_a_packed_error_is_bounded() -> None:
    script = response(gzip.compress(b"trouble " * MOST), 500, content_encoding="gzip")
    with Scripted(script) as server, pytest.raises(ServerError, match="trouble"):
        chat(profile(server.url), retries=0)


@pytest.mark.parametrize("name", ["br", "zstd", "compress", "gzip, br", "x" * 500])
def test_another_packing_is_refused(name: str) -> None:
    with (
        Scripted(response(b"whatever", content_encoding=name)) as server,
        pytest.raises(BrokenStreamError, match="DecodingError"),
    ):
        chat(profile(server.url), retries=0)


@pytest.mark.parametrize(
    "chunk", [b" ", b"\n", b"\xef\xbb\xbf", b"\r\n", b": ping\n", b"\ndata:\n"]
)
def test_a_million_tiny_chunks_are_read_in_no_time(chunk: bytes) -> None:
    documents = Documents()
    for _ in range(300_000):  # quadratic would be hours
        assert not list(documents.feed(chunk))
    _, event, *_ = stream(piece("at last"))
    assert [each.document["model"] for each in documents.feed(b"\n" + event)] == ["scripted"]


def test_many_documents_in_a_row_are_read_in_no_time() -> None:
    documents = Documents()
    assert not list(documents.feed(b'{"choices": []}' * 200_000))
    assert sum(1 for _ in documents.close()) == 200_000
    broken = Documents()
    assert not list(broken.feed(b'{"choices": []}' * 10 + b"{"))
    with pytest.raises(MalformedError):
        list(broken.close())


def test_events_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_MOST_EVENTS", 100)
    with Scripted(stream(*[piece("x")] * 101)) as server, pytest.raises(KimiError, match="100 ev"):
        chat(profile(server.url), retries=0)


@pytest.mark.parametrize(
    "answer",
    [
        b'{"choices": [' + b"{}," * 3_000_000 + b"{}]}",
        b'{"choices": [{"message": {"content": "' + b"x" * 9_000_000 + b'"}}]}',
        b"data: {" + b"\ndata: {" * 4_000_000,
    ],
    ids=["many choices", "a long text", "an event that does not end"],
)
def test_a_document_is_bounded_before_it_is_parsed(answer: bytes) -> None:
    with (
        Scripted(response(answer)) as server,
        pytest.raises(KimiError, match="not a chat completion"),
    ):
        chat(profile(server.url), retries=0)


def test_a_list_of_models_is_bounded_before_it_is_parsed() -> None:
    script = response(b'{"data": [' + b"{}," * 2_000_000 + b"{}]}")
    with Scripted(script) as server, pytest.raises(KimiError, match="more than 4,194,304 bytes"):
        with_client(profile(server.url), lambda client: client.models())


def test_text_in_pieces_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_MOST_TEXT", 1_000)
    pieces = [piece("x" * 100)] * 11
    with Scripted(stream(*pieces)) as server, pytest.raises(KimiError, match="1,000 characters"):
        chat(profile(server.url), retries=0)


def test_many_pieces_of_a_tools_arguments_are_joined_once() -> None:
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "12345678"}}
    more = {"index": 0, "function": {"arguments": "12345678"}}
    events = [piece(choice={"delta": {"tool_calls": [one]}}) for one in (call, *[more] * 2_000)]
    with Scripted(stream(*events, piece(finish="tool_calls"))) as server:
        (called,) = chat(profile(server.url)).tool_calls
    assert called["function"] == {"name": "f", "arguments": "12345678" * 2_001}
