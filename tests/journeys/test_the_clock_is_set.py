"""The machine's own clock is set while the real daemon runs: a day ahead and back, a day back and on again.

libfaketime stands between the process and the kernel's clock, so that SQLite and every library see the same.
"""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.alertmanager import eventually
from tests.fakes.scripted_http import Answer
from tests.journeys.trouble import RULES, START, Trouble, hour, trouble
from usage_watch.clock import STEPPED

DAY, HOUR = timedelta(days=1), timedelta(hours=1)

_WITH_ALL = RULES.replace(
    "{{id: loud, kind: threshold, above: 2_000}}",
    "{{id: loud, kind: threshold, above: 2_000, for: 2h, remind_every: 6h}}\n"
    "  - {{id: month, kind: budget, limit: 4_000_000, forecast: off, burn: off}}",
)
_AT_A_MONTHS_END = RULES.replace(
    "{{id: loud, kind: threshold, above: 2_000}}",
    "{{id: month, kind: budget, limit: 100_000, levels: {{warning: 50%}}, forecast: off, burn: off}}",
)


def library() -> Path | None:
    found = importlib.util.find_spec("libfaketime")
    if found is None or found.origin is None:
        return None
    path = Path(found.origin).parent / "vendor/libfaketime/src/libfaketime.so.1"
    return path if path.is_file() and _machine(path) == _machine(Path(sys.executable)) else None


def _machine(program: Path) -> bytes:
    """Of an ELF file: for which processors it is."""
    with program.open("rb") as file:
        return file.read(20)[18:]


LIBRARY = library()
pytestmark = pytest.mark.skipif(LIBRARY is None, reason="libfaketime is not installed, or not for this machine")


_READ = "rules.reloaded"


class SetClock:
    """What the daemon takes for the time, and what it really is: whoever is asked for usage knows that."""

    def __init__(self, found: Trouble, path: Path) -> None:
        self._found, self._path = found, path
        self.off = timedelta()
        """How far the daemon's clock is ahead."""

    def pass_on(self, by: timedelta) -> None:
        """Time passes, for all."""
        self._found.clock.step(self._found.clock.now() + by)
        self._write()

    def set(self, off: timedelta) -> None:
        """Somebody sets the daemon's clock."""
        self.off = off
        self._write()

    def _write(self) -> None:
        at = self._found.clock.now() + self.off
        beside = self._path.with_suffix(".next")
        beside.write_text(f"{at:%Y-%m-%d %H:%M:%S}\n")
        beside.replace(self._path)

    def wake(self) -> None:
        """It looks at the clock every 30 s; and at once when it is told to read its rules again."""
        before = self._found.count(_READ)
        assert self._found.process is not None
        self._found.process.send_signal(signal.SIGHUP)
        assert eventually(lambda: self._turned_since(before)), self._found.log

    def _turned_since(self, reads: int) -> bool:
        """Whether it has read its rules once more, and done a cycle after that: one before may have been under way."""
        told = [line.split()[2] for line in [*self._found.log] if len(line.split()) > 2]
        if told.count(_READ) <= reads:
            return False
        last = len(told) - told[::-1].index(_READ)
        return not {"cycle.done", "cycle.hindered"}.isdisjoint(told[last:])

    def live(self, length: timedelta, by: timedelta = timedelta(minutes=30)) -> None:
        for _ in range(int(length / by)):
            self.pass_on(by)
            self.wake()


@contextmanager
def ticking(
    folder: Path, *loud: int, rules: str = _WITH_ALL, start_at: datetime = START
) -> Iterator[tuple[Trouble, SetClock]]:
    with trouble(folder, folder, *loud, rules=rules) as found:
        found.clock.step(start_at)
        path = folder / "faketime"
        clock = SetClock(found, path)
        del found.environ[STEPPED]
        found.environ |= {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "TZ": "UTC",
        }
        clock.pass_on(timedelta())
        found.start()
        found.awaited("cycle.done")
        yield found, clock
        assert found.end() == 0, "".join(found.log[-8:])
        assert found.checked() == "ok"


def _is_right(found: Trouble) -> bool:
    """Whether it takes the time for what it is."""
    return abs(found.metric("usage_watch_last_turn_timestamp_seconds") - found.clock.now().timestamp()) < 60


JUMPS = {
    "ahead and back": (DAY, timedelta()),
    "back and on again": (-DAY, timedelta()),
    "ahead for good": (DAY, DAY),
    "back for good": (-DAY, -DAY),
}


@pytest.mark.parametrize("jump", list(JUMPS))
def test_a_clock_that_is_set_tells_nothing_twice_and_loses_nothing(tmp_path: Path, jump: str) -> None:
    """While a message waits, and while an alert is open that is reminded of."""
    away, back = JUMPS[jump]
    with ticking(tmp_path, *range(1, 13)) as (found, clock):
        clock.live(2.5 * HOUR)
        found.pager.script.extend([Answer(503)] * 2)
        clock.live(HOUR / 2)
        clock.set(away)
        clock.wake()
        assert len(found.pager.requests) <= 2, "neither try was taken"
        clock.set(back)
        clock.pass_on(timedelta(minutes=5))
        clock.wake()
        clock.pass_on(timedelta(minutes=5))
        clock.wake()
        assert reasons(found)[-1:] == ["fired"]
        assert not found.pager.script, "the third try was taken, a day later by no clock"
        before = len(found.source.requests)
        clock.set(away)
        clock.wake()
        clock.live(2 * HOUR)
        assert len(found.source.requests) >= before + 4, "it goes on reading"
        clock.set(back)
        clock.wake()
        clock.live(17 * HOUR)
        assert list(dict.fromkeys(reasons(found))) == ["fired", "reminder", "resolved"]
        assert reasons(found)[3:] == ["reminder", "resolved"], "each once"
        assert {body["incident"]["started_at"] for body in bodies(found)} == {"2026-11-20T01:00:00Z"}
        assert bodies(found)[-1]["incident"]["ended_at"] == "2026-11-20T13:00:00Z"
        reminded_at = datetime.fromisoformat(bodies(found)[3]["sent_at"])
        assert hour(8.5) <= reminded_at <= hour(9.8), "six hours after it was told, by a clock that nobody set"
        assert found.told(found.admin) == [], "nothing is wrong with the watcher"
        assert found.count("clock.corrected") >= (1 if away == back else 2)
        assert sum(" clock.trusted" in line for line in found.log) == (0 if away == back else 2)
        # It may have turned for another reason when time passed, and hold an answer from before against the clock.
        if not eventually(lambda: _is_right(found)):
            clock.live(HOUR / 2)
            assert eventually(lambda: _is_right(found))


@pytest.mark.parametrize("jump", list(JUMPS))
def test_a_silence_lasts_as_long_as_was_said_though_the_clock_is_set(tmp_path: Path, jump: str) -> None:
    """What began under it is told once it is over, by a clock that nobody set."""
    away, back = JUMPS[jump]
    with ticking(tmp_path, *range(1, 25)) as (found, clock):
        silenced(found, "--for", "8h", "rule=loud")
        clock.live(3 * HOUR)
        assert (reasons(found), found.count("alert.held")) == ([], 1)
        clock.set(away)
        clock.wake()
        clock.live(HOUR)
        clock.set(back)
        clock.wake()
        clock.live(3 * HOUR)
        assert reasons(found) == [], "it holds"
        clock.live(1.5 * HOUR)
        assert reasons(found) == ["fired"], "once it is over"
        told_at = datetime.fromisoformat(bodies(found)[0]["sent_at"])
        assert hour(8) <= told_at <= hour(8.6)
        assert found.told(found.admin) == [], "nothing is wrong with the watcher"


@pytest.mark.parametrize("jump", list(JUMPS))
def test_a_month_ends_once_when_it_ends(tmp_path: Path, jump: str) -> None:
    """Set on its last day, by a day across its end, and set again on the first of the next."""
    away, back = JUMPS[jump]
    last = hour(10 * 24)
    loud = range(10 * 24 + 1, 10 * 24 + 13)
    with ticking(tmp_path, *loud, rules=_AT_A_MONTHS_END, start_at=last + timedelta(minutes=5)) as (found, clock):
        clock.live(14 * HOUR)
        clock.set(away)
        clock.wake()
        clock.live(2 * HOUR)
        clock.set(back)
        clock.wake()
        clock.live(7 * HOUR)
        assert (reasons(found), found.clock.now().day) == (["fired"], 30), "the month is not over"
        clock.live(38 * HOUR, HOUR)
        assert reasons(found) == ["fired", "closed"]
        closed_at = datetime.fromisoformat(bodies(found)[1]["sent_at"])
        assert hour(11 * 24) <= closed_at, "once the month is over, and its last hours are settled"
        clock.set(back - DAY)
        clock.wake()
        clock.live(2 * HOUR)
        clock.set(back)
        clock.wake()
        clock.live(2 * HOUR)
        assert reasons(found) == ["fired", "closed"], "and no other month began or ended"
        assert found.told(found.admin) == [], "nothing is wrong with the watcher"


def silenced(found: Trouble, *said: str) -> None:
    command = [*found.command[:-2], "silence", "add", "--reason", "a test", *said]
    subprocess.run(command, env=found.environ, check=True, capture_output=True)


def bodies(found: Trouble) -> list[Any]:
    return [request.json for request in found.pager.requests]


def reasons(found: Trouble) -> list[str]:
    return [body["reason"] for body in bodies(found)]
