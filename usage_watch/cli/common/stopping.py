"""Signals: to stop, by Ctrl-C or by a supervisor, and to read the rules file again."""

from __future__ import annotations

import _thread
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from usage_watch.calls import Calls

_BREAKS_OFF = ("usage_watch.source.", "usage_watch.assess")
"""Waiting for an answer may be broken off at any point, for what came is stored; judging, for it changes nothing."""

_SOON = 0.01
"""Seconds."""


class _BrokenOff(BaseException):
    """Nobody but `stoppable` catches it."""


@contextmanager
def stoppable(*, rereads: bool = False) -> Iterator[Calls]:
    """SIGTERM and SIGINT set the event, and end the block at once where it waits for the source.

    A message that is on its way is let through, so that it is known whether it arrived. A second signal ends the
    process, whatever it does. With `rereads`, SIGHUP calls for the rules file to be read again; else it ends it,
    too.
    """
    calls = Calls()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}

    def caught(number: int, frame: FrameType | None) -> None:
        calls.exit_code = 128 + number
        # Not here: the main thread may hold the event's lock at this very moment, and would wait for itself for ever.
        _thread.start_new_thread(calls.set, ())
        if _breaks_off(frame) and _holds_a_lock(frame):
            # Broken off there, it would be released twice, or never.
            _thread.start_new_thread(_again, (number,))
            return
        signal.signal(number, before[signal.Signals(number)])
        if _breaks_off(frame):
            raise _BrokenOff

    def called(*_: object) -> None:
        _thread.start_new_thread(calls.read_again, ())

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, caught)
    if rereads:
        signal.signal(signal.SIGHUP, called)
    try:
        yield calls
    except _BrokenOff:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _holds_a_lock(frame: FrameType | None) -> bool:
    """A thread that is being started, say, is waited for."""
    return frame is not None and frame.f_globals.get("__name__") == "threading"


def _again(number: int) -> None:
    time.sleep(_SOON)
    os.kill(os.getpid(), number)


def _breaks_off(frame: FrameType | None) -> bool:
    while frame is not None:
        if str(frame.f_globals.get("__name__")).startswith(_BREAKS_OFF):
            return True
        frame = frame.f_back
    return False
