"""Through the real process: a job runs away at night, and who it is is known long before members' days come."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree, rmtree

import pytest

from tests.fakes.slack_api import TOKEN
from tests.journeys.office import SECRET, Office, job, opened
from usage_watch.clock import STEPPED
from usage_watch.failpoints import VARIABLE
from usage_watch.quickened import own_environment
from usage_watch.simulator import Scenario

NIGHT = datetime(2026, 11, 20, 1, tzinfo=UTC)
WHO = "daan.devries@example.com"
RULE = "{id: hourly, kind: threshold, above: {critical: 4_000}}"
LOOKED_UP = "by the hours of the 20 heaviest members, read Fri 20 Nov "


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    story = Scenario(1, datetime(2026, 9, 21, tzinfo=UTC), runaways=(job(NIGHT, 3, 9_000, WHO),))
    store = tmp_path / "office"
    store.mkdir()
    with opened(store, story, NIGHT - timedelta(hours=1), RULE, backfill="58d", poll_every="30m") as office:
        yield office


def why(office: Office) -> list[str]:
    """What Slack's alert said of who it is: first, and after each correction."""
    (alert,) = (each for each in office.slack.messages.values() if each.thread_ts is None and "4,000" in str(each))
    texts = [json.dumps(each["blocks"]) for each in (alert.payload, *alert.edits)]
    return [text.partition("Why: ")[2].partition('"text": "')[2].partition('"')[0] for text in texts]


def asked(office: Office) -> Counter[str]:
    """Of whom hours were asked for, and how often."""
    return Counter(value for each in office.source.requests for name, value in each.query if name == "user_email")


def test_who_it_is_is_said_at_night_and_confirmed_the_next_day(office: Office) -> None:
    office.start()
    office.daemon.run_until(NIGHT + timedelta(minutes=59))
    assert (office.told, asked(office)) == ((0, 0, 0), Counter())
    office.daemon.run_until(NIGHT + timedelta(hours=3))
    assert office.told == (1, 1, 1)
    assert set(asked(office).values()) == {1}
    assert len(asked(office)) == 20

    first, *corrections = why(office)
    assert first.endswith(" % claude-opus-4-8"), "members' days say nothing of tonight"
    assert corrections
    assert all(f" {WHO}; {LOOKED_UP}" in each for each in corrections)

    # Its end says it too, and so does whoever is told by the hour.
    office.daemon.run_until(NIGHT + timedelta(hours=10))
    assert office.told == (2, 2, 2)
    resolved = office.pager.requests[-1].json
    assert resolved["contributors"][0]["axis"] == "member"
    assert resolved["contributors"][0]["category"] == WHO
    assert office.daemon.stop() == 0

    office.clock.step(NIGHT + timedelta(hours=26))
    office.start()
    office.daemon.run_until(NIGHT + timedelta(hours=27))
    assert office.told == (2, 2, 2), "a correction in place pings nobody"
    assert why(office)[-1].startswith("over the whole day: +")
    assert why(office)[-1].endswith(f" {WHO}")
    assert len(asked(office)) == 20
    assert set(asked(office).values()) == {1}, "never asked for again"
    assert office.daemon.stop() == 0
    assert not [line for line in office.daemon.log if "failed" in line]


def once(office: Office, die_at: int | None = None) -> tuple[int, list[str]]:
    """A run that cron starts, which may have to die: its exit code, and the fail points that it passed."""
    folder = office.key.parent
    points = folder / "points"
    points.write_text("")
    environ = {
        **own_environment(),
        "SLACK_TOKEN": TOKEN,
        "HOOK_SECRET": SECRET,
        STEPPED: str(folder / "clock"),
        VARIABLE: str(points) if die_at is None else f"{points}@{die_at}",
    }
    command = [sys.executable, "-m", "usage_watch", "--config", str(folder / "rules.yaml"), "run", "--once"]
    code = subprocess.run(command, env=environ, capture_output=True, check=False).returncode
    return code, points.read_text().split()


def test_cron_asks_in_the_same_run_and_a_death_in_it_loses_nothing(office: Office, tmp_path: Path) -> None:
    alert_at = NIGHT + timedelta(hours=1, minutes=45)
    assert once(office)[0] == 0
    folder, before = office.key.parent, tmp_path / "before"
    copytree(folder, before)
    office.clock.step(alert_at)
    code, points = once(office)
    assert (code, len(asked(office)), set(asked(office).values())) == (0, 20, {1})
    # On a clock that stands, the correction waits until Slack's second is over.
    office.clock.step(alert_at + timedelta(minutes=1))
    assert once(office)[0] == 0
    assert [WHO in each for each in why(office)] == [False, True]

    told = points.index("send")
    for die_at in (told - 1, told + 30):
        rmtree(folder)
        copytree(before, folder)
        office.clock.step(alert_at)
        for heard in (office.pager.requests, office.source.requests, office.slack.messages):
            heard.clear()
        assert once(office, die_at)[0] == -9
        for minutes in (5, 6, 7):  # what was on its way waits for its turn, and the correction for it
            office.clock.step(alert_at + timedelta(minutes=minutes))
            assert once(office)[0] == 0
        assert len({each.headers["webhook-id"] for each in office.pager.requests}) == 1, die_at
        assert f" {WHO}; {LOOKED_UP}" in why(office)[-1], die_at
        assert len(asked(office)) == 20
        assert sum(asked(office).values()) <= 21, "no more than the one whom it was asking for"
