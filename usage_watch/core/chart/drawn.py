"""What was judged, as its evidence has it: the picture of a message, and of an alert's page."""

from __future__ import annotations

import math
from zoneinfo import ZoneInfo

import numpy as np

from usage_watch.core.chart.line import FAR, LineChart, line_chart
from usage_watch.core.chart.look import MAIL, PAPER, Look
from usage_watch.core.chart.values import Band, Course, Level
from usage_watch.core.message import Drawn, Evidence, Line
from usage_watch.core.series import DAY, Floats, Ints
from usage_watch.core.units import to_epoch

WIDTH, HEIGHT = MAIL.width, MAIL.height
"""Pixels."""
_LOOK = Look(MAIL, PAPER, titled=False, tips=False)


def chart(evidence: Evidence, series: Drawn, zone: ZoneInfo, look: Look = _LOOK) -> str:
    """An evidence's series; times are read in `zone`, or in UTC where days are judged: they are the source's.

    In a mail, unless it is looked at elsewhere.
    """
    reached = next((each.limit for each in series.lines if math.isclose(each.limit, evidence.limit)), None)
    drawn = LineChart(
        title=series.what,
        what=series.what,
        course=_course(evidence, series),
        zone=zone,
        band=Band(_array(series.low), _array(series.high)) if series.low else None,
        levels=[Level(each.limit, each.severity) for each in lines_in_sight(evidence, series)],
        description=evidence.summary,
        reached=reached,
    )
    return line_chart(drawn, look)


def lines_in_sight(evidence: Evidence, series: Drawn) -> list[Line]:
    """The level that was reached, and those that are not far off."""
    near = FAR * max([0.0, *(value for value in series.values if value is not None)])
    return [each for each in series.lines if each.limit <= near or math.isclose(each.limit, evidence.limit)]


def _course(evidence: Evidence, series: Drawn) -> Course:
    """Where days are judged, each value stands for the last day of its step."""
    width = DAY if evidence.bucket == "1d" and series.step % DAY == 0 else series.step
    ends: Ints = np.array([to_epoch(each) for each in series.ends], dtype=np.int64)
    return Course(ends - width, width, _array(series.values))


def _array(values: tuple[float | None, ...]) -> Floats:
    return np.array([math.nan if each is None else each for each in values], dtype=np.float64)
