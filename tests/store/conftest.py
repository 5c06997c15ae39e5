from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from usage_watch.store.database import Database, open_for_writing


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "usage-watch.db"


@pytest.fixture
def db(path: Path) -> Iterator[Database]:
    with open_for_writing(path) as database:
        yield database
