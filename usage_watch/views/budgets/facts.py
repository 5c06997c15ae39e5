"""One budget in full, as names and values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final

from usage_watch.core.incident import Incident
from usage_watch.core.message import Reason
from usage_watch.core.money import Price
from usage_watch.core.promise import Notification
from usage_watch.core.stats.forecast import SHOWN_FROM, TOLD_FROM
from usage_watch.core.units import number, percent, quantity, span, spell_duration
from usage_watch.rules.budget.levels import PART as LEVELS
from usage_watch.rules.budget.outlook import Silent
from usage_watch.rules.budget.pool import ESTIMATE
from usage_watch.rules.budget.rolling import told_level
from usage_watch.rules.budget.unattributed import Unattributed
from usage_watch.rules.budget.words import chance
from usage_watch.views.budgets.figures import at_least, day_of, floored, how_many_over, priced, rough, spent_in_all
from usage_watch.views.budgets.state import Ahead, Budget, Line
from usage_watch.views.freshness import Freshness, state_of
from usage_watch.views.incidents import is_open, line
from usage_watch.views.orders import Words
from usage_watch.views.times import Reader

_ALERTS = 5
"""Alerts of a budget; the rest are counted."""
_LIKELY = 0.5
"""The probability from which a limit is counted as one that will be reached."""
_DAY = timedelta(days=1)
_WHY: Final[Mapping[Silent, str]] = {
    Silent.POOL: "none: what is drawn on a pool does not come day by day",
    Silent.NO_LIMIT: "none: with a limit of 0 any use is over",
    Silent.MISSING: "none: days of this period or of the 8 weeks before were never read",
    Silent.EARLY: "once a day of this period is settled",
}


def facts(budget: Budget, price: Price | None, reader: Reader) -> Iterator[tuple[str, str]]:
    """What is spent of it and whether it will last: of its one series, or of all of them together."""
    alone = budget.alone
    yield "Period", _period(budget, reader)
    if alone is None:
        yield "In all", _in_all(budget, price)
        yield from _unforeseen(budget, reader)
    else:
        yield from _of_one(budget, alone, price, reader)
    counted = [ESTIMATE] if budget.rule.of == "pool" else budget.rule.narrowed()
    yield from ((fact.name, fact.value) for fact in (*budget.doubts, *counted))
    if budget.unattributed is not None:
        yield "Unattributed", _nobodys(budget.unattributed, budget, reader)
    yield "Data", _freshness(budget.feed, reader)


def _period(budget: Budget, reader: Reader) -> str:
    if budget.rule.rolling is not None:
        return f"the last {spell_duration(budget.rule.rolling)}, at any time"
    if budget.span is None or (passed := budget.passed(reader.now)) is None:
        return f"begins {reader.moment(budget.begins_at)} ({reader.zone.key})"
    days = span(budget.span.start_at, budget.span.end_at, budget.zone, reader.now)
    return f"{days} ({budget.zone.key}), {percent(passed)} of it over"


def _of_one(budget: Budget, line: Line, price: Price | None, reader: Reader) -> Iterator[tuple[str, str]]:
    unit, now = budget.rule.unit, reader.now
    if budget.begins_at is not None:
        yield "Limit", priced(budget, quantity(line.limit, unit), price)
        return
    yield "Spent", at_least(budget, _spent(budget, line, price), "at least ")
    even = budget.even(line, now)
    if even is not None and line.limit:
        yield "Even pace", f"{quantity(round(even), unit)} by now"
    yield from _expected(budget, line, price, reader)
    pace = line.pace(budget.left(now))
    if pace is not None and line.limit:
        recent = "" if line.recent is None else f"; {rough(line.recent)} a day lately"
        yield "Stays inside", f"at {number(floored(pace))} {unit} a day or less{recent}"


def _spent(budget: Budget, line: Line, price: Price | None) -> str:
    share = f" ({percent(line.share)})" if line.limit else ""
    return priced(budget, f"{number(line.spent)} of {quantity(line.limit, budget.rule.unit)}{share}", price)


def _expected(budget: Budget, line: Line, price: Price | None, reader: Reader) -> Iterator[tuple[str, str]]:
    ahead = line.ahead
    if ahead is None:
        yield from _unforeseen(budget, reader)
        return
    median = priced(budget, f"{rough(ahead.median)} {budget.rule.unit}", price)
    yield "Expected", f"{median} at the end; 80 %: {rough(ahead.low)} to {rough(ahead.high)}"
    if ahead.settled < ahead.median:
        yield "", f"{rough(ahead.settled)} by settled days alone; far more was seen since"
    yield "Over limit", "the limit is reached" if line.over else _run_out(budget, ahead, reader)
    if ahead.record is not None:
        yield "Record", f"7-day forecasts were within ±{percent(ahead.record)}, four of five times"
    yield from _untold(budget, reader)


def _run_out(budget: Budget, ahead: Ahead, reader: Reader) -> str:
    """`97 % likely, about Thu 26 Nov (Tue 24 Nov to Sat 28 Nov)`."""
    likely = f"{chance(ahead.over)} likely"
    if ahead.earliest_at is None:
        return likely
    first = day_of(ahead.earliest_at, budget, reader)
    if ahead.run_out_at is None:
        return f"{likely}; at the earliest about {first}"
    last = "or not at all" if ahead.latest_at is None else f"to {day_of(ahead.latest_at, budget, reader)}"
    return f"{likely}, about {day_of(ahead.run_out_at, budget, reader)} ({first} {last})"


def _nobodys(found: Unattributed, budget: Budget, reader: Reader) -> str:
    """`1,200 of 48,000 paid credits (2.5 %) until Thu 19 Nov are no member's: …`."""
    last = day_of(found.until_at - _DAY, budget, reader)
    paid = f"{quantity(found.paid, 'paid credits')} until {last}"
    if not found.rest:
        return f"none of {paid}: all of them are some member's"
    share = percent(found.rest / found.paid)
    return f"{number(found.rest)} of {paid} ({share}): no member's, so not reckoned, and may be the pool's"


def _unforeseen(budget: Budget, reader: Reader) -> Iterator[tuple[str, str]]:
    """Why nothing is expected, or told of it."""
    if budget.silent is None:
        yield from _untold(budget, reader)
    elif budget.span is not None:
        yield "Forecast", _WHY.get(budget.silent) or _young(budget, SHOWN_FROM, reader)


def _untold(budget: Budget, reader: Reader) -> Iterator[tuple[str, str]]:
    if budget.rule.forecast == "off":
        yield "Forecast", "told to nobody: it is `off` in the rules file"
    elif budget.days < TOLD_FROM:
        yield "Forecast", f"told {_young(budget, TOLD_FROM, reader)}"


def _young(budget: Budget, days: int, reader: Reader) -> str:
    from_at = reader.now + (days - budget.days) * _DAY
    return f"from about {day_of(from_at, budget, reader)}, with {days} settled days; now {budget.days}"


def _in_all(budget: Budget, price: Price | None) -> str:
    """`512,000 credits (5,120 USD) spent; 3 of 412 over their limit, 9 more expected to be`."""
    if not budget.lines:
        return "nothing is known yet"
    spent = priced(budget, f"{number(spent_in_all(budget))} {budget.rule.unit} spent", price)
    expected = sum(not line.over and line.ahead is not None and line.ahead.over >= _LIKELY for line in budget.lines)
    more = f", {expected:,} more expected to be" if expected else ""
    return f"{at_least(budget, spent, 'at least ')}; {how_many_over(budget)} over the limit{more}"


def _freshness(feed: Freshness | None, reader: Reader) -> str:
    if feed is None or feed.polled_at is None:
        return "nothing is read yet"
    until = reader.last(feed.data_until, feed.bucket, "none lately")
    settled = reader.last(feed.settled_until, feed.bucket, "nothing yet")
    state = state_of(feed)
    wrong = "" if state == "fine" else f"; {state}: usage-watch status"
    return f"usage until {until}, settled until {settled}{wrong}"


# What was told


def alerts(budget: Budget, words: Words, reader: Reader) -> Iterator[tuple[str, str]]:
    """Two rows an alert: what it is, and what was told of it."""
    for each in budget.incidents[:_ALERTS]:
        until = "open" if is_open(each) else "over"
        yield (each.part or "alert").capitalize(), f"{until}, {each.severity}: {line(each, words, reader)} ({each.id})"
        yield "  told", told(budget, each, reader)
    if len(budget.incidents) > _ALERTS:
        yield "", f"and {len(budget.incidents) - _ALERTS:,} more: usage-watch alerts"


def told(budget: Budget, incident: Incident, reader: Reader) -> str:
    """`80 % level Thu 19 Nov 10:00 to screen, mail; its end 14:00 to screen`."""
    times = budget.said(incident)
    lines = [f"{_news(incident, each)}{reader.moment(at)} to {', '.join(to)}" for at, each, to in times]
    return "; ".join(lines) or "to nobody"


def _news(incident: Incident, notification: Notification) -> str:
    """`80 % level `, `its end `; nothing for the first that is told of what has no level."""
    if notification.reason.ending:
        return "its end "
    if notification.reason is Reason.REMINDER:
        return "again "
    if incident.part == LEVELS and notification.rank:
        return f"{percent(told_level(notification.rank))} level "
    return "as graver " if notification.reason is Reason.ESCALATED else ""
