"""Several processes on one database, and processes that die."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from usage_watch.errors import MachineError
from usage_watch.store.database import open_for_reading, open_for_writing
from usage_watch.store.locks import DaemonLock

ROOT = Path(__file__).parents[2]

HOLD = """
import sys
from pathlib import Path
from usage_watch.store.locks import DaemonLock

with DaemonLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""

COUNT = """
import sys
from pathlib import Path
from usage_watch.store.database import open_for_writing

with open_for_writing(Path(sys.argv[1])) as db:
    print("open", flush=True)
    sys.stdin.readline()
    for _ in range(int(sys.argv[2])):
        with db.transaction():
            (failures,) = db.one("SELECT failures FROM feed")
            db.execute("UPDATE feed SET failures = ?", (failures + 1,))
"""

COMMIT = """
import sys
from pathlib import Path
from tests.store.store_samples import at, incident, post
from usage_watch.store.alerts import AlertStore
from usage_watch.store.database import open_for_writing

with open_for_writing(Path(sys.argv[1])) as db:
    number = int(sys.argv[2])
    while True:
        one = incident(number)
        AlertStore(db).commit([one], [], [], [post(number, one, conversation=f"cnv_{number}")], at(0))
        print(number, flush=True)
        number += 1
"""


@contextmanager
def running(script: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def pipe(stream: IO[str] | None) -> IO[str]:
    assert stream is not None
    return stream


def heard(process: subprocess.Popen[str]) -> str:
    return pipe(process.stdout).readline().strip()


def tell(process: subprocess.Popen[str]) -> None:
    pipe(process.stdin).write("go on\n")
    pipe(process.stdin).flush()


def test_a_second_daemon_is_told_who_watches(path: Path) -> None:
    sentence = "another usage-watch daemon .pid {}. watches into .*usage-watch.db; stop it or give this one another"
    with running(HOLD, path) as first:
        assert heard(first) == "held"
        with pytest.raises(MachineError, match=sentence.format(first.pid)), DaemonLock(path):
            pass
        tell(first)
        assert first.wait() == 0
    with DaemonLock(path), pytest.raises(MachineError, match=sentence.format(os.getpid())), DaemonLock(path):
        pass


def test_a_daemon_that_was_killed_leaves_no_lock(path: Path) -> None:
    with running(HOLD, path) as first:
        assert heard(first) == "held"
        first.send_signal(signal.SIGKILL)
        first.wait()
    with DaemonLock(path):
        assert path.with_name(f"{path.name}.daemon").read_text() == f"{os.getpid()}\n"


def test_a_daemon_that_has_not_written_its_number_yet_is_named_unknown(path: Path) -> None:
    with DaemonLock(path):
        path.with_name(f"{path.name}.daemon").write_text("")
        with pytest.raises(MachineError, match=r"\(pid unknown\)"), DaemonLock(path):
            pass


def test_commands_write_beside_a_running_daemon(path: Path) -> None:
    with DaemonLock(path), open_for_writing(path) as db, db.transaction():
        db.execute("INSERT INTO feed (dataset, width, scope) VALUES ('credit_usage', 3600, 'everyone')")
    with running(COUNT, path, 150) as one, running(COUNT, path, 150) as two:
        for process in (one, two):
            assert heard(process) == "open"
        for process in (one, two):
            tell(process)
        assert [one.wait(), two.wait()] == [0, 0]
    with open_for_reading(path) as db:
        assert db.one("SELECT failures FROM feed") == (300,)
        assert db.one("PRAGMA integrity_check") == ("ok",)


def test_nothing_that_was_committed_is_lost_to_a_kill(path: Path) -> None:
    chance = random.Random(7)
    promised: list[int] = []
    for _ in range(4):
        with running(COMMIT, path, len(promised) and promised[-1] + 2) as process:
            for _ in range(chance.randrange(5, 60)):
                promised.append(int(heard(process)))
            process.send_signal(signal.SIGKILL)
            # What it said between the last line we read and its death was committed too.
            promised += [int(line) for line in pipe(process.stdout).read().splitlines()]
            process.wait()
    with open_for_writing(path) as db:
        stored = {int(id.removeprefix("ntf_")) for (id,) in db.query("SELECT id FROM outbox")}
        assert set(promised) <= stored
        assert db.one("SELECT count(*) FROM notification JOIN incident ON incident.id = incident_id") == (len(stored),)
        assert len(stored) <= len(promised) + 4
        assert db.one("PRAGMA integrity_check") == ("ok",)
