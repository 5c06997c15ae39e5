from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.store.store_samples import HOURLY, at, hour, polled, totals
from tests.store.test_store_processes import COMMIT, heard, running
from usage_watch.errors import MachineError
from usage_watch.store.database import Database, open_for_writing
from usage_watch.store.examine import Examination, examine, oddities, there
from usage_watch.store.header import VERSION
from usage_watch.store.history import HistoryStore
from usage_watch.store.locks import DaemonLock, holder
from usage_watch.store.looking import look

NOBODY = 65_534


@contextmanager
def somebody_else() -> Iterator[None]:
    """This process as another user."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@pytest.fixture
def stored(path: Path) -> Path:
    """Closed, as a daemon that was stopped leaves it; every user may come to it."""
    with open_for_writing(path) as db:
        polled(HistoryStore(db), totals({hour(0): 5, hour(1): 7}), 2)
    for folder in path.parents[:3]:
        folder.chmod(folder.stat().st_mode | 0o055)
    path.chmod(0o644)
    return path


def counted(db: Database) -> int:
    row = db.one("SELECT count(*) FROM bucket")
    assert row is not None
    return int(row[0])


def listed(path: Path) -> dict[str, tuple[int, int]]:
    return {each.name: (each.stat().st_size, each.stat().st_mtime_ns) for each in path.parent.iterdir()}


def killed(path: Path) -> None:
    """A writer dies with the database open."""
    with running(COMMIT, path, 1) as process:
        heard(process)
        process.send_signal(signal.SIGKILL)
        process.wait()


def test_looking_leaves_no_trace(stored: Path) -> None:
    before = listed(stored)
    assert look(stored, counted) == 2
    assert listed(stored) == before


def test_another_user_may_look_where_nothing_can_be_made(stored: Path) -> None:
    with somebody_else():
        assert look(stored, counted) == 2


def test_another_user_sees_what_a_writer_left_behind_that_died(stored: Path) -> None:
    killed(stored)
    with somebody_else():
        assert look(stored, lambda db: db.one("SELECT count(*) FROM incident")) != (0,)


def test_what_is_in_the_log_is_seen_while_a_writer_has_it_open(stored: Path) -> None:
    with open_for_writing(stored) as db:
        polled(HistoryStore(db), totals({hour(2): 9}), 3)
        assert look(stored, counted) == 3


def test_it_is_looked_at_again_where_somebody_wrote_meanwhile(stored: Path) -> None:
    seen: list[int] = []

    def slow(db: Database) -> int:
        seen.append(counted(db))
        if len(seen) == 1:
            with open_for_writing(stored) as writer:
                polled(HistoryStore(writer), totals({hour(2): 9}), 3)
        return seen[-1]

    assert look(stored, slow) == 3
    assert len(seen) == 2


def test_looking_cannot_write(stored: Path) -> None:
    def write(db: Database) -> None:
        db.tables.conn.execute("DELETE FROM bucket")

    with pytest.raises(MachineError):
        look(stored, write)


def test_what_is_whole(stored: Path) -> None:
    found = look(stored, lambda db: examine(db, at(2)))
    assert found == Examination(VERSION, stored.stat().st_size, found.idle, 0, found.grows, "quick_check", ())
    assert found.grows == pytest.approx((found.size - found.idle) / 28), "all of it is of the last four weeks"


def test_the_thorough_check_is_sqlites_whole_one(stored: Path) -> None:
    assert look(stored, lambda db: examine(db, at(2), thorough=True)).checked == "integrity_check"


def test_growth_is_not_known_where_nothing_came_lately(stored: Path) -> None:
    assert look(stored, lambda db: examine(db, at(24 * 60))).grows is None


def test_damage_is_found_and_nothing_more_is_read(stored: Path) -> None:
    content = bytearray(stored.read_bytes())
    content[4096 * 4 : 4096 * 8] = b"\xff" * 4096 * 4
    stored.write_bytes(content)
    found = look(stored, lambda db: examine(db, at(2)))
    assert found.damage
    assert not any("\n" in line or line.startswith("*") for line in found.damage)
    assert found.grows is None


def test_oddities_are_cut_and_newest_first(stored: Path) -> None:
    with open_for_writing(stored) as db:
        HistoryStore(db).keep_oddity(HOURLY, at(1), "an unknown field", b"\xff{" + b"x" * 9_000)
    [found] = look(stored, oddities)
    assert (found.feed, found.at, found.detail) == (HOURLY, at(1), "an unknown field")
    assert (found.said[:3], len(found.said)) == ("\ufffd{x", 400)


def test_who_watches_is_known_as_long_as_it_does(stored: Path) -> None:
    assert holder(stored) is None
    with DaemonLock(stored):
        assert holder(stored) == str(os.getpid())
        stored.with_name(f"{stored.name}.daemon").write_text("\x1b[2J")
        assert holder(stored) == "unknown"
    assert holder(stored) is None


def test_nothing_there_is_no_error_but_a_wrong_place_is(tmp_path: Path) -> None:
    assert not there(tmp_path / "usage-watch.db")
    with pytest.raises(MachineError, match="does not exist"):
        there(tmp_path / "gone" / "usage-watch.db")
    (tmp_path / "text").write_text("no database" * 100)
    with pytest.raises(MachineError, match="is not a SQLite database"):
        there(tmp_path / "text")
