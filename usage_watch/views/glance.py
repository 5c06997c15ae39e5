"""How things stand, at a glance: will the money last, does anything need somebody, and is the watcher itself well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from usage_watch.core.units import quantity
from usage_watch.rules.budget.words import chance
from usage_watch.views.budgets.figures import day_of, how_many_over, rough
from usage_watch.views.budgets.state import Budget, Line
from usage_watch.views.charts import called
from usage_watch.views.freshness import Freshness, state_of
from usage_watch.views.orders import NOTHING
from usage_watch.views.standing import Standing
from usage_watch.views.times import Reader

_LIKELY, _POSSIBLE = 0.5, 0.1
"""Probabilities from which a limit is one that will be reached, or may be."""
_NAMED = 2
"""Budgets in trouble that are named; the rest are counted."""


class Tone(StrEnum):
    """How bad it is."""

    CRITICAL = "critical"
    WARNING = "warning"
    WELL = "well"


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of the sentence."""

    text: str
    tone: Tone


def glance(found: Standing, reader: Reader, *, hindered: bool = False) -> list[Clause]:
    """One sentence, clause by clause: `credits: over by 20,000; 1 alert needs you; usage until 11:00, read at 12:48`.

    `hindered`: the watcher cannot work at all by now, with its database, say.
    """
    said = [*_money(found.budgets, reader), _needed(found), *_messages(found), _data(found.feeds, reader)]
    return [*said, Clause("the watcher is in trouble", Tone.CRITICAL)] if hindered else said


# Money


def _money(budgets: Sequence[Budget], reader: Reader) -> Iterator[Clause]:
    troubles = [clause for each in budgets if (clause := _trouble(each, reader)) is not None]
    troubles.sort(key=lambda each: each.tone is not Tone.CRITICAL)
    yield from troubles[:_NAMED]
    if len(troubles) > _NAMED:
        yield Clause(f"{quantity(len(troubles) - _NAMED, 'more budgets')} in trouble", Tone.WARNING)
    read = [each for each in budgets if each.feed is not None and each.feed.polled_at is not None]
    if read and not troubles:
        yield _no_trouble(read)


def _no_trouble(budgets: Sequence[Budget]) -> Clause:
    """Nothing is promised of what nobody can tell."""
    lines = [line for budget in budgets for line in budget.lines]
    if not any(line.ahead is not None for line in lines):
        return Clause("no budget is over its limit", Tone.WELL)
    return Clause("the budget should last" if len(budgets) == 1 else "the budgets should last", Tone.WELL)


def _trouble(budget: Budget, reader: Reader) -> Clause | None:
    over = sum(line.over for line in budget.lines)
    if budget.rule.for_each is not None:
        return Clause(f"{called(budget.rule)}: {how_many_over(budget)} over", Tone.CRITICAL) if over else None
    if not budget.lines:
        return None
    line = budget.lines[0]
    if over:
        return Clause(f"{called(budget.rule)}: over by {rough(line.spent - line.limit)}", Tone.CRITICAL)
    if line.ahead is None or line.ahead.over < _POSSIBLE:
        return None
    return Clause(f"{called(budget.rule)}: {_ahead(budget, line, reader)}", Tone.WARNING)


def _ahead(budget: Budget, line: Line, reader: Reader) -> str:
    ahead = line.ahead
    assert ahead is not None
    if ahead.over < _LIKELY:
        return f"may run over ({chance(ahead.over)})"
    on = "" if ahead.run_out_at is None else f" on {day_of(ahead.run_out_at, budget, reader)}"
    beyond = f", by {rough(ahead.median - line.limit)} at the end" if ahead.median > line.limit else ""
    return f"likely over{on}{beyond}"


# What is open


def needs_somebody(found: Standing) -> list[str]:
    """The ids of what is open, of warning or above, and neither acknowledged nor held back."""
    words = ((each, found.words.get(each.id, NOTHING)) for each in found.open if each.severity != "info")
    return [each.id for each, word in words if not word.known and word.silence is None and word.mute is None]


def _needed(found: Standing) -> Clause:
    needed = set(needs_somebody(found))
    if not needed:
        return Clause(f"nothing needs you{_held_back(found)}", Tone.WELL)
    gravest = {each.severity for each in found.open if each.id in needed}
    tone = Tone.CRITICAL if "critical" in gravest else Tone.WARNING
    return Clause("1 alert needs you" if len(needed) == 1 else f"{len(needed):,} alerts need you", tone)


def _held_back(found: Standing) -> str:
    """What would need somebody, were it not silenced or muted: a silence of everything is no good news."""
    words = (found.words.get(each.id, NOTHING) for each in found.open if each.severity != "info")
    number = sum(not word.known and (word.silence is not None or word.mute is not None) for word in words)
    return f", with {quantity(number, 'alerts')} held back" if number else ""


# The messages


def _messages(found: Standing) -> Iterator[Clause]:
    """Whoever is not told knows nothing of it."""
    names = [each.name for each in found.channels if each.blocked_from or each.failing_from or each.unstated_from]
    if names:
        yield Clause(f"messages to {', '.join(names)} do not get through", Tone.CRITICAL)


# The data


def _data(feeds: Sequence[Freshness], reader: Reader) -> Clause:
    if not feeds:
        return Clause("nothing is watched: no rule is enabled", Tone.WARNING)
    states = [state_of(each) for each in feeds]
    if (failing := states.count("failing")) == len(states):
        return Clause("the source cannot be read", Tone.CRITICAL)
    if failing:
        return Clause(f"{failing:,} of {len(states):,} feeds cannot be read", Tone.WARNING)
    if "stale" in states:
        return Clause("the source's sync seems to stand", Tone.WARNING)
    asked = read_at(feeds)
    if asked is None:
        return Clause("nothing is read yet", Tone.WARNING)
    # Never how long ago that is: a page stands open for hours.
    said = f"{_usage_until(feeds, reader)}read at {reader.moment(asked)}"
    return Clause(f"{said} and not since", Tone.WARNING) if "overdue" in states else Clause(said, Tone.WELL)


def _usage_until(feeds: Sequence[Freshness], reader: Reader) -> str:
    read = [(each.data_until, each.bucket) for each in feeds if each.data_until is not None]
    return f"usage until {reader.last(*max(read))}, " if read else ""


def read_at(feeds: Sequence[Freshness]) -> datetime | None:
    """When any feed was last read; None for never."""
    return max((each.polled_at for each in feeds if each.polled_at is not None), default=None)
