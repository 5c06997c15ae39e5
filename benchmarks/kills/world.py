"""One office with the real daemon in it, and a hand on its power switch."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Timer

from kills.hearing import Heard
from kills.receivers import Ears, Finance, Ops, Pager, Receiver
from tests.journeys.office import Office, job, opened
from usage_watch.clock import STEPPED, SteppedClock
from usage_watch.errors import UsageWatchError
from usage_watch.quickened import own_environment
from usage_watch.simulator import Runaway, Scenario

MIDNIGHT = datetime(2026, 11, 20, tzinfo=UTC)
FIRST_CYCLE = MIDNIGHT + timedelta(minutes=5)
PATIENCE = 30.0
"""Seconds of real time that anything may take that is waited for."""
ASKED = "source"
"""What the switch is told when the source is asked."""


class StoryError(UsageWatchError):
    """A round did not go as it was to go, so that it shows nothing."""


class Switch:
    """Kills the daemon a moment after something was seen."""

    def __init__(self) -> None:
        self.pid: Callable[[], int] = lambda: 0
        self._when: Callable[[str], bool] = _never
        self._after_s = 0.0
        self._done = Event()
        self._timers: list[Timer] = []

    def arm(self, when: Callable[[str], bool], after_s: float) -> None:
        """Wait for something; at 0 the kill comes before it is answered."""
        self._done.clear()
        self._when, self._after_s = when, after_s

    def saw(self, what: str) -> None:
        """Called by the servers' threads, which answer only afterwards."""
        if not self._when(what):
            return
        self._when = _never
        if self._after_s == 0:
            self._kill()
            return
        timer = Timer(self._after_s, self._kill)
        timer.start()
        self._timers.append(timer)

    def wait(self) -> None:
        """Until it has killed; StoryError where what it waits for never comes."""
        if not self._done.wait(PATIENCE):
            self._when = _never
            raise StoryError("what the kill was to follow never came")

    @property
    def pulled(self) -> bool:
        """Whether it has killed since it was armed."""
        return self._done.is_set()

    def close(self) -> None:
        """Kill no more."""
        self._when = _never
        for timer in self._timers:
            timer.cancel()
            timer.join()

    def _kill(self) -> None:
        os.kill(self.pid(), signal.SIGKILL)
        self._done.set()


def _never(_what: str) -> bool:
    return False


@dataclass(frozen=True)
class Said:
    """How a command ended."""

    code: int
    output: str
    took_s: float


@dataclass
class World:
    """An office whose daemon can be killed, and what its receivers heard."""

    office: Office
    ears: Ears
    switch: Switch
    receivers: dict[str, Receiver]
    folder: Path
    command_s: list[float] = field(default_factory=lambda: [0.5])
    """How long commands took that were let live."""

    @property
    def count(self) -> int:
        """How many messages were heard so far."""
        return len(self.ears.heard)

    def since(self, count: int) -> Sequence[Heard]:
        """What was heard after the first so many."""
        return self.ears.heard[count:]

    def live(self, until: datetime) -> None:
        """Let the daemon run every cycle that is due until then."""
        self.office.daemon.run_until(until)

    def leap(self, at: datetime) -> None:
        """Let the daemon find that it is `at`, and run what is due by then in one cycle."""
        self.office.clock.step(at)
        self.live(at)

    def kill(self) -> None:
        """SIGKILL, and nobody starts it again yet."""
        self.office.daemon.kill()

    def die(self, when: Callable[[str], bool], after_s: float, by: datetime) -> Sequence[Heard]:
        """Let it run until it is killed so long after something that happens by then; the clock stands meanwhile.

        It is started again at once, as systemd would. Answers what was heard of the dead one.
        """
        count = self.count
        self.switch.arm(when, after_s)
        try:
            self.live(by)
        except UsageWatchError:
            if not self.switch.pulled:
                raise
        self.switch.wait()
        self.kill()
        self.office.start()
        # What it sent last may still be on its way; the new one needs longer to say anything.
        time.sleep(0.05)
        return self.since(count)

    def run(self, *words: str, kill_after_s: float | None = None) -> Said:
        """Run one command beside the daemon, on its clock; SIGKILL it after so many seconds, if it still runs."""
        began = time.monotonic()
        command = [sys.executable, "-m", "usage_watch", "--config", str(self.folder / "rules.yaml"), *words]
        environ = {**own_environment(), STEPPED: str(self.folder / "clock")}
        with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            try:
                output, _ = process.communicate(timeout=kill_after_s or PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                output, _ = process.communicate()
        took_s = time.monotonic() - began
        if process.returncode == 0:
            self.command_s.append(took_s)
        return Said(process.returncode, output.decode(), took_s)


@contextmanager
def world(folder: Path, rules: str, incidents: Sequence[Runaway], hours: int, poll_every: str) -> Iterator[World]:
    """A quiet organization with a steady trickle, which settles the hours, and these incidents."""
    # What goes on beside it is what settles the hours after it.
    trickle = job(MIDNIGHT - timedelta(hours=48), hours + 96, 100, "ana@example.com")
    start_at = MIDNIGHT - timedelta(days=3)
    scenario = Scenario(1, start_at, lag=None, quiet=True, runaways=(*incidents, trickle))
    switch = Switch()
    ears = Ears(SteppedClock(folder / "clock").now, switch.saw)
    ops, finance, pager = Ops(ears), Finance(ears), Pager(ears)
    with opened(
        folder,
        scenario,
        FIRST_CYCLE,
        rules,
        backfill="2d",
        poll_every=poll_every,
        slack=ops,
        mail=finance,
        pager=pager,
    ) as office:
        switch.pid = lambda: office.daemon.pid

        def asked() -> datetime:
            switch.saw(ASKED)
            return office.clock.now()

        office.source.now = asked
        office.start()
        made = World(office, ears, switch, {"ops": ops, "finance": finance, "pager": pager}, folder)
        try:
            made.live(FIRST_CYCLE)
            if sorted(ears.greeted) != ["finance", "ops"] or ears.news:
                raise StoryError("people, and they alone, are to hear first what is watched")
            yield made
        finally:
            switch.close()
