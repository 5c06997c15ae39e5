"""The page of all alerts: what is open, and what has ended lately."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from usage_watch.core.plain import plain
from usage_watch.errors import UsageError
from usage_watch.views.incidents import as_of, is_open, what
from usage_watch.views.orders import NOTHING, notes
from usage_watch.views.story import listed
from usage_watch.views.times import since_at
from usage_watch.web.page.choices import choices
from usage_watch.web.page.html import Html, el, join, link
from usage_watch.web.page.incidents import DOT, lasted, rule_link, severity
from usage_watch.web.page.shell import page

if TYPE_CHECKING:
    from usage_watch.core.incident import Incident
    from usage_watch.views.story import Listed
    from usage_watch.web.page.room import Room

_SPANS = {"7d": "7 days", "30d": "30 days", "90d": "90 days"}
_SHOWN = 200
"""Alerts of each kind: what is more is for the command line."""
_LONGEST = 300
"""Characters of what one is about."""


def view(room: Room) -> Html:
    """The page."""
    span = room.asked.get("since", "7d")
    if span not in _SPANS:
        raise UsageError(f"There is no list of alerts since {plain(span, 40)!r}; it is for 7d, 30d or 90d.")
    past = room.asked.get("history") == "yes"
    found = listed(room.config, room.database, since_at(span, room.now), room.now, history=past)
    goes_on = [each for each in found.incidents if is_open(each)]
    return page(
        room,
        "Alerts",
        _section(room, found, "open", f"Open: {len(goes_on):,}", goes_on, "Nothing is open."),
        _over(room, found, span, found.incidents[len(goes_on) :]),
        _history(found, span, past),
        here="alerts",
    )


def _over(room: Room, found: Listed, span: str, over: Sequence[Incident]) -> Html:
    past = room.asked.get("history") == "yes"
    links = (link("alerts", words, each == span, **_query(each, past)) for each, words in _SPANS.items())
    name, nothing = f"Over, of the last {_SPANS[span]}: {len(over):,}", f"Nothing has ended in {_SPANS[span]}."
    return join(_section(room, found, "over", name, over, nothing, choices("How far back", links)))


def _section(
    room: Room,
    found: Listed,
    id: str,
    name: str,
    incidents: Sequence[Incident],
    nothing: str,
    before: Html | None = None,
) -> Html:
    more = len(incidents) - _SHOWN
    return el(
        "section",
        el("h2", name, id=id),
        before,
        el("ol", (_alert(room, found, each) for each in islice(incidents, _SHOWN)), class_="listed")
        if incidents
        else el("p", nothing),
        el("p", f"And {more:,} more: ", el("code", "usage-watch alerts list")) if more > 0 else None,
        aria_labelledby=id,
    )


def _alert(room: Room, found: Listed, incident: Incident) -> Html:
    said = ", ".join([*as_of(incident, room.reader), *notes(found.words.get(incident.id, NOTHING), room.reader)])
    return el(
        "li",
        severity(incident),
        el(
            "div",
            el("p", link("alert", plain(room.veil(what(incident)), _LONGEST), id=incident.id)),
            el("p", rule_link(room, incident), DOT, lasted(incident, room.reader), class_="faint"),
            el("p", room.veil(said), class_="said") if said else None,
        ),
        class_="card open" if is_open(incident) else "card",
    )


def _history(found: Listed, span: str, past: bool) -> Html | None:
    if past:
        away = link("alerts", "Leave them out", **_query(span, past=False))
        return el("p", "What was over before its rule was first seen is listed, too. ", away, class_="faint")
    if not found.hidden:
        return None
    there = link("alerts", "Show them", **_query(span, past=True))
    said = f"{found.hidden:,} more: over before their rule was first seen, and told to nobody. "
    return el("p", said, there, class_="faint")


def _query(span: str, past: bool) -> dict[str, str]:
    return {"since": span} | ({"history": "yes"} if past else {})
