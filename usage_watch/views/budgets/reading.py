"""How the enabled budgets stand, by what is stored."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from usage_watch.config import Config
from usage_watch.core.incident import Incident
from usage_watch.core.message import Fact
from usage_watch.core.periods import Span, upcoming
from usage_watch.core.promise import Told
from usage_watch.core.series import DAY, HOUR, Feed, FeedHistory, Floats, History, Ints
from usage_watch.core.units import from_epoch
from usage_watch.rules.budget import BudgetRule
from usage_watch.rules.budget.books import Books, Page
from usage_watch.rules.budget.outlook import Outlook, Silent, lately, outlook, settled_days
from usage_watch.rules.budget.unattributed import Unattributed, unattributed
from usage_watch.rules.budget.words import known_since, not_read, nothing_read
from usage_watch.store.alerts import AlertStore
from usage_watch.store.database import Database
from usage_watch.store.history import HistoryStore
from usage_watch.views.budgets.state import Ahead, Budget, Line
from usage_watch.views.freshness import Freshness, fresh
from usage_watch.views.incidents import in_words, is_open, urgent

_LEARNED = timedelta(days=75)
"""What a forecast learns from, were the last settled day two weeks old."""
_SPARE = timedelta(days=2)
_MIDDAY = timedelta(hours=12)


def enabled_budgets(config: Config) -> list[BudgetRule]:
    """The budgets that are judged."""
    return [rule for rule in config.enabled if isinstance(rule, BudgetRule)]


def budgets(
    config: Config,
    database: Database,
    rules: Sequence[BudgetRule],
    now: datetime,
    feeds: Sequence[Freshness] | None = None,
) -> list[Budget]:
    """How these stand. `feeds`: how fresh each feed is, where that is known already."""
    if not rules:
        return []
    wants: dict[Feed, datetime] = {}
    for rule in rules:
        needs = {rule.feed: _since(rule, config, now), **dict.fromkeys(_of_all(rule), _began(rule, config, now))}
        wants |= {feed: min(since, wants.get(feed, now)) for feed, since in needs.items()}
    history = HistoryStore(database).load(wants)
    by_name = {each.feed: each for each in (fresh(config, database, now) if feeds is None else feeds)}
    found = [(rule, by_name.get(str(rule.feed))) for rule in rules]
    store, since = AlertStore(database), min(_began(rule, config, now) for rule in rules)
    incidents = [each for each in store.incidents(since, [rule.id for rule in rules]) if not each.history]
    told = _by_incident(store.told([each.id for each in incidents]))
    return [_budget(config, rule, history, freshness, incidents, told, now) for rule, freshness in found]


def _since(rule: BudgetRule, config: Config, now: datetime) -> datetime:
    # What a rolling period holds ends with the newest bucket, which may be days old.
    began_at, learned = _began(rule, config, now) - _SPARE, now - _LEARNED
    # What was drawn on a pool at a time depends on all that was used in its period.
    return min(began_at, rule.begins(learned, config.defaults) if rule.of == "pool" else learned)


def _began(rule: BudgetRule, config: Config, now: datetime) -> datetime:
    return rule.begins(now, config.defaults)


def _of_all(rule: BudgetRule) -> list[Feed]:
    """What everyone used, beside which a pool's members are set; the first that was read."""
    return [Feed(rule.dataset, DAY), Feed(rule.dataset, HOUR)] if rule.of == "pool" else []


def _unattributed(rule: BudgetRule, history: History, span: Span | None) -> Unattributed | None:
    feeds = [history[feed] for feed in _of_all(rule) if len(history[feed].starts)]
    return unattributed(history[rule.feed], feeds[0], span) if feeds and span is not None else None


def _by_incident(told: Iterable[Told]) -> dict[str, list[Told]]:
    found: dict[str, list[Told]] = {}
    for each in told:
        if not each.recalled:
            found.setdefault(each.notification.incident_id, []).append(each)
    return found


def _budget(
    config: Config,
    rule: BudgetRule,
    history: History,
    freshness: Freshness | None,
    incidents: Sequence[Incident],
    told: Mapping[str, Sequence[Told]],
    now: datetime,
) -> Budget:
    zone, span, begins_at = _period(rule, config, now)
    reckoned = _reckoned(rule, history[rule.feed], config, span, zone, now)
    start_at = _began(rule, config, now)
    ours = [each for each in incidents if each.rule.id == rule.id and _concerns(each, span, start_at)]
    return Budget(
        rule=rule,
        zone=zone,
        span=span,
        begins_at=begins_at,
        lines=reckoned.lines,
        doubts=reckoned.doubts,
        days=reckoned.days,
        silent=reckoned.silent,
        feed=freshness,
        incidents=urgent(in_words(ours, config, now)),
        unattributed=_unattributed(rule, history, span),
        told={each.id: told.get(each.id, ()) for each in ours},
    )


@dataclass(frozen=True, slots=True)
class _Reckoned:
    """What follows from usage; the fields are those of `Budget`."""

    lines: Sequence[Line]
    doubts: Sequence[Fact]
    days: int
    silent: Silent | None


def _reckoned(
    rule: BudgetRule, history: FeedHistory, config: Config, span: Span | None, zone: ZoneInfo, now: datetime
) -> _Reckoned:
    series = rule.series(history, config.defaults)
    if not series:
        return _Reckoned([], [], 0, Silent.YOUNG)
    books = Books.of(history, series, (rule.limit_of(each.labels) for each in series))
    without = Silent.EARLY if rule.rolling is None else Silent.ROLLING
    expected = without if span is None else outlook(rule, books, span)
    ahead = expected if isinstance(expected, Outlook) else None
    spent, doubts = _spent(rule, books, span, _began(rule, config, now), zone, now)
    recent = lately(books)
    lines = (_line(books, column, float(spent[column]), recent, ahead, now) for column in range(len(series)))
    largest = sorted(lines, key=lambda line: (-line.share, -line.spent))
    return _Reckoned(largest, doubts, settled_days(books), expected if isinstance(expected, Silent) else None)


def _period(rule: BudgetRule, config: Config, now: datetime) -> tuple[ZoneInfo, Span | None, datetime | None]:
    """The zone of its days, the period that runs, and when the first begins where none does yet."""
    if rule.rolling is not None:
        return ZoneInfo("UTC") if rule.width == DAY else config.timezone, None, None
    periods = rule.periods(config.defaults)
    span = periods.containing(now)
    return periods.zone, span, upcoming(periods, now, 1)[0] if span is None else None


def _spent(
    rule: BudgetRule, books: Books, span: Span | None, start_at: datetime, zone: ZoneInfo, now: datetime
) -> tuple[Ints, list[Fact]]:
    """What each series has spent, and why that may be less than all."""
    if rule.rolling is not None:
        window = int(rule.rolling.total_seconds()) // books.width
        inside = slice(max(books.first, len(books.starts) - window), len(books.starts))
    else:
        inside = slice(0, 0) if span is None else Page(books, span).inside
    doubts: list[Fact] = []
    if not books.known[inside].any():
        doubts += nothing_read(rule.rolling is not None or span is not None)
    else:
        doubts += known_since(int(books.starts[inside.start]), books.width, start_at, now, zone)
        doubts += not_read(int((~books.known[inside]).sum()), books.width)
    return books.used[inside].sum(axis=0), doubts


def _line(
    books: Books, column: int, spent: float, recent: Floats | None, expected: Outlook | None, now: datetime
) -> Line:
    return Line(
        labels=books.labels[column],
        limit=float(books.limits[column]),
        spent=spent,
        recent=None if recent is None else float(recent[column]),
        ahead=_ahead(expected, column, now) if expected is not None and books.limits[column] else None,
    )


def _ahead(expected: Outlook, column: int, now: datetime) -> Ahead:
    found = expected.seen
    record = float(found.record[column])
    earliest_at, run_out_at, latest_at = (_midday(expected.reached(row, column), now) for row in range(3))
    return Ahead(
        median=float(found.median[column]),
        settled=float(expected.settled.median[column]),
        settled_over=float(expected.settled.over[column]),
        low=float(found.low[column]),
        high=float(found.high[column]),
        over=float(found.over[column]),
        earliest_at=earliest_at,
        run_out_at=run_out_at,
        latest_at=latest_at,
        record=None if math.isnan(record) else record,
    )


def _midday(start: int | None, now: datetime) -> datetime | None:
    """Of a day; of one that is over now: it did not come to it."""
    return None if start is None else max(now, from_epoch(start) + _MIDDAY)


def _concerns(incident: Incident, span: Span | None, start_at: datetime) -> bool:
    """Whether it is open, or of the period that runs."""
    if is_open(incident):
        return True
    if span is not None:
        return incident.period_at == span.start_at
    return incident.ended_at is not None and incident.ended_at >= start_at
