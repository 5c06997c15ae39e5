from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tests.store.store_samples import NOON, at, hour, polled, totals
from tests.store.test_store_looking import somebody_else
from tests.store.test_store_processes import COMMIT, ROOT, heard, running
from usage_watch.errors import MachineError
from usage_watch.failpoints import VARIABLE
from usage_watch.store.backup import back_up, keep_newest, own_name
from usage_watch.store.database import open_for_reading, open_for_writing
from usage_watch.store.history import HistoryStore

BACK_UP = """
import sys
from pathlib import Path
from tests.store.store_samples import NOON
from usage_watch.store.backup import back_up

back_up(Path(sys.argv[1]), Path(sys.argv[2]), NOON, force=True)
"""


@pytest.fixture
def stored(path: Path) -> Path:
    with open_for_writing(path) as db:
        polled(HistoryStore(db), totals({hour(0): 5, hour(1): 7}), 2)
    return path


def whole(path: Path) -> None:
    """It opens as ours, and nothing is wrong with it."""
    with open_for_reading(path) as db:
        assert db.one("PRAGMA integrity_check") == ("ok",)
        assert db.one("SELECT count(*) FROM bucket") == (2,)


def names(path: Path) -> set[str]:
    return {each.name for each in path.parent.iterdir()}


def test_a_backup_is_whole_and_says_so(stored: Path) -> None:
    before = names(stored)
    done = back_up(stored, stored.with_name("copy.db"), NOON)
    assert (done.path, done.size, done.checked) == (stored.with_name("copy.db"), stored.stat().st_size, "quick_check")
    assert names(stored) == before | {"copy.db"}, "nothing else is left, and nothing beside the database"
    whole(done.path)


def test_a_backup_has_what_is_in_the_log_only(stored: Path) -> None:
    with open_for_writing(stored) as db:
        polled(HistoryStore(db), totals({hour(2): 9}), 3)
        done = back_up(stored, stored.with_name("copy.db"), NOON)
    with open_for_reading(done.path) as db:
        assert db.one("SELECT count(*) FROM bucket") == (3,)


def test_a_backup_beside_somebody_who_commits_all_the_time_is_whole(stored: Path) -> None:
    with running(COMMIT, stored, 1) as writer:
        promised = 0
        for number in range(4):
            while promised < 20 * (number + 1):
                promised = int(heard(writer))
            done = back_up(stored, stored.with_name(f"copy-{number}.db"), NOON)
            with open_for_reading(done.path) as db:
                assert db.one("PRAGMA integrity_check") == ("ok",)
                row = db.one("SELECT count(*), (SELECT count(*) FROM outbox) FROM incident")
            assert row is not None
            assert row[0] == row[1] >= promised, "what was promised before is there, and no half transaction"
        assert writer.poll() is None, "nothing kept it from writing"


def test_a_kill_at_any_point_leaves_a_whole_file_or_none(stored: Path, tmp_path: Path) -> None:
    with open_for_writing(stored) as db, db.transaction():
        db.execute("UPDATE feed SET last_error = printf('%.*c', 40000000, 'x')")
    copy, points = stored.with_name("copy.db"), tmp_path / "points"

    def backed_up(wanted: str) -> int:
        command = [sys.executable, "-c", BACK_UP, str(stored), str(copy)]
        return subprocess.run(command, cwd=ROOT, env={**os.environ, VARIABLE: wanted}, timeout=60).returncode

    assert backed_up(str(points)) == 0
    passed = points.read_text().split()
    assert passed == ["backup.stepped"] * 3 + ["backup.checked", "backup.named"]
    for number, point in enumerate(passed, 1):
        copy.unlink(missing_ok=True)
        assert backed_up(f"{points}@{number}") == -signal.SIGKILL
        assert copy.exists() == (point == "backup.named")
    whole(copy)
    assert ".copy.db.part" not in names(stored)
    copy.unlink()
    backed_up(f"{points}@1")
    assert ".copy.db.part" in names(stored), "that is all that a kill leaves"
    assert backed_up(str(points)) == 0
    assert ".copy.db.part" not in names(stored), "and it is gone with the next"


def test_leftovers_of_other_times_go_but_not_one_under_way(stored: Path) -> None:
    first, second = (own_name(stored, stored.parent, at(hours)) for hours in (0, 1))
    for each in (first, second):
        each.with_name(f".{each.name}.part").write_text("half")
    done = back_up(stored, own_name(stored, stored.parent, at(2)), NOON)
    assert {each for each in names(stored) if "backup" in each} == {done.path.name}


def test_a_file_that_is_there_is_only_replaced_by_force(stored: Path) -> None:
    copy = stored.with_name("copy.db")
    copy.write_text("mine")
    with pytest.raises(MachineError, match="is there already; name another file, or replace it with --force"):
        back_up(stored, copy, NOON)
    assert copy.read_text() == "mine"
    back_up(stored, copy, NOON, force=True)
    whole(copy)


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm", "-journal", ".lock", ".daemon"])
def test_the_database_itself_is_never_replaced(stored: Path, suffix: str) -> None:
    link = stored.with_name("link.db")
    link.symlink_to(stored.name + suffix)
    for into in (stored.with_name(stored.name + suffix), link):
        with pytest.raises(MachineError, match="belongs to the database itself"):
            back_up(stored, into, NOON, force=True)
    whole(stored)


@pytest.mark.parametrize(("into", "why"), [("gone/copy.db", "does not exist"), ("pipe", "is not a file")])
def test_a_wrong_place_is_refused(stored: Path, into: str, why: str) -> None:
    os.mkfifo(stored.with_name("pipe"))
    with pytest.raises(MachineError, match=why):
        back_up(stored, stored.parent / into, NOON, force=True)


def test_a_damaged_database_gives_no_backup(stored: Path) -> None:
    content = bytearray(stored.read_bytes())
    content[4096 * 4 : 4096 * 8] = b"\xff" * 4096 * 4
    stored.write_bytes(content)
    before = names(stored)
    with pytest.raises(MachineError, match=r"is damaged .* was not kept: see what `usage-watch doctor") as refused:
        back_up(stored, stored.with_name("copy.db"), NOON)
    assert names(stored) == before
    assert "\n" not in str(refused.value)


def test_a_backup_may_be_read_by_whom_the_database_may_be_read_by(stored: Path) -> None:
    stored.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(stored, 65_533, 65_532)
    found = back_up(stored, stored.with_name("copy.db"), NOON).path.stat()
    mine = stored.stat()
    assert (found.st_mode, found.st_uid, found.st_gid) == (mine.st_mode, mine.st_uid, mine.st_gid)


def test_a_place_that_cannot_be_written_is_said(stored: Path) -> None:
    for folder in stored.parents[:3]:
        folder.chmod(folder.stat().st_mode | 0o055)
    stored.chmod(0o644)
    with somebody_else(), pytest.raises(MachineError, match=r"cannot write in .*: Permission denied; name a file else"):
        back_up(stored, stored.with_name("copy.db"), NOON)


def test_too_little_room_is_said_before_anything_is_written(stored: Path) -> None:
    free = os.statvfs(stored.parent)
    content = bytearray(stored.read_bytes())
    pages = free.f_bavail * free.f_frsize // 4096
    # As its header has it, it is as large as all that is free.
    content[28:32] = min(pages, 2**32 - 2).to_bytes(4, "big")
    stored.write_bytes(content)
    os.truncate(stored, min(pages, 2**32 - 2) * 4096)  # sparse
    with pytest.raises(MachineError, match=r"the backup needs .* MB; make room there or name a file elsewhere"):
        back_up(stored, stored.with_name("copy.db"), NOON)


def test_only_the_oldest_of_its_own_are_removed(stored: Path) -> None:
    made = [own_name(stored, stored.parent, NOON + timedelta(days=day)) for day in (3, 1, 0, 2)]
    for each in made:
        each.write_text("a backup")
    others = [stored.with_name(f"{stored.name}.backup-mine"), stored.with_name("other.db.backup-20200101T000000Z")]
    for each in others:
        each.write_text("mine")
    assert keep_newest(stored, stored.parent, 2) == [made[2], made[1]]
    assert all(each.exists() for each in (made[0], made[3], stored, *others))
    assert keep_newest(stored, stored.parent, 2) == []


def test_the_name_is_the_database_and_the_time_in_utc(path: Path) -> None:
    assert own_name(path, path.parent, NOON).name == "usage-watch.db.backup-20261122T120000Z"


def test_a_database_that_is_not_there_is_said(path: Path) -> None:
    with pytest.raises(MachineError, match="there is no database at"):
        back_up(path, path.with_name("copy.db"), NOON)
    assert names(path) == set()
