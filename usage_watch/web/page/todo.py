"""What to do about an alert: the runbook, and the commands to answer it with."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

from usage_watch.core.plain import plain, web_link
from usage_watch.core.silence import Matcher, Operator
from usage_watch.views.answers import answerable
from usage_watch.views.incidents import is_open, reminded_until
from usage_watch.web.page.html import Html, el, join

if TYPE_CHECKING:
    from usage_watch.core.incident import Incident
    from usage_watch.views.orders import Word
    from usage_watch.web.page.room import Room

TO_DO = "What to do"
"""Of the heading, and of facts that say so."""
_UNSAID = "NAME"
"""In the place of a name that may not be said here, or that nobody could copy."""
_LONGEST = 200
"""Characters of a name that can be copied."""


def todo(room: Room, incident: Incident, word: Word) -> Html | None:
    """Nothing once it is over, unless there is a runbook or advice."""
    commands = list(_commands(room, incident, word)) if is_open(incident) else []
    to = runbook(room, incident.rule.runbook)
    advised = [el("p", room.veil(each)) for each in advice(incident)]
    if to is None and not commands and not advised:
        return None
    listed = (el("li", el("code", command), el("span", why)) for command, why in commands)
    read = None if to is None else el("p", "Runbook: ", to)
    return join(el("h2", TO_DO), advised, read, el("ul", listed, class_="todo") if commands else None)


def advice(incident: Incident) -> list[str]:
    """What the watcher says of itself comes with what to do about it."""
    return [fact.value for fact in incident.evidence.facts if fact.name == TO_DO]


def runbook(room: Room, written: str | None) -> Html | None:
    """A link, where it is one; half a link leads nowhere, and so one that names a hidden member is none."""
    href = web_link(written)
    if href is None or room.veil(href) != href or room.veil(written or "") != written:
        return None
    return el("a", href, href=href, rel="noreferrer")


def _commands(room: Room, incident: Incident, word: Word) -> Iterator[tuple[str, str]]:
    """Each with what it does."""
    id = incident.id
    if not word.known:
        yield f"usage-watch alerts ack {id}", f"Somebody knows: no reminders until {reminded_until(incident)}."
    if answerable(incident) and (word.answer is None or not word.answer.stands):
        yield f"usage-watch alerts expected {id}", "It was expected: what is usual is not learned from it."
        yield f"usage-watch alerts rebaseline {id}", "It is the new usual: judge by what came since it began."
    if word.silence is None:
        yield _silence(room, incident), "Say nothing of it for two hours."


def _silence(room: Room, incident: Incident) -> str:
    labels = {name: _copied(room, each) for name, each in incident.labels.items()}
    names = {"rule": incident.rule.id, **({"part": incident.part} if incident.part else {}), **labels}
    matchers = " ".join(shlex.quote(str(Matcher(name, Operator.IS, value))) for name, value in names.items())
    return f"usage-watch silence add {matchers} --for 2h --reason 'looking into it'"


def _copied(room: Room, value: str) -> str:
    """A name as it can be copied from here: whole, and of no member who may not be named."""
    return value if value == plain(room.veil(value), _LONGEST) else _UNSAID
