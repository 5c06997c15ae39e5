"""The real daemon, as its own process, on a clock that jumps from one thing due to the next.

For `demo` and the project's journey tests: a night passes in seconds, and each cycle is the one that a night would see.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from typing import IO, Self

from usage_watch.clock import STEPPED, SteppedClock
from usage_watch.errors import UsageWatchError
from usage_watch.places import CONFIG_VARIABLE

_DONE = re.compile(r" debug cycle\.done .*next_at=(\S+)")
_LOGGED = re.compile(r"\d{4}-\d\d-\d\dT[\d:]+Z (debug|info|warning|error|critical) |usage-watch: ")
"""A line of the log, or of a complaint; everything else was printed for people."""
_PATIENCE = 60.0
"""Seconds of real time that one cycle may take."""

Printed = Callable[[str], None]


class QuickenedDaemon:
    """`usage-watch run` under a stepped clock. A context manager that leaves no process behind."""

    def __init__(self, rules: Path, clock: SteppedClock, clock_file: Path, environ: Mapping[str, str]) -> None:
        self.log: list[str] = []
        """All that it wrote to its log so far."""
        self._command = [
            sys.executable,
            "-m",
            "usage_watch",
            "--config",
            str(rules),
            "run",
            "--log-format",
            "logfmt",
            "-v",
        ]
        self._environ = {**environ, STEPPED: str(clock_file), "PYTHONUNBUFFERED": "1"}
        self._clock = clock
        self._process: subprocess.Popen[str] | None = None
        self._reader: Thread | None = None
        self._cycles: SimpleQueue[datetime | None] = SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.kill()

    @property
    def pid(self) -> int:
        """Of the process that was started last, and not yet ended."""
        assert self._process is not None
        return self._process.pid

    def start(self, printed: Printed) -> None:
        """Start the process; each line that it prints goes to `printed`."""
        self._cycles = SimpleQueue()
        self._process = subprocess.Popen(  # noqa: S603
            self._command,
            env=self._environ,
            stdout=subprocess.PIPE,
            # One pipe for both: what it printed in a cycle comes before the log's word that the cycle is done.
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = Thread(target=self._follow, args=(self._process.stdout, self._cycles, printed), daemon=True)
        self._reader.start()

    def run_until(self, end_at: datetime) -> None:
        """Let it run every cycle that is due up to `end_at`, each at its own time."""
        while (next_at := self._await_cycle()) <= end_at:
            self._clock.step(max(next_at, self._clock.now()))
        self._clock.step(end_at)
        self._cycles.put(next_at)

    def kill(self) -> None:
        """SIGKILL, as a machine does it that runs out of memory."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        return self._end(signal.SIGTERM)

    def _await_cycle(self) -> datetime:
        """Wait for the end of the cycle that is under way: when the next is due."""
        try:
            next_at = self._cycles.get(timeout=_PATIENCE)
        except Empty:
            next_at = None
        if next_at is None:
            said = "\n".join(self.log[-10:])
            raise UsageWatchError(f"the daemon ended, or made no progress; it said:\n{said}")
        return next_at

    def _follow(self, lines: IO[str], cycles: SimpleQueue[datetime | None], printed: Printed) -> None:
        for line in lines:
            if not _LOGGED.match(line):
                # A reader who has seen enough is met by the main thread, too, which knows what to do.
                with suppress(BrokenPipeError):
                    printed(line.rstrip("\n"))
                continue
            self.log.append(line.rstrip("\n"))
            if found := _DONE.search(line):
                cycles.put(datetime.fromisoformat(found[1]))
        cycles.put(None)

    def _end(self, sign: signal.Signals) -> int:
        process, self._process = self._process, None
        assert process is not None
        process.send_signal(sign)
        code = process.wait()
        if self._reader is not None and process.stdout is not None:
            self._reader.join()
            process.stdout.close()
        return code


def own_environment() -> dict[str, str]:
    """The environment to start it in: this process' own, without what would point it elsewhere."""
    kept = {name: value for name, value in os.environ.items() if name not in (STEPPED, CONFIG_VARIABLE)}
    # All that it talks to is on this machine.
    return {**kept, "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
