"""What an operator finds in the log a day later: all that happened, and little else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.fakes.scripted_http import Answer
from tests.journeys.office import SECRET, TOKEN, Office, job, opened
from usage_watch.simulator import DEFAULT_KEY, Scenario

EVENING = datetime(2026, 11, 19, 18, 0, tzinfo=UTC)
MORNING = EVENING + timedelta(hours=14)
RULE = "{id: runaway, kind: threshold, window: 3h, above: {warning: 6_000, critical: 12_000}}"
DAY = timedelta(days=1)
WHY = 'why="It is open at warning."'


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """It has just been started; the rest of the evening and the whole night are quiet."""
    begin = EVENING.replace(hour=0) - timedelta(days=5)
    story = Scenario(1, begin, lag=None, quiet=True, runaways=(job(MORNING, 5, 7_000),))
    with opened(tmp_path, story, EVENING, RULE, backfill="5d") as office:
        office.key.chmod(0o600)
        office.start()
        office.daemon.run_until(EVENING + timedelta(hours=1))
        yield office
        assert office.daemon.stop() == 0
        assert not [secret for secret in (DEFAULT_KEY, TOKEN, SECRET) if secret in "\n".join(office.daemon.log)]


def until(office: Office, at: datetime) -> list[list[str]]:
    """The words of each line that comes until then, but for those that only who looks closer wants to see."""
    known = len(office.daemon.log)
    office.daemon.run_until(at)
    lines = [line.split(" ") for line in office.daemon.log[known:]]
    return [words[1:] for words in lines if words[1] != "debug"]


def names(lines: list[list[str]]) -> dict[str, int]:
    return dict(Counter(words[1] for words in lines))


def test_a_start_and_a_quiet_night_are_five_lines(office: Office) -> None:
    said = [line.split(" ")[2] for line in office.daemon.log if " debug " not in line]
    assert sorted(said) == ["daemon.ready", "daemon.started", "delivery.sent", "delivery.sent"]
    assert until(office, EVENING + timedelta(hours=13)) == []


def test_an_alert_is_told_once_whatever_the_number_of_channels(office: Office) -> None:
    lines = until(office, EVENING + DAY)
    assert names(lines) == {"alert.told": 2, "delivery.sent": 6}
    told, *sent = lines[:4]
    (incident,) = {word for word in told if word.startswith("incident=inc_")}
    assert told == [
        "info",
        "alert.told",
        incident,
        "rule=runaway",
        "severity=warning",
        "reason=fired",
        "targets=ops,finance,pager",
        *WHY.split(" "),
    ]
    assert sorted(words[2] for words in sent) == ["target=finance", "target=ops", "target=pager"]
    assert {tuple(words[4:]) for words in sent} == {("rule=runaway", "reasons=fired")}


def test_a_source_that_is_down_for_a_day_is_a_few_lines_and_so_is_its_return(office: Office) -> None:
    office.source.api = replace(office.source.api, enabled=False)
    down = until(office, EVENING + timedelta(hours=13))
    assert names(down) == {"feed.failed": 2, "alert.told": 1, "delivery.sent": 3}, "one feed is due before the other"
    office.daemon.kill()
    office.start()
    again = until(office, EVENING + timedelta(hours=13, minutes=30))
    assert names(again) == {"daemon.started": 1, "feed.failing": 1, "daemon.ready": 1}
    assert "fault" in " ".join(down[0])
    office.source.api = replace(office.source.api, enabled=True)
    back = until(office, EVENING + timedelta(hours=14, minutes=45))
    assert names(back) == {"feed.recovered": 2, "alert.told": 1, "delivery.sent": 3}


def test_a_channel_that_is_dead_for_a_day_is_a_few_lines(office: Office) -> None:
    office.pager.script += [Answer(503)] * 10_000
    lines = until(office, EVENING + DAY + timedelta(hours=12))
    tried = len(office.pager.requests)
    assert tried > 100
    mine = Counter(words[1] for words in lines if "target=pager" in words)
    assert mine == {"delivery.failed": 1}
    assert len(lines) < 30
    office.pager.script.clear()
    back = until(office, EVENING + DAY + timedelta(hours=13))
    (recovered,) = (words for words in back if words[1] == "delivery.recovered")
    assert recovered[2] == "target=pager"
    assert int(recovered[3].removeprefix("failures=")) == tried
