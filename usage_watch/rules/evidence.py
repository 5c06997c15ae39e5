"""Words and numbers that several rule kinds say alike."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from usage_watch.core.episode import Findings
from usage_watch.core.message import Drawn, Evidence, Fact
from usage_watch.core.series import HOUR
from usage_watch.core.units import from_epoch

WEEK = 7 * 86400


def around(
    findings: Findings,
    index: int,
    window: timedelta,
    *,
    dataset: str,
    unit: str,
    value: float,
    limit: float,
    summary: str,
    facts: tuple[Fact, ...],
    series: Drawn | None = None,
) -> Evidence:
    """The evidence of a trailing window that ends with the bucket at `index`."""
    until_at = from_epoch(int(findings.starts[index]) + findings.width)
    return Evidence(
        dataset=dataset,
        bucket=bucket_name(findings.width),
        unit=unit,
        value=value,
        limit=limit,
        score=None if findings.scores is None else round(float(findings.scores[index]), 2),
        from_at=until_at - window,
        until_at=until_at,
        summary=summary,
        facts=facts,
        series=series,
    )


def bucket_name(width: int) -> str:
    """`1h` or `1d`."""
    return "1h" if width == HOUR else "1d"


def week_before(findings: Findings, index: int, said: Callable[[float], str]) -> list[Fact]:
    """What the same bucket held a week before, where that is known for good: the plainest idea of usual."""
    earlier = index - WEEK // findings.width
    if earlier < 0 or not findings.settled[earlier]:
        return []
    return [Fact("A week before", said(float(findings.values[earlier])))]
