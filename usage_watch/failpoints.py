"""Fail points: the places where a crash would matter most. In a test the process can be made to die at any of them.

`USAGE_WATCH_FAIL_POINTS=FILE` writes the name of each point that is passed to FILE; `FILE@N` also ends the process at
the Nth, as SIGKILL does: nothing is flushed, closed or cleaned up.
"""

from __future__ import annotations

import os
import signal
from itertools import count
from pathlib import Path

VARIABLE = "USAGE_WATCH_FAIL_POINTS"
_numbers = count(1)


def passing(name: str) -> None:
    """Say that this point is passed; nothing happens unless the environment asks for it."""
    wanted = os.environ.get(VARIABLE)
    if wanted is None:
        return
    file, _, number = wanted.partition("@")
    with Path(file).open("a", encoding="ascii") as passed:
        passed.write(f"{name}\n")
    if str(next(_numbers)) == number:
        os.kill(os.getpid(), signal.SIGKILL)
