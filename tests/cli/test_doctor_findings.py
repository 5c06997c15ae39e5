"""What is made of what was seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from usage_watch.cli.doctor.channels import of_deliveries
from usage_watch.cli.doctor.clocks import of_clock
from usage_watch.cli.doctor.database import Room, of_file, of_room
from usage_watch.cli.doctor.files import Access, access, of_modes
from usage_watch.cli.doctor.finding import Finding, exit_code, fault, note, ok, warning
from usage_watch.cli.doctor.source import of_feed
from usage_watch.cli.doctor.versions import resets_wal_wrongly, versions
from usage_watch.core.targetstate import GivenUp, TargetState
from usage_watch.store.examine import Examination
from usage_watch.store.header import VERSION
from usage_watch.views.freshness import Freshness
from usage_watch.views.times import Reader

NOW = datetime(2026, 11, 22, 14, 5, tzinfo=UTC)
READER = Reader(ZoneInfo("UTC"), NOW)
MB, GB = 1e6, 1e9
WHOLE = Examination(VERSION, 20_000_000, 0, 0, 1e6, "quick_check", ())
FEED = Freshness(
    feed="credit_usage 1h",
    dataset="credit_usage",
    bucket="1h",
    scope="everyone",
    data_until=NOW - timedelta(hours=2),
    settled_until=NOW - timedelta(days=1),
    polled_at=NOW,
    next_poll_at=NOW + timedelta(minutes=15),
    overdue=False,
    stale_from=None,
    usual_lag_seconds=4_000,
    lag_learned_from=300,
    zero_age_seconds=90_000,
    zero_age_learned_from=0,
    failures=0,
    last_error=None,
)


@pytest.mark.parametrize(
    ("version", "affected"),
    [
        ((3, 6, 23), False),
        ((3, 7, 0), True),
        ((3, 40, 1), True),
        ((3, 44, 5), True),
        ((3, 44, 6), False),
        ((3, 45, 0), True),
        ((3, 46, 1), True),
        ((3, 50, 6), True),
        ((3, 50, 7), False),
        ((3, 51, 2), True),
        ((3, 51, 3), False),
        ((3, 53, 4), False),
    ],
)
def test_which_sqlite_has_the_wal_reset_fault(version: tuple[int, int, int], affected: bool) -> None:
    assert resets_wal_wrongly(version) is affected
    assert versions("1", "3.11.7", version)[-1].level == ("note" if affected else "ok")


@pytest.mark.parametrize(
    ("findings", "code"),
    [
        ([], 0),
        ([ok("a", ""), note("b", ""), warning("c", "")], 0),
        ([fault("a", "", code=4), fault("b", "", code=3)], 3),
        ([fault("a", "", code=3), fault("b", "")], 5),
        ([fault("a", ""), fault("b", "", code=2), fault("c", "", code=4)], 2),
    ],
)
def test_of_several_faults_the_one_that_may_be_why_there_are_others_decides(findings: list[Finding], code: int) -> None:
    assert exit_code(findings) == code


@pytest.mark.parametrize(
    ("free", "grows", "level", "said"),
    [
        (100 * GB, None, "ok", "100 GB free in /data"),
        (100 * GB, 1 * MB, "ok", "100 GB free in /data, enough for over 10 years at 1 MB a day"),
        (1 * GB, 1 * MB, "ok", "1 GB free in /data, enough for 3 years at 1 MB a day"),
        (1 * GB, 20 * MB, "ok", "1 GB free in /data, enough for 50 days at 20 MB a day"),
        (1 * GB, 50 * MB, "warning", "1 GB free in /data, enough for 20 days at 50 MB a day."),
        (200 * MB, 1_000, "warning", "200 MB free in /data, enough for over 10 years at 1 kB a day."),
        (900_000, None, "fault", "900 kB free in /data: nothing can be stored."),
    ],
)
def test_room(free: float, grows: float | None, level: str, said: str) -> None:
    found = of_room(Room(Path("/data"), int(free), False), grows)
    assert (found.level, found.said) == (level, said)


def test_a_disk_that_is_mounted_read_only_is_a_fault() -> None:
    assert of_room(Room(Path("/data"), 10**12, True), None).level == "fault"


@pytest.mark.parametrize(
    ("changed", "about", "level"),
    [
        ({}, "", ""),
        ({"damage": ("row 1 is missing", "more")}, "integrity", "fault"),
        ({"version": VERSION - 1}, "schema", "warning"),
        ({"wal": 300_000_000}, "log", "warning"),
    ],
)
def test_a_database_that_is_not_as_it_is_to_be(changed: dict[str, object], about: str, level: str) -> None:
    found = [each for each in of_file(Path("usage-watch.db"), replace(WHOLE, **changed)) if each.level != "ok"]  # type: ignore[arg-type]
    assert [(each.about, each.level) for each in found] == ([(about, level)] if about else [])
    assert all(each.do for each in found)


def test_what_a_file_holds_besides_is_said() -> None:
    first, *_ = of_file(Path("usage-watch.db"), replace(WHOLE, idle=9_000_000, wal=4_100_000))
    assert first.said == "usage-watch.db: 20 MB, 4.1 MB in its write-ahead log, 9 MB of it free to be used again"


@pytest.mark.parametrize(
    ("mode", "reachable", "levels"),
    [
        (0o600, True, []),
        (0o640, True, []),
        (0o644, True, ["note"]),
        (0o644, False, []),
        (0o666, True, ["warning", "note"]),
        (0o666, False, []),
        (0o602, True, ["warning"]),
    ],
)
def test_modes(mode: int, reachable: bool, levels: list[str]) -> None:
    found = list(of_modes(Access(Path("/etc/rules.yaml"), mode, "root", True, reachable), "limits"))
    assert [each.level for each in found] == levels


def test_a_file_in_a_closed_directory_is_not_reachable(tmp_path: Path) -> None:
    path = tmp_path / "closed" / "file"
    path.parent.mkdir(mode=0o700)
    path.write_text("")
    path.chmod(0o644)
    found = access(path)
    assert found is not None
    assert (found.mode, found.mine, found.reachable) == (0o644, True, False)
    assert access(tmp_path / "gone") is None


@pytest.mark.parametrize(
    ("seconds", "level"),
    [
        (0, "ok"),
        (2, "ok"),
        (-59, "ok"),
        (59, "ok"),
        (61, "warning"),
        (-61, "warning"),
        (3600, "fault"),
        (-9e4, "fault"),
    ],
)
def test_the_clock(seconds: float, level: str) -> None:
    assert of_clock(NOW + timedelta(seconds=seconds), NOW, NOW).level == level


def test_a_slow_answer_is_no_wrong_clock() -> None:
    assert of_clock(NOW + timedelta(seconds=80), NOW, NOW + timedelta(seconds=90)).said == "goes as the source's"


@pytest.mark.parametrize(
    ("changed", "level", "said"),
    [
        (
            {},
            "ok",
            "usage until 12:05; usually 1 h 6 min late (from 300 buckets), a zero is final after 25 h (assumed)",
        ),
        ({"polled_at": None}, "note", "was never asked for yet."),
        ({"failures": 1, "last_error": "no."}, "warning", "the last attempt failed: no."),
        ({"failures": 1_200, "last_error": "no"}, "warning", "1,200 attempts in a row failed: no."),
        ({"overdue": True}, "warning", "nobody has asked since 14:05; "),
        (
            {"stale_from": NOW - timedelta(hours=9)},
            "warning",
            "nothing since 05:05, though most earlier weeks had some",
        ),
    ],
)
def test_feeds(changed: dict[str, object], level: str, said: str) -> None:
    found = of_feed(replace(FEED, **changed), READER)  # type: ignore[arg-type]
    assert found.level == level
    assert found.said.startswith(said)


EARLIER = NOW - timedelta(hours=2)


@pytest.mark.parametrize(
    ("state", "levels"),
    [
        (TargetState("ops"), []),
        (TargetState("ops", waiting=1, waiting_from=NOW), []),
        (TargetState("ops", waiting=3, waiting_from=EARLIER), ["warning"]),
        (TargetState("ops", failing_from=EARLIER, last_error="no"), ["warning"]),
        (TargetState("ops", blocked_from=EARLIER, failing_from=EARLIER, last_error="no"), ["fault"]),
        (TargetState("ops", given_up=(GivenUp(EARLIER, "no", "runaway"),)), ["warning"]),
        (TargetState("ops", blocked_from=NOW, given_up=(GivenUp(EARLIER, "no", "runaway"),)), ["fault", "warning"]),
    ],
)
def test_deliveries(state: TargetState, levels: list[str]) -> None:
    assert [each.level for each in of_deliveries(state, READER, NOW)] == levels
