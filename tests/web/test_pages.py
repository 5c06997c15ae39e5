from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.web.promtool import lint
from tests.web.talking import AT, Ticks, get, serving, vitals
from usage_watch.errors import Hindrance
from usage_watch.vitals import (
    LATE_AFTER,
    AlertGauge,
    BudgetGauge,
    ChannelGauge,
    FeedGauge,
    Hindered,
    Snapshot,
    Vitals,
)
from usage_watch.web.answer import Answer, Asked
from usage_watch.web.exposition import Family, Sample, exposition
from usage_watch.web.health import healthz, readyz
from usage_watch.web.metrics import metrics
from usage_watch.web.pages import pages

ASKED = Asked("/", "")
ODD = '"quoted" back\\slash\nand a line'

FULL = Snapshot(
    feeds=(FeedGauge("credit_usage 1h", AT.timestamp(), int(AT.timestamp()) - 300), FeedGauge("tasks 1h", None, None)),
    alerts=(AlertGauge("hourly", "critical", "firing", 2), AlertGauge(ODD, "warning", "acknowledged", 1)),
    channels=(ChannelGauge("ops", 2, AT - timedelta(minutes=20)), ChannelGauge("screen", 0, None)),
    budgets=(BudgetGauge("cycle", 1_234, 20_000.5),),
    polls={("credit_usage 1h", "success"): 7, ("credit_usage 1h", "unreachable"): 1},
    notifications={("ops", "server"): 3, ("ops", "sent"): 0},
    turns=8,
    turned_for=1.25,
    database_bytes=4_096,
)


def shown(found: Vitals) -> str:
    return metrics(found, "1.2.3", lambda: AT)(ASKED).body.decode()


# ---- /healthz, /readyz --------------------------------------------------------------------------------------------


def test_it_lives_while_its_loop_gives_signs_in_time() -> None:
    ticks = Ticks()
    found = vitals(ticks)
    page = healthz(found)
    assert (page(ASKED).status, page(ASKED).body) == (200, b"ok: the main loop gave a sign 0 s ago\n")
    ticks.at += LATE_AFTER
    assert page(ASKED).status == 200
    ticks.at += 1
    late = page(ASKED)
    assert late.status == 503
    assert late.body == b"late: the main loop gave no sign for 121 s, 120 s are in time\n"
    found.beat(AT)
    assert page(ASKED).status == 200


def test_it_is_ready_once_a_cycle_is_done(tmp_path: Path) -> None:
    database, found = tmp_path / "usage.db", vitals()
    database.touch()
    page = readyz(found, database)
    assert (page(ASKED).status, page(ASKED).body) == (503, b"not yet: the first cycle is under way\n")
    found.publish(Snapshot())
    assert (page(ASKED).status, page(ASKED).body) == (200, b"ready\n")


def gone(database: Path) -> None:
    database.unlink()
    database.parent.rmdir()


def replaced(database: Path) -> None:
    database.unlink()


@pytest.mark.parametrize(
    ("harm", "why"),
    [(gone, "the database's directory is gone"), (replaced, "the database, or its directory, may not be written")],
)
def test_it_is_not_ready_while_nothing_can_be_stored(tmp_path: Path, harm: object, why: str) -> None:
    database, found = tmp_path / "data" / "usage.db", vitals()
    database.parent.mkdir()
    database.touch()
    found.publish(Snapshot())
    harm(database)  # type: ignore[operator]
    answer = readyz(found, database)(ASKED)
    assert (answer.status, answer.body.decode()) == (503, f"not ready: {why}\n")


def test_where_nothing_has_room_it_is_not_ready() -> None:
    found = vitals()
    found.publish(Snapshot())

    answer = readyz(found, Path("/proc/version"))(ASKED)
    assert answer.status == 503


@pytest.mark.parametrize("snapshot", [None, Snapshot()])
def test_while_cycles_cannot_be_done_it_is_not_ready(tmp_path: Path, snapshot: Snapshot | None) -> None:
    found = vitals()
    found.snapshot = snapshot
    found.hindered = Hindered(AT, "the database's disk is full", heard=False)
    answer = readyz(found, tmp_path / "usage.db")(ASKED)
    assert (answer.status, answer.body) == (
        503,
        f"not ready: since {AT:%Y-%m-%dT%H:%M:%SZ}, the database's disk is full\n".encode(),
    )
    found.hindered = None
    assert readyz(found, tmp_path / "usage.db")(ASKED).status == 503, "there is no such file"


def test_cycles_that_could_not_be_done_are_counted_by_cause() -> None:
    found = vitals()
    for hindrance in (Hindrance.FULL, Hindrance.LOCKED, Hindrance.FULL):
        found.count(hindrance)
    text = shown(found)
    assert 'usage_watch_cycles_hindered_total{cause="full"} 2\n' in text
    assert 'usage_watch_cycles_hindered_total{cause="locked"} 1\n' in text
    assert 'usage_watch_cycles_hindered_total{cause="damaged"} 0\n' in text


# ---- /metrics -----------------------------------------------------------------------------------------------------


HINDERED = [f'usage_watch_cycles_hindered_total{{cause="{each}"}}' for each in sorted(Hindrance)]


def test_before_the_first_cycle_there_is_little_to_tell() -> None:
    text = shown(vitals())
    assert re.findall(r"^usage_watch\S+", text, re.MULTILINE) == [
        'usage_watch_build_info{version="1.2.3"}',
        "usage_watch_last_turn_timestamp_seconds",
        *HINDERED,
    ]
    assert lint(text.encode()) == ""


def test_after_it_there_is_all() -> None:
    found = vitals()
    found.publish(FULL)
    at = int(AT.timestamp())
    samples = [line for line in shown(found).splitlines() if not line.startswith("#")]
    assert samples == [
        'usage_watch_build_info{version="1.2.3"} 1',
        f"usage_watch_last_turn_timestamp_seconds {at}",
        *(f"{each} 0" for each in HINDERED),
        "usage_watch_cycle_seconds_sum 1.25",
        "usage_watch_cycle_seconds_count 8",
        "usage_watch_db_bytes 4096",
        'usage_watch_polls_total{feed="credit_usage 1h",outcome="success"} 7',
        'usage_watch_polls_total{feed="credit_usage 1h",outcome="unreachable"} 1',
        f'usage_watch_last_success_timestamp_seconds{{feed="credit_usage 1h"}} {at}',
        f'usage_watch_data_until_timestamp_seconds{{feed="credit_usage 1h"}} {at - 300}',
        'usage_watch_alerts{rule="hourly",severity="critical",state="firing"} 2',
        'usage_watch_alerts{rule="\\"quoted\\" back\\\\slash\\nand a line",severity="warning",state="acknowledged"} 1',
        'usage_watch_notifications_total{channel="ops",outcome="sent"} 0',
        'usage_watch_notifications_total{channel="ops",outcome="server"} 3',
        'usage_watch_outbox_pending{channel="ops"} 2',
        'usage_watch_outbox_pending{channel="screen"} 0',
        "usage_watch_outbox_oldest_seconds 1200",
        'usage_watch_budget_spent{rule="cycle"} 1234',
        'usage_watch_budget_limit{rule="cycle"} 20000.5',
    ]


def test_promtool_has_nothing_to_say() -> None:
    found = vitals()
    found.publish(FULL)
    assert lint(shown(found).encode()) == ""


def test_promtool_would_have_something_to_say() -> None:
    assert "counter metrics should have" in lint(b"# HELP a b\n# TYPE a counter\na 1\n")


def test_nothing_waits_for_longer_than_no_time() -> None:
    found = vitals()
    found.publish(replace(FULL, channels=(ChannelGauge("ops", 1, AT + timedelta(hours=1)),)))
    assert "usage_watch_outbox_oldest_seconds 0\n" in shown(found), "a clock was set back"
    found.publish(replace(FULL, channels=()))
    assert "usage_watch_outbox_oldest_seconds 0\n" in shown(found)


def test_each_family_is_explained_once() -> None:
    found = vitals()
    found.publish(FULL)
    kinds = re.findall(r"^# TYPE (\S+) (\S+)$", shown(found), re.MULTILINE)
    assert len(dict(kinds)) == len(kinds) == len(re.findall("^# HELP", shown(found), re.MULTILINE))
    assert {name for name, kind in kinds if kind == "counter"} == {
        "usage_watch_polls_total",
        "usage_watch_notifications_total",
        "usage_watch_cycles_hindered_total",
    }


@pytest.mark.parametrize(
    ("value", "written"), [(1.0, "1"), (0, "0"), (0.1, "0.1"), (1_763_820_300.5, "1763820300.5"), (1e22, f"{10**22}")]
)
def test_numbers_are_written_whole(value: float, written: str) -> None:
    assert exposition([Family("a", "gauge", "b\\\nc", [Sample(value, {})])]) == (
        f"# HELP a b\\\\\\nc\n# TYPE a gauge\na {written}\n".encode()
    )


def test_half_a_character_breaks_nothing() -> None:
    text = exposition([Family("a", "gauge", "b", [Sample(1, {"c": "\ud800"})])])
    assert text.endswith(b'a{c="?"} 1\n')


def test_all_pages_answer_over_http(tmp_path: Path) -> None:
    (tmp_path / "usage.db").touch()
    found = vitals()
    found.publish(FULL)
    with serving(pages(found, tmp_path / "usage.db", "1.2.3", lambda: AT)) as server:
        statuses = {path: get(server, path).status for path in ("/healthz", "/readyz", "/metrics", "/")}
        scraped = get(server, "/metrics")
    assert statuses == {"/healthz": 200, "/readyz": 200, "/metrics": 200, "/": 404}
    assert scraped.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert scraped.body.decode() == shown(found)


def test_an_answer_is_text_unless_it_says_otherwise() -> None:
    assert Answer(b"").content_type == "text/plain; charset=utf-8"
