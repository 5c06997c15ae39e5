"""The bytes of an answer's body, unpacked by hand: a few kilobytes of gzip can hold gigabytes."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

PIECE = 65536


def read_body(chunks: Iterable[bytes], encoding: str, most: int) -> bytes:
    """The body, of at most `most` bytes packed and unpacked.

    Raises ValueError: too big, cut off, badly packed, packed as nobody asked for.
    """
    packed = _capped(chunks, most)
    match encoding.strip().lower():
        case "" | "identity":
            return b"".join(packed)
        case "gzip" | "x-gzip":
            return b"".join(_capped(_gunzip(packed), most))
        case _:
            raise ValueError("its Content-Encoding is not gzip")


def _capped(pieces: Iterable[bytes], most: int) -> Iterator[bytes]:
    left = most
    for piece in pieces:
        left -= len(piece)
        if left < 0:
            raise ValueError(f"it is longer than {most} bytes")
        yield piece


def _gunzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    for chunk in chunks:
        yield from _unpack(stream, chunk)
    if not stream.eof:
        raise ValueError("it ends in the middle of its gzip")


def _unpack(stream: zlib._Decompress, chunk: bytes) -> Iterator[bytes]:
    """What one chunk holds, in pieces. A full piece may leave more inside the stream, even without input."""
    piece = b"-" * PIECE
    while len(piece) == PIECE and not stream.eof:
        try:
            piece = stream.decompress(chunk, PIECE)
        except zlib.error:
            raise ValueError("its gzip is damaged") from None
        yield piece
        chunk = stream.unconsumed_tail
