"""Slack's own chart in a message, and what to do where a workspace does not know it.

The block and its limits: https://docs.slack.dev/reference/block-kit/blocks/data-visualization-block (since June 2026).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from usage_watch.channels.slack.blocks import escaped
from usage_watch.core.chart import lines_in_sight
from usage_watch.core.entry import drawn_of, shown
from usage_watch.core.message import Drawn, Evidence, Message, Notice
from usage_watch.core.plain import plain
from usage_watch.core.units import local_time, number, short_day

if TYPE_CHECKING:
    from usage_watch.channels.slack.client import Answer

Json = dict[str, Any]

_POINTS, _NAME, _TITLE = 20, 20, 50
"""Slack's limits: points of a series, characters of a name of a series or a point, and of a title. (And 6 series.)"""
_REFUSED = "invalid_blocks"
_DAY = timedelta(days=1)
_UTC = ZoneInfo("UTC")


class Charts:
    """Makes charts until Slack refuses one: then there are none for the rest of a sender's life."""

    def __init__(self) -> None:
        self._taken = True

    def of(self, notices: Sequence[Notice], message: Message) -> Json | None:
        """The chart of one incident; of several there is none."""
        if not self._taken or len(notices) != 1:
            return None
        series = drawn_of(notices[0])
        return None if series is None else chart_block(notices[0].evidence, series, ZoneInfo(message.zone))

    def say(self, send: Callable[[Json | None], Answer], chart: Json | None) -> Answer:
        """Send with a chart; where its blocks are refused, at once again without."""
        answer = send(chart)
        if chart is None or answer.code != _REFUSED:
            return answer
        plainer = send(None)
        if plainer.ok:  # else something else is wrong with it
            self._taken = False
        return plainer


def chart_block(evidence: Evidence, series: Drawn, zone: ZoneInfo) -> Json:
    """A line chart of the newest values that are known: Slack wants a number for each of its categories."""
    places = [place for place, value in enumerate(series.values) if value is not None][-_POINTS:]
    labels = _labels([series.ends[place] for place in places], zone, by_days=evidence.bucket == "1d")
    lines = {escaped(shown(series.what, _NAME), _NAME): [series.values[place] for place in places]}
    for level in lines_in_sight(evidence, series):
        lines[plain(f"{level.severity} {number(level.limit)}", _NAME)] = [level.limit] * len(places)
    for name, ends in (("usual from", series.low), ("usual to", series.high)):
        if ends and all(ends[place] is not None for place in places):
            lines[name] = [ends[place] for place in places]
    return {
        "type": "data_visualization",
        "title": escaped(shown(series.what, _TITLE), _TITLE),
        "chart": {
            "type": "line",
            "series": [
                {"name": name, "data": [{"label": at, "value": y} for at, y in zip(labels, values, strict=True)]}
                for name, values in lines.items()
            ],
            "axis_config": {"categories": labels},
        },
    }


def _labels(ends: Sequence[datetime], zone: ZoneInfo, *, by_days: bool) -> list[str]:
    """Each another: hours of a day, days, or both."""
    if by_days:
        return [short_day((at - _DAY).astimezone(_UTC).date()) for at in ends]
    clocks = [local_time(at, zone, at) for at in ends]
    if ends[-1] - ends[0] < _DAY:
        return clocks
    return [f"{short_day(at.astimezone(zone).date())} {clock}" for at, clock in zip(ends, clocks, strict=True)]
