"""What `check` says of how often zscore rules would have fired."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from math import ceil

import click

from usage_watch.cli.common.layout import wrapped
from usage_watch.cli.common.printing import count, print_table, width
from usage_watch.cli.draft import flow
from usage_watch.cli.frequency.zscores import Frequency, Level
from usage_watch.core.series import HOUR
from usage_watch.core.units import from_epoch, number, short_day
from usage_watch.rules import Rule
from usage_watch.rules.zscore import ZscoreRule

_NEWEST = 3
_TIMES = {0: "never", 1: "once", 2: "twice"}
_HEADS = ("zscore", "days", "above", "would have told", "a month", "series", "newest")


def print_frequencies(
    found: Sequence[Frequency],
    twins: Sequence[tuple[ZscoreRule, ZscoreRule]],
    rules: Sequence[Rule],
    now: datetime,
) -> None:
    """A line for each level of each rule; below them what must be known of the figures, and what they call for."""
    by_id = {rule.id: rule for rule in rules if isinstance(rule, ZscoreRule)}
    if judged := [each for each in found if each.judged_from is not None]:
        click.echo(f"\nWhat zscore rules would have told of what is stored, {_span(judged)} (UTC days)")
        print_table(_HEADS, (row for each in judged for row in _rows(each)), "")
    notes = [_unknown(found), *(" ".join(_notes(each, by_id[each.rule], now)) for each in found)]
    if any(notes) or twins:
        click.echo()
    for note in filter(None, notes):
        _print_wrapped(note)
    if twins:
        ids = ", ".join(rule.id for rule, _ in twins)
        _print_wrapped(f"{ids}: on days beside the hours one sees better what shifts, or rises slowly. Add")
    for _, twin in twins:
        click.echo(f"  - {line_of(twin)}")


def _unknown(found: Sequence[Frequency]) -> str:
    ids = ", ".join(each.rule for each in found if each.known_from is None)
    return f"Not judged yet, since nothing is stored of what they watch: {ids}." if ids else ""


def _print_wrapped(text: str) -> None:
    columns = width()
    for line in [text] if columns is None else wrapped(text, columns):
        click.echo(line)


def line_of(rule: Rule) -> str:
    """What was written of a rule, as a line of YAML."""
    return flow(rule.model_dump(mode="json", by_alias=True, exclude_unset=True))


def _rows(found: Frequency) -> Iterator[tuple[str, ...]]:
    for place, level in enumerate(found.levels):
        above = number(level.above) + (f" {level.severity}" if level.severity else "")
        times = _TIMES.get(level.times, f"{level.times:,} times")
        series = f"{level.series} of {found.series}" if level.times else ""
        rule, days = ("", "") if place else (found.rule, f"{found.days:,}")
        yield rule, days, above, times, a_month(level.per_month), series, _newest(level)


def a_month(rate: float | None) -> str:
    """`0.3`; a dash where so little was judged that there is none."""
    return "-" if rate is None else number(round(rate, 1))


def _newest(level: Level) -> str:
    days = list(dict.fromkeys(short_day(at.date()) for at in reversed(level.started)))
    return ", ".join(days[:_NEWEST]) + (", …" if len(days) > _NEWEST else "")


def _notes(found: Frequency, rule: ZscoreRule, now: datetime) -> Iterator[str]:
    """Sentences about one rule, of which the first begins with its id."""
    said = [*_short(found, rule, now), *_advice(found, rule)]
    if said:
        yield f"{found.rule}:"
        yield from said


def _span(judged: Sequence[Frequency]) -> str:
    begin = min(each.judged_from for each in judged if each.judged_from is not None)
    end = max(each.judged_until for each in judged if each.judged_until is not None)
    # The last bucket's day, where it ends at midnight.
    return f"{_day(begin)} to {_day(end - timedelta(seconds=1))}"


def _short(found: Frequency, rule: ZscoreRule, now: datetime) -> Iterator[str]:
    """How short history bears on it."""
    if found.known_from is None:
        return
    known = f"{count(max((now - found.known_from).days, 0), 'day')} of history"
    if found.judged_from is None and found.speaks_from is not None:
        soon = found.speaks_from <= now
        until = "what it could judge has settled" if soon else _day(found.speaks_from)
        needed = ceil((found.speaks_from - found.known_from) / timedelta(days=1))
        yield f"silent until {until}, with {known} of the {needed} that it takes."
    elif found.weekdays_from is not None and now < found.weekdays_from:
        seen = "the hour of day only, workdays and weekends apart" if rule.width == HOUR else "workday or weekend only"
        yield f"goes by {seen}, until {_day(found.weekdays_from)}, with {known}."
    if found.young and found.judged_from is not None:
        yield f"{found.young:,} of {found.young + found.series:,} series are not known for long enough."


def _advice(found: Frequency, rule: ZscoreRule) -> Iterator[str]:
    if found.raise_to is not None:
        by = found.raise_to.above - rule.levels[0].limit
        levels = {level.severity.value: _whole(level.limit + by) for level in rule.levels}
        rate = a_month(found.raise_to.per_month)
        yield f"that is often; with `above: {flow(levels)}` it would have been {rate} a month."
    elif found.in_vain:
        yield "that is often, whatever the level: what it finds is far from usual, or `min_change` is too low."
    elif not found.near and found.highest is not None:
        yield f"nothing came near; the highest score was {number(round(found.highest, 1))}."


def _whole(score: float) -> float:
    """8 for 8.0, as people write it."""
    return int(score) if score == int(score) else round(score, 2)


def _day(at: datetime) -> str:
    """Days are the source's: UTC days."""
    return short_day(from_epoch(int(at.timestamp())).date())
