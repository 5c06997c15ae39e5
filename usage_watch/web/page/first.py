"""The first screen: is anything wrong, will the money last, is the watcher itself well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from usage_watch.core.chart import Gauge, gauge, on_page
from usage_watch.core.incident import Incident
from usage_watch.core.units import number, percent, quantity
from usage_watch.views.answers import answerable
from usage_watch.views.budgets.facts import facts
from usage_watch.views.budgets.state import Budget, Line
from usage_watch.views.charts import called
from usage_watch.views.deliveries import troubles
from usage_watch.views.freshness import complaints
from usage_watch.views.glance import glance, needs_somebody, read_at
from usage_watch.views.incidents import began, line
from usage_watch.views.standing import Standing, standing
from usage_watch.web.page.html import Html, Inside, el, join, link, pairs, sentence
from usage_watch.web.page.incidents import severity
from usage_watch.web.page.lately import most, week
from usage_watch.web.page.room import Room
from usage_watch.web.page.shell import page
from usage_watch.web.page.tables import table

_RULES, _OF_A_RULE = 6, 2
"""Rules that are named with what they found, and how much of each; the rest is counted."""
_SERIES = 5
"""Lines of a budget of many."""
_FACTS = ("In all", "Spent", "Even pace", "Expected", "Over limit", "Stays inside", "Forecast", "Limit")
"""Of a budget; its page has all."""


def view(room: Room) -> Html:
    """The page."""
    found = standing(room.config, room.database, room.now)
    return page(
        room,
        "Now",
        [_budget(room, each, place) for place, each in enumerate(found.budgets)],
        _open(room, found),
        week(room),
        most(room),
        _watcher(room, found),
        here="./",
        heading=_sentence(room, found),
    )


def _sentence(room: Room, found: Standing) -> Html:
    clauses = glance(found, room.reader, hindered=room.vitals.hindered is not None)
    said = (el("span", each.text, class_=each.tone.value) for each in clauses)
    return join([part for place, each in enumerate(said) for part in ("; " if place else "", each)], ".")


# Budgets


def _budget(room: Room, budget: Budget, place: int) -> Html:
    said = [each for each in facts(budget, room.config.list_price, room.reader) if each[0] in _FACTS]
    alone = None if budget.rule.for_each is not None or not budget.lines else budget.lines[0]
    return el(
        "section",
        el("h2", link("rule", called(budget.rule), id=budget.rule.id), id=f"budget-{place}"),
        None if alone is None else _gauge(room, budget, alone, f"b{place}"),
        pairs(said),
        _largest(room, budget, place) if alone is None else None,
    )


def _gauge(room: Room, budget: Budget, line: Line, key: str) -> Html:
    ahead = line.ahead
    drawn = Gauge(
        title=room.veil(f"{called(budget.rule)}: {percent(line.share)} of {quantity(line.limit, budget.rule.unit)}"),
        spent=line.spent,
        limit=line.limit,
        even=budget.even(line, room.now),
        expected=None if ahead is None else (ahead.low, ahead.median, ahead.high),
    )
    return join(Html(gauge(drawn, look)) for look in on_page(key))


def _largest(room: Room, budget: Budget, place: int) -> Html | None:
    rule = budget.rule
    rows = (
        (
            link("rule", _named(line), id=rule.id, series=room.key_of(line.labels)),
            el("span", percent(line.share), class_="critical" if line.over else None),
            number(line.spent),
        )
        for line in budget.lines[:_SERIES]
    )
    heads = (rule.for_each or "", "used", rule.unit)
    return table(f"budget-{place}", heads, rows, heads[1:]) if budget.lines else None


def _named(line: Line) -> str:
    return " ".join(line.labels.values()) or "all"


# What is open


def _open(room: Room, found: Standing) -> Html:
    needed = set(needs_somebody(found))
    first = [each for each in found.open if each.id in needed]
    rest = len(found.open) - len(first)
    others = f"{rest:,} more {'is' if rest == 1 else 'are'} open: known, held back, or for information."
    return el(
        "section",
        el("h2", "Needs an answer" if first else "Open alerts"),
        _by_rule(room, found, first),
        el("p", link("alerts", others if first else others.replace(" more", "", 1))) if rest else None,
        None if found.open else el("p", "Nothing is open."),
    )


def _by_rule(room: Room, found: Standing, incidents: Sequence[Incident]) -> Iterator[Html]:
    """Of each rule the most urgent, that one rule of many members leaves room for the others."""
    places = {each.rule.id: place for place, each in reversed([*enumerate(incidents)])}
    ordered = sorted(incidents, key=lambda each: places[each.rule.id])
    groups = [list(each) for _, each in groupby(ordered, key=lambda each: each.rule.id)]
    if groups:
        yield el("ul", (_of_rule(room, found, each) for each in groups[:_RULES]), class_="alerts")
    if len(groups) > _RULES:
        yield el("p", link("alerts", f"and more of {quantity(len(groups) - _RULES, 'other rules')}"))


def _of_rule(room: Room, found: Standing, incidents: Sequence[Incident]) -> Iterator[Html]:
    yield from (_alert(room, found, each) for each in incidents[:_OF_A_RULE])
    if len(incidents) > _OF_A_RULE:
        more = f"and {len(incidents) - _OF_A_RULE:,} more of {incidents[0].rule.title}"
        yield el("li", link("rule", more, id=incidents[0].rule.id))


def _alert(room: Room, found: Standing, incident: Incident) -> Html:
    said = line(incident, found.words, room.reader)
    return el(
        "li",
        el("p", severity(incident), " ", link("alert", said, id=incident.id)),
        el("p", f"{incident.rule.title}, open since {began(incident, room.reader)}", class_="faint"),
        el("p", el("code", f"usage-watch alerts ack {incident.id}"), " somebody knows", class_="answer"),
        el("p", el("code", f"usage-watch alerts expected {incident.id}"), " it was meant", class_="answer")
        if answerable(incident)
        else None,
    )


# The watcher


def _watcher(room: Room, found: Standing) -> Html:
    waiting = list(troubles(found.outbox, found.channels, room.reader))
    next_at = min((each.next_poll_at for each in found.feeds), default=None)
    hindered = room.vitals.hindered
    said: list[tuple[str, Inside]] = [
        ("Last read", room.reader.moment(read_at(found.feeds))),
        ("Next", room.reader.moment(next_at, "nothing is asked for: no rule is enabled")),
        ("Undelivered", "; ".join(_undelivered(*each) for each in waiting) or "nothing"),
        ("Silences", f"{len(found.silences)} in force" if found.silences else "none in force"),
        *([("Mutes", ", ".join(each.name for each in found.mutes))] if found.mutes else []),
        *(("Trouble", sentence(each)) for each in complaints(found.feeds, room.reader)),
        *([] if hindered is None else [("Trouble", f"since {room.reader.moment(hindered.since)}, {hindered.why}")]),
    ]
    return el("section", el("h2", "The watcher"), pairs(said))


def _undelivered(channel: str, number: str, why: str) -> str:
    return f"{channel}: {number + ' ' if number else ''}{why}"
