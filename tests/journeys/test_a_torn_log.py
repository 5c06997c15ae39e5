"""The write-ahead log, or another file of the database, is torn, gone or damaged: before a start, or while it runs."""

from __future__ import annotations

import random
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from tests.fakes.alertmanager import eventually
from tests.journeys.trouble import AGAIN, QUARTER, Trouble, hour, trouble

FIRST = [("loud", "fired", "01:00"), ("loud", "resolved", "01:00")]
SECOND = [("loud", "fired", "08:00"), ("loud", "resolved", "08:00")]
HEADER, FRAME = 32, 24 + 4096


@contextmanager
def killed(folder: Path) -> Iterator[tuple[Trouble, Path]]:
    """A daemon that was killed while an alert was open, and what it left behind."""
    with trouble(folder, folder / "disk", 1, 8) as found:
        found.start()
        found.awaited("cycle.done")
        found.live(hour(9.2))
        assert found.told() == [*FIRST, SECOND[0]]
        found.end(kill=True)
        left = folder / "left"
        shutil.copytree(folder / "disk", left)
        assert (left / "usage.db-wal").stat().st_size > 20 * FRAME
        yield found, left


@pytest.fixture
def office(tmp_path: Path) -> Iterator[tuple[Trouble, Path]]:
    (tmp_path / "disk").mkdir()
    with killed(tmp_path) as found:
        yield found


def tries(seed: int) -> Iterator[tuple[int, bool]]:
    """Where the log is torn, and whether its rest is noise; else it is cut off."""
    rolls = random.Random(seed)
    for number in range(5):
        yield rolls.randrange(10_000), number % 2 == 0


@pytest.mark.parametrize("seed", range(4))
def test_whatever_the_end_of_the_log_has_become_it_goes_on(office: tuple[Trouble, Path], seed: int) -> None:
    found, left = office
    before = len(found.pager.requests)
    at = found.clock.now()
    for share, noise in tries(seed):
        found.clock.step(at)
        del found.pager.requests[before:]
        restore(left, found.store.parent)
        tear(found.store.with_name("usage.db-wal"), share / 10_000, noise)
        goes_on(found, before)


@pytest.mark.parametrize(
    "harm",
    [
        lambda wal: tear(wal, 0, noise=True),
        lambda wal: wal.write_bytes(wal.read_bytes()[:20]),
        lambda wal: wal.write_bytes(b""),
        lambda wal: wal.unlink(),
    ],
    ids=["the header is noise", "half a header", "nothing is left", "it is gone"],
)
def test_without_any_log_it_goes_on(office: tuple[Trouble, Path], harm: Callable[[Path], None]) -> None:
    found, _ = office
    before = len(found.pager.requests)
    harm(found.store.with_name("usage.db-wal"))
    goes_on(found, before)


def goes_on(found: Trouble, before: int) -> None:
    """What was open when it was killed ends, and is told so; whatever is said again has the id that it had."""
    found.start()
    found.awaited("cycle.done")
    found.live(hour(15.2), by=timedelta(hours=1))
    assert found.end() == 0
    assert found.checked() == "ok"
    ids = Counter(request.headers["webhook-id"] for request in found.pager.requests)
    told = {request.headers["webhook-id"]: request.json["reason"] for request in found.pager.requests}
    assert max(ids.values()) <= 2
    assert sorted(told.values()) == ["fired", "fired", "resolved", "resolved"], "no decision has another id"
    assert found.told(found.admin) == []
    again = len(found.pager.requests) - before - 1
    print(f"said again: {again}")


def restore(left: Path, disk: Path) -> None:
    shutil.rmtree(disk)
    shutil.copytree(left, disk)


def tear(wal: Path, share: float, noise: bool) -> None:
    whole = wal.read_bytes()
    place = int(len(whole) * share)
    rest = random.Random(place).randbytes(len(whole) - place) if noise else b""
    wal.write_bytes(whole[:place] + rest)


def test_a_damaged_file_is_one_sentence(office: tuple[Trouble, Path]) -> None:
    found, _ = office
    found.store.write_bytes(b"not a database at all, and longer than its header is" * 100)
    found.start()
    assert found.ended() == 5
    assert found.log[-1].endswith("is not a SQLite database; move it away or name another store.path\n")
    assert not any("Traceback" in line for line in found.log)


def test_a_file_that_is_damaged_while_it_runs_is_told(tmp_path: Path) -> None:
    with trouble(tmp_path, tmp_path) as found:
        found.start()
        found.awaited("cycle.done")
        assert found.end() == 0
        found.start()
        found.awaited("cycle.done")
        whole = found.store.read_bytes()
        # In place, as a disk does it; the page that begins it still looks right.
        with found.store.open("r+b") as file:
            file.seek(4096)
            file.write(random.Random(1).randbytes(len(whole) - 4096))
        found.step_until("cycle.hindered")
        assert eventually(lambda: len(found.admin.requests) == 1), found.log
        said = found.admin.requests[0].json
        assert said["summary"].endswith(": the database is damaged")
        for _ in range(3):
            found.step(AGAIN)
        assert len(found.admin.requests) == 1
        found.end()


@pytest.mark.parametrize("suffix", ["-shm", "-wal", ""])
def test_a_file_that_is_removed_while_it_runs_ends_it_before_anything_is_lost(tmp_path: Path, suffix: str) -> None:
    with trouble(tmp_path, tmp_path, 1, 8) as found:
        found.start()
        found.awaited("cycle.done")
        found.live(hour(7.2))
        found.store.with_name("usage.db" + suffix).unlink()
        found.clock.step(found.clock.now() + QUARTER)
        assert found.ended() == 5
        assert "was removed or replaced while usage-watch had it open; start usage-watch again" in found.log[-1]
        found.start()
        found.awaited("cycle.done")
        found.live(hour(15), by=timedelta(hours=1))
        assert [each for each in found.told() if each not in FIRST] == SECOND
        assert found.end() == 0
        assert found.checked() == "ok"
        ids = Counter(request.headers["webhook-id"] for request in found.pager.requests)
        most = 1 if suffix else 2
        assert max(ids.values()) == most, "without its database all of it is said again, under the same ids"
