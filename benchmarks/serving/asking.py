"""Many who look at the page: so many requests a second, at their times, on connections that are kept open."""

from __future__ import annotations

import http.client
import math
import time
from collections.abc import Sequence
from threading import Event, Thread
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

LATE_S = 1.0
_CONNECTIONS = 4


class Asking:
    """Asks while a `with` block lasts, one after the other; may be entered again."""

    def __init__(self, urls: Sequence[str], rate: int) -> None:
        """`rate`: requests a second, of all connections."""
        self._urls, self._rate = urls, rate
        self._took: list[float] = []
        self._failed: list[str] = []
        self._over = Event()

    def __enter__(self) -> Self:
        self._over.clear()
        self._threads = [Thread(target=self._ask, args=(number,)) for number in range(_CONNECTIONS)]
        for each in self._threads:
            each.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        for each in self._threads:
            each.join()

    def figures(self) -> dict[str, object]:
        """Of all that were asked for; an answer's time counts from when it was due to be asked for."""
        took = sorted(self._took)
        shares = {"median": 0.5, "p99": 0.99, "longest": 1.0}
        return {
            "requests": len(took) + len(self._failed),
            "late": sum(each > LATE_S for each in took),
            "failed": len(self._failed),
            "failures": sorted(set(self._failed)),
            "answer_ms": {
                name: round(took[math.ceil(share * len(took)) - 1] * 1000, 1) for name, share in shares.items()
            }
            if took
            else None,
        }

    def _ask(self, number: int) -> None:
        origin = urlsplit(self._urls[0])
        connection = http.client.HTTPConnection(origin.netloc, timeout=30)
        due, turn = time.monotonic() + number / self._rate, number
        try:
            while not self._over.wait(max(0.0, due - time.monotonic())):
                self._one(connection, self._urls[turn % len(self._urls)], due)
                due, turn = due + _CONNECTIONS / self._rate, turn + _CONNECTIONS
        finally:
            connection.close()

    def _one(self, connection: http.client.HTTPConnection, url: str, due: float) -> None:
        parts = urlsplit(url)
        try:
            connection.request("GET", f"{parts.path}?{parts.query}" if parts.query else parts.path)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            self._failed.append(type(error).__name__)
            return
        if answer.status == 200:
            self._took.append(time.monotonic() - due)
        else:
            self._failed.append(str(answer.status))
