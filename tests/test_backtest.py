"""What rules would have told: the same as the daemon did, and when it was known, not when it happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from zoneinfo import ZoneInfo

import pytest

from tests.rules.making import made
from tests.telling import Notify, desk_of
from usage_watch import meta
from usage_watch.backtest import (
    STAND_IN,
    Difference,
    Month,
    ReadLater,
    Replay,
    compare,
    months,
    read_later,
    replay,
    wants_of,
)
from usage_watch.clock import SteppedClock
from usage_watch.config import load
from usage_watch.core.incident import Incident
from usage_watch.core.message import Reason, Severity
from usage_watch.core.mute import Mute
from usage_watch.core.schedule import Weekly
from usage_watch.core.series import DAY, EACH_MEMBER, HOUR, Feed, Reading, SeriesKey
from usage_watch.cycle import Cycle
from usage_watch.rules import Rule
from usage_watch.simulator import DEFAULT_KEY, Revision, Runaway, Scenario, SimulatorServer, SyncLag
from usage_watch.store.alerts import AlertStore
from usage_watch.store.database import Database, open_for_writing
from usage_watch.store.history import HistoryStore
from usage_watch.terms import desk

HOURLY = Feed("credit_usage", HOUR)
MEMBERS = Feed("credit_usage", DAY, EACH_MEMBER)
START = datetime(2026, 10, 26, tzinfo=UTC)
EVERY = timedelta(hours=1)
UTC_ZONE = ZoneInfo("UTC")


def at(hours: float) -> datetime:
    """So many hours after the beginning, a Monday."""
    return START + timedelta(hours=hours)


@dataclass
class Past:
    """Stored polls, and what rules would have told of them: `reason hour` for an hour at which it is told."""

    store: HistoryStore

    def poll(self, when: float, counts: Mapping[int, int], feed: Feed = HOURLY, member: str | None = None) -> None:
        """The source said this of these buckets, counted from the beginning."""
        starts = {int(START.timestamp()) + feed.width * number: count for number, count in counts.items()}
        rows = tuple((SeriesKey(feed, member=member), start, count) for start, count in starts.items())
        self.store.save(Reading(feed, ("Model",), tuple(sorted(starts)), rows), at(when))
        self.store.read_up(feed, at(when), at(when), EVERY, START)

    def watched(self, until: int, counts: Mapping[int, int], revised: Mapping[int, Mapping[int, int]]) -> None:
        """Hours polled one after the other, five minutes after each hour's end; at the hours of `revised` they change.

        Hours of which nothing is said hold 10.
        """
        now = dict(counts)
        for hour in range(1, until + 1):
            now |= revised.get(hour, {})
            self.poll(hour + 0.1, {number: now.get(number, 10) for number in range(max(0, hour - 200), hour)})

    def replayed(
        self,
        rules: Sequence[Rule],
        until: float,
        since: float = 0,
        notify: Mapping[str, Notify] | None = None,
        mutes: Sequence[Mute] = (),
    ) -> Replay:
        told = replace(desk_of({rule.id: ["pager"] for rule in rules} if notify is None else notify), mutes=mutes)
        known = self.store.knowledge(wants_of(rules, told, at(since)))
        return replay(rules, known, told, at(since), at(until), lambda rule, at: None)


@pytest.fixture
def past(tmp_path: Path) -> Iterator[Past]:
    with open_for_writing(tmp_path / "usage-watch.db") as database:
        yield Past(HistoryStore(database))


def said(found: Replay) -> list[str]:
    return [f"{each.key.reason} {(each.at - START) / timedelta(hours=1):g}" for each in found.told]


OVER = made("threshold", above=100)
LEVELS = made("threshold", above={"warning": 100, "critical": 200})

# ---- when it was known ----------------------------------------------------------------------------------------------


def test_a_late_hour_fires_when_it_was_known(past: Past) -> None:
    past.watched(20, {10: 50}, {14: {10: 150}})
    found = past.replayed([OVER], 20)
    assert said(found) == ["fired 15", "resolved 17"]
    assert [(each.started_at, each.ended_at) for each in found.incidents] == [(at(10), at(11))]
    assert found.told[0].incident.open, "as it stood then"


def test_what_was_revised_away_is_retracted(past: Past) -> None:
    past.watched(24, {10: 150}, {20: {10: 40}})
    found = past.replayed([OVER], 24)
    assert said(found) == ["fired 12", "resolved 17", "retracted 21"]
    assert [each.retracted for each in found.incidents] == [True]


def test_what_was_revised_away_days_later_is_retracted_all_the_same(past: Past) -> None:
    past.watched(160, {10: 150}, {150: {10: 40}})
    assert said(past.replayed([OVER], 160)) == ["fired 12", "resolved 17", "retracted 151"]


def test_what_rose_late_escalates(past: Past) -> None:
    past.watched(20, {10: 150}, {11: {10: 150}, 12: {10: 250}})
    found = past.replayed([LEVELS], 20)
    assert said(found) == ["fired 12", "escalated 13", "resolved 17"]
    assert [each.severity for each in found.incidents] == [Severity.CRITICAL]


def test_what_had_ended_before_it_was_known_is_told_once(past: Past) -> None:
    past.watched(62, {10: 50}, {60: {10: 250}})
    assert said(past.replayed([LEVELS], 62)) == ["fired_and_ended 61"]
    assert said(past.replayed([OVER], 62)) == [], "a warning of two days ago is no news"


def test_mutes_hold_back_what_they_would_have(past: Past) -> None:
    evening = Mute(Weekly(frozenset(range(7)), timedelta(hours=10), timedelta(hours=20), UTC_ZONE))
    past.watched(40, {2: 150, 10: 250, 36: 150}, {})
    assert said(past.replayed([LEVELS], 40)) == ["fired 4", "resolved 9", "fired 12", "resolved 17", "fired 38"]
    assert said(past.replayed([LEVELS], 40, mutes=[evening])) == ["fired 4", "resolved 9", "fired_and_ended 20"]


def test_what_was_read_later_counts_as_known_two_hours_after_its_end(past: Past) -> None:
    past.poll(200.1, {hour: 150 if hour in (10, 11) else 10 for hour in range(200)})
    assert said(past.replayed([OVER], 201)) == ["fired 13", "resolved 62"]
    known = past.store.knowledge({HOURLY: START, MEMBERS: START})
    assert list(read_later(known.values(), at(50), at(201))) == [
        ReadLater("credit_usage 1h", "1h", count=144, of=150, until=at(194))
    ]


def test_what_was_watched_was_not_read_later(past: Past) -> None:
    past.poll(30, {0: 150}, MEMBERS, "ana@example.com")
    assert list(read_later(past.store.knowledge({MEMBERS: START}).values(), START, at(99))) == []


def test_days_are_judged_at_the_end_of_the_day(past: Past) -> None:
    for hour in (30, 32, 34):
        past.poll(hour, {0: 100, 1: hour}, MEMBERS, "ana@example.com")
    rule = made("threshold", for_each="member", above=31)
    found = past.replayed([rule], 60)
    assert said(found) == ["fired 48"]
    assert [(each.started_at, each.evidence.value) for each in found.incidents] == [(at(0), 100)]


def test_nobody_is_reminded_of_what_stays_open(past: Past) -> None:
    past.watched(80, dict.fromkeys(range(3, 80), 150), {})
    told = replace(desk_of({"it": ["pager"]}), remind={"it": timedelta(hours=1)})
    known = past.store.knowledge(wants_of([OVER], told, START))
    found = replay([OVER], known, told, START, at(80), lambda rule, at: None)
    assert said(found) == ["fired 5"]
    assert [each.open_hours for each in months(found, UTC_ZONE, START, at(80))] == [77]


# ---- where it begins ------------------------------------------------------------------------------------------------


def test_what_is_open_at_the_beginning_is_told_once_and_what_had_ended_is_history(past: Past) -> None:
    past.watched(40, {3: 150} | dict.fromkeys(range(20, 28), 150), {})
    assert said(past.replayed([OVER], 40)) == ["fired 5", "resolved 10", "fired 22", "resolved 34"]
    found = past.replayed([OVER], 40, since=25)
    assert said(found) == ["fired 25", "resolved 34"]
    assert [each.started_at for each in found.incidents] == [at(20)], "whole"


def test_what_is_open_for_months_keeps_its_beginning(past: Past) -> None:
    past.poll(24 * 30, dict.fromkeys(range(24 * 30), 150))
    found = past.replayed([OVER], 24 * 30, since=24 * 29)
    assert [each.started_at for each in found.incidents] == [at(0)]


def test_before_anything_is_known_nothing_is_judged(past: Past) -> None:
    past.watched(20, {3: 150}, {})
    assert said(past.replayed([OVER], 20, since=-2000)) == ["fired 5", "resolved 10"]


def test_rules_are_told_in_the_order_of_time(past: Past) -> None:
    past.watched(20, {3: 150, 10: 250}, {})
    budget = made("budget", id="month", limit=500)
    found = past.replayed([OVER, budget], 20)
    assert [(each.incident.rule.id, (each.at - START) / EVERY) for each in found.told] == [
        *(("it", 5), ("it", 10), ("it", 12), ("month", 12), ("month", 13), ("it", 17))
    ]
    assert [each.started_at for each in found.incidents] == [at(3), at(10), at(10)]


def test_progress_is_told_at_each_step(past: Past) -> None:
    past.watched(5, {}, {})
    told = desk_of({"it": ["pager"]})
    seen: list[datetime] = []
    known = past.store.knowledge(wants_of([OVER], told, START))
    replay([OVER], known, told, START, at(5.5), lambda rule, when: seen.append(when))
    assert seen == [at(2), at(3), at(4), at(5), at(5.5)]


# ---- whom -----------------------------------------------------------------------------------------------------------


def test_a_rule_that_names_no_channel_tells_a_stand_in(past: Past) -> None:
    past.watched(20, {10: 150}, {})
    found = past.replayed([OVER], 20, notify={})
    assert said(found) == ["fired 12", "resolved 17"]
    assert {each.key.target for each in found.told} == {STAND_IN}


def test_a_severity_that_is_told_to_nobody_is_told_to_nobody(past: Past) -> None:
    past.watched(20, {10: 150}, {})
    assert said(past.replayed([LEVELS], 20, notify={"it": {"critical": ["ops"]}})) == []


# ---- figures --------------------------------------------------------------------------------------------------------


def test_months_are_local_and_several_channels_count_once(past: Past) -> None:
    """The clock of the zone goes back an hour on 25 October; November begins at 23:00 UTC."""
    last = 6 * 24 - 1
    past.watched(last + 16, {5: 150, last - 3: 150} | dict.fromkeys(range(last - 2, last + 2), 250), {})
    found = past.replayed([LEVELS], last + 16, notify={"it": ["pager", "ops"]})
    assert months(found, ZoneInfo("Europe/Berlin"), START, at(last + 16)) == [
        Month("it", "2026-10", fired=2, escalated=0, fired_and_ended=0, retracted=0, open_hours=1 + 3),
        Month("it", "2026-11", fired=0, escalated=1, fired_and_ended=0, retracted=0, open_hours=2),
    ]
    assert len([each for each in found.told if each.key.reason == "fired"]) == 4


def test_hours_are_counted_within_the_time_that_was_asked_for(past: Past) -> None:
    past.watched(30, dict.fromkeys(range(10, 30), 150), {})
    found = past.replayed([OVER], 30, since=20)
    assert [each.open_hours for each in months(found, UTC_ZONE, at(20), at(30))] == [10]


def test_nothing_told_is_no_month() -> None:
    assert months(Replay((), ()), UTC_ZONE, START, at(10_000)) == []


# ---- two files ------------------------------------------------------------------------------------------------------


@pytest.fixture
def one(past: Past) -> Incident:
    """From hour 10 to hour 12."""
    past.watched(20, {10: 150, 11: 150}, {})
    return past.replayed([OVER], 20).incidents[0]


@pytest.mark.parametrize(
    ("change", "alike"),
    [
        ({}, True),
        ({"started_at": at(11), "ended_at": at(15)}, True),
        ({"started_at": at(2), "ended_at": None}, True),
        ({"severity": Severity.CRITICAL}, True),
        ({"started_at": at(12), "ended_at": at(15)}, False),
        ({"started_at": at(8), "ended_at": at(10)}, False),
        ({"fingerprint": "another series"}, False),
    ],
)
def test_alerts_of_one_series_that_overlap_are_the_same(one: Incident, change: dict[str, object], alike: bool) -> None:
    other = replace(one, **change)  # type: ignore[arg-type]
    found = compare(Replay((), (one,)), Replay((), (other,)))
    if alike:
        assert found == Difference((), (), both=1, regraded=int("severity" in change))
    else:
        assert found == Difference((other,), (one,), both=0, regraded=0)


def test_one_that_goes_on_is_the_same_as_a_later_one(one: Incident) -> None:
    going_on = replace(one, ended_at=None)
    later = replace(one, started_at=at(99), ended_at=at(100))
    assert compare(Replay((), (going_on,)), Replay((), (one, later))) == Difference((), (), both=2, regraded=0)


# ---- the daemon itself ----------------------------------------------------------------------------------------------

RULES = """\
timezone: Europe/Berlin
source: {{base_url: "{source}", backfill: 8d, poll_every: 1h}}
channels:
  screen: {{kind: log}}
notify: [screen]
rules:
  - {{id: hourly, kind: threshold, above: {{warning: 2_000, critical: 20_000}}}}
  - {{id: window, kind: threshold, window: 3h, for_each: Model, above: 4_000, resolve_after: 4h}}
  - {{id: usual, kind: zscore, method: robust, baseline: 5d, above: 3}}
  - {{id: heavy-day, kind: threshold, for_each: member, above: 5_000}}
  - {{id: cycle, kind: budget, limit: 60_000}}
"""
ANA, PRIYA = "ana@example.com", "priya.nair@example.com"
NOW = datetime(2026, 11, 20, 3, 5, tzinfo=UTC)


def story() -> Scenario:
    """One job that is over before the daemon starts, one that runs then, and some afterwards; two are taken back."""
    hour = NOW.replace(minute=0)

    def job(member: str, hours: int, length: int, burns: int) -> Runaway:
        return Runaway(member, "claude-opus-4-8", hour + timedelta(hours=hours), length, burns)

    return Scenario(
        seed=3,
        start_at=hour.replace(hour=0) - timedelta(days=9),
        lag=SyncLag(late_share=0.1),
        quiet=True,
        runaways=(
            job(ANA, -100, 3, 3_000),
            job(PRIYA, -4, 8, 5_000),
            job(ANA, 15, 1, 9_000),
            job(PRIYA, 24, 3, 25_000),
            job(ANA, 40, 2, 2_500),
        ),
        revisions=tuple(
            Revision(hour + timedelta(hours=taken), hour + timedelta(hours=69), 0) for taken in (15, 40, 41)
        ),
    )


Key = tuple[str, tuple[tuple[str, str], ...], datetime, str, int]


def keys(incidents: Mapping[str, Incident], told: Sequence[tuple[str, str, int]]) -> list[Key]:
    found = ((incidents[incident_id], reason, ordinal) for incident_id, reason, ordinal in told)
    return sorted(
        (each.rule.id, tuple(each.labels.items()), each.started_at, reason, ordinal) for each, reason, ordinal in found
    )


def test_a_backtest_tells_what_the_daemon_told(tmp_path: Path) -> None:
    clock = SteppedClock(tmp_path / "clock")
    clock.step(NOW)
    with ExitStack() as opened:
        source = opened.enter_context(SimulatorServer(story(), now=clock.now))
        database: Database = opened.enter_context(open_for_writing(tmp_path / "usage-watch.db"))
        rules = tmp_path / "rules.yaml"
        rules.write_text(RULES.format(source=source.base_url))
        config = load(rules)
        environ = {"PERPLEXITY_ANALYTICS_API_KEY": DEFAULT_KEY}
        cycle = opened.enter_context(Cycle(config, database, clock, Event(), environ))
        for hour in range(73):
            clock.step(NOW + timedelta(hours=hour))
            assert cycle.run().fetched.failures == ()
        alerts = AlertStore(database)
        incidents = {each.id: each for each in alerts.incidents(START) if each.rule.kind != meta.KIND}
        daemon = [each.notification for each in alerts.told(list(incidents))]
        daemon = [each for each in daemon if each.reason is not Reason.REMINDER]
        told, until = desk(config), clock.now()
        known = HistoryStore(database).knowledge(wants_of(config.enabled, told, NOW))
        found = replay(config.enabled, known, told, NOW, until, lambda rule, at: None)
    expected = keys(incidents, [(each.incident_id, each.reason, each.ordinal) for each in daemon])
    again = {each.id: each for each in found.incidents}
    assert keys(again, [(each.key.incident_id, each.key.reason, each.key.ordinal) for each in found.told]) == expected
    assert {reason for *_, reason, _ in expected} == {"fired", "escalated", "resolved", "retracted"}
    assert {rule for rule, *_ in expected} == {"hourly", "window", "usual", "heavy-day", "cycle"}
