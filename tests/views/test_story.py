"""How the usage came that an alert was judged by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.views.found import EVIDENCE, INCIDENT
from tests.views.test_marks import BEGUN, NOW, RULES, Office, hour, hours
from usage_watch.config import load
from usage_watch.core.incident import Incident
from usage_watch.core.message import RuleName
from usage_watch.store.alerts import AlertStore
from usage_watch.store.database import open_for_writing
from usage_watch.views.arrivals import rows
from usage_watch.views.story import Story, story
from usage_watch.views.times import Reader

DAY = timedelta(days=1)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    """A backfill of nine days, and then 24 hours that were each read in time."""
    with open_for_writing(tmp_path / "usage-watch.db") as database:
        office = Office(tmp_path, database)
        office.read(BEGUN, hours(hour(-216), 216))
        for number in range(24):
            office.read(hour(number + 1), hours(hour(number), 1))
        yield office


def alert(
    rule: str, from_at: datetime, until_at: datetime, labels: Mapping[str, str] | None = None, kind: str = "threshold"
) -> Incident:
    """Found as soon as what it was judged by was over."""
    evidence = replace(EVIDENCE, from_at=from_at, until_at=until_at)
    name = RuleName(rule, kind, rule)
    return replace(INCIDENT, rule=name, labels=labels or {}, evidence=evidence, committed_at=until_at)


def told(office: Office, incident: Incident) -> Story:
    (office.folder / "rules.yaml").write_text(RULES)
    config = load(office.folder / "rules.yaml", {})
    AlertStore(office.database).commit([incident], [], [], [], NOW)
    return story(config, office.database, incident.id, NOW)


def came(office: Office, incident: Incident) -> list[tuple[str, str]]:
    found = told(office, incident).arrivals
    assert not found.more
    return list(rows(found, Reader(load(office.folder / "rules.yaml", {}).timezone, NOW)))


def test_of_what_came_as_usual_nothing_is_said(office: Office) -> None:
    assert came(office, alert("all", hour(10), hour(13))) == []


def test_what_was_changed_since_the_alert_was_found_is_told_though_it_was_not_final(office: Office) -> None:
    office.read(hour(15), hours(hour(12), 1, a=12_380))
    office.read(hour(16), hours(hour(12), 1, a=5_880))
    found = replace(alert("all", hour(10), hour(13)), committed_at=hour(15))
    assert came(office, found) == [
        ("Wed 11 Nov 01:00–02:00", "revised from 12,400 to 5,900 credits on Wed 11 Nov 05:00")
    ]
    later = replace(found, id="inc_2", committed_at=hour(16))
    assert came(office, later) == [], "it was found in what then stood"


def test_what_came_in_parts_grew(office: Office) -> None:
    office.read(hour(15), hours(hour(12), 1, a=5_280))
    assert came(office, alert("all", hour(10), hour(13))) == [
        ("Wed 11 Nov 01:00–02:00", "grew from 120 to 5,300 credits on Wed 11 Nov 04:00")
    ]


def test_what_an_alert_saw_nothing_of_yet_did_not_grow(office: Office) -> None:
    """An hour of its window that the source was still to answer."""
    office.read(hour(25), {hour(24): {}})
    office.read(hour(26), hours(hour(24), 1))
    assert came(office, alert("all", hour(23), hour(25))) == []


def test_what_was_revised_once_it_was_final_is_told_whenever_the_alert_was_found(office: Office) -> None:
    office.read(hour(30), hours(hour(-50), 1, a=1_430))
    later = replace(alert("all", hour(-51), hour(-49)), committed_at=hour(40))
    assert came(office, later) == [("Sun 8 Nov 11:00–12:00", "revised from 120 to 1,450 credits on Wed 11 Nov 19:00")]


def test_what_came_late_is_told_though_all_of_it_did(office: Office) -> None:
    office.read(hour(26), {hour(24): {}})
    office.read(hour(34), hours(hour(24), 3))
    assert came(office, alert("all", hour(24), hour(27))) == [
        ("Wed 11 Nov 13:00–16:00", "came up to 9 h late"),
    ]


def test_what_lies_before_or_behind_the_judged_time_is_left_out(office: Office) -> None:
    office.read(hour(30), hours(hour(-50), 2, a=900))
    office.read(hour(40), hours(hour(25), 2))
    assert came(office, alert("all", hour(-48), hour(25))) == []
    assert [when for when, _ in came(office, alert("all", hour(-49), hour(26)))] == [
        "Sun 8 Nov 12:00–13:00",
        "Wed 11 Nov 14:00–15:00",
    ]


def test_of_one_series_only_its_own_is_told(office: Office) -> None:
    office.read(hour(15), hours(hour(12), 1, a=5_280))
    [(_, said)] = came(office, alert("models", hour(12), hour(13), {"Model": "a"}))
    assert said == "grew from 100 to 5,280 credits on Wed 11 Nov 04:00"
    assert came(office, alert("models", hour(12), hour(13), {"Model": "b"})) == []


def test_a_day_of_a_member_is_named_as_a_day(office: Office) -> None:
    first = datetime(2026, 11, 8, tzinfo=NOW.tzinfo)
    office.read_days(first + DAY, {first: {"ana@example.com": 700, "bo@example.com": 40}})
    office.read_days(first + 2 * DAY, {first: {"ana@example.com": 75, "bo@example.com": 40}})
    for member, said in (("ana", [("Sun 8 Nov", "revised from 700 to 75 credits on Tue 10 Nov 01:00")]), ("bo", [])):
        found = alert("people", first, first + DAY, {"member": f"{member}@example.com"})
        assert came(office, replace(found, evidence=replace(found.evidence, bucket="1d"))) == said


def test_of_a_budget_all_of_its_period_counts(office: Office) -> None:
    office.read(hour(30), hours(hour(-50), 1, a=1_430))
    whole = alert("cycle", hour(-200), hour(24), kind="budget")
    assert [when for when, _ in came(office, whole)] == ["Sun 8 Nov 11:00–12:00"]


def test_of_very_many_the_largest_changes_are_told_and_the_rest_counted(office: Office) -> None:
    for number in range(25):
        office.read(hour(30), hours(hour(-50 - 2 * number), 1, a=1_000 + number))
    office.read(hour(40), hours(hour(24), 1))
    found = told(office, alert("all", hour(-110), hour(25))).arrivals
    assert (len(found.shown), found.more) == (20, 6)
    assert [each.from_at for each in found.shown] == [hour(-98 + 2 * number) for number in range(20)]


@pytest.mark.parametrize(
    "changed",
    [
        {"rule": RuleName("gone", "threshold", "gone")},
        {"rule": RuleName("all", "zscore", "all")},
        {"evidence": replace(EVIDENCE, from_at=hour(12), until_at=hour(13), dataset="skills")},
        {"evidence": replace(EVIDENCE, from_at=hour(12), until_at=hour(13), bucket="1d")},
    ],
)
def test_where_its_rule_is_gone_or_judges_something_else_nothing_is_told(
    office: Office, changed: dict[str, object]
) -> None:
    office.read(hour(15), hours(hour(12), 1, a=5_280))
    found = alert("all", hour(12), hour(13))
    assert came(office, found) != []
    assert came(office, replace(found, id="inc_2", **changed)) == []  # type: ignore[arg-type]


def test_where_nothing_is_stored_any_more_nothing_is_told(tmp_path: Path) -> None:
    with open_for_writing(tmp_path / "usage-watch.db") as database:
        assert came(Office(tmp_path, database), alert("all", hour(12), hour(13))) == []
