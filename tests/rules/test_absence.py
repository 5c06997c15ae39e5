from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.core.builders import DAILY, HOURLY, MEMBER_DAYS, START, at, feed_history, findings, spelled
from tests.rules.making import BERLIN_FILE, UTC_FILE, made, problems, ranks
from usage_watch.core.episode import Findings, fold, runs
from usage_watch.core.message import Evidence, Fact
from usage_watch.core.series import EACH_MEMBER, FeedHistory, empty
from usage_watch.rules import FileDefaults
from usage_watch.rules.absence import AbsenceRule


def rule(**fields: Any) -> AbsenceRule:
    found = made("absence", **{"quiet_for": "3h", **fields})
    assert isinstance(found, AbsenceRule)
    return found


def judged(history: FeedHistory, since: datetime = START, **fields: Any) -> list[Findings]:
    return rule(**fields).judge(history, since, UTC_FILE)


def one(history: FeedHistory, since: datetime = START, **fields: Any) -> Findings:
    (found,) = judged(history, since, **fields)
    return found


def test_how_it_stands_is_how_long_nothing_was_used() -> None:
    assert rule().latest(one(feed_history({"": [5, 0, 0, 0, 0]}))) == "no credits for 4 h"
    assert rule().latest(one(feed_history({"": [0, 0, 0, 0, 0]}))) is None


def test_of_nothing_there_is_no_sum() -> None:
    found = one(feed_history({"": [5, 0, 0, 0, 0]}))
    assert rule().whole(found, int(at(1).timestamp()), int(at(5).timestamp())) is None


# ---- a total ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "kwargs", "states"),
    [
        ([5, 0, 0, 0, 0, 7, 0, 0, 0], {}, "...11...1"),
        ([0, 0, 0, 0], {}, "??11"),  # fetched for long enough, and never used
        ([0, 0, 1, 0, 0, 0], {}, "??...1"),
        # A zero that is not settled says nothing; usage always does.
        ([5, 0, 0, 0, 0, 7], {"unsettled": (2, 3, 4, 5)}, "...??."),
        ([5, 0, 0, 0, 0, 7], {"unsettled": (5,)}, "...11."),
        ([5, 0, 0, 0, 0, 0], {"unsettled": (5,)}, "...11?"),
        # Nor does one that was never fetched.
        ([5, 0, 0, 0, 0, 0, 0], {"holes": (2,)}, "...??11"),
        ([5, 0, 0, 0, 0, 0, 0], {"holes": range(1, 7)}, "...????"),
        ([5, 0, 0, 7, 0, 0], {"holes": (1, 2, 4)}, "......"),
        ([5], {"holes": (0,)}, "?"),
    ],
)
def test_quiet_is_a_window_of_settled_zeros(counts: list[int], kwargs: dict[str, Any], states: str) -> None:
    assert spelled(one(feed_history({"": counts}, **kwargs))) == states


@pytest.mark.parametrize(("quiet_for", "states"), [("1h", ".1.11"), ("2h", "....1"), ("5h", "....."), ("4w", ".....")])
def test_how_long_is_for_the_rule_to_say(quiet_for: str, states: str) -> None:
    assert spelled(one(feed_history({"": [5, 0, 5, 0, 0]}), quiet_for=quiet_for)) == states


STANDS: dict[str, Any] = {"unsettled": range(1, 7), "aged": range(1, 5)}
"""The sync stands after the first hour; the next four are old enough that they would be settled otherwise."""


def test_a_total_counts_zeros_at_their_age_though_the_sync_seems_to_stand() -> None:
    assert spelled(one(feed_history({"": [5, 0, 0, 0, 0, 0, 0]}, **STANDS))) == "...11??"


@pytest.mark.parametrize("fields", [{"where": {"Model": "a"}}, {"for_each": "Model", "min_active_days": 1}])
def test_a_part_of_the_total_waits_for_the_sync(fields: dict[str, Any]) -> None:
    counts = {"": [5, 0, 0, 0, 0, 0, 0], "Model=a": [5, 0, 0, 0, 0, 0, 0]}
    assert spelled(one(feed_history(counts, **STANDS), **fields)) == "...????"
    assert spelled(one(feed_history(counts), **fields)) == "...1111"


def test_where_narrows_what_must_be_used() -> None:
    counts = {"": [9] * 6, "Model=a": [0, 0, 0, 0, 2, 0], "Model=b": [9] * 6}
    assert spelled(one(feed_history(counts), where={"Model": "a"})) == "??11.."
    assert spelled(one(feed_history(counts), where={"Model": ["a", "b"]})) == "......"
    assert spelled(one(feed_history(counts), where={"Model": "never-seen"})) == "??1111"


def test_where_an_axis_was_not_answered_nothing_is_known_of_it() -> None:
    counts = {"": [9] * 6, "Model=a": [3, 0, 0, 0, 0, 0]}
    assert spelled(one(feed_history(counts, unanswered={"Model": (2,)}), where={"Model": "a"})) == "...??1"


@pytest.mark.parametrize(("since", "n"), [(-1000, 5), (0, 5), (0.5, 4), (4, 1), (5, 0), (1000, 0)])
def test_only_buckets_from_since_on_are_judged(since: float, n: int) -> None:
    found = one(feed_history({"": [5, 0, 0, 0, 0]}), at(since))
    assert len(found.starts) == len(found.states()) == n
    assert spelled(found) == "...11"[5 - n :]


def test_of_an_empty_feed_there_is_nothing_to_say() -> None:
    assert judged(empty(HOURLY)) == []
    assert judged(empty(HOURLY), for_each="Model") == []


# ---- its end ---------------------------------------------------------------------------------------------------------


def test_usage_ends_it_at_once_and_quiet_is_said_anew_only_after_as_long_again() -> None:
    history = feed_history({"": [5, 0, 0, 0, 0, 1, 0, 0, 0]}, unsettled=(5,))
    it = rule()
    found = one(history)
    first, second = fold(found, it.for_buckets, it.resolve_buckets)
    assert (first.first, first.last, first.ended) == (3, 4, True)
    assert (second.first, second.last, second.ended) == (8, 8, False)
    assert len(runs(found, [first, second], 2 * it.resolve_buckets)) == 2


@pytest.mark.parametrize(
    ("fields", "buckets"), [({}, 1), ({"bucket": "1d", "quiet_for": "2d"}, 1), ({"resolve_after": "4h"}, 4)]
)
def test_one_bucket_ends_it_unless_the_rule_wants_more(fields: dict[str, Any], buckets: int) -> None:
    assert rule(**fields).resolve_buckets == buckets


def test_what_is_not_settled_yet_never_ends_it() -> None:
    found = one(feed_history({"": [5, 0, 0, 0, 0, 0, 0, 0]}, unsettled=(5, 6, 7)))
    (episode,) = fold(found, 1, 1)
    assert (episode.first, episode.last, episode.ended) == (3, 7, False)


# ---- each series -----------------------------------------------------------------------------------------------------


def member(used: str, *, unsettled: Sequence[int] = (), holes: Sequence[int] = (), **fields: Any) -> Findings:
    """The findings of a member with ten credits on each day marked `x`, who may be quiet for less than three days."""
    counts = {"ana@x": [10 if day == "x" else 0 for day in used]}
    history = feed_history(counts, MEMBER_DAYS, unsettled=unsettled, holes=holes)
    return one(history, **{"quiet_for": "3d", "for_each": "member", "min_active_days": 2, **fields})


@pytest.mark.parametrize(
    ("used", "fields", "states"),
    [
        ("xx....x", {}, "....11."),
        ("x.....x", {}, "......."),  # one active day is no regular use
        ("x.....x", {"min_active_days": 1}, "...111."),
        ("x.x....x...", {"min_active_days": 3}, "..........1"),
        ("....xx...", {}, "??......1"),  # it is not quiet before its first usage
        # The 28 days end with the last usage, and both ends count.
        ("x" + "." * 26 + "x...", {"quiet_for": "27d"}, "." * 31),
        ("x" + "." * 26 + "x...", {}, "." * 30 + "1"),
        ("x" + "." * 27 + "x...", {}, "." * 32),
        # Ten days of 28 are regular use by default.
        ("x" * 9 + "....", {"min_active_days": 10}, "." * 13),
        ("x" * 10 + "....", {"min_active_days": 10}, "." * 12 + "11"),
    ],
)
def test_a_series_is_judged_where_it_was_in_regular_use(used: str, fields: dict[str, Any], states: str) -> None:
    assert spelled(member(used, **fields)) == states


def test_ten_active_days_are_regular_use_by_default() -> None:
    assert rule(for_each="Model").min_active_days == 10


def test_active_days_are_days_of_utc_whatever_the_hours() -> None:
    fields: dict[str, Any] = {"for_each": "Model", "min_active_days": 2}
    within_a_day = {"Model=a": [5, 5, *[0] * 21, 5, 0, 0, 0, 0]}
    over_midnight = {"Model=a": [*[0] * 23, 5, 5, 0, 0, 0, 0]}
    assert "1" not in spelled(one(feed_history(within_a_day), **fields))
    assert spelled(one(feed_history(over_midnight), **fields)) == "??" + "." * 25 + "11"
    # The same, one hour later; the grid begins within a day.
    assert "1" not in spelled(one(feed_history(over_midnight, start_at=at(1)), **fields))


def test_a_series_that_may_turn_out_to_be_in_regular_use_is_clear_only_where_that_is_settled() -> None:
    assert spelled(member("x......", unsettled=(3, 4, 5, 6))) == "...????"


def test_each_member_of_days_is_a_series_and_a_day_without_a_row_is_zero() -> None:
    counts = {"ana@x": [10] * 6, "bo@x": [10, 10, 10, 0, 0, 0], "cy@x": [10] * 3 + [0] * 3, "cy@x Model=a": [10] * 6}
    history = feed_history(counts, MEMBER_DAYS)
    it = rule(quiet_for="3d", for_each="member", min_active_days=3)
    assert it.feed == MEMBER_DAYS
    found = it.judge(history, START, UTC_FILE)
    assert [(each.labels["member"], spelled(each)) for each in found] == [
        ("ana@x", "......"),
        ("bo@x", ".....1"),
        ("cy@x", ".....1"),
    ]


def test_a_member_who_was_never_seen_is_nobody() -> None:
    assert judged(feed_history({"Model=a": [10] * 9}), for_each="Model", where={"Model": "b"}) == []
    assert "1" not in spelled(member("." * 40, min_active_days=1))


# ---- 28 quiet days ---------------------------------------------------------------------------------------------------

CLOSED = "It was quiet for 28 days, and is not watched until it is used again."


@pytest.mark.parametrize(
    ("quiet", "kwargs", "n", "last", "closed"),
    [
        (27, {}, 29, 28, False),
        (28, {}, 30, 29, True),
        (50, {}, 30, 29, True),
        (50, {"unsettled": range(29, 52)}, 52, 29, False),  # it may have been used since
        (50, {"unsettled": range(10, 52)}, 52, 29, False),
        (50, {"unsettled": range(35, 52)}, 30, 29, True),
        (50, {"holes": range(20, 33)}, 30, 29, True),  # holes keep nothing open for ever
    ],
)
def test_after_28_quiet_days_a_series_is_closed(
    quiet: int, kwargs: dict[str, Any], n: int, last: int, closed: bool
) -> None:
    found = member("xx" + "." * quiet, **kwargs)
    (episode,) = fold(found, 1, 1)
    assert (len(found.starts), found.closed) == (n, CLOSED if closed else None)
    assert (episode.first, episode.last, episode.ended) == (4, last, closed)


def test_hours_close_after_as_long() -> None:
    found = one(feed_history({"Model=a": [5] + [0] * 700}), for_each="Model", min_active_days=1)
    (episode,) = fold(found, 1, 1)
    assert (len(found.starts), episode.first, episode.last, episode.ended) == (673, 3, 672, True)


def test_a_total_is_never_closed() -> None:
    found = one(feed_history({"": [5] + [0] * 60}, DAILY), bucket="1d", quiet_for="3d")
    assert (spelled(found), found.closed) == ("..." + "1" * 58, None)


def test_what_was_closed_stays_where_it_ended_when_it_is_used_again() -> None:
    found = member("xx" + "." * 40 + "xx....x")
    first, second = fold(found, 1, 1)
    assert (first.first, first.last, first.ended) == (4, 29, True)
    assert (second.first, second.last, second.ended) == (46, 47, True)
    assert found.closed is None


def test_used_again_within_28_days_it_ends_as_anything_does() -> None:
    found = member("xx" + "." * 27 + "x")
    (episode,) = fold(found, 1, 1)
    assert (episode.first, episode.last, episode.ended, found.closed) == (4, 28, True, None)


# ---- whatever the history --------------------------------------------------------------------------------------------


def plainly(counts: Sequence[int], per_day: int, quiet: int, least: int | None) -> list[int]:
    """The breaches of settled history, as the rule's page has them; `least` active days for a series."""

    def breach(index: int) -> bool:
        used = [each for each in range(index + 1) if counts[each]]
        if index + 1 < quiet or any(counts[index + 1 - quiet : index + 1]):
            return False
        if least is None:
            return True
        if not used or index - used[-1] > 28 * per_day:
            return False
        newest = used[-1] // per_day
        return len({each // per_day for each in used if each // per_day > newest - 28}) >= least

    return [index for index in range(len(counts)) if breach(index)]


COUNTS = st.lists(st.sampled_from([0, 0, 0, 1, 4]), min_size=1, max_size=12)
SPARSE = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 9)), min_size=1, max_size=8)


def spread(gaps: Sequence[tuple[int, int]]) -> list[int]:
    """So many zeros, then a count, and so on."""
    return [count for zeros, last in gaps for count in [0] * zeros + [last]]


@given(SPARSE, st.integers(0, 60), st.sampled_from([1, 2, 5, 27]), st.integers(1, 6))
@settings(max_examples=80, deadline=None)
def test_a_series_is_judged_as_the_rules_page_says(
    gaps: list[tuple[int, int]], rest: int, quiet: int, least: int
) -> None:
    counts = spread(gaps) + [0] * rest
    history = feed_history({"ana@x": counts}, MEMBER_DAYS)
    found = one(history, quiet_for=f"{quiet}d", for_each="member", min_active_days=least)
    states = spelled(found).ljust(len(counts), ".")
    assert [index for index, state in enumerate(states) if state == "1"] == plainly(counts, 1, quiet, least)


@given(COUNTS, st.integers(0, 12), st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_hours_are_judged_as_the_rules_page_says(counts: list[int], rest: int, quiet: int) -> None:
    hours = [count for count in counts for _ in range(5)] + [0] * (7 * rest)
    history = feed_history({"": hours, "Model=a": hours})
    total = one(history, quiet_for=f"{quiet}h")
    series = one(history, quiet_for=f"{quiet}h", for_each="Model", min_active_days=2)
    for found, least in ((total, None), (series, 2)):
        breaches = [index for index, state in enumerate(spelled(found)) if state == "1"]
        assert breaches == plainly(hours, 24, quiet, least)


@given(SPARSE, st.integers(0, 60), st.integers(0, 200), st.booleans())
@settings(max_examples=80, deadline=None)
def test_what_is_found_never_depends_on_where_judging_begins(
    gaps: list[tuple[int, int]], rest: int, begin: int, each: bool
) -> None:
    counts = spread(gaps) + [0] * rest
    split: dict[str, Any] = {"for_each": "member", "min_active_days": 2} if each else {"bucket": "1d"}
    it = rule(quiet_for="4d", **split)
    history = feed_history({"ana@x" if each else "": counts}, it.feed)
    since = at(24 * begin)
    (whole,) = it.judge(history, START, UTC_FILE)
    for part in it.judge(history.cut(int(it.look_back(since, UTC_FILE).timestamp())), since, UTC_FILE):
        assert spelled(part) == spelled(whole)[begin:]
        assert part.closed == whole.closed or not len(part.starts)


@given(SPARSE, st.integers(0, 30), st.booleans(), st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_what_is_said_stays_true_whatever_comes_late(
    gaps: list[tuple[int, int]], rest: int, each: bool, chance: Any
) -> None:
    final = spread(gaps) + [0] * rest
    frontier = chance.randint(0, len(final))
    seen = [count if index < frontier else chance.randint(0, count) for index, count in enumerate(final)]
    split: dict[str, Any] = {"for_each": "member", "min_active_days": 2} if each else {"bucket": "1d"}
    it, name = rule(quiet_for="4d", **split), "ana@x" if each else ""
    early = one(feed_history({name: seen}, it.feed, unsettled=range(frontier, len(final))), quiet_for="4d", **split)
    late = one(feed_history({name: final}, it.feed), quiet_for="4d", **split)
    for before, after in zip(spelled(early), spelled(late), strict=False):
        assert before in ("?", after)


# ---- the rule --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("severity", "grade"), [(None, ("warning", 2)), ("info", ("info", 1)), ("critical", ("critical", 3))]
)
def test_it_has_one_level_which_is_anything_at_all(severity: str | None, grade: tuple[str, int]) -> None:
    (level,) = rule(**({} if severity is None else {"severity": severity})).levels
    assert ((level.severity.value, level.grade), level.limit) == (grade, 1)


def test_findings_say_what_was_judged_and_against_what() -> None:
    found = one(feed_history({"": [5, 2, 0, 0, 0]}))
    assert (found.values.tolist(), found.limits.tolist()) == ([5, 7, 7, 2, 0], [1] * 5)
    assert (ranks(found), found.grows, found.labels) == ([0, 0, 0, 0, 1], True, {})


def test_the_look_back_reaches_the_days_that_say_what_was_usual() -> None:
    since = at(24 * 100)
    assert rule(quiet_for="2d").look_back(since, UTC_FILE) == since - timedelta(days=30)
    assert rule(quiet_for="2d", for_each="Model").look_back(since, UTC_FILE) == since - timedelta(days=56)


def test_the_look_back_reaches_what_is_drawn_of_a_long_quiet() -> None:
    since = at(24 * 100)
    assert rule(quiet_for="16d", bucket="1d").look_back(since, UTC_FILE) == since - timedelta(days=48)


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"quiet_for": "0h"}, "quiet_for", "is not a whole number of buckets; this rule judges hours"),
        ({"quiet_for": "90m"}, "quiet_for", "is not a whole number of buckets; this rule judges hours"),
        ({"quiet_for": "36h", "bucket": "1d"}, "quiet_for", "this rule judges days, so write whole days"),
        ({"quiet_for": "28d", "for_each": "member"}, "quiet_for", "must be less than 28d with `for_each`"),
        ({"resolve_after": "90m"}, "resolve_after", "is not a whole number of buckets"),
        ({"for": "3h"}, "for", "has no meaning for an absence: write a longer `quiet_for`"),
        ({"min_active_days": 10}, "min_active_days", "belongs to `for_each`; leave it out for one total"),
        ({"where": {"Model": "a"}, "min_active_days": 5}, "min_active_days", "belongs to `for_each`"),
    ],
)
def test_what_its_types_cannot_catch_is_said(fields: dict[str, Any], field: str, says: str) -> None:
    ((where, message),) = problems("absence", **{"quiet_for": "3h", **fields})
    assert where == field
    assert says in message


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"quiet_for": "8w"},
        {"quiet_for": "27d", "for_each": "member", "min_active_days": 28},
        {"dataset": "daily_active_users", "quiet_for": "3d"},
        {"dataset": "brand_new", "for_each": "Whatever"},
        {"where": {"member": "ana@example.com"}, "resolve_after": "4h"},
    ],
)
def test_nothing_is_wrong_with_these(fields: dict[str, Any]) -> None:
    assert problems("absence", **{"quiet_for": "3h", **fields}) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"quiet_for": 2},
        {"quiet_for": None},
        {"severity": "page"},
        {"for_each": "Model", "min_active_days": 0},
        {"for_each": "Model", "min_active_days": 29},
        {"for_each": "Model", "min_active_days": "10"},
    ],
)
def test_what_means_nothing_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=list(fields)[-1]):
        rule(**fields)


def test_a_member_is_judged_by_the_day() -> None:
    assert rule(quiet_for="2d", for_each="member").feed.scope == EACH_MEMBER


# ---- in words --------------------------------------------------------------------------------------------------------


def evidence(history: FeedHistory, index: int, defaults: FileDefaults = UTC_FILE, **fields: Any) -> Evidence:
    return rule(**fields).evidence(one(history, **fields), index, 1, defaults)


def test_it_says_what_is_missing_for_how_long_and_since_when() -> None:
    history = feed_history({"": [*[30] * 16, 10, *[0] * 5]}, start_at=datetime.fromisoformat("2026-11-19T20:00Z"))
    said = evidence(history, 19, BERLIN_FILE)
    assert said.summary == "no credits for 3 h, since Fri 20 Nov 14:00"
    assert said.facts == (
        Fact("Last usage", "Fri 20 Nov 13:00–14:00"),
        Fact("Usual on an active day", "245 credits"),
    )
    assert (said.dataset, said.bucket, said.unit, said.value, said.limit, said.score) == (
        *("credit_usage", "1h", "credits", 0, 1),
        None,
    )
    assert said.from_at == datetime.fromisoformat("2026-11-20T13:00Z")
    assert said.until_at - said.from_at == timedelta(hours=3)


def test_days_are_said_as_the_sources_days() -> None:
    history = feed_history({"": [8, 7, 0, 0, 0]}, DAILY)
    said = evidence(history, 4, BERLIN_FILE, bucket="1d", quiet_for="3d")
    assert said.summary == "no credits for 3 d, since Wed 4 Nov"
    assert said.facts == (Fact("Last usage", "Tue 3 Nov"), Fact("Usual on an active day", "8 credits"))


def test_what_an_active_day_used_leaves_out_quiet_days_and_what_is_long_ago() -> None:
    history = feed_history({"": [900, *[0] * 9, 20, *[0] * 26, 10, 0, 0]}, DAILY)
    said = evidence(history, 39, bucket="1d", quiet_for="2d")
    assert said.facts[1] == Fact("Usual on an active day", "15 credits")


def test_a_sync_that_may_stand_is_said() -> None:
    history = feed_history({"": [5, 0, 0, 0, 0, 0, 0]}, **STANDS)
    unsure = "no credits for 3 h, since Mon 2 Nov 01:00; no usage, or no sync: the source does not tell"
    assert evidence(history, 3).summary == unsure
    assert evidence(feed_history({"": [5, 0, 0, 0, 0, 0, 0]}), 3).summary == unsure.split(";")[0]


def test_what_was_never_used_is_said_so() -> None:
    history = feed_history({"": [0] * 4}, unanswered={"Artifact Type": ()})
    said = evidence(history, 3, dataset="artifacts", where={"Artifact Type": "slides"})
    assert said.summary == "no threads for 3 h, since Mon 2 Nov 01:00"
    assert said.facts == (
        Fact("Counted", "Artifact Type slides"),
        Fact("Last usage", "none in the history that was read"),
    )


def test_findings_of_another_kind_are_no_absence() -> None:
    with pytest.raises(TypeError, match="say when there was usage"):
        rule().evidence(findings("1"), 0, 1, UTC_FILE)
