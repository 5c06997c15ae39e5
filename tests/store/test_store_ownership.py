"""Root beside a service: nothing that it leaves behind keeps the service's user out."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from usage_watch.errors import MachineError
from usage_watch.store.database import open_for_reading, open_for_writing
from usage_watch.store.locks import DaemonLock
from usage_watch.store.ownership import make_for_owner

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
USER, GROUP = 62_825, 62_826


@pytest.fixture
def state(tmp_path: Path) -> Path:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    os.chown(folder, USER, GROUP)
    return folder


def owners(folder: Path) -> dict[str, tuple[int, int]]:
    return {each.name: (found.st_uid, found.st_gid) for each in folder.iterdir() for found in [each.lstat()]}


def test_what_a_daemon_of_root_makes_belongs_to_the_directorys_owner(state: Path) -> None:
    path = state / "x.db"
    with DaemonLock(path), open_for_writing(path) as database, database.transaction():
        found = owners(state)
    assert found.keys() == {"x.db", "x.db-wal", "x.db-shm", "x.db.lock", "x.db.daemon"}
    assert set(found.values()) == {(USER, GROUP)}


def test_a_look_by_root_leaves_nothing_of_roots_behind(state: Path) -> None:
    open_for_writing(state / "x.db").close()
    open_for_reading(state / "x.db").close()
    assert set(owners(state).values()) == {(USER, GROUP)}


def test_in_a_directory_of_roots_all_is_roots(tmp_path: Path) -> None:
    open_for_writing(tmp_path / "x.db").close()
    assert set(owners(tmp_path).values()) == {(0, os.getegid())}


@pytest.mark.parametrize("suffix", ["lock", "daemon"])
def test_a_link_in_the_place_of_a_lock_leads_root_nowhere(state: Path, tmp_path: Path, suffix: str) -> None:
    precious = tmp_path / "precious"
    precious.write_text("kept")
    link = state / f"x.db.{suffix}"
    link.symlink_to(precious)
    make_for_owner(link)
    refused = pytest.raises(MachineError, match=rf"cannot open .*x\.db\.{suffix}: ")
    with refused, DaemonLock(state / "x.db"), open_for_writing(state / "x.db"):
        pytest.fail("it was locked")
    assert (precious.stat().st_uid, precious.read_text()) == (0, "kept")
