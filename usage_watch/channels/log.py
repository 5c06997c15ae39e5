"""The log channel: messages on standard output, for a first look, for containers and for the journal."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Literal, TextIO

from pydantic import Field

from usage_watch.channels.base import Attempt, ChannelSettings, Sender, Verdict
from usage_watch.channels.variants import least, maybe_repeat
from usage_watch.core.message import Delivery
from usage_watch.core.wording import news
from usage_watch.core.wordlines import text_lines


class LogSettings(ChannelSettings):
    """Prints each message to standard output."""

    kind: Literal["log"] = Field(description="Prints to standard output.")

    def connect(self, environ: Mapping[str, str], stream: TextIO | None = None) -> Sender:
        """Open the channel: standard output, or another stream."""
        return LogSender(stream)


class LogSender:
    """Writes to a text stream, which stays open."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def send(self, delivery: Delivery) -> Attempt:
        """Print one block. Where nobody reads any more (a closed pipe, a full disk), it has not arrived."""
        # Looked up at each message: a test runner or supervisor may have put another in its place.
        stream = self._stream or sys.stdout
        block = "\n".join(_cleaned(line) for line in _lines(delivery)) + "\n\n"
        encoding = getattr(stream, "encoding", None) or "utf-8"
        try:
            stream.write(block.encode(encoding, "replace").decode(encoding))
            stream.flush()
        except (OSError, ValueError):  # a closed stream is a ValueError
            return Attempt(Verdict.NOT_SENT, "Standard output takes no more: is it closed, or the disk full?")
        return Attempt(Verdict.SENT)

    def about_repeats(self, sent: Attempt) -> str:
        """Nobody waits for the answer of a stream."""
        return ""

    def close(self) -> None:
        """The stream is not ours to close."""


def _lines(delivery: Delivery) -> tuple[str, ...]:
    words = news(delivery.message)
    if delivery.unsure:
        words = maybe_repeat(words)
    return (least(words),) if delivery.minimal else text_lines(words)


def _cleaned(line: str) -> str:
    """No terminal obeys this line. (It is clean already: this sink does not rely on it.)"""
    return "".join(c for c in line if c.isprintable())
