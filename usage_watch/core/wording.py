"""Words for people: a message as Slack, mail and log say it, so that each thing is worded in one place.

Every string here is clean: one line, no control or invisible characters, cut to a length. Markup is the sink's affair.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from zoneinfo import ZoneInfo

from usage_watch.core.entry import META, NAME, Entry, called, entry, goes_on, mark, names_itself
from usage_watch.core.lessons import LEARNING
from usage_watch.core.links import alert_page, front_page, rule_page
from usage_watch.core.message import Fact, Hello, Message, Notice, Reason
from usage_watch.core.plain import plain, web_link
from usage_watch.core.units import local_time, number, quantity, spell_duration

EXPLAINED = 3
"""Incidents that come with reasons: with those of twenty nobody would find what happened."""

_COUNTED = {
    Reason.FIRED: ("", "open"),
    Reason.ESCALATED: (" got worse", "worse"),
    Reason.REMINDER: (" still open", "still open"),
    Reason.UPDATED: (" corrected", "corrected"),
    Reason.FIRED_AND_ENDED: (" came and went", "came and went"),
    Reason.RESOLVED: (" ended", "ended"),
    Reason.RETRACTED: (" taken back", "taken back"),
    Reason.CLOSED: (" closed", "closed"),
}
"""What is said where it happened to all of them, and where to some."""

_ACK = "usage-watch alerts ack"
"""With an incident's id: no more reminders until it gets worse or ends."""


@dataclass(frozen=True, slots=True)
class Words:
    """A message in words."""

    line: str
    """All of it in one line, as a phone shows it."""
    title: str
    """The same, shorter: a heading."""
    entries: tuple[Entry, ...]
    """The incidents that are named, the gravest first; without reasons from the fourth on. A greeting names none."""
    more: int
    """How many are only counted."""
    command: str
    """How to go on."""
    runbook: str | None
    """What to do about it: a link; None once all is over."""
    page: str | None
    """A link to the status page, where most of this is to be seen; None where there is none."""
    footer: tuple[str, ...]
    """Which rule, how fresh the data was, in which zone the times are; and how not to be told of several again."""


def told(message: Message) -> tuple[Notice, ...]:
    """The news of a message. What is only corrected is none beside them: it is seen where it stands."""
    return tuple(each for each in message.news if each.reason is not Reason.UPDATED) or message.news


def news(message: Message) -> Words:
    """What a message is about."""
    return _words(message, told(message))


def standing(message: Message) -> Words:
    """How every incident of the conversation stands now."""
    return _words(message, message.standing)


def _words(message: Message, notices: Sequence[Notice]) -> Words:
    if message.hello is not None:
        return _greeting(message, message.hello)
    ordered = sorted(notices, key=_gravity)
    first, entries = ordered[0], tuple(_entries(ordered, message))
    rule = called(ordered)
    if len(ordered) == 1:
        before = () if names_itself(first) else (rule,)
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
        runbook=web_link(first.rule.runbook) if goes_on(first) else None,
        page=_page(message, ordered),
        footer=tuple(_footer(message, ordered)),
    )


def _greeting(message: Message, hello: Hello) -> Words:
    """A line, and how to go on from there."""
    line = f"👋 usage-watch watches {quantity(hello.rules, 'rules')} and tells you here{_of_what(hello)}"
    line += f"; {_read_so_far(message, hello)}"
    quiet = ("for quiet: usage-watch silence --help",)
    return Words(line, line, (), 0, "usage-watch status", None, front_page(message), quiet)


def _of_what(hello: Hello) -> str:
    if hello.heard == 0:
        return " of its own troubles"
    return "" if hello.heard == hello.rules else f" of {number(hello.heard)} of them"


def _read_so_far(message: Message, hello: Hello) -> str:
    rest = f", nothing read yet for {quantity(hello.unread, 'rules')}" if hello.unread else ""
    if message.data_until is None:
        return f"no usage seen yet{rest}"
    until = local_time(message.data_until, ZoneInfo(message.zone), message.as_of)
    return f"data until {until} ({plain(message.zone, NAME)}){rest}"


def _command(message: Message, ordered: Sequence[Notice]) -> str:
    if message.test or message.unstored:
        return "usage-watch status"
    alone = f" show {plain(ordered[0].incident_id, NAME)}" if len(ordered) == 1 else ""
    return f"usage-watch alerts{alone}"


def _page(message: Message, ordered: Sequence[Notice]) -> str | None:
    """Of one its own; of several that of their rule, which may be gone once all is over. No page is of a cause."""
    first = ordered[0]
    if len(ordered) == 1:
        return alert_page(message, first) or front_page(message)
    return rule_page(message, first) if goes_on(first) and first.rule.kind != META else front_page(message)


def _gravity(notice: Notice) -> tuple[bool, bool, int, float]:
    """What goes on before what is over; then what is new, the gravest, and what is furthest beyond its limit."""
    beyond = abs(notice.evidence.value - notice.evidence.limit)
    return (not goes_on(notice), notice.reason is Reason.REMINDER, -notice.severity.weight, -beyond)


def _counted(ordered: Sequence[Notice], rule: str) -> str:
    counts = Counter(notice.reason for notice in ordered)
    alerts = f"{mark(ordered[0])} {number(len(ordered))} alerts of {rule}"
    if len(counts) == 1:
        return alerts + _COUNTED[ordered[0].reason][0]
    parts = (f"{number(counts[reason])} {word}" for reason, (_, word) in _COUNTED.items() if counts[reason])
    return f"{alerts} ({', '.join(parts)})"


def _footer(message: Message, ordered: Sequence[Notice]) -> Iterator[str]:
    rule = ordered[0].rule
    yield plain(rule.id, NAME)
    if rule.kind != META and (message.data_until is not None or goes_on(ordered[0])):
        yield _freshness(message)
    yield f"times in {plain(message.zone, NAME)}"
    if len(ordered) > 1 and any(each.reason is Reason.REMINDER for each in ordered):
        yield f"stop reminders: {_ACK} ID"


def _freshness(message: Message) -> str:
    if message.data_until is None:
        return "no data yet"
    until = local_time(message.data_until, ZoneInfo(message.zone), message.as_of)
    age = max(timedelta(), message.as_of - message.data_until)
    return f"data until {until}, {spell_duration(age - age % timedelta(minutes=1))} old"


def _entries(ordered: Sequence[Notice], message: Message) -> Iterator[Entry]:
    explained = [entry(notice, message) for notice in ordered[: min(EXPLAINED, message.named)]]
    if len(ordered) == 1 and ordered[0].reason is Reason.REMINDER:
        stops = tuple(_stops(ordered[0]))
        explained = [replace(each, reasons=(*each.reasons, *stops)) for each in explained]
    yield from explained
    yield from (replace(entry(notice, message), reasons=(), text="") for notice in ordered[EXPLAINED : message.named])


def _stops(notice: Notice) -> Iterator[Fact]:
    """How not to be reminded again."""
    incident = plain(notice.incident_id, NAME)
    yield Fact("Stop reminders", f"{_ACK} {incident}")
    if notice.rule.kind in LEARNING:
        yield Fact("Or answer", f"usage-watch alerts expected {incident}, or rebaseline: it is the new usual")
