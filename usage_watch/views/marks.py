"""Which buckets of a chart came late, and which were changed once they were final: a word for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from usage_watch.core.chart import Kind, Mark
from usage_watch.core.selection import MEMBER, fold_label
from usage_watch.core.series import FeedHistory, SeriesKey
from usage_watch.core.units import day_time, from_epoch, number, quantity, spell_duration
from usage_watch.rules import Rule
from usage_watch.rules.evidence import bucket_name
from usage_watch.store.database import Database
from usage_watch.store.hindsight import HindsightStore, Late, Revised
from usage_watch.store.history import HistoryStore
from usage_watch.store.replay import WATCHED
from usage_watch.views.charts import Choice
from usage_watch.views.times import Reader

MOST: Final = 30
"""Marks of a kind: the latest and the largest changes."""
_TIMES_USUAL = 2
"""What comes so many times later than usual is late."""


def marks(database: Database, choice: Choice, reader: Reader) -> list[Mark]:
    """Of the series that was chosen, in the order of time; none of what is drawn in its period."""
    if choice.budget is not None:
        return []
    store = HindsightStore(database, choice.rule.feed, _keys(choice.rule, choice.labels, choice.history))
    late = store.late(choice.since_at, _late_after(database, choice.rule))
    # A zero that was final and then came after all is said once.
    came = {each.start for each in late}
    revised = [each for each in store.revised(choice.since_at) if each.before or each.start not in came]
    found = [*_of_late(late, choice.rule, reader), *_of_revised(revised, choice.rule, reader)]
    return sorted(found, key=_begin)


def _begin(mark: Mark) -> datetime:
    return mark.at


def _late_after(database: Database, rule: Rule) -> timedelta:
    usual = HistoryStore(database).state(rule.feed).learned.usual_lag
    return timedelta(seconds=max(_TIMES_USUAL * usual, WATCHED[rule.width]))


def _keys(rule: Rule, labels: Mapping[str, str], history: FeedHistory) -> list[SeriesKey]:
    """What a series of a rule is the sum of."""
    return [key for key in history.counts if _is_part(rule, labels, key)]


def _is_part(rule: Rule, labels: Mapping[str, str], key: SeriesKey) -> bool:
    selection = rule.selection
    if not _is_of(labels.get(MEMBER, selection.member), key):
        return False
    if key.axis is None or selection.axis is None:
        return key.axis is None and selection.axis is None
    category = next((value for axis, value in labels.items() if axis != MEMBER), key.category)
    takes = selection.choice is None or selection.choice.takes(key.category or "")
    return fold_label(key.axis) == fold_label(selection.axis) and key.category == category and takes


def _is_of(member: str | None, key: SeriesKey) -> bool:
    """Whether a series is that member's; None for whoever's."""
    return member is None or (key.member or "").casefold() == member.casefold()


# Late


def _of_late(found: Sequence[Late], rule: Rule, reader: Reader) -> Iterator[Mark]:
    """Neighbours that came together are one; of more than `MOST` those that came latest."""
    runs = list(_together(found, rule.width))
    for run in sorted(runs, key=lambda run: _behind(run[0], rule.width), reverse=True)[:MOST]:
        yield Mark(from_epoch(run[0].start), Kind.LATE, _late_said(run, rule, reader))


def _together(found: Sequence[Late], width: int) -> Iterator[list[Late]]:
    run: list[Late] = []
    for each in found:
        if run and (each.start, each.used_at) != (run[-1].start + width, run[-1].used_at):
            yield run
            run = []
        run.append(each)
    if run:
        yield run


def _behind(late: Late, width: int) -> timedelta:
    return late.used_at - from_epoch(late.start + width)


def _late_said(run: Sequence[Late], rule: Rule, reader: Reader) -> str:
    """`Fri 20 Nov 03:00–04:00: first read 9 h after its end`."""
    first, last = run[0], run[-1]
    verb = "came" if first.was_zero else "first read"
    when = _when(first.start, last.start + rule.width, rule, reader)
    behind = spell_duration(_behind(first, rule.width))
    return f"{when}: {verb} {f'{behind} after its end' if len(run) == 1 else f'up to {behind} late'}"


# Revised


def _of_revised(found: Sequence[Revised], rule: Rule, reader: Reader) -> Iterator[Mark]:
    """Those of which a reader sees that they changed; of more than `MOST` those that changed most."""
    seen = [each for each in found if number(each.before) != number(each.after)]
    for each in sorted(seen, key=lambda each: -abs(each.after - each.before))[:MOST]:
        yield Mark(from_epoch(each.start), Kind.REVISED, _revised_said(each, rule, reader))


def _revised_said(revised: Revised, rule: Rule, reader: Reader) -> str:
    """`Fri 20 Nov 03:00–04:00: revised from 1,200 to 1,450 credits on Sat 21 Nov 14:00`."""
    when = _when(revised.start, revised.start + rule.width, rule, reader)
    change = f"from {number(revised.before)} to {quantity(revised.after, rule.unit)}"
    return f"{when}: revised {change} on {day_time(revised.at, reader.zone, reader.now)}"


def _when(start: int, end: int, rule: Rule, reader: Reader) -> str:
    return reader.between(from_epoch(start), from_epoch(end), bucket_name(rule.width))
