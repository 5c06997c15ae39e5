"""Being told to stop, by Ctrl-C or by a supervisor."""

from __future__ import annotations

import _thread
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event
from types import FrameType

_BREAKS_OFF = "usage_watch.source."
"""Waiting for an answer may be broken off at any point: what came is stored, the rest is asked again."""


class Stop(Event):
    """Set once SIGTERM or SIGINT came."""

    exit_code = 0
    """What a shell says of a command that ended so: 130 after Ctrl-C, 143 after SIGTERM."""


class _BrokenOff(BaseException):
    """Nobody but `stoppable` catches it."""


@contextmanager
def stoppable() -> Iterator[Stop]:
    """SIGTERM and SIGINT set the event, and end the block at once where it waits for the source.

    A message that is on its way is let through, so that it is known whether it arrived. A second signal ends the
    process, whatever it does.
    """
    stop = Stop()
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def caught(number: int, frame: FrameType | None) -> None:
        signal.signal(number, before[signal.Signals(number)])
        stop.exit_code = 128 + number
        # Not here: the main thread may hold the event's lock at this very moment, and would wait for itself for ever.
        _thread.start_new_thread(stop.set, ())
        if _breaks_off(frame):
            raise _BrokenOff

    for number in before:
        signal.signal(number, caught)
    try:
        yield stop
    except _BrokenOff:
        pass
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _breaks_off(frame: FrameType | None) -> bool:
    while frame is not None:
        if str(frame.f_globals.get("__name__")).startswith(_BREAKS_OFF):
            return True
        frame = frame.f_back
    return False
