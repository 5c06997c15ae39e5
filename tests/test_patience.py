"""What is waited for at a start, and what is not; and that a call to read the rules again waits, too."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from threading import Event

import pytest

from tests.listening import listening
from usage_watch import daemon
from usage_watch.calls import Calls
from usage_watch.clock import Called
from usage_watch.daemon import TRY_AGAIN, patiently
from usage_watch.errors import Hindrance, MachineError
from usage_watch.store.database import open_for_writing

AT = datetime(2026, 11, 20, tzinfo=UTC)


class Waiting:
    """A clock that is where it is waited for; something happens in each wait."""

    def __init__(self, happens: Callable[[], None] = lambda: None) -> None:
        self.at, self._happens = AT, happens
        self.rang: list[bool] = []
        """Whether the bell rang when it began to wait: then it would not."""

    def now(self) -> datetime:
        return self.at

    def wait(self, until: datetime, bell: Event, called: Called) -> None:
        assert not called()
        self.rang.append(bell.is_set())
        self.at = until
        self._happens()


def failing(times: int, hindrance: Hindrance) -> Callable[[], str]:
    left = [MachineError("It fails; mend it", hindrance)] * times

    def enter() -> str:
        if left:
            raise left.pop()
        return "entered"

    return enter


PASSING = [Hindrance.FULL, Hindrance.READ_ONLY, Hindrance.DISK, Hindrance.LOCKED]


@pytest.mark.parametrize("hindrance", PASSING)
def test_what_may_pass_is_waited_out_and_told(hindrance: Hindrance) -> None:
    clock, told = Waiting(), list[MachineError]()
    with listening() as heard:
        assert patiently(failing(3, hindrance), clock, Calls(), told.append) == "entered"
    assert clock.at == AT + 3 * TRY_AGAIN
    assert [each.hindrance for each in told] == [hindrance] * 3
    assert heard.names == ["daemon.hindered"], "once, while it is the same"


@pytest.mark.parametrize("hindrance", [each for each in Hindrance if each not in PASSING])
def test_what_somebody_must_mend_is_not(hindrance: Hindrance) -> None:
    told: list[MachineError] = []
    with pytest.raises(MachineError, match="It fails; mend it"):
        patiently(failing(1, hindrance), Waiting(), Calls(), told.append)
    assert told == []


def test_told_to_end_it_waits_no_longer() -> None:
    calls = Calls()
    assert patiently(failing(9, Hindrance.FULL), Waiting(calls.set), calls, lambda error: None) is None


def test_a_call_to_read_the_rules_again_is_heeded_afterwards() -> None:
    calls = Calls()
    clock = Waiting(calls.read_again)
    assert patiently(failing(3, Hindrance.FULL), clock, calls, lambda error: None) == "entered"
    assert clock.rang == [False] * 3
    assert calls.heard_to_read_again()


def test_rules_are_not_read_again_while_nothing_can_be_stored() -> None:
    """That is noted in the database, too; and then they are, once."""
    calls, done = Calls(), list[str]()

    class Hindered:
        def prove_writable(self) -> None:
            if len(done) < 3:
                raise MachineError("It fails", Hindrance.FULL)

        def run(self) -> None:
            if not done:
                raise MachineError("It fails", Hindrance.FULL)
            calls.set()
            raise MachineError("It ends", Hindrance.FULL)

        def called(self) -> bool:
            return False

        def judge_again(self) -> None:
            pass

        def hold(self) -> None:
            done.append("held")

    clock = Waiting(lambda: calls.read_again() if len(done) == 1 else None)
    daemon.run(Hindered(), clock, calls, None, lambda: done.append("read"))  # type: ignore[arg-type]
    assert done == ["held", "held", "held", "read", "held"]
    assert clock.rang == [False, False, False, True], "but for the last, when it is to end"


def test_proving_that_it_can_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    with open_for_writing(tmp_path / "usage.db") as database:
        before = sorted(path.name for path in tmp_path.iterdir())
        database.prove_writable()
        assert sorted(path.name for path in tmp_path.iterdir()) == before
        (tmp_path / "usage.db.room").mkdir()
        with pytest.raises(MachineError, match=r"cannot open .*usage\.db\.room: Is a directory; check its owner"):
            database.prove_writable()
