from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.core.builders import DAILY, MEMBER_DAYS, START, at, feed_history, findings
from tests.rules.making import BERLIN_FILE, UTC_FILE, made, problems
from usage_watch.core.episode import Findings, fold, runs
from usage_watch.core.incident import Incident
from usage_watch.core.message import Evidence, Fact, RuleName, Severity
from usage_watch.core.series import DAY, HOUR, Feed, FeedHistory, empty
from usage_watch.rules.novelty import NewFindings, NoveltyRule

CONNECTORS = Feed("connectors", HOUR)
DAYS = 200
JUDGED = 100
"""The first of the days that are judged, where a test says nothing else: as far before it is known as matters."""


def rule(**fields: Any) -> NoveltyRule:
    found = made("novelty", **{"for_each": "Model", "bucket": "1d", **fields})
    assert isinstance(found, NoveltyRule)
    return found


def connectors(**fields: Any) -> NoveltyRule:
    return rule(**{"for_each": "Connector", "dataset": "connectors", "bucket": "1h", **fields})


def used(*places: int | range, n: int = DAYS, count: int = 5) -> list[int]:
    """Counts of a series that was used in these buckets alone; negative ones count from the end."""
    on = {place % n for each in places for place in (each if isinstance(each, range) else [each])}
    return [count if place in on else 0 for place in range(n)]


def days(
    series: Mapping[str, list[int]],
    *,
    holes: Collection[int] = (),
    unanswered: Collection[int] = (),
    feed: Feed = DAILY,
) -> FeedHistory:
    """The total is used on every day."""
    n = max((len(counts) for counts in series.values()), default=DAYS)
    answers = {"Model": unanswered} if feed == DAILY else {}
    return feed_history({"": [99] * n, **series}, feed, holes=holes, unanswered=answers)


def day(number: float) -> datetime:
    return at(24 * number)


def spoken(
    history: FeedHistory, since: int = JUDGED, speaks_from: int | None = None, **fields: Any
) -> dict[str, list[tuple[int, int | None]]]:
    """From which day to which each series is told, None where it goes on."""
    it, begin = rule(**fields), None if speaks_from is None else day(speaks_from)
    found = it.judge_speaking(history, day(since), UTC_FILE, begin)
    return {"".join(each.labels.values()): [_days(run) for run in _runs(it, each)] for each in found}


def _runs(it: NoveltyRule, found: Findings) -> Iterable[tuple[int, int | None]]:
    patience = it.patience(None)
    episodes = fold(found, patience.for_buckets, patience.resolve_buckets)
    return [(run.started_at, run.ended_at) for run in runs(found, episodes, 2 * patience.resolve_buckets)]


def _days(run: tuple[int, int | None]) -> tuple[int, int | None]:
    begin = int(START.timestamp())
    return (run[0] - begin) // DAY, None if run[1] is None else (run[1] - begin) // DAY


# ---- what is new -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("places", "told"),
    [
        ([range(DAYS)], []),
        ([range(50, DAYS)], []),  # it was there before anything was judged
        ([99, 150], []),
        ([150], [(150, 152)]),  # and vanished
        ([range(150, DAYS)], [(150, 152)]),  # and stayed: told once
        ([range(150, DAYS, 9)], [(150, 152)]),
        ([100], [(100, 102)]),
        ([199], [(199, None)]),
        ([198], [(198, None)]),
        ([197], [(197, 199)]),
        ([40, 129], []),  # came back after 89 d
        ([40, 130], []),
        ([40, 131], [(131, 133)]),  # after 91 d
        ([105, 196], [(105, 107), (196, 198)]),  # each time
        ([105, 195], [(105, 107)]),
        ([], []),
    ],
)
def test_what_was_not_used_for_so_long_is_new(places: list[int | range], told: list[tuple[int, int | None]]) -> None:
    assert spoken(days({"Model=a": used(*places)})) == ({"a": told} if told else {})


@pytest.mark.parametrize(("unseen_for", "new"), [("30d", True), ("2d", True), ("31d", False), ("60d", False)])
def test_how_long_is_for_the_rule_to_say(unseen_for: str, new: bool) -> None:
    history = days({"Model=a": used(range(120), range(150, DAYS))})
    assert bool(spoken(history, unseen_for=unseen_for)) == new


def test_hours_stand_open_for_a_day_from_their_first() -> None:
    history = feed_history({"": [9] * 500, "Connector=Notion": used(400, 405, n=500)}, CONNECTORS)
    it = connectors(unseen_for="14d")
    [found] = it.judge(history, at(340), UTC_FILE)
    [(start, end)] = _runs(it, found)
    assert (start, end) == (int(at(400).timestamp()), int(at(424).timestamp()))
    assert found.quiet


def test_the_clocks_going_back_make_no_day_longer() -> None:
    # 25 October 2026 has 25 hours in Berlin.
    start_at = datetime.fromisoformat("2026-10-01T00:00Z")
    history = feed_history({"": [9] * 900, "Connector=x": used(24 * 24, n=900)}, CONNECTORS, start_at=start_at)
    it = connectors(unseen_for="14d")
    [found] = it.judge(history, start_at + timedelta(days=20), BERLIN_FILE)
    [(start, end)] = _runs(it, found)
    assert end is not None
    assert end - start == DAY


def test_late_numbers_only_move_its_start() -> None:
    first = spoken(days({"Model=a": used(150)}))
    late = spoken(days({"Model=a": used(149, 150)}))
    assert (first, late) == ({"a": [(150, 152)]}, {"a": [(149, 151)]})
    assert spoken(days({"Model=a": used(80, 150)})) == {}, "it was there"


@pytest.mark.parametrize("unsettled", [(), range(100, 200), range(200)])
def test_nothing_waits_to_settle(unsettled: Collection[int]) -> None:
    history = feed_history({"": [9] * DAYS, "Model=a": used(150, 199)}, DAILY, unsettled=unsettled)
    assert spoken(history) == {"a": [(150, 152)]}


def test_of_an_empty_feed_there_is_nothing_to_say() -> None:
    it = rule()
    assert it.judge(empty(DAILY), START, UTC_FILE) == []
    assert it.judge_speaking(empty(DAILY), START, UTC_FILE, START) == []
    assert it.judge_whole(empty(DAILY), START, UTC_FILE) == []


def test_a_member_who_comes_back_after_so_long_is_new_again() -> None:
    history = days({"ana@x": used(range(20), range(160, 170)), "bob@x": used(range(DAYS))}, feed=MEMBER_DAYS)
    assert spoken(history, for_each="member") == {"ana@x": [(160, 162)]}
    assert spoken(history, for_each="member", where={"member": "bob@x"}) == {}


def test_where_narrows_what_may_be_new() -> None:
    history = days({"Model=claude-a": used(150), "Model=gpt-b": used(150)})
    assert list(spoken(history, where={"Model": "claude-*"})) == ["claude-a"]
    assert list(spoken(history, where={"Model": {"not": "claude-*"}})) == ["gpt-b"]


def test_all_are_watched_however_many_there_are() -> None:
    history = days({f"Model={name}": used(150) for name in "abc"})
    assert len(spoken(history, max_series=2)) == 3
    assert rule(max_series=2).left_out(history) == 0


# ---- what is known ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begins", "unseen_for", "new"),
    [(14, "90d", True), (13, "90d", False), (0, "90d", False), (2, "2d", True), (1, "2d", False), (20, "14d", True)],
)
def test_nobody_knows_what_is_new_in_a_short_history(begins: int, unseen_for: str, new: bool) -> None:
    told = spoken(days({"Model=a": used(begins)}), 0, unseen_for=unseen_for)
    assert told == ({"a": [(begins, begins + 2)]} if new else {})


@pytest.mark.parametrize(
    ("holes", "new"),
    [(range(60, 136), True), (range(60, 137), False), (range(149, 150), True), (range(60), True), (range(150), False)],
)
def test_what_was_never_fetched_is_not_unseen(holes: range, new: bool) -> None:
    history = {"Model=a": used(150)}
    assert bool(spoken(days(history, holes=holes))) == new
    assert bool(spoken(days(history, unanswered=holes))) == new


@pytest.mark.parametrize(
    ("holes", "said"),
    [
        ((), ", unseen in the 90 d before"),
        (range(80, 120), ", unseen in the 50 d before that are known"),
        (range(60, 136), ", unseen in the 14 d before that are known"),
    ],
)
def test_it_says_how_much_of_the_time_before_is_known(holes: Collection[int], said: str) -> None:
    assert _evidence(days({"Model=a": used(150)}, holes=holes), 150).summary == f"new model, 5 credits in 1 d{said}"


# ---- what is not expected --------------------------------------------------------------------------------------------


FORBIDDEN: dict[str, Any] = {"expected": ["gpt-*", "x"]}


@pytest.mark.parametrize("name", ["gpt-5", "gpt-", "x"])
@pytest.mark.parametrize("places", [range(150, DAYS), range(DAYS)])
def test_what_is_expected_never_speaks(name: str, places: range) -> None:
    history = days({f"Model={name}": used(places)})
    assert [spoken(history, speaks_from=until, **FORBIDDEN) for until in (140, 160, DAYS)] == [{}] * 3


@pytest.mark.parametrize(
    ("places", "speaks_from", "told"),
    [
        # There before the rule: told from its first usage, or the first that is judged, until a day after it was met.
        ([range(150, DAYS)], DAYS, [(150, None)]),
        ([range(150, DAYS)], 180, [(150, 182)]),
        ([range(DAYS)], 180, [(100, 182)]),
        ([range(50, DAYS)], 110, [(100, 112)]),
        ([range(DAYS)], 98, []),
        ([range(DAYS)], -50, []),  # long ago: it was told then, and goes on
        ([150], 199, [(150, None)]),
        ([60], 150, [(100, 152)]),  # before what is judged, and lately
        ([60], 151, []),  # it was not used for so long
        # Then there is nothing like it before the rule.
        ([range(150, DAYS)], 150, [(150, 152)]),
        ([range(150, DAYS)], 120, [(150, 152)]),
        ([20, 150], 120, [(150, 152)]),
        ([20, 110], 109, [(100, 111)]),
        ([40, 131], 120, [(100, 122), (131, 133)]),
        ([40, 131], 130, [(100, 133)]),
        # How much is known is not asked.
        ([2], 1, []),
    ],
)
def test_what_is_not_expected_is_told_once_while_it_goes_on(
    places: list[int | range], speaks_from: int, told: list[tuple[int, int | None]]
) -> None:
    history = days({"Model=opus": used(*places)})
    assert spoken(history, speaks_from=speaks_from, **FORBIDDEN) == ({"opus": told} if told else {})


def test_of_what_is_not_expected_nothing_need_be_known_before() -> None:
    history = days({"Model=opus": used(2)})
    assert spoken(history, 0, speaks_from=0, **FORBIDDEN) == {"opus": [(2, 4)]}
    assert spoken(history, 0, speaks_from=3, **FORBIDDEN) == {"opus": [(2, 5)]}


def test_members_are_expected_in_any_case_and_all_else_as_it_is_written() -> None:
    history = days({"Ana@X": used(150), "bob@y": used(150)}, feed=MEMBER_DAYS)
    assert list(spoken(history, for_each="member", expected=["*@x"])) == ["bob@y"]
    assert (rule(expected=["Gpt"]).expects("gpt"), rule(expected=["gpt"]).expects("gpt")) == (False, True)
    assert not rule().expects("gpt")


def test_a_rule_speaks_from_all_that_was_read_so_that_what_it_meets_is_open() -> None:
    history = feed_history({"": [9] * 10}, DAILY, unsettled=range(4, 10), holes=(9,))
    assert rule().speaks_from(history) == int(day(9).timestamp())


# ---- on the first start ----------------------------------------------------------------------------------------------


def _incident(number: int, *, history: bool) -> Incident:
    found = _evidence(days({"Model=a": used(150)}), 150)
    name = RuleName("it", "novelty", "it")
    return Incident(
        id=f"inc_{number}",
        fingerprint="",
        rule=name,
        labels={"Model": "a"},
        part=None,
        period_at=None,
        started_at=day(150),
        ended_at=None,
        rank=1,
        severity=Severity.INFO,
        evidence=found,
        sequence=0,
        history=history,
        closed=None,
        committed_at=day(151),
    )


@pytest.mark.parametrize(
    ("stored", "now", "new_rule", "history"),
    [
        (None, False, False, False),
        (None, True, False, True),
        (None, False, True, True),  # what is there when the rule is new is no news
        (False, False, True, False),  # it was told by the rule as it was before
        (True, False, False, True),  # and it stays none though it is still open
    ],
)
def test_what_a_new_rule_meets_is_no_news(stored: bool | None, now: bool, new_rule: bool, history: bool) -> None:
    before = [] if stored is None else [_incident(1, history=stored)]
    found = _incident(1, history=now)
    assert rule().regarded([found], before, new_rule) == [replace(found, history=history)]
    assert rule(**FORBIDDEN).regarded([found], before, new_rule) == [found]


# ---- any later look --------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    uses=st.lists(st.sets(st.integers(0, 239), max_size=12), min_size=1, max_size=3),
    holes=st.sets(st.integers(0, 239), max_size=60),
    until=st.integers(1, 240),
    speaks_from=st.one_of(st.none(), st.integers(0, 240)),
    expected=st.sampled_from([None, ["b"], ["nothing"]]),
    unseen_for=st.sampled_from(["5d", "20d", "45d"]),  # what comes again within two days continues what ended
)
def test_judging_later_finds_the_same(
    uses: list[set[int]],
    holes: set[int],
    until: int,
    speaks_from: int | None,
    expected: list[str] | None,
    unseen_for: str,
) -> None:
    """What had ended by then is the same for ever, and nothing is added to it; whatever was loaded besides."""
    it = rule(unseen_for=unseen_for, **({} if expected is None else {"expected": expected}))
    series = {f"Model={name}": used(*places, n=240) for name, places in zip("abc", uses, strict=False)}
    whole = days(series, holes=holes)
    early = days(
        {name: counts[:until] for name, counts in series.items()}, holes={each for each in holes if each < until}
    )
    begin = None if speaks_from is None else day(speaks_from)
    if begin is not None and speaks_from is not None and speaks_from > until:
        begin = day(until)
    since = day(60)
    first, later = (_all(it, each, since, begin) for each in (early, whole))
    done = {each for each in first if each[2] is not None}
    assert done <= later
    assert {each for each in later if each[2] is not None and each[2] < _epoch(day(until))} <= done

    from_later = day(90)
    cut = whole.cut(_epoch(it.look_back(from_later, UTC_FILE)))
    moved = _all(it, cut, from_later, begin)
    assert moved >= {each for each in later if each[1] >= _epoch(from_later)}
    assert {each for each in moved if each[1] > _epoch(from_later)} <= later


def _all(
    it: NoveltyRule, history: FeedHistory, since: datetime, speaks_from: datetime | None
) -> set[tuple[str, int, int | None]]:
    found = it.judge_speaking(history, since, UTC_FILE, speaks_from)
    return {("".join(each.labels.values()), *run) for each in found for run in _runs(it, each)}


def _epoch(at: datetime) -> int:
    return int(at.timestamp())


def test_it_loads_what_says_whether_it_was_seen() -> None:
    assert rule(unseen_for="30d").look_back(day(100), UTC_FILE) == day(68)
    assert connectors().look_back(day(100), UTC_FILE) == day(9)


# ---- in words --------------------------------------------------------------------------------------------------------


def _evidence(history: FeedHistory, number: int, since: int = JUDGED, **fields: Any) -> Evidence:
    it = rule(**fields)
    [found] = it.judge(history, day(since), UTC_FILE)
    return it.evidence(found, number - since, 1, UTC_FILE)


def test_it_says_what_is_new_how_much_and_since_when() -> None:
    counts = [0] * 400 + [4, 0, 8] + [0] * 10
    history = feed_history({"": [9] * 413, "Connector=Notion": counts}, CONNECTORS)
    it = connectors()
    [found] = it.judge(history, at(380), BERLIN_FILE)
    said = it.evidence(found, 22, 1, BERLIN_FILE)
    assert said.summary == "new connector, 12 threads in 3 h, unseen in the 16 d before that are known"
    assert said.facts == (Fact("First usage", "Wed 18 Nov 17:00–18:00"), Fact("Used in", "2 of 3 hours"))
    assert (said.value, said.limit, said.unit, said.score) == (12, 0, "threads", None)
    assert (said.from_at, said.until_at) == (at(400), at(403))
    assert said.series is not None
    assert (len(said.series.values), said.series.values[-3:], said.series.what) == (24, (4, 0, 8), "threads in 1 h")


def test_its_numbers_are_of_all_its_usage_so_far() -> None:
    history = days({"Model=a": used(150, 151, 160)})
    it = rule()
    [found] = it.judge(history, day(JUDGED), UTC_FILE)
    [episode] = fold(found, 1, 1)
    assert it.evidence(found, episode.peak, 1, UTC_FILE).value == 10
    assert it.evidence(found, 50, 1, UTC_FILE).value == 5


def test_what_is_not_expected_says_so_and_what_is() -> None:
    history = days({"Model=opus": used(range(DAYS))})
    it = rule(where={"Model": {"not": "z"}}, **FORBIDDEN)
    [found] = it.judge_speaking(history, day(JUDGED), UTC_FILE, day(DAYS))
    said = it.evidence(found, len(found.starts) - 1, 1, UTC_FILE)
    assert said.summary == "model that is not expected, 460 credits in 92 d"
    assert said.facts == (
        Fact("Counted", "Model all but z"),
        Fact("First usage", "Thu 18 Feb, or before"),
        Fact("Used in", "92 of 92 days"),
        Fact("Expected", "gpt-* or x"),
    )


def test_what_is_not_expected_may_be_new_besides() -> None:
    history, unseen = days({"Model=opus": used(range(150, DAYS))}), ", unseen in the 90 d before"
    said = [_evidence(history, number, **FORBIDDEN).summary for number in (151, 152)]
    named = "model that is not expected, "
    assert said == [f"{named}10 credits in 2 d{unseen}", f"{named}15 credits in 3 d"]


def test_of_a_member_it_says_member() -> None:
    history = days({"ana@x": used(range(150, DAYS))}, feed=MEMBER_DAYS)
    said = _evidence(history, 151, for_each="member")
    assert said.summary == "new member, 10 credits in 2 d, unseen in the 90 d before"


def test_how_it_was_can_be_asked_of_one_series_though_nothing_is_new_of_it() -> None:
    history = days({"Model=a": used(80, 150), "Model=b": used(150)})
    it = rule()
    [found] = it.judge_whole(history, day(JUDGED), UTC_FILE, {"Model": "a"})
    assert (found.ranks.any(), found.values[50]) == (False, 10)
    assert [dict(each.labels) for each in it.judge_whole(history, day(JUDGED), UTC_FILE)] == [
        {"Model": "a"},
        {"Model": "b"},
    ]


def test_findings_of_another_kind_say_nothing_of_a_series() -> None:
    with pytest.raises(TypeError, match="know the whole series"):
        rule().evidence(findings("1"), 0, 1, UTC_FILE)


def test_it_is_one_level_that_ends_quietly_and_reminds_nobody() -> None:
    it = rule(severity="critical")
    [level] = it.levels
    assert (level.severity, level.limit, level.grade) == (Severity.CRITICAL, 0, 3)
    assert (rule().levels[0].severity, it.reminds, it.resolve_buckets) == (Severity.INFO, None, 1)
    [found] = it.judge(days({"Model=a": used(150)}), day(JUDGED), UTC_FILE)
    assert isinstance(found, NewFindings)
    assert (found.quiet, found.newest) == (True, True)


# ---- as it is written ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "place", "why"),
    [
        ({"for_": "1d"}, "for", "the first usage speaks"),
        ({"resolve_after": "2d"}, "resolve_after", "it ends after 24 h"),
        ({"remind_every": "24h"}, "remind_every", "it is told once"),
        ({"max_series": 10}, "max_series", "which watches all; `max_incidents` keeps messages short; leave it out"),
        ({"unseen_for": "1d"}, "unseen_for", "must be at least 2d"),
        ({"unseen_for": "36h"}, "unseen_for", "is not a whole number of buckets"),
        ({"expected": ["a", "*"]}, "expected", "has `*`, which is everything"),
        ({"for_each": "Connector"}, "for_each", "names the axis Connector, but credit_usage has Model, Credit Source"),
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any], place: str, why: str) -> None:
    found = problems("novelty", **{"for_each": "Model", "bucket": "1d", **fields})
    assert any(name == place and why in message for name, message in found), found


def test_the_rule_of_the_contract_is_right() -> None:
    assert problems("novelty", dataset="connectors", for_each="Connector", expected=["Google Drive", "Notion*"]) == []
    assert rule().width == DAY
    assert connectors().width == HOUR
    assert made("novelty", for_each="member").width == DAY


@pytest.mark.parametrize("fields", [{}, {"for_each": None}, {"expected": []}, {"expected": [""]}, {"expected": "a"}])
def test_what_is_missing_or_empty_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        made("novelty", **({"for_each": "Model", **fields} if "expected" in fields else fields))


def test_what_judges_is_part_of_the_digest() -> None:
    changed = ({"expected": ["a"]}, {"unseen_for": "30d"}, {"severity": "warning"}, {"for_each": "Credit Source"})
    assert len({rule(**fields).digest(UTC_FILE) for fields in ({}, *changed)}) == 5
    assert rule(unseen_for="90d", severity="info").digest(UTC_FILE) == rule().digest(UTC_FILE)
