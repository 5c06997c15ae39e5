from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.builders import DAILY, HOURLY, MEMBER_DAYS, START, at, feed_history
from usage_watch.core.selection import MEMBER, Choice, Selection
from usage_watch.core.series import DAY, HOUR, Feed, FeedHistory, Floats
from usage_watch.core.stats.axes import Comparison, Newness, compare, splits, total
from usage_watch.core.stats.contributors import decompose, spread, stand_out, surprise
from usage_watch.core.stats.weeks import Usual, against_weeks

MIDNIGHT = int(START.timestamp())
QUERIES = Feed("query_volume", DAY)
COUNTS = st.integers(0, 10**9).map(float)


def floats(*values: float) -> Floats:
    return np.array(values, dtype=np.float64)


def day(number: float) -> timedelta:
    return timedelta(days=number)


def weeks(values: list[list[float]], width: int = DAY, first: int = 0) -> tuple[np.ndarray, Floats]:
    cells = np.array(values, dtype=np.float64)
    return MIDNIGHT + width * np.arange(first, first + len(cells), dtype=np.int64), cells


def usual_of(daily: list[float], window: int, *, holes: tuple[int, ...] = ()) -> Usual | None:
    """The last `window` days against those before."""
    starts, cells = weeks([[value] for value in daily])
    learnable = np.ones(len(daily), dtype=bool)
    learnable[list(holes)] = False
    wanted = np.arange(len(daily)) >= len(daily) - window
    return against_weeks(starts, cells, learnable, wanted, int(starts[wanted][0]), DAY)


def found(comparison: Comparison | None) -> Comparison:
    assert comparison is not None
    return comparison


# Parts


@given(
    rows=st.lists(st.tuples(COUNTS, COUNTS), max_size=40),
    actual=COUNTS,
    expected=COUNTS,
)
@settings(max_examples=200, deadline=None)
def test_parts_and_what_is_unattributed_sum_to_the_total_and_its_change(
    rows: list[tuple[float, float]], actual: float, expected: float
) -> None:
    cells = np.array(rows, dtype=np.float64).reshape(-1, 2)
    parts = decompose(cells[:, 0], cells[:, 1], actual, expected)
    size = max(actual, expected, float(cells.sum()), 1.0)
    assert parts.actual[:-1].tolist() == cells[:, 0].tolist()
    assert parts.actual.sum() == pytest.approx(actual, abs=1e-12 * size)
    assert parts.expected.sum() == pytest.approx(expected, abs=1e-12 * size)
    assert parts.change.sum() == pytest.approx(actual - expected, abs=1e-12 * size)


@pytest.mark.parametrize(
    ("actual", "expected", "rest"),
    [(100, 80, [10, 10]), (90, 70, [0, 0]), (70, 65, [-20, -5])],
    ids=["above the sum of its parts", "their sum", "below it"],
)
def test_what_no_category_accounts_for_is_a_row(actual: float, expected: float, rest: list[float]) -> None:
    parts = decompose(floats(60, 30), floats(50, 20), actual, expected)
    assert [parts.actual[-1], parts.expected[-1]] == rest


def test_shares_are_of_all_rises_or_of_all_falls_so_that_none_hides_another() -> None:
    parts = decompose(floats(90, 40, 0, 30), floats(30, 20, 70, 30), 160, 150)
    assert parts.shares(rising=True).tolist() == [0.75, 0.25, 0, 0, 0]
    assert parts.shares(rising=False).tolist() == [0, 0, 1, 0, 0]


def test_where_nothing_rose_nobody_has_a_share() -> None:
    assert decompose(floats(1, 1), floats(2, 2), 2, 4).shares(rising=True).tolist() == [0, 0, 0]


@given(st.lists(st.tuples(COUNTS, COUNTS), min_size=1, max_size=30))
@settings(deadline=None)
def test_surprise_is_never_below_zero_and_is_none_where_all_rise_alike(rows: list[tuple[float, float]]) -> None:
    cells = np.array(rows)
    terms = surprise(decompose(cells[:, 0], cells[:, 1], cells[:, 0].sum(), cells[:, 1].sum()))
    assert terms.min() >= -1e-12
    assert terms.sum() <= np.log(2) + 1e-9
    alike = surprise(decompose(3 * cells[:, 1], cells[:, 1], 3 * cells[:, 1].sum(), cells[:, 1].sum()))
    assert np.abs(alike).max() < 1e-12


def test_the_surprise_of_what_is_new_is_half_of_its_share_times_ln_2() -> None:
    terms = surprise(decompose(floats(50, 50), floats(100, 0), 100, 100))
    assert terms[1] == pytest.approx(0.5 * 0.5 * np.log(2))
    assert surprise(decompose(floats(5), floats(0), 5, 0))[0] == pytest.approx(0.5 * np.log(2))


# Spread


def test_categories_that_only_follow_the_total_do_not_vary() -> None:
    expected = floats(100, 300)
    variances = spread(np.outer(floats(0.5, 1, 1.5, 1), expected), expected, expected)
    assert variances.tolist() == [100, 300]  # but as counts do


def test_a_category_that_swings_varies_more_than_one_that_does_not() -> None:
    history = np.array([[100, 900, 1000], [200, 800, 1000], [100, 900, 1000], [200, 800, 1000]], dtype=np.float64)
    expected = history.mean(axis=0)
    variances = spread(history, expected, expected)
    assert variances[0] / expected[0] ** 2 > 4 * variances[2] / expected[2] ** 2


@pytest.mark.parametrize("known", [0, 1])
def test_with_less_than_two_weeks_everybody_may_vary_by_all_that_is_usual(known: int) -> None:
    expected = floats(100, 0)
    assert spread(np.tile(expected, (known, 1)), expected, expected).tolist() == [100**2 + 100, 1]


def test_who_happened_to_be_away_varies_as_by_other_days() -> None:
    expected = floats(0, 400)
    history = np.array([[0, 500], [0, 300], [0, 400], [0, 400]], dtype=np.float64)
    here, away = (spread(history, expected, floats(level, 400))[0] for level in (200, 0))
    assert here >= 200
    assert away == 1


def test_where_nothing_was_used_there_is_only_the_noise_of_a_count() -> None:
    assert spread(np.zeros((4, 2)), floats(0, 0), floats(0, 0)).tolist() == [1, 1]


# Who stands out

CALM = (100.0,) * 9


def out(actual: list[float], expected: list[float], *, variance: float = 100, rising: bool = True) -> list[int]:
    """Each varies alike; nothing is unattributed."""
    parts = decompose(floats(*actual), floats(*expected), sum(actual), sum(expected))
    return list(stand_out(parts, np.full(len(actual) + 1, variance), rising))


@pytest.mark.parametrize(
    ("actual", "expected", "who"),
    [
        ([500, *CALM], [100, *CALM], [0]),
        ([450, 500, *CALM], [100, 100, *CALM], [1, 0]),
        ([500, 0, *CALM], [0, 400, *CALM], [0]),
        ([300] * 10, [100] * 10, []),
        ([139, *CALM], [100, *CALM], []),
        ([100, *CALM], [100, *CALM], []),
        ([500, 1000], [500, 500], []),
        ([500, 1000, 500], [500, 500, 500], [1]),
        ([500, *[200] * 9], [100, *CALM], []),
        ([900] * 12 + [100] * 28, [100] * 40, []),
        ([800, 0, 0], [0, 0, 0], []),
        ([800, 20, 10], [0, 0, 0], [0]),
        ([9000, 5, 5], [3000, 0, 0], []),
        ([], [], []),
    ],
    ids=[
        "one that rises alone",
        "two, the larger first",
        "a fall of the same size cannot hide it",
        "all alike",
        "hardly more than chance",
        "nothing",
        "one of two is no few",
        "one of three is",
        "less than half of the rise",
        "more than five",
        "one where only one is",
        "most of what is all new",
        "nothing else was ever used",
        "no categories",
    ],
)
def test_a_few_stand_out_where_they_and_not_the_rest_make_the_rise(
    actual: list[float], expected: list[float], who: list[int]
) -> None:
    assert out(actual, expected) == who


def test_what_is_not_worth_a_word_does_not_stand_out() -> None:
    assert out([149, *CALM, 9_000], [100, *CALM, 9_000], variance=1) == []
    assert out([149, *CALM], [100, *CALM], variance=1) == []
    assert out([150, *CALM], [100, *CALM], variance=1) == [0]  # a twentieth of 1,000


def test_whose_use_swings_needs_more_to_stand_out() -> None:
    assert out([240, *CALM], [100, *CALM], variance=100) == [0]
    assert out([240, *CALM], [100, *CALM], variance=2500) == []


def test_who_does_as_ever_while_the_others_fall_is_no_cause() -> None:
    assert out([100, *[10] * 9], [100] * 10) == []


def test_a_fall_is_a_rise_turned_round() -> None:
    assert out([0, *CALM], [300, *CALM], rising=False) == [0]
    assert out([0, *CALM], [300, *CALM], rising=True) == []
    assert out([50] * 10, [100] * 10, rising=False) == []


def test_what_nobody_accounts_for_does_not_stand_out_and_keeps_others_from_it() -> None:
    parts = decompose(floats(160, *CALM), floats(100, *CALM), 3000, 1000)
    assert stand_out(parts, np.full(11, 100.0), rising=True) == ()


# Weeks


def test_the_usual_is_the_mean_of_the_same_weekdays_of_four_weeks() -> None:
    daily = [1000.0 * (i % 7) + 10 * (i // 7) for i in range(28 + 3)]
    usual = usual_of(daily, 3)
    assert usual is not None
    assert usual.actual.tolist() == [sum(daily[-3:])]
    assert usual.expected.tolist() == [3000 + 3 * 15]
    assert usual.weeks[:, 0].tolist() == [3090, 3060, 3030, 3000]
    assert (usual.before.tolist(), usual.buckets) == ([sum(daily[:28])], 28)


def test_older_weeks_do_not_count() -> None:
    usual = usual_of([9e9] * 7 + [5.0] * 28 + [6.0], 1)
    assert usual is not None
    assert (usual.expected.tolist(), usual.before.tolist()) == ([5], [140])


@pytest.mark.parametrize(
    ("days", "holes", "expected", "count"),
    [
        (28, (), 150, 4),
        (14, (), 300, 2),
        (7, (), 500, 1),
        (28, (0, 7), 300, 2),
        (28, (0, 7, 14, 21), 7, 0),
        (3, (), 7, 0),
    ],
    ids=["four weeks", "two", "one", "with holes", "never that weekday", "three other days"],
)
def test_with_less_history_what_there_is_counts(days: int, holes: tuple[int, ...], expected: float, count: int) -> None:
    # The first weekday of each week: 0, 0, 100 and 500; all others 7.
    year = [value for first in (0.0, 0.0, 100.0, 500.0) for value in (first, *[7.0] * 6)]
    usual = usual_of([*year[28 - days :], 40.0], 1, holes=holes) if days != 3 else usual_of([7.0] * 3 + [40.0], 1)
    assert usual is not None
    assert usual.expected[0] == pytest.approx(expected)
    assert len(usual.weeks) == count


def test_without_any_history_nothing_is_usual() -> None:
    assert usual_of([5.0], 1) is None
    assert usual_of([5.0] * 3, 1, holes=(0, 1)) is None


def test_hours_that_no_week_holds_are_as_the_same_hours_of_other_days_and_else_as_all() -> None:
    starts, cells = weeks([[float(i % 24)] for i in range(24 * 3)], HOUR)
    wanted = starts >= MIDNIGHT + 2 * DAY
    usual = against_weeks(starts, cells, np.ones(len(starts), dtype=bool), wanted, MIDNIGHT + 2 * DAY, HOUR)
    assert usual is not None
    assert usual.expected.tolist() == [sum(range(24))]
    starts, cells = weeks([[10.0]] * 5 + [[20.0]] * 5, HOUR)
    usual = against_weeks(starts, cells, np.ones(10, dtype=bool), starts >= starts[5], int(starts[5]), HOUR)
    assert usual is not None
    assert (usual.actual.tolist(), usual.expected.tolist()) == ([100], [50])


def test_a_long_window_is_compared_with_the_weeks_before_all_of_it() -> None:
    usual = usual_of([float(i % 7) for i in range(28)] + [100.0] * 20, 20)
    assert usual is not None
    assert usual.expected.tolist() == [2 * 21 + 0 + 1 + 2 + 3 + 4 + 5]


@given(values=st.lists(st.integers(0, 1000), min_size=29, max_size=60), window=st.integers(1, 25), data=st.data())
@settings(max_examples=80, deadline=None)
def test_nothing_of_the_window_is_learned(values: list[int], window: int, data: st.DataObject) -> None:
    before = usual_of([float(value) for value in values], window)
    late = data.draw(st.lists(st.integers(0, 9999), min_size=window, max_size=window))
    after = usual_of([float(value) for value in (*values[:-window], *late)], window)
    assert before is not None
    assert after is not None
    assert before.expected.tolist() == after.expected.tolist()
    assert before.weeks.tolist() == after.weeks.tolist()


# Axes

WINDOW = (at(24 * 28), at(24 * 29))


def month(now: dict[str, int], before: dict[str, int], feed: Feed = DAILY, **rest: object) -> FeedHistory:
    """28 days alike, and one more."""
    names = {**before, **now}
    counts = {name: [before.get(name, 0)] * 28 + [now.get(name, 0)] for name in names}
    return feed_history(counts, feed, **rest)  # type: ignore[arg-type]


def test_an_axis_is_compared_by_name_with_what_is_unattributed_last() -> None:
    history = month({"": 100, "Model=b": 60, "Model=a": 30}, {"": 50, "Model=a": 30, "Model=b": 15})
    comparison = found(compare(history, "model", *WINDOW))
    assert (comparison.axis, comparison.names, comparison.lasts) == ("Model", ("a", "b"), day(1))
    assert comparison.parts.actual.tolist() == [30, 60, 10]
    assert comparison.parts.expected.tolist() == [30, 15, 5]
    assert len(comparison.variances) == 3
    assert total(history, *WINDOW) == (100, 50)


def test_members_are_parts_of_what_everybody_used() -> None:
    everyone = feed_history({"": [70] * 5 + [120] * 28 + [200]}, DAILY, start_at=START - day(5))
    members = month({"ana@x": 150, "bo@x": 20}, {"ana@x": 60, "bo@x": 50}, MEMBER_DAYS)
    comparison = found(compare(members, MEMBER, *WINDOW, totals=everyone))
    assert comparison.names == ("ana@x", "bo@x")
    assert comparison.parts.actual.tolist() == [150, 20, 30]
    assert comparison.parts.expected.tolist() == [60, 50, 10]
    alone = found(compare(members, MEMBER, *WINDOW))
    assert alone.parts.actual.tolist() == [150, 20, 0]


def test_days_that_the_total_lacks_are_not_known() -> None:
    members = month({"ana@x": 5}, {"ana@x": 4}, MEMBER_DAYS)
    assert compare(members, MEMBER, *WINDOW, totals=feed_history({"": [1] * 28}, DAILY)) is None


def test_a_selection_is_split_by_its_own_axis_and_by_members() -> None:
    counts = {"Model=opus-4": 6, "Model=opus-5": 3, "Model=sonar": 90, "": 99}
    chosen = Selection(axis="model", choice=Choice(("opus-*",)))
    comparison = found(compare(month(counts, counts), "Model", *WINDOW, chosen))
    assert (comparison.names, comparison.parts.actual.tolist()) == (("opus-4", "opus-5"), [6, 3, 0])
    per_member = {f"{who} {name}".strip(): count for who in ("ana@x", "bo@x") for name, count in counts.items()}
    members = month(per_member, per_member, MEMBER_DAYS)
    assert found(compare(members, MEMBER, *WINDOW, chosen)).parts.actual.tolist() == [9, 9, 0]
    hers = found(compare(members, "Model", *WINDOW, Selection(member="ana@x")))
    assert hers.parts.actual.tolist() == [6, 3, 90, 0]
    assert total(members, *WINDOW, Selection(member="ana@x")) == (99, 99)


def test_axes_that_overlap_or_would_have_to_be_made_up_are_refused() -> None:
    queries = month({"": 9, "Project=p": 2, "Feature=f": 9}, {"": 9, "Project=p": 2, "Feature=f": 9}, QUERIES)
    assert splits(queries) == ("Feature",)
    with pytest.raises(ValueError, match="Project does not split this usage"):
        compare(queries, "project", *WINDOW)
    paid = Selection(axis="Credit Source", choice=Choice(("paid",)))
    credits_used = month({"": 9, "Model=a": 9, "Credit Source=paid": 9}, {"": 9})
    assert splits(credits_used, paid) == ("Credit Source",)
    with pytest.raises(ValueError, match="Model does not split this usage"):
        compare(credits_used, "Model", *WINDOW, paid)


def test_only_a_feed_of_each_member_is_split_by_members() -> None:
    each = month({"ana@x": 5, "ana@x Model=a": 5}, {}, MEMBER_DAYS)
    assert splits(each) == (MEMBER, "Model")
    assert splits(each, Selection(member="ana@x")) == ("Model",)
    assert splits(month({"": 5}, {}, Feed("credit_usage", HOUR, "ana@x"))) == ()
    assert splits(month({"": 5, "Tag=t": 5}, {}, Feed("brand_new", DAY))) == ("Tag",)


def test_a_total_of_hours_is_no_total_of_days() -> None:
    with pytest.raises(ValueError, match="another bucket width"):
        compare(month({"ana@x": 5}, {}, MEMBER_DAYS), MEMBER, *WINDOW, totals=feed_history({"": [1]}, HOURLY))


@pytest.mark.parametrize(
    ("history", "axis"),
    [
        (month({"": 5}, {"": 5}), "Model"),
        (month({"": 5, "Model=a": 5}, {"": 5}, holes=(28,)), "Model"),
        (month({"": 5, "Model=a": 5}, {"": 5}, holes=range(28)), "Model"),
        (month({"": 5, "Model=a": 5}, {"": 5}, unsettled=range(28)), "Model"),
        (month({"": 5, "Model=a": 5}, {"": 5}, unanswered={"Model": (28,)}), "Model"),
        (month({"": 5, "Model=a": 5}, {"": 5}, unanswered={"Model": range(28)}), "Model"),
    ],
    ids=["no category", "time not known", "no history", "none that is final", "axis not answered", "not before"],
)
def test_what_is_not_known_is_not_compared(history: FeedHistory, axis: str) -> None:
    assert compare(history, axis, *WINDOW) is None


def test_a_total_that_is_not_known_has_no_usual() -> None:
    assert total(month({"": 5}, {}, holes=(28,)), *WINDOW) is None


def test_what_may_still_grow_counts_now_and_is_not_learned() -> None:
    history = month({"": 50, "Model=a": 50}, {"": 20, "Model=a": 20}, unsettled=(0, 28))
    comparison = found(compare(history, "Model", *WINDOW))
    assert (comparison.parts.actual.tolist(), comparison.parts.expected.tolist()) == ([50, 0], [20, 0])


def test_an_axis_that_was_answered_in_some_weeks_only_is_brought_to_the_total_of_all() -> None:
    counts = {"": [100] * 14 + [300] * 14 + [400], "Model=a": [90] * 14 + [270] * 14 + [360]}
    comparison = found(compare(feed_history(counts, DAILY, unanswered={"Model": range(14)}), "Model", *WINDOW))
    assert comparison.parts.expected == pytest.approx(floats(180, 20))
    assert comparison.parts.actual.tolist() == [360, 40]


def test_what_was_used_while_the_axis_was_not_answered_is_unattributed() -> None:
    history = feed_history(
        {"": [10] * 28 + [50] * 2, "Model=a": [10] * 28 + [50] * 2}, DAILY, unanswered={"Model": (28,)}
    )
    comparison = found(compare(history, "Model", at(24 * 28), at(24 * 30)))
    assert comparison.parts.actual.tolist() == [50, 50]
    assert comparison.parts.expected.tolist() == [10, 10]


def test_an_axis_whose_answers_lie_where_the_total_was_nothing_keeps_its_scale() -> None:
    history = feed_history({"": [0] * 28 + [50], "Model=a": [0] * 28 + [50]}, DAILY, unanswered={"Model": (3,)})
    assert found(compare(history, "Model", *WINDOW)).parts.expected.tolist() == [0, 0]


def test_who_has_no_usual_is_new_or_back() -> None:
    counts = {
        "": [9] * 36,
        "Model=gone": [1] * 35 + [0],
        "Model=back": [1] + [0] * 34 + [3],
        "Model=new": [0] * 35 + [3],
        "Model=old": [8] * 35 + [3],
        "Model=never": [0] * 36,
    }
    history = feed_history(counts, DAILY)
    comparison = found(compare(history, "Model", at(24 * 35), at(24 * 36)))
    assert dict(zip(comparison.names, comparison.newness, strict=True)) == {
        "back": Newness.BACK,
        "gone": None,
        "never": None,
        "new": Newness.NEW,
        "old": None,
    }


@pytest.mark.parametrize(("days", "newness"), [(13, None), (14, Newness.NEW)])
def test_nobody_is_called_new_before_two_weeks_are_known(days: int, newness: Newness | None) -> None:
    history = feed_history({"": [5] * days + [9], "Model=a": [0] * days + [4]}, DAILY)
    assert found(compare(history, "Model", at(24 * days), at(24 * days + 24))).newness == (newness,)


@given(data=st.data(), categories=st.integers(1, 5), length=st.integers(8, 40), window=st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_every_comparison_sums_to_the_total_whatever_is_missing(
    data: st.DataObject, categories: int, length: int, window: int
) -> None:
    window = min(window, length - 7)
    column = st.lists(st.integers(0, 10**7), min_size=length, max_size=length)
    counts = {"": data.draw(column), **{f"Model=m{i}": data.draw(column) for i in range(categories)}}
    places = st.sets(st.integers(0, length - 1), max_size=length // 2)
    history = feed_history(
        counts,
        DAILY,
        holes=data.draw(places),
        unsettled=data.draw(places),
        unanswered={"Model": data.draw(places)},
    )
    time = at(24 * (length - window)), at(24 * length)
    whole, comparison = total(history, *time), compare(history, "Model", *time)
    if comparison is not None:
        assert whole is not None
        assert comparison.parts.actual.sum() == pytest.approx(whole[0], abs=1e-6)
        assert comparison.parts.expected.sum() == pytest.approx(whole[1], rel=1e-12, abs=1e-6)
        assert np.isfinite(comparison.variances).all()
        assert (comparison.variances > 0).all()
