from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Timer

import pytest
from freezegun import freeze_time

from usage_watch.clock import GLANCE, STEPPED, SteppedClock, SystemClock, TrueClock, open_clock, true_clock
from usage_watch.errors import UsageError

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


class SetClock(SystemClock):
    """The machine's clock, which somebody sets while it is looked at: it shows these times, and then the last."""

    def __init__(self, *shown: datetime) -> None:
        super().__init__()
        self._shown = list(shown)

    def now(self) -> datetime:
        return self._shown.pop(0) if len(self._shown) > 1 else self._shown[0]


class Hasty(Event):
    """Waits for nothing, but remembers how long it was to wait; set after the tenth time, lest a test never ends."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits.append(timeout)
        if len(self.waits) == 10:
            self.set()
        return self.is_set()


# ---- the machine's clock --------------------------------------------------------------------------------------------


def test_the_machines_clock_tells_utc() -> None:
    with freeze_time(NOW):
        assert SystemClock().now() == NOW
        assert SystemClock().now().tzinfo is UTC


@pytest.mark.parametrize("until", [NOW, NOW - timedelta(days=1)])
def test_what_is_due_is_not_waited_for(until: datetime) -> None:
    stop = Hasty()
    SetClock(NOW).wait(until, stop, lambda: False)
    assert stop.waits == []


def test_it_waits_until_the_time_has_come() -> None:
    clock, stop = SystemClock(), Event()
    until = clock.now() + timedelta(seconds=0.02)
    clock.wait(until, stop, lambda: False)
    assert clock.now() >= until


def test_told_to_stop_it_does_not_wait_on() -> None:
    clock, stop = SystemClock(), Event()
    timer = Timer(0.01, stop.set)
    timer.start()
    clock.wait(clock.now() + timedelta(hours=1), stop, lambda: False)
    assert stop.is_set()
    timer.join()


def test_it_looks_at_the_clock_now_and_then() -> None:
    stop = Hasty()
    SetClock(NOW).wait(NOW + timedelta(hours=1), stop, lambda: False)
    assert stop.waits == [GLANCE] * 10


def test_a_clock_that_is_set_forward_cuts_the_wait_short() -> None:
    stop = Hasty()
    SetClock(NOW, NOW, NOW + timedelta(days=1)).wait(NOW + timedelta(hours=1), stop, lambda: False)
    assert stop.waits == [GLANCE]


def test_a_clock_that_is_set_back_does_not_stretch_the_wait() -> None:
    stop = Event()
    SetClock(NOW, NOW - timedelta(days=1)).wait(NOW + timedelta(seconds=0.02), stop, lambda: False)
    assert not stop.is_set()


# ---- a stepped clock ------------------------------------------------------------------------------------------------


@pytest.fixture
def stepped(tmp_path: Path) -> SteppedClock:
    clock = SteppedClock(tmp_path / "clock")
    clock.step(NOW)
    return clock


@pytest.mark.parametrize("at", [NOW, NOW + timedelta(microseconds=123456), NOW - timedelta(days=400)])
def test_a_stepped_clock_tells_what_it_was_stepped_to(stepped: SteppedClock, at: datetime) -> None:
    stepped.step(at)
    assert stepped.now() == at
    assert stepped.now().tzinfo is UTC


@pytest.mark.parametrize("steps", [[2.0], [0.5, 1.0], [-1.0, 1.0]])
def test_a_stepped_clock_waits_until_it_is_stepped_far_enough(
    stepped: SteppedClock, tmp_path: Path, steps: Sequence[float]
) -> None:
    rest = list(steps)

    class Stepping(Event):
        """Somebody steps the clock each time that it is waited on."""

        def wait(self, timeout: float | None = None) -> bool:
            stepped.step(NOW + timedelta(hours=rest.pop(0)))
            return False

    stepped.wait(NOW + timedelta(hours=1), Stepping(), lambda: False)
    assert rest == []


def test_a_clock_that_goes_on_shows_the_same_to_whoever_looks_until_it_is_stepped(
    stepped: SteppedClock, tmp_path: Path
) -> None:
    stepped.go_on()
    shown = [clock.now() for _ in range(3) for clock in (stepped, SteppedClock(tmp_path / "clock"))]
    assert NOW < shown[0] < shown[-1] < NOW + timedelta(minutes=1)
    assert shown == sorted(shown)
    stepped.go_on()
    assert stepped.now() > shown[-1]
    stepped.step(NOW)
    assert stepped.now() == NOW


def test_a_clock_that_goes_on_waits_until_the_time_has_come(stepped: SteppedClock) -> None:
    stepped.go_on()
    stepped.wait(NOW + timedelta(seconds=0.02), Event(), lambda: False)
    assert stepped.now() >= NOW + timedelta(seconds=0.02)


def test_who_waits_by_a_clock_that_goes_on_looks_up_now_and_then(stepped: SteppedClock) -> None:
    """It gives a sign of life by that; by one that stands it does not: nothing happens but by who steps it."""
    calls = iter([False, False, True])
    stepped.go_on()
    stop = Hasty()
    stepped.wait(NOW + timedelta(hours=1), stop, lambda: next(calls))
    assert stop.waits == [1.0, 1.0]
    assert next(calls, None) is None
    stepped.step(NOW)
    stepped.wait(NOW + timedelta(hours=1), Hasty(), lambda: pytest.fail("it was called"))


def test_a_stepped_clock_can_be_told_to_stop(stepped: SteppedClock) -> None:
    stop = Event()
    timer = Timer(0.01, stop.set)
    timer.start()
    stepped.wait(NOW + timedelta(hours=1), stop, lambda: False)
    assert stop.is_set()
    timer.join()


# ---- which one ------------------------------------------------------------------------------------------------------


def test_the_environment_may_name_a_stepped_clock(stepped: SteppedClock, tmp_path: Path) -> None:
    clock = open_clock({STEPPED: str(tmp_path / "clock")})
    assert clock.now() == NOW
    assert isinstance(open_clock({}), SystemClock)


@pytest.mark.parametrize("name", ["nothing", "."])
def test_a_stepped_clock_without_its_file_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=f"{STEPPED} names .*, which is no file; unset it"):
        open_clock({STEPPED: str(tmp_path / name)})


# ---- a clock that is held against others ----------------------------------------------------------------------------


class Set(SystemClock):
    """A clock that a test sets, and the seconds that went by, which nobody sets."""

    def __init__(self) -> None:
        super().__init__()
        self.at, self.passed = NOW, 100.0

    def now(self) -> datetime:
        return self.at

    def elapsed(self) -> float:
        return self.passed

    def live(self, length: timedelta) -> None:
        self.at, self.passed = self.at + length, self.passed + length.total_seconds()


MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


@pytest.mark.parametrize("by", [DAY, -DAY, 11 * MINUTE, -11 * MINUTE])
def test_what_went_by_counts_from_when_the_clock_was_set_until_the_source_says_what_time_it_is(by: timedelta) -> None:
    machine = Set()
    clock = TrueClock(machine, machine.elapsed)
    machine.live(DAY)
    assert (clock.now(), clock.in_doubt()) == (NOW + DAY, False)
    machine.at += by
    machine.live(MINUTE)
    assert clock.now() == NOW + DAY + MINUTE
    assert clock.in_doubt()
    machine.live(20 * MINUTE)
    clock.learn(None)
    assert clock.in_doubt(), "it is asked until it says"
    assert clock.now() == NOW + DAY + 21 * MINUTE


@pytest.mark.parametrize("by", [DAY, -DAY])
def test_the_source_says_whether_it_was_right_to_set_it(by: timedelta) -> None:
    machine = Set()
    clock = TrueClock(machine, machine.elapsed)
    machine.at += by
    clock.learn(NOW)
    assert (clock.now(), clock.in_doubt()) == (NOW, False)
    machine.live(DAY)
    assert clock.now() == NOW + DAY, "it is as wrong as it was"
    machine.at -= by
    assert (clock.now(), clock.in_doubt()) == (NOW + DAY, True)
    clock.learn(NOW + DAY)
    machine.live(MINUTE)
    assert clock.now() == NOW + DAY + MINUTE == machine.now()


def test_a_clock_that_is_kept_right_by_little_steps_is_believed() -> None:
    machine = Set()
    clock = TrueClock(machine, machine.elapsed)
    for _ in range(100):
        machine.live(DAY)
        machine.at += 9 * MINUTE
        assert clock.now() == machine.now()
    assert not clock.in_doubt()


def test_two_clocks_that_differ_by_minutes_are_both_right() -> None:
    machine = Set()
    clock = TrueClock(machine, machine.elapsed)
    clock.learn(NOW - 9 * MINUTE)
    assert clock.now() == NOW


def test_who_steps_a_clock_means_it(tmp_path: Path) -> None:
    stepped = SteppedClock(tmp_path / "clock")
    stepped.step(NOW)
    clock = true_clock(stepped)
    stepped.step(NOW + DAY)
    assert (clock.now(), clock.in_doubt(), true_clock(clock)) == (NOW + DAY, False, clock)
    clock.learn(NOW)
    assert clock.now() == NOW + DAY, "it was stepped since the source was asked"
    clock.asking()
    clock.learn(NOW)
    assert clock.now() == NOW, "it was not, and the source knows better"


def test_it_waits_by_the_true_time() -> None:
    machine = Set()
    clock = TrueClock(machine, machine.elapsed)
    machine.at += DAY
    clock.learn(NOW)
    bell = Hasty()
    clock.wait(NOW + timedelta(seconds=7), bell, lambda: False)
    assert bell.waits == [pytest.approx(7, abs=1)] * 10


def test_the_machines_own_clock_is_held_against_the_time_since_its_start() -> None:
    clock = true_clock(SystemClock())
    assert abs(clock.now() - SystemClock().now()) < MINUTE
    assert not clock.in_doubt()
