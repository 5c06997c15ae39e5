from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable

import pytest

from usage_watch.cli.common.stopping import stoppable


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_sets_the_event_and_is_remembered(number: int, code: int) -> None:
    with stoppable() as stop:
        assert (stop.is_set(), stop.exit_code) == (False, 0)
        os.kill(os.getpid(), number)
        assert stop.wait(10)
        assert stop.exit_code == code


def test_afterwards_signals_are_what_they_were() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    with stoppable():
        assert signal.getsignal(signal.SIGINT) not in before
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_a_second_signal_does_what_it_always_did() -> None:
    with stoppable() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.wait(10)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def _inside(module: str) -> Callable[[Callable[[], None]], None]:
    """A function of a module of that name, which calls what it is given."""
    made = types.ModuleType(module)
    exec("def call(it):\n    it()\n    done.append(1)\n", made.__dict__)
    made.__dict__["done"] = []
    return made.__dict__["call"]  # type: ignore[no-any-return]


@pytest.mark.parametrize(("module", "through"), [("usage_watch.source.any", False), ("usage_watch.channels.any", True)])
def test_what_waits_for_the_source_is_broken_off_and_a_message_is_not(module: str, through: bool) -> None:
    call, after = _inside(module), []
    with stoppable():
        call(lambda: os.kill(os.getpid(), signal.SIGTERM))
        after.append(1)
    assert bool(after) is through


LOOP = """
from usage_watch.cli.common.stopping import stoppable
with stoppable() as stop:
    print("ready", flush=True)
    while not stop.wait(0.0002):
        pass
"""


def test_a_signal_in_the_midst_of_waiting_locks_nobody_out() -> None:
    # Setting an event inside of a signal handler hangs about once in 400 times.
    for _ in range(20):
        with subprocess.Popen([sys.executable, "-c", LOOP], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            child.send_signal(signal.SIGTERM)
            assert child.wait(30) == 0


def test_who_holds_a_lock_is_broken_off_a_moment_later() -> None:
    # Broken off while a thread was being started, a lock was released twice: a fault of ours.
    held = types.ModuleType("threading")
    exec("def hold(kill, *how):\n    kill(*how)\n    done.append('released')\n", held.__dict__)
    done: list[str] = []
    held.__dict__["done"] = done

    def ask() -> None:
        held.__dict__["hold"](os.kill, os.getpid(), signal.SIGTERM)
        time.sleep(30)
        done.append("answered")

    with stoppable() as stop:
        _inside("usage_watch.source.any")(ask)
    assert (done, stop.exit_code) == (["released"], 143)
