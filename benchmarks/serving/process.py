"""The real daemon as its own process: when it says what, what it costs, and how much memory it has."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from types import TracebackType
from typing import IO, Self

from usage_watch.clock import STEPPED, SteppedClock
from usage_watch.quickened import own_environment

PATIENCE_S = 120.0
_EVENT = re.compile(r"\b([a-z_]+\.[a-z_]+)\b")
_NEXT = re.compile(r'next_at"?[=:]\s*"?([0-9T:.+\-Z]+)')
_NUMBER = re.compile(r'\b(new|changed|polled|told|sent)"?[=:]\s*(\d+)')
_TICKS = os.sysconf("SC_CLK_TCK")
_MIB = 1024.0


@dataclass(frozen=True, slots=True)
class Memory:
    """MiB."""

    rss: float
    peak: float
    """The most that was resident so far."""
    pss: float
    """Resident, with what is shared counted in parts."""
    anonymous: float
    """Resident, and its own: not mapped from any file."""


@dataclass(frozen=True, slots=True)
class Event:
    """A line of the log."""

    name: str
    text: str
    wall_s: float
    """Since the process was started."""
    cpu_s: float
    """Of the process, until the line was read."""

    @property
    def next_at(self) -> datetime:
        """When the daemon wakes again, of a `cycle.done`."""
        found = _NEXT.search(self.text)
        assert found is not None, self.text
        return datetime.fromisoformat(found[1])

    @property
    def counts(self) -> dict[str, int]:
        """What a `cycle.done` did."""
        return {name: int(number) for name, number in _NUMBER.findall(self.text)}


class StoppedError(Exception):
    """The daemon ended, or made no progress."""


class Daemon:
    """`usage-watch run` under a stepped clock. A context manager that leaves no process behind."""

    def __init__(self, rules: Path, clock: SteppedClock, clock_file: Path, python: Path | None = None) -> None:
        """`python`: an interpreter with the program's own dependencies alone; this one by default."""
        self.log: list[str] = []
        self._command = [str(python or sys.executable), "-m", "usage_watch", "--config", str(rules), "-v", "run"]
        self._environ = {**own_environment(), STEPPED: str(clock_file), "PYTHONUNBUFFERED": "1"}
        self._clock = clock
        self._process: subprocess.Popen[str] | None = None
        self._reader: Thread | None = None
        self._events: SimpleQueue[Event | None] = SimpleQueue()
        self._began = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self.kill()

    @property
    def pid(self) -> int:
        """Of the process that runs."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it; its clock's zero is now."""
        self._events, self._began = SimpleQueue(), time.monotonic()
        self._process = subprocess.Popen(
            self._command, env=self._environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._reader = Thread(target=self._follow, args=(self._process, self._events), daemon=True)
        self._reader.start()

    def await_event(self, name: str, patience_s: float = PATIENCE_S) -> Event:
        """The next line with that event; those before it are skipped."""
        until = time.monotonic() + patience_s
        while True:
            with suppress(Empty):
                event = self._events.get(timeout=max(0.0, until - time.monotonic()))
                if event is not None and event.name != name:
                    continue
                if event is not None:
                    return event
            raise StoppedError(f"no {name} came; it said:\n" + "\n".join(self.log[-10:]))

    def cycle(self, patience_s: float = PATIENCE_S) -> Event:
        """Wait for the end of the cycle under way."""
        return self.await_event("cycle.done", patience_s)

    def turn(self, last: Event) -> Event:
        """Make it the time for which the last cycle asked, and wait for the cycle that follows."""
        self._clock.step(max(last.next_at, self._clock.now()))
        return self.cycle()

    def memory(self) -> Memory:
        """How much it has now."""
        status = _table(Path(f"/proc/{self.pid}/status"))
        rollup = _table(Path(f"/proc/{self.pid}/smaps_rollup"))
        found = (status["VmRSS"], status["VmHWM"], rollup["Pss"], rollup["Anonymous"])
        return Memory(*(round(each / _MIB, 1) for each in found))

    def cpu_s(self) -> float:
        """What it has cost so far, all threads, to a hundredth."""
        return _cpu_s(self.pid)

    def main_cpu_s(self) -> float:
        """What its main thread has cost so far, to the nanosecond."""
        return int(Path(f"/proc/{self.pid}/task/{self.pid}/schedstat").read_text().split()[0]) / 1e9

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> tuple[int, float]:
        """SIGTERM: the exit code, and how many seconds it took."""
        began = time.monotonic()
        return self._end(signal.SIGTERM), time.monotonic() - began

    def _end(self, sign: signal.Signals) -> int:
        process, self._process = self._process, None
        assert process is not None
        process.send_signal(sign)
        code = process.wait()
        if self._reader is not None and process.stdout is not None:
            self._reader.join()
            process.stdout.close()
        return code

    def _follow(self, process: subprocess.Popen[str], events: SimpleQueue[Event | None]) -> None:
        lines: IO[str] | None = process.stdout
        assert lines is not None
        for line in lines:
            self.log.append(line.rstrip("\n"))
            if found := _EVENT.search(line):
                with suppress(OSError):  # it may have ended with this line
                    cpu_s = _cpu_s(process.pid)
                    events.put(Event(found[1], self.log[-1], time.monotonic() - self._began, cpu_s))
        events.put(None)


def _table(path: Path) -> dict[str, int]:
    """`Name: 123 kB` a line."""
    rows = (line.split() for line in path.read_text().splitlines())
    return {row[0].rstrip(":"): int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()}


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
