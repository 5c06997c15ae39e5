"""The first screen: is anything wrong, will the money last, is the watcher itself well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from usage_watch.core.chart import Bar, Bars, Gauge, bars, gauge, on_page
from usage_watch.core.incident import Incident
from usage_watch.core.units import percent, quantity
from usage_watch.errors import UsageError
from usage_watch.rules import Rule
from usage_watch.rules.threshold import ThresholdRule
from usage_watch.rules.zscore import ZscoreRule
from usage_watch.views import charts, comparing, top
from usage_watch.views.answers import answerable
from usage_watch.views.budgets.facts import facts
from usage_watch.views.budgets.state import Budget, Line
from usage_watch.views.deliveries import troubles
from usage_watch.views.freshness import complaints
from usage_watch.views.glance import glance, needs_somebody, read_at, title_of
from usage_watch.views.incidents import began, what
from usage_watch.views.orders import NOTHING, notes
from usage_watch.views.standing import Standing, standing
from usage_watch.web.page.html import Html, el, join, link
from usage_watch.web.page.room import Room, key_of
from usage_watch.web.page.shell import page

_SHOWN = 8
"""Open alerts of each list, and rows of each axis."""
_SERIES = 5
"""Lines of a budget of many."""
_AXES = ("member", "Model")
_WEEK, _DAY = timedelta(days=7), timedelta(days=1)
_FACTS = ("Period", "In all", "Spent", "Even pace", "Expected", "Over limit", "Stays inside", "Forecast", "Record")
"""Of a budget, in this order."""


def view(room: Room) -> Html:
    """The page."""
    found = standing(room.config, room.database, room.now)
    return page(
        room,
        "Now",
        _open(room, found),
        [_budget(room, each, place) for place, each in enumerate(found.budgets)],
        _week(room),
        _top(room),
        _watcher(room, found),
        heading=_sentence(room, found),
    )


def _sentence(room: Room, found: Standing) -> Html:
    clauses = glance(found, room.reader)
    said = (el("span", room.veil(each.text), class_=each.tone.value) for each in clauses)
    return join([part for place, each in enumerate(said) for part in ("; " if place else "", each)], ".")


# What is open


def _open(room: Room, found: Standing) -> Html:
    needed = set(needs_somebody(found))
    first = [each for each in found.open if each.id in needed]
    others = [each for each in found.open if each.id not in needed]
    return el(
        "section",
        el("h2", "Needs an answer" if first else "Open"),
        _alerts(room, found, first, answers=True),
        el("h3", "Known, held back, or for information") if first and others else None,
        _alerts(room, found, others, answers=False),
        None if found.open else el("p", "Nothing is open."),
    )


def _alerts(room: Room, found: Standing, incidents: Sequence[Incident], *, answers: bool) -> Iterator[Html]:
    if incidents:
        yield el("ul", (_alert(room, found, each, answers) for each in incidents[:_SHOWN]), class_="alerts")
    if len(incidents) > _SHOWN:
        yield el("p", link("alerts", f"and {len(incidents) - _SHOWN:,} more"))


def _alert(room: Room, found: Standing, incident: Incident, answers: bool) -> Html:
    said = what(incident, notes(found.words.get(incident.id, NOTHING), room.reader))
    command = f"usage-watch alerts ack {incident.id}"
    expected = f"usage-watch alerts expected {incident.id}"
    return el(
        "li",
        el("span", incident.severity, class_=f"tag {incident.severity}"),
        " ",
        link("alert", room.veil(said), id=incident.id),
        el("div", f"{incident.rule.title}, since {began(incident, room.reader)}", class_="faint"),
        el("div", "Somebody knows: ", el("code", command), class_="answer") if answers else None,
        el("div", "It was meant: ", el("code", expected), class_="answer")
        if answers and answerable(incident)
        else None,
        class_="card",
    )


# Budgets


def _budget(room: Room, budget: Budget, place: int) -> Html:
    said = [each for each in facts(budget, room.config.list_price, room.reader) if each[0] in _FACTS or not each[0]]
    of_many = budget.rule.for_each is not None
    return el(
        "section",
        el("h2", link("rule", title_of(budget), id=budget.rule.id)),
        None if of_many or not budget.lines else _gauge(room, budget, budget.lines[0], f"b{place}"),
        _listed(room, said),
        _largest(room, budget) if of_many else None,
    )


def _gauge(room: Room, budget: Budget, line: Line, key: str) -> Html:
    ahead = line.ahead
    drawn = Gauge(
        title=f"{title_of(budget)}: {percent(line.share)} of {quantity(line.limit, budget.rule.unit)}",
        spent=line.spent,
        limit=line.limit,
        even=budget.even(line, room.now),
        expected=None if ahead is None else (ahead.low, ahead.median, ahead.high),
    )
    return join(Html(gauge(drawn, look)) for look in on_page(key))


def _listed(room: Room, said: Sequence[tuple[str, str]]) -> Html:
    return el("dl", ((el("dt", name), el("dd", room.veil(value))) for name, value in said))


def _largest(room: Room, budget: Budget) -> Html | None:
    rows = [
        el(
            "tr",
            el("td", link("rule", _named(room, line), id=budget.rule.id, series=key_of(line.labels))),
            el("td", percent(line.share), class_="number"),
            el("td", quantity(line.spent, budget.rule.unit), class_="number"),
        )
        for line in budget.lines[:_SERIES]
    ]
    heads = el("tr", (el("th", each, scope="col") for each in (budget.rule.for_each or "", "used", "spent")))
    return el("table", el("thead", heads), el("tbody", rows)) if rows else None


def _named(room: Room, line: Line) -> str:
    return room.veil(" ".join(line.labels.values())) or "all"


# Usage


def _week(room: Room) -> Html | None:
    """The last 7 days of the rule that sees most."""
    rule = _widest(room.config.enabled)
    if rule is None:
        return None
    try:
        chosen = charts.choose(charts.Asked(room.config, room.database, rule, room.now, since_at=room.now - _WEEK))
        drawn = charts.drawn(chosen, on_page("week"))
    except UsageError:  # nothing is read yet
        return None
    words = room.veil(": ".join(filter(None, [title(rule), " ".join(chosen.labels.values())])))
    heading = el("h2", "The last 7 days: ", link("rule", words, id=rule.id, series=key_of(chosen.labels)))
    return el("section", heading, map(Html, map(room.veil, drawn)))


def title(rule: Rule) -> str:
    """A title that is filled in alert by alert says nothing here."""
    return rule.title if rule.title and "$" not in rule.title else rule.id


def _widest(rules: Sequence[Rule]) -> Rule | None:
    """Of all usage before parts of it, with a usual band before without; None where no rule looks at hours or days."""
    seen = [each for each in rules if isinstance(each, ZscoreRule | ThresholdRule)]
    return min(seen, key=_narrowness, default=None)


def _narrowness(rule: Rule) -> tuple[bool, ...]:
    return rule.for_each is not None, bool(rule.where), isinstance(rule, ThresholdRule)


def _top(room: Room) -> Iterator[Html]:
    """Who and what used most, against usual."""
    for axis in _AXES:
        asked = top.Asked("credit_usage", axis, room.now - _DAY, 4, room.now)
        try:
            found = top.compared(room.database, asked)
        except UsageError:  # nothing is stored of it, or not by this axis
            continue
        for side in found.sides:
            yield _side(room, side, asked.unit)


def _side(room: Room, side: top.Side, unit: str) -> Html:
    compared = side.comparison
    shown = [
        Bar(
            name=room.veil(comparing.name(compared, row)),
            value=float(compared.parts.actual[row]),
            usual=float(compared.parts.expected[row]),
            note=str(comparing.newness(compared, row) or ""),
        )
        for row in comparing.by_use(compared)[:_SHOWN]
    ]
    over = room.reader.between(side.from_at, side.until_at, "1d" if compared.lasts >= _DAY else "1h")
    drawn = Bars(f"{compared.axis}s against usual", f"{unit}, {over}", shown)
    looks = on_page(f"top-{compared.axis.casefold()}")
    heading = el("h2", f"{compared.axis.capitalize()}s against usual")
    return el("section", heading, (Html(bars(drawn, each)) for each in looks))


# The watcher


def _watcher(room: Room, found: Standing) -> Html:
    waiting = list(troubles(found.outbox, found.channels, room.reader))
    asked = read_at(found.feeds)
    said = [
        ("Last read", room.reader.moment(asked)),
        ("Next", room.reader.moment(min((each.next_poll_at for each in found.feeds), default=None), "nothing is read")),
        ("Undelivered", "; ".join(_undelivered(*each) for each in waiting) or "nothing"),
        ("Silences", f"{len(found.silences)} in force" if found.silences else "none"),
        ("Mutes", ", ".join(each.name for each in found.mutes) or "none"),
        *(("Trouble", each) for each in complaints(found.feeds, room.reader)),
    ]
    hindered = room.vitals.hindered
    if hindered is not None:
        said.insert(0, ("Trouble", f"since {room.reader.moment(hindered.since)}, {hindered.why}"))
    return el("section", el("h2", "The watcher"), _listed(room, said))


def _undelivered(channel: str, number: str, why: str) -> str:
    return f"{channel}: {number + ' ' if number else ''}{why}"


__all__ = ["title", "view"]
