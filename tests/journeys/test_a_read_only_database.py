"""The database may not be written: while the real daemon runs, or when it starts."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.fakes.alertmanager import eventually
from tests.journeys.trouble import AGAIN, hour, mounted, requires_mount, trouble

FIRST = [("loud", "fired", "01:00"), ("loud", "resolved", "01:00")]
SECOND = [("loud", "fired", "08:00"), ("loud", "resolved", "08:00")]
PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1


@contextmanager
def protected(path: Path) -> Iterator[None]:
    """Not even root may write it; skips the test where the file system has no such thing."""
    chattr = shutil.which("chattr")
    if chattr is None or subprocess.run([chattr, "+i", path], capture_output=True).returncode != 0:
        pytest.skip("no file can be made immutable here")
    try:
        with path.open("r+b") as file:
            file.seek(0, os.SEEK_END)
            file.write(b"")
        pytest.skip("immutable files can be opened for writing here")
    except PermissionError:
        yield
    finally:
        subprocess.run([chattr, "-i", path], check=True)


def test_a_log_that_may_not_be_written_any_more_is_told_and_loses_nothing(tmp_path: Path) -> None:
    with trouble(tmp_path, tmp_path, 1, 8) as found:
        found.start()
        found.awaited("cycle.done")
        found.live(hour(7.2))
        with protected(found.store.with_name("usage.db-wal")):
            found.step_until("cycle.hindered")
            assert eventually(lambda: len(found.admin.requests) == 1)
            assert found.admin.requests[0].json["summary"].endswith(": the database's disk reports an error")
            found.live(hour(10))
            assert found.get("/readyz").status_code == 503
            assert len(found.admin.requests) == 1
        found.live(hour(15))
        assert found.told() == FIRST + SECOND
        assert [reason for _, reason, _ in found.told(found.admin)] == ["fired", "resolved"]
        assert found.end() == 0
        assert found.checked() == "ok"


@requires_mount
def test_a_file_system_that_is_read_only_at_the_start_is_waited_out(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "-t", "tmpfs", "-o", "size=12m", "tmpfs") as disk, trouble(tmp_path, disk) as found:
        found.start()
        found.awaited("cycle.done")
        assert found.end() == 0
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        found.start()
        found.awaited("daemon.hindered")
        assert "is on a file system that is mounted read-only; check the disk, and mount it writable" in found.log[-1]
        assert eventually(lambda: len(found.admin.requests) == 1)
        assert found.admin.requests[0].json["summary"].endswith(": the database's file system is mounted read-only")
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        found.clock.step(found.clock.now() + AGAIN)
        found.awaited("cycle.done")
        found.step()
        assert eventually(lambda: [reason for _, reason, _ in found.told(found.admin)] == ["fired"])
        found.step()
        assert eventually(lambda: [reason for _, reason, _ in found.told(found.admin)] == ["fired", "resolved"])
        assert found.end() == 0


@pytest.mark.parametrize("what", ["usage.db", "."])
def test_what_another_user_owns_ends_with_5(tmp_path: Path, what: str) -> None:
    """Waiting would not help, and who starts it is there to read why."""
    disk = tmp_path / "disk"
    disk.mkdir()
    with trouble(tmp_path, disk) as found:
        found.start()
        found.awaited("cycle.done")
        assert found.end() == 0
        found.preexec = bound_by_modes
        (disk / what).chmod(0o555 if what == "." else 0o444)
        found.start()
        try:
            assert found.ended() == 5, found.log
        finally:
            (disk / what).chmod(0o755)
        assert "this user may not write " in found.log[-1]
        assert found.log[-1].endswith("; change its owner or name another store.path\n")
        assert found.admin.requests == []


def bound_by_modes() -> None:
    """Run in the child before it becomes the daemon: root, too, may then write no more than files say."""
    if os.geteuid() == 0 and ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) != 0:
        os._exit(99)
