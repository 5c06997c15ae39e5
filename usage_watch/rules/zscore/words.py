"""What a seasonal rule says: what is usual then, from how many weeks, and how rare it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from usage_watch.core.episode import Level
from usage_watch.core.lessons import Lessons
from usage_watch.core.message import Drawn, Fact
from usage_watch.core.series import DAY, HOUR, Width
from usage_watch.core.stats.seasonal import DOWN, UP, Basis, Cause, Finding, Judged
from usage_watch.core.units import from_epoch, number, quantity, spell_duration
from usage_watch.rules.drawing import POINTS, drawn, where_known
from usage_watch.rules.zscore.seasonal import SeasonalFindings

RENEWED = {
    Cause.SUSTAINED: "It had stood for three days, and is the new usual.",
    Cause.SAID: "Somebody said that it is the new usual.",
}
"""Why it ended though it goes on."""
_WEEK = 7 * DAY
_APART = DAY
"""Seconds between two times at which something was unusual, or they are one."""
_TIMES = {1: "once", 2: "twice"}


@dataclass(frozen=True, slots=True)
class Seen:
    """One bucket of findings, with what stands behind its score."""

    judged: Judged
    row: int
    column: int
    side: int
    found: Finding
    edges: Sequence[float]
    """Where each of the rule's levels is reached, in the unit of the counts."""
    start_at: int
    """Of the bucket, epoch seconds."""
    width: Width
    zone: ZoneInfo
    """Whose clock hours are said by; the source's days are UTC days."""
    day_off: bool
    """Whether its day is taken for a Sunday."""

    @property
    def span(self) -> timedelta:
        """How long the window is that won."""
        return timedelta(seconds=self.found.buckets * self.width)


def seen(findings: SeasonalFindings, index: int, zone: ZoneInfo, lessons: Lessons) -> Seen:
    """What stands behind a finding whose score is not 0."""
    judged, row = findings.place(index)
    side = UP if findings.scores[index] > 0 else DOWN
    found = judged.finding(row, findings.column, side, judged.tuning.usual)
    edges = judged.reached(row, findings.column, side, [level.limit for level in findings.levels])
    width: Width = HOUR if findings.width == HOUR else DAY
    own = zone if width == HOUR else ZoneInfo("UTC")
    off = bool(lessons.days_off(findings.starts[index : index + 1], width)[0])
    return Seen(judged, row, findings.column, side, found, edges, int(findings.starts[index]), width, own, off)


def against(each: Seen) -> str:
    """`usually 3,100 to 4,900 on a Tuesday from 14:00 to 15:00`."""
    found = each.found
    return f"usually {_roughly(found.low)} to {_roughly(found.high)} {_when(each)}"


def _roughly(count: float) -> str:
    """A whole number to two digits: more of them would be no truer."""
    return number(float(f"{round(count):.2g}"))


def _when(each: Seen) -> str:
    begin_at, end_at = from_epoch(each.start_at).astimezone(each.zone), from_epoch(each.start_at + each.width)
    day = _day(begin_at, each.found.basis, each.day_off)
    if each.width == DAY:
        return f"on a {day}" if each.found.buckets == 1 else f"in the {spell_duration(each.span)} up to a {day}"
    ended = f"{end_at.astimezone(each.zone):%H:%M}"
    if each.found.buckets == 1:
        return f"on a {day} from {begin_at:%H:%M} to {ended}"
    return f"in the {spell_duration(each.span)} up to {ended} on a {day}"


def _day(at: datetime, basis: Basis, off: bool) -> str:
    """What is told apart: weekdays, or only workdays and weekends while history is short."""
    weekend = at.weekday() >= _SATURDAY
    if off and not weekend:
        return f"{at:%A} that is taken for a {'Sunday' if basis is Basis.SLOT else 'weekend'}"
    if basis is Basis.SLOT:
        return f"{at:%A}"
    return "weekend" if weekend else "workday"


_SATURDAY = 5


def facts(each: Seen, findings: SeasonalFindings, levels: tuple[Level, ...], unit: str) -> Iterator[Fact]:
    """How far it is from the usual, how rare that is, and what the usual was learned from."""
    found = each.found
    steps = ", ".join(f"{level.severity} from {number(level.limit)}" for level in levels)
    yield Fact("How unusual", f"score {found.score:.1f} ({steps}); {_beside(found, unit)}")
    rare = _rare(each)
    if rare is not None:
        yield Fact("How rare", rare)
    yield Fact("Learned from", _learned(found))
    measured = findings.measured
    before = findings.first + (each.start_at - _WEEK - int(findings.starts[0])) // each.width
    if found.buckets == 1 and before >= 0 and measured.settled[before]:
        yield Fact("A week before", quantity(int(measured.counts[before]), unit))


def _beside(found: Finding, unit: str) -> str:
    expected = quantity(round(found.expected), unit)
    if found.came > 2 * found.expected and found.expected >= 1:
        return f"{number(found.came / found.expected)} times the {expected} expected"
    return f"{expected} expected"


def _rare(each: Seen) -> str | None:
    """How often the like of it was there before, as far as history was judged."""
    weeks = each.judged.scored(each.row, each.column) * each.width // _WEEK
    if not weeks:
        return None
    before = max(0, each.row + 1 - _APART // each.width)
    like = each.judged.like(each.side, before, each.column, each.found.score)
    times = 0 if not len(like) else 1 + int((np.diff(like) * each.width > _APART).sum())
    kind = "so high" if each.side == UP else "so low"
    past = "in the week before" if weeks == 1 else f"in the {weeks} weeks before"
    return f"never {kind} {past}" if not times else f"{kind} {_TIMES.get(times, f'{times} times')} {past}"


def _learned(found: Finding) -> str:
    if found.basis is Basis.SLOT:
        return f"{number(int(found.weeks))} weeks, up to two days before"
    return f"{number(int(7 * found.weeks))} days, up to two days before: from two weeks on weekdays are told apart"


def picture(each: Seen, findings: SeasonalFindings, levels: tuple[Level, ...], unit: str) -> Drawn | None:
    """Bucket by bucket, with what was usual; and the levels, where it was a single bucket that was judged."""
    end = each.row + 1
    shown = slice(max(0, end - POINTS), end)
    first = findings.first + (each.start_at - int(findings.starts[0])) // each.width + 1
    known = findings.measured.known[max(0, first - (shown.stop - shown.start)) : first]
    single = each.found.buckets == 1
    return drawn(
        f"{unit} in {spell_duration(timedelta(seconds=each.width))}",
        each.start_at + each.width,
        each.width,
        where_known(each.judged.counts[shown, each.column].astype(np.float64), known),
        [(level.severity, edge) for level, edge in zip(levels, each.edges, strict=True)] if single else (),
        usual=each.judged.band(shown, each.column, each.judged.tuning.usual),
    )
