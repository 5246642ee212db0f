"""Limits the length of answers, however they are compressed."""

import zlib
from collections.abc import AsyncIterator, Iterable, Iterator

import httpx

__all__ = ["bounded"]

_MOST_BYTES = 64 * 1024 * 1024
_BLOCK = 64 * 1024
_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


async def bounded(response: httpx.Response) -> None:
    """An httpx response hook that reads at most 64 MB, counted after decompression.

    It decompresses gzip and deflate itself, block by block, and refuses other compressions.

    Raises (while the answer is read):
        httpx.ReadError: it is longer.
        httpx.DecodingError: it has another compression than it says, or an unknown one.
    """
    packed = response.headers.pop("Content-Encoding", "")
    names = [name for part in packed.split(",") if (name := part.strip().lower())]
    unpackers = [_Unpacker(name) for name in reversed(names) if name != "identity"]
    response.stream = _BoundedStream(response.stream, unpackers)  # type: ignore[arg-type]


class _Unpacker:
    def __init__(self, name: str) -> None:
        if name not in _WINDOWS:
            raise httpx.DecodingError(f"the answer is compressed with {name:.20}")
        self._name = name
        self._zlib = zlib.decompressobj(_WINDOWS[name])
        self._is_begun = False

    def unpack(self, data: bytes) -> Iterator[bytes]:
        """The decompressed data, in blocks."""
        while data:
            try:
                yield self._zlib.decompress(data, _BLOCK)
            except zlib.error:
                if self._is_begun or self._name != "deflate":
                    raise httpx.DecodingError(f"the answer is not {self._name}") from None
                self._zlib = zlib.decompressobj(-zlib.MAX_WBITS)  # some servers leave its head out
                self._is_begun = True
                continue
            self._is_begun = True
            data = self._zlib.unconsumed_tail
            if self._zlib.eof:  # another one may follow
                data = self._zlib.unused_data
                self._zlib = zlib.decompressobj(_WINDOWS[self._name])


class _BoundedStream(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, unpackers: Iterable[_Unpacker]) -> None:
        self._stream, self._unpackers = stream, tuple(unpackers)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        raw = total = 0
        async for chunk in self._stream:
            raw += len(chunk)
            for block in self._unpacked(chunk):
                total += len(block)
                if max(raw, total) > _MOST_BYTES:
                    raise httpx.ReadError("the answer is longer than 64 MB")
                yield block

    def _unpacked(self, chunk: bytes) -> Iterator[bytes]:
        blocks: Iterable[bytes] = (chunk,)
        for unpacker in self._unpackers:
            blocks = _each(unpacker, blocks)
        return iter(blocks)

    async def aclose(self) -> None:
        await self._stream.aclose()


def _each(unpacker: _Unpacker, blocks: Iterable[bytes]) -> Iterator[bytes]:
    for block in blocks:
        yield from unpacker.unpack(block)
