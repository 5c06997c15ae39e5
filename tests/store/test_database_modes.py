"""Who may read what is stored: it holds members' addresses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from usage_watch.store.database import open_for_writing


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o640), (0o077, 0o600), (0o000, 0o640)])
def test_others_may_not_read_it_nor_what_stands_beside_it(tmp_path: Path, mask: int, mode: int) -> None:
    path, before = tmp_path / "usage-watch.db", os.umask(mask)
    try:
        with open_for_writing(path) as database, database.transaction():
            assert {
                each.stat().st_mode & 0o777 for each in tmp_path.glob("usage-watch.db*") if each.suffix != ".lock"
            } == {mode}
    finally:
        os.umask(before)


def test_whoever_gave_it_another_mode_is_heeded(tmp_path: Path) -> None:
    path = tmp_path / "usage-watch.db"
    open_for_writing(path).close()
    path.chmod(0o644)
    open_for_writing(path).close()
    assert path.stat().st_mode & 0o777 == 0o644
