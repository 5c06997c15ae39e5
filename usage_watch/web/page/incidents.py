"""An incident on a page: how grave, from when to when, and the way to its rule."""

from __future__ import annotations

from typing import TYPE_CHECKING

from usage_watch.views.incidents import began, ended, is_open
from usage_watch.web.page.html import Html, Inside, el, link

if TYPE_CHECKING:
    from usage_watch.core.incident import Incident
    from usage_watch.views.times import Reader
    from usage_watch.web.page.room import Room


DOT = Html(" · ")
"""Between what stands in one line."""


def severity(incident: Incident) -> Html:
    """How grave it is, as a word in its colour."""
    return el("span", incident.severity, class_=f"badge {incident.severity}" + ("" if is_open(incident) else " over"))


def lasted(incident: Incident, reader: Reader) -> str:
    """`open since 14:00`, `13:00 until 16:00`."""
    since, until = began(incident, reader), ended(incident, reader)
    if is_open(incident):
        return f"open since {since}"
    return since if since == until else f"{since} until {until}"


def rule_link(room: Room, incident: Incident, words: str | None = None) -> Inside:
    """To its rule and series; only its name where there is no such rule any more, or never was one."""
    id = incident.rule.id
    if id not in {each.id for each in room.config.rules}:
        return words or id
    series = {"series": room.key_of(incident.labels)} if incident.labels else {}
    return link("rule", words or id, id=id, **series)
