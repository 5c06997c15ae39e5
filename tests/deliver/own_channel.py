"""A channel of the tests' own, for what no receiver on loopback can be made to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from pydantic import PrivateAttr

from usage_watch.channels.base import Attempt, ChannelSettings, Sender, Verdict
from usage_watch.core.message import Delivery


class OwnChannel(ChannelSettings):
    """Opens what it is given."""

    kind: Literal["own"] = "own"
    _opens: Callable[[Mapping[str, str]], Sender] = PrivateAttr()

    def __init__(self, opens: Callable[[Mapping[str, str]], Sender]) -> None:
        super().__init__()
        self._opens = opens

    def connect(self, environ: Mapping[str, str]) -> Sender:
        return self._opens(environ)


class OwnSender:
    """Answers as `answer` does, and remembers what it was given."""

    def __init__(self, answer: Callable[[Delivery], Attempt] = lambda _: Attempt(Verdict.SENT)) -> None:
        self._answer = answer
        self.taken: list[Delivery] = []
        self.closed = 0

    def send(self, delivery: Delivery) -> Attempt:
        self.taken.append(delivery)
        return self._answer(delivery)

    def about_repeats(self, sent: Attempt) -> str:
        return ""

    def close(self) -> None:
        self.closed += 1
