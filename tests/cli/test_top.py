from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.cli.office import NOW
from usage_watch.core.series import DAY, EACH_MEMBER, HOUR, Feed, Reading, SeriesKey
from usage_watch.core.units import to_epoch
from usage_watch.store.database import open_for_writing
from usage_watch.store.history import HistoryStore

MIDNIGHT = NOW.replace(hour=0, minute=0)
WEEKS = timedelta(weeks=10)
HOURLY, DAILY = Feed("credit_usage", HOUR), Feed("credit_usage", DAY)
MEMBER_DAYS = Feed("credit_usage", DAY, EACH_MEMBER)
TEAM = [f"m{n:02}@example.com" for n in range(30)]
MODELS = {"claude-opus-4-8": 40, "claude-sonnet-4-8": 20, "gpt-5-5": 20, "grok-5": 10, "kimi": 5, "sonar": 5}


def save(store: HistoryStore, feed: Feed, until: datetime, rows: Iterable[tuple[SeriesKey, int, int]]) -> None:
    starts = tuple(range(to_epoch(MIDNIGHT - WEEKS), to_epoch(until), feed.width))
    found = tuple(rows)
    axes = {key.axis: None for key, *_ in found if key.axis is not None}
    store.save(Reading(feed, tuple(axes), starts, found), NOW)
    store.read_up(feed, NOW, NOW, timedelta(minutes=15), MIDNIGHT - WEEKS)


def in_hours(until: datetime) -> Iterable[tuple[SeriesKey, int, int]]:
    """A hundred an hour; on the last day opus uses 60 more, which are 100 with what is new."""
    for start in range(to_epoch(MIDNIGHT - WEEKS), to_epoch(until), HOUR):
        runs = start >= to_epoch(NOW.replace(minute=0) - timedelta(days=1))
        for model, used in MODELS.items():
            yield SeriesKey(HOURLY, "Model", model), start, used + (60 if runs and "opus" in model else 0)
        yield SeriesKey(HOURLY, "Model", "brand-new"), start, 40 if runs else 0
        yield SeriesKey(HOURLY), start, 200 if runs else 100


def in_days(until: datetime) -> Iterable[tuple[SeriesKey, int, int]]:
    """Eighty a day and member; the last on the last day 1,000 more."""
    for start in range(to_epoch(MIDNIGHT - WEEKS), to_epoch(until), DAY):
        for who in TEAM:
            last = start == to_epoch(until) - DAY and who == TEAM[-1]
            yield SeriesKey(MEMBER_DAYS, member=who), start, 1080 if last else 80


@pytest.fixture
def known(rules: Path) -> Iterator[HistoryStore]:
    """The store of hours until now and of member days until yesterday."""
    with open_for_writing(rules.parent / "usage-watch.db") as database:
        store = HistoryStore(database)
        save(store, HOURLY, NOW.replace(minute=0), in_hours(NOW.replace(minute=0)))
        save(store, MEMBER_DAYS, MIDNIGHT, in_days(MIDNIGHT))
        yield store


def found(cli: Cli, *options: str) -> dict[str, Any]:
    ran = cli("top", "--json", *options)
    assert (ran.code, ran.err) == (0, "")
    data: dict[str, Any] = json.loads(ran.out)
    return data


def axis(data: dict[str, Any], name: str) -> dict[str, Any]:
    [one] = [each for each in data["axes"] if each["axis"] == name]
    return dict(one)


def test_it_says_who_and_what_used_how_much(cli: Cli, known: HistoryStore) -> None:
    ran = cli("top")
    assert (ran.code, ran.err) == (0, "")
    assert [re.split(r"\s{2,}", line) for line in ran.out.splitlines()] == [
        ["credit_usage, Sat 21 Nov 15:00 – Sun 22 Nov 15:00 (times in Europe/Berlin), against the 4 weeks before"],
        ["Total", "4,800 credits, usually 2,400 (+100 %)"],
        [""],
        ["Sat 21 Nov (UTC days)"],
        ["member", "used", "usual", "change", "of the rise"],
        ["m29@example.com", "1,080", "80", "+1,000", "100 %"],
        *([f"m0{n}@example.com", "80", "80", "0", "0 %"] for n in range(4)),
        ["and 25 more"],
        [""],
        ["Model", "used", "usual", "change", "of the rise"],
        ["claude-opus-4-8", "2,400", "960", "+1,440", "60 %"],
        ["brand-new", "960", "0", "+960", "40 %", "new"],
        ["claude-sonnet-4-8", "480", "480", "0", "0 %"],
        ["gpt-5-5", "480", "480", "0", "0 %"],
        ["grok-5", "240", "240", "0", "0 %"],
        ["and 2 more"],
    ]


def test_of_one_axis_more_is_listed_and_its_name_may_be_spelled_otherwise(cli: Cli, known: HistoryStore) -> None:
    assert [len(each["rows"]) for each in found(cli)["axes"]] == [5, 5]
    [models] = found(cli, "model")["axes"]
    assert len(models["rows"]) == 7
    [members] = found(cli, "MEMBER")["axes"]
    assert len(members["rows"]) == 20
    assert cli("top", "model") == cli("top", "Model")


def test_as_data_the_rows_of_an_axis_sum_to_its_total(cli: Cli, known: HistoryStore) -> None:
    data = found(cli, "Model")
    assert (data["dataset"], data["unit"], data["against_weeks"]) == ("credit_usage", "credits", 4)
    assert (data["from"], data["until"]) == ("2026-11-21T14:00:00Z", "2026-11-22T14:00:00Z")
    assert data["total"] == {"used": 4800, "usual": 2400, "change": 2400}
    rows = axis(data, "Model")["rows"]
    assert {name: sum(row[name] for row in rows) for name in ("used", "usual", "change")} == data["total"]
    assert rows[1] == {
        "category": "brand-new",
        "used": 960,
        "usual": 0,
        "change": 960,
        "share": 0.4,
        "newness": "new",
    }


def test_members_are_compared_by_whole_days_and_what_is_missing_of_the_total_is_a_row(
    cli: Cli, known: HistoryStore
) -> None:
    members = axis(found(cli, "member", "--since", "2d"), "member")
    assert (members["from"], members["until"]) == ("2026-11-20T00:00:00Z", "2026-11-22T00:00:00Z")
    assert members["rows"][0] == {
        "category": "m29@example.com",
        "used": 1160,
        "usual": 160,
        "change": 1000,
        "share": 1,
        "newness": None,
    }
    hours = 10 * 100  # of the last day's last hours, which no member accounts for
    save(
        known,
        MEMBER_DAYS,
        MIDNIGHT,
        ((key, start, 80 if used > 80 else used) for key, start, used in in_days(MIDNIGHT)),
    )
    rest = axis(found(cli, "member"), "member")["rows"][0]
    assert (rest["category"], rest["used"], rest["change"]) == ("(unattributed)", hours, hours)


def test_usual_is_the_mean_of_as_many_weeks_as_asked_for(cli: Cli, known: HistoryStore) -> None:
    earlier = to_epoch(MIDNIGHT - timedelta(weeks=5))
    rows = ((key, start, used * (3 if start < earlier else 1)) for key, start, used in in_hours(NOW.replace(minute=0)))
    save(known, HOURLY, NOW.replace(minute=0), rows)
    usual = [found(cli, "Model", "--against", weeks)["total"]["usual"] for weeks in ("2w", "4w", "8w")]
    assert usual[:2] == [2400, 2400]
    assert usual[2] == pytest.approx((5 * 2400 + 3 * 7200) / 8, abs=1000)
    assert "against the 8 weeks before" in cli("top", "--against", "56d").out


@pytest.mark.parametrize("against", ["1w", "9w", "10d", "4", ""])
def test_usual_is_learned_of_two_to_eight_whole_weeks(cli: Cli, known: HistoryStore, against: str) -> None:
    ran = cli("top", "--against", against)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == f"usage-watch: --against {against!r} is not 2 to 8 whole weeks; write 4w.\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("Skill",), "credit_usage cannot be split by 'Skill' since then: known are member, Model; members come by"),
        (("member", "--since", "6h"), "cannot be split by 'member' since then: known are Model; members come by whole"),
        (("--since", "soon"), "--since 'soon' is no time"),
        (("--dataset", "skills"), "Nothing is stored of skills since then; `usage-watch status` says what is read."),
        (("--since", "2026-09-01"), "Nothing is stored of credit_usage from the 4 weeks before."),
    ],
)
def test_what_cannot_be_compared_is_said(cli: Cli, known: HistoryStore, options: tuple[str, ...], said: str) -> None:
    ran = cli("top", *options)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_without_hours_there_are_days_and_without_anybody_elses_those_of_members(cli: Cli, rules: Path) -> None:
    with open_for_writing(rules.parent / "usage-watch.db") as database:
        store = HistoryStore(database)
        save(store, MEMBER_DAYS, MIDNIGHT, in_days(MIDNIGHT))
        assert found(cli)["total"] == {"used": 3400, "usual": 2400, "change": 1000}
        days = range(to_epoch(MIDNIGHT - WEEKS), to_epoch(MIDNIGHT), DAY)
        save(store, DAILY, MIDNIGHT, ((SeriesKey(DAILY), start, 5000) for start in days))
        assert found(cli)["total"] == {"used": 5000, "usual": 5000, "change": 0}
        assert axis(found(cli), "member")["rows"][0]["category"] == "(unattributed)"
    assert "credit_usage, Sat 21 Nov (UTC days), against" in cli("top").out


def test_a_fall_is_of_the_fall(cli: Cli, rules: Path) -> None:
    with open_for_writing(rules.parent / "usage-watch.db") as database:
        hours = range(to_epoch(MIDNIGHT - WEEKS), to_epoch(NOW.replace(minute=0)), HOUR)
        used = ((start, 10 if start >= to_epoch(MIDNIGHT - timedelta(days=1)) else 100) for start in hours)
        rows = [(SeriesKey(HOURLY, *name), start, n) for start, n in used for name in ((), ("Model", "a"))]
        save(HistoryStore(database), HOURLY, NOW.replace(minute=0), rows)
    out = cli("top").out
    assert "Total  240 credits, usually 2,400 (-90 %)" in out
    assert re.search(r"^a +240 +2,400 +-2,160 +100 %$", out, re.MULTILINE)
    assert "of the fall" in out


def test_what_does_not_add_up_is_compared_by_one_day(cli: Cli, rules: Path) -> None:
    feed = Feed("daily_active_users", DAY)
    with open_for_writing(rules.parent / "usage-watch.db") as database:
        days = range(to_epoch(MIDNIGHT - WEEKS), to_epoch(MIDNIGHT), DAY)
        save(HistoryStore(database), feed, MIDNIGHT, ((SeriesKey(feed), start, 30) for start in days))
    assert cli("top", "--dataset", feed.dataset).out.splitlines()[1:] == ["Total  30 members, usually 30 (0 %)"]
    ran = cli("top", "--dataset", feed.dataset, "--since", "3d")
    assert (ran.code, ran.err) == (
        2,
        "usage-watch: daily_active_users does not add up over several days; write --since 1d.\n",
    )
    assert "it is not split at all" in cli("top", "--dataset", feed.dataset, "Model").err
