from __future__ import annotations

from datetime import timedelta

from tests.core.builders import at, findings
from usage_watch.core.message import Fact
from usage_watch.core.series import DAY, HOUR
from usage_watch.rules.evidence import around, bucket_name, week_before


def test_buckets_have_names() -> None:
    assert [bucket_name(width) for width in (HOUR, DAY)] == ["1h", "1d"]


def test_evidence_is_of_the_window_that_ends_with_the_bucket() -> None:
    made = around(
        findings("..1"),
        2,
        timedelta(hours=3),
        dataset="credit_usage",
        unit="credits",
        value=7,
        limit=5,
        summary="seven",
        facts=(Fact("A", "b"),),
    )
    assert (made.from_at, made.until_at, made.bucket, made.score) == (at(0), at(3), "1h", None)
    assert (made.dataset, made.unit, made.value, made.limit) == ("credit_usage", "credits", 7, 5)
    assert (made.summary, made.facts, made.contributors) == ("seven", (Fact("A", "b"),), ())


def test_a_week_before_is_seven_days_before_in_any_width() -> None:
    hours, days = findings("." * 169), findings("." * 8, width=DAY)
    assert week_before(hours, 168, str) == [Fact("A week before", "0.0")]
    assert week_before(days, 7, str) == [Fact("A week before", "0.0")]
    assert week_before(days, 6, str) == []
