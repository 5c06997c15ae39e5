"""The heartbeat: an address elsewhere that is asked while all is well, so that somebody notices when it is not.

It has a thread of its own, so that it holds up nothing; what it fails of is a line in the log, once, and never says
the address: who knows it can feign that all is well.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from queue import Full, Queue
from threading import Thread
from typing import TYPE_CHECKING

from usage_watch import __version__, logs
from usage_watch.channels.base import Verdict
from usage_watch.channels.http import http_verdict
from usage_watch.channels.network import TIMEOUT_S, why_unreachable
from usage_watch.core.addresses import web_address
from usage_watch.errors import SecretError
from usage_watch.secret import SecretRef
from usage_watch.watchdog import Watchdog

if TYPE_CHECKING:
    import httpx

EVERY_SECONDS = 60.0
"""From one to the next, at least."""
_CLOSING_SECONDS = 0.5


class Heartbeat:
    """Close it when it is not needed any more."""

    def __init__(
        self,
        url: SecretRef,
        environ: Mapping[str, str],
        *,
        ticks: Callable[[], float] = time.monotonic,
        timeout: float = TIMEOUT_S,
    ) -> None:
        """`ticks`: seconds that no clock on the wall can move; `timeout`: seconds that one may take in all."""
        self._url, self._environ, self._ticks, self._timeout = url, environ, ticks, timeout
        self._next = ticks()
        self._streaks = logs.Streaks()
        self._wanted: Queue[bool] = Queue(1)
        self._thread = Thread(target=self._work, name="heartbeat", daemon=True)
        self._thread.start()

    def beat(self) -> None:
        """All is well; passed on where that was not done lately. Waits for nothing."""
        now = self._ticks()
        if now < self._next:
            return
        self._next = now + EVERY_SECONDS
        with suppress(Full):  # the one before is still under way
            self._wanted.put_nowait(True)

    def close(self) -> None:
        """Wait a moment for what is under way, and no longer."""
        with suppress(Full):
            self._wanted.put(False, timeout=_CLOSING_SECONDS)
        self._thread.join(_CLOSING_SECONDS)

    def _work(self) -> None:
        with ExitStack() as opened:
            client: httpx.Client | None = None
            while self._wanted.get():
                try:
                    client = client or opened.enter_context(_client(self._timeout))
                    failure = self._ask(client)
                except Exception as error:  # whatever happens here, the next is tried
                    failure = f"a fault of ours ({type(error).__name__})"
                self._log(failure)

    def _ask(self, client: httpx.Client) -> str | None:
        """Why it did not come through; None where it did."""
        try:
            url = web_address(self._url.read(self._environ).reveal())
        except SecretError as error:
            return str(error).rstrip(".")
        except ValueError as error:
            return f"{self._url.describe()}: {error}"
        watchdog = Watchdog(self._timeout)
        try:
            with watchdog.watch(), client.stream("GET", url, extensions={"trace": watchdog.trace}) as answer:
                status = answer.status_code
        except Exception as error:  # their texts may hold the address
            return "it did not answer in time" if watchdog.expired else why_unreachable(error)
        return None if http_verdict(status) is Verdict.SENT else f"it answered {status}"

    def _log(self, failure: str | None) -> None:
        """Only what is new."""
        if failure is not None:
            logs.event("heartbeat.failed", level=self._streaks.failed("", failure), error=failure)
        elif failures := self._streaks.over(""):
            logs.event("heartbeat.recovered", failures=failures)


def _client(timeout: float) -> httpx.Client:
    import httpx  # costs 85 ms: only who has a heartbeat pays

    return httpx.Client(
        timeout=timeout,
        follow_redirects=False,
        limits=httpx.Limits(max_keepalive_connections=0),
        headers={"User-Agent": f"usage-watch/{__version__}"},
    )
