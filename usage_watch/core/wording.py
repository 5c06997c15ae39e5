"""Words for people: a message as Slack, mail and log say it, so that each thing is worded in one place.

Every string here is clean: one line, no control or invisible characters, cut to a length. Markup is the sink's affair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from usage_watch.core.message import Fact, Message, Notice, Reason, Severity
from usage_watch.core.plain import plain, web_link
from usage_watch.core.units import local_time, number, percent, span, spell_duration

NAMED = 20
"""Incidents that one message names; the rest are counted."""

_NAME, _SENTENCE, _VALUE = 80, 300, 200
"""Characters kept of a name, of a sentence and of a row's value."""
_EXPLAINED = 3
"""Incidents that come with reasons: with those of twenty nobody would find what happened."""
_CONTRIBUTORS = 3
"""Contributors named per axis."""
_ROWS = 12
"""Reasons given per incident."""

_LEVEL_MARKS = {Severity.CRITICAL: "🔴", Severity.WARNING: "🟠", Severity.INFO: "🔵"}
_END_MARKS = {Reason.RESOLVED: "✅", Reason.CLOSED: "⚪"}
_COUNTED = {
    Reason.FIRED: ("", "open"),
    Reason.ESCALATED: (" got worse", "worse"),
    Reason.RESOLVED: (" ended", "ended"),
    Reason.CLOSED: (" closed", "closed"),
}
"""What is said where it happened to all of them, and where to some."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One incident in words."""

    mark: str
    headline: str
    """What happened: `claude-opus-4-8: 12,345 credits in 3 h, over the critical limit of 10,000`."""
    aside: tuple[str, ...]
    """What stands in brackets after it: `since 13:00`."""
    labels: tuple[Fact, ...]
    """Of which series of the rule it is."""
    standing: tuple[Fact, ...]
    """How it stands: how grave, since when."""
    reasons: tuple[Fact, ...]
    """Why: the rule's arithmetic, what is usual, who contributed; none from the fourth of several on."""

    def line(self, *before: str) -> str:
        """Mark, headline and brackets; these open with `before`."""
        return f"{self.mark} {self.headline} ({', '.join((*before, *self.aside))})"


@dataclass(frozen=True, slots=True)
class Words:
    """A message in words."""

    line: str
    """All of it in one line, as a phone shows it."""
    title: str
    """The same, shorter: a heading."""
    entries: tuple[Entry, ...]
    """The incidents that are named, the gravest first."""
    more: int
    """How many are only counted."""
    command: str
    """How to go on."""
    runbook: str | None
    """What to do about it: a link; None once all is over."""
    footer: tuple[str, ...]
    """Which rule, how fresh the data was, in which zone the times are."""


def news(message: Message) -> Words:
    """What a message is about."""
    return _words(message, message.news)


def standing(message: Message) -> Words:
    """How every incident of the conversation stands now."""
    return _words(message, message.standing)


def _words(message: Message, notices: Sequence[Notice]) -> Words:
    ordered = sorted(notices, key=_gravity)
    first, entries = ordered[0], tuple(_entries(ordered, message))
    rule = _shown(first.rule.title)
    if len(ordered) == 1:
        before = () if _names_rule(first) else (rule,)
        title = " ".join((entries[0].mark, entries[0].headline, *(f"({rule})" for rule in before)))
        line = entries[0].line(*before)
    else:
        title = _counted(ordered, rule)
        line = f"{title}: {entries[0].headline}; and {number(len(ordered) - 1)} more"
    test = "🧪 test, nothing happened: " if message.test else ""
    return Words(
        line=test + line,
        title=test + title,
        entries=entries,
        more=len(ordered) - len(entries),
        command=_command(message, ordered),
        runbook=web_link(first.rule.runbook) if first.reason.firing else None,
        footer=(plain(first.rule.id, _NAME), _freshness(message), f"times in {plain(message.zone, _NAME)}"),
    )


def _command(message: Message, ordered: Sequence[Notice]) -> str:
    if message.test:
        return "usage-watch status"
    alone = f" show {plain(ordered[0].incident_id, _NAME)}" if len(ordered) == 1 else ""
    return f"usage-watch alerts{alone}"


def _gravity(notice: Notice) -> tuple[bool, int, float]:
    """What goes on before what is over, then the gravest, then what is furthest beyond its limit."""
    beyond = abs(notice.evidence.value - notice.evidence.limit)
    return (not notice.reason.firing, -notice.severity.weight, -beyond)


def _counted(ordered: Sequence[Notice], rule: str) -> str:
    counts = Counter(notice.reason for notice in ordered)
    alerts = f"{_mark(ordered[0])} {number(len(ordered))} alerts of {rule}"
    if len(counts) == 1:
        return alerts + _COUNTED[ordered[0].reason][0]
    parts = (f"{number(counts[reason])} {word}" for reason, (_, word) in _COUNTED.items() if counts[reason])
    return f"{alerts} ({', '.join(parts)})"


def _freshness(message: Message) -> str:
    if message.data_until is None:
        return "no data yet"
    until = local_time(message.data_until, ZoneInfo(message.zone), message.decided_at)
    age = max(timedelta(), message.decided_at - message.data_until)
    return f"data until {until}, {spell_duration(age)} old"


def _entries(ordered: Sequence[Notice], message: Message) -> Iterator[Entry]:
    for index, notice in enumerate(ordered[:NAMED]):
        entry = _entry(notice, message)
        yield entry if index < _EXPLAINED else replace(entry, reasons=())


def _entry(notice: Notice, message: Message) -> Entry:
    times = _times(notice, message)
    return Entry(
        mark=_mark(notice),
        headline=_headline(notice, times),
        aside=tuple(_aside(notice, times)),
        labels=tuple(Fact(_titled(axis), _shown(category)) for axis, category in sorted(notice.labels.items())),
        standing=tuple(_standing(notice, times)),
        reasons=tuple(islice(_reasons(notice), _ROWS)),
    )


def _mark(notice: Notice) -> str:
    return _END_MARKS.get(notice.reason) or _LEVEL_MARKS[notice.severity]


@dataclass(frozen=True, slots=True)
class _Times:
    """When an incident began and ended: hours, or the first and last day where it was judged by days."""

    began: str
    ended: str
    lasted: str


def _times(notice: Notice, message: Message) -> _Times:
    day = timedelta(days=1)
    began_at, ended_at, now = notice.started_at, notice.ended_at or message.decided_at, message.decided_at
    lasted = spell_duration(ended_at - began_at)
    if notice.evidence.bucket == "1d":  # the source's days are UTC days
        utc = ZoneInfo("UTC")
        return _Times(span(began_at, began_at + day, utc, now), span(ended_at - day, ended_at, utc, now), lasted)
    zone = ZoneInfo(message.zone)
    return _Times(local_time(began_at, zone, now), local_time(ended_at, zone, now), lasted)


def _series(notice: Notice) -> str:
    return ", ".join(_shown(value) for _, value in sorted(notice.labels.items()))


def _shown(text: str, limit: int = _NAME) -> str:
    return plain(text, limit) or "(blank)"


def _titled(axis: str) -> str:
    name = _shown(axis)
    return name[0].upper() + name[1:]


def _headline(notice: Notice, times: _Times) -> str:
    series, summary = _series(notice), _shown(notice.evidence.summary, _SENTENCE)
    match notice.reason:
        case Reason.RESOLVED:
            return f"ended {times.ended}: {series or _shown(notice.rule.title)}"
        case Reason.CLOSED:
            return f"{series} closed: ".lstrip() + plain(notice.note or "no longer watched", _SENTENCE)
        case Reason.ESCALATED:
            return f"{series} is now {notice.severity}: {summary}" if series else f"now {notice.severity}: {summary}"
    return f"{series}: {summary}" if series else summary


def _names_rule(notice: Notice) -> bool:
    """Whether the headline holds the rule's title: there is no better name for the series."""
    return notice.reason is Reason.RESOLVED and not notice.labels


def _aside(notice: Notice, times: _Times) -> Iterator[str]:
    if notice.reason is not Reason.RESOLVED:
        yield f"since {times.began}"
        return
    yield times.lasted
    evidence = notice.evidence
    height = "peak" if evidence.value >= evidence.limit else "lowest"
    window = "" if notice.period_at else f" in {spell_duration(evidence.until_at - evidence.from_at)}"
    yield f"{height} {_quantity(evidence.value, evidence.unit)}{window}"


def _quantity(value: float, unit: str) -> str:
    if unit == "%":
        return percent(value / 100)
    return f"{number(value)} {plain(unit.removesuffix('s') if value == 1 else unit, _NAME)}"


def _standing(notice: Notice, times: _Times) -> Iterator[Fact]:
    yield Fact("Severity", notice.severity.value)
    yield Fact("Since", times.began)
    if notice.ended_at is not None:
        yield Fact("Ended", times.ended)
        yield Fact("Lasted", times.lasted)


def _reasons(notice: Notice) -> Iterator[Fact]:
    """While it goes on: why. Once it is over: how bad it was, and still who it was."""
    evidence = notice.evidence
    if notice.reason.firing:
        yield from (Fact(_shown(fact.name), _shown(fact.value, _VALUE)) for fact in evidence.facts)
    else:
        yield Fact("At its worst", _shown(evidence.summary, _SENTENCE))
    for axis in dict.fromkeys(contributor.axis for contributor in evidence.contributors):
        parts = [each for each in evidence.contributors if each.axis == axis][:_CONTRIBUTORS]
        said = (f"{_shown(part.category)} {_signed(part.change)} ({percent(part.share)})" for part in parts)
        yield Fact(f"By {_shown(axis)}", ", ".join(said))


def _signed(change: float) -> str:
    return f"+{number(change)}" if change > 0 else number(change)
