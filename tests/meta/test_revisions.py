"""Totals that were taken for final, and were not."""

from __future__ import annotations

from tests.meta.making import ANA, DAYS, HOURS, facts, found, minute
from usage_watch.core.feedstate import FeedState, LargeRevision
from usage_watch.core.message import Severity
from usage_watch.core.series import HOUR, Feed
from usage_watch.meta import Sight, next_at

DAY = 24 * 60


def revised(at: float, before: int, after: int, feed: Feed = HOURS, *, bucket: float = -3 * DAY) -> LargeRevision:
    return LargeRevision(feed, minute(bucket), before, after, minute(at))


def sight(*revisions: LargeRevision, feeds: tuple[Feed, ...] = (HOURS, DAYS)) -> Sight:
    return Sight(feeds=[FeedState(feed) for feed in feeds], revisions=revisions)


def test_a_revision_says_what_the_bucket_held_and_holds() -> None:
    [happening] = found(sight(revised(0, 1200, 1500)), 10)
    assert happening.rule.id == "meta:large_revision"
    assert happening.labels == {"Feed": "credit_usage 1h"}
    assert (happening.severity, happening.rank, happening.quiet) == (Severity.INFO, 1, True)
    evidence = happening.evidence
    assert (evidence.value, evidence.limit, evidence.unit) == (1500, 1200, "credits")
    assert (evidence.from_at, evidence.until_at) == (minute(-3 * DAY), minute(-3 * DAY + 60))
    assert evidence.summary == (
        "1,200 credits turned out to be 1,500 credits, once taken for final: Tue 17 Nov 09:00–10:00"
    )
    assert evidence.after is None
    assert "Revised too" not in facts(happening)


def test_a_revised_day_is_a_day_of_the_source() -> None:
    [happening] = found(sight(revised(0, 100, 0, DAYS, bucket=-3 * DAY - 8 * 60)), 10)
    assert happening.evidence.summary.endswith(
        "100 credits turned out to be 0 credits, once taken for final: Tue 17 Nov"
    )


def test_a_dataset_that_is_not_known_counts_units() -> None:
    unknown = Feed("moon_phases", HOUR)
    [happening] = found(sight(revised(0, 100, 50, unknown), feeds=(unknown,)), 10)
    assert happening.evidence.unit == "units"


def test_it_is_open_for_a_day() -> None:
    seen = sight(revised(0, 100, 200))
    assert [each.ended_at for each in found(seen, DAY - 1)] == [None]
    assert [each.ended_at for each in found(seen, DAY)] == [minute(DAY)]
    assert next_at(seen, minute(DAY - 1)) == minute(DAY)
    assert next_at(seen, minute(DAY)) is None


def test_those_within_a_day_are_one_and_the_largest_speaks() -> None:
    seen = sight(
        revised(3 * DAY, 100, 300),
        revised(0, 100, 200),
        revised(DAY, 100, 900, bucket=-4 * DAY),
        revised(DAY, 900, 100, ANA),
    )
    first, second = found(seen, 3 * DAY)
    assert (first.started_at, first.ended_at, first.evidence.value) == (minute(0), minute(2 * DAY), 900)
    assert facts(first)["Revised too"] == "1 more of its totals"
    assert (second.started_at, second.ended_at) == (minute(3 * DAY), None)
    assert next_at(seen, minute(3 * DAY)) == minute(4 * DAY)


def test_feeds_are_revised_apart() -> None:
    seen = sight(revised(0, 100, 200), revised(0, 100, 200, DAYS))
    assert [each.labels["Feed"] for each in found(seen, 1)] == ["credit_usage 1h", "credit_usage 1d"]
