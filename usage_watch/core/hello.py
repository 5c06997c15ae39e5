"""The first line that a channel of people hears, ever: what is watched. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from usage_watch.core.compose import Form
from usage_watch.core.message import Conversation, Hello, Message
from usage_watch.core.privacy import veiled
from usage_watch.core.promise import Post
from usage_watch.core.units import quantity

HELLO = "hello"
"""Stands where other messages have their reason."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What is watched, and who hears of it."""

    hearers: Mapping[str, Collection[str]]
    """By the id of each rule that is watched, the targets that it may tell."""
    own: Collection[str]
    """Targets that are told what the watcher says of itself."""
    judged: Collection[str]
    """Ids of the rules that have judged something."""
    data_until: datetime | None
    """End of the newest bucket with usage; None where none was seen."""


def hello_id(target: str) -> str:
    """The id of a target's greeting: there is one, ever."""
    return f"ntf_{_digest(target)}"


def greetings(strangers: Collection[str], watch: Watch, form: Form, now: datetime) -> Iterator[Post]:
    """One for each channel of people among the strangers that is told anything, once there is anything to tell of."""
    if not watch.judged:
        return
    for name, target in form.targets.items():
        if name not in strangers or not target.people:
            continue
        heard = sum(name in names for names in watch.hearers.values())
        if heard or name in watch.own:
            unread = len(watch.hearers) - len(watch.judged)
            hello = Hello(len(watch.hearers), heard, unread)
            message = Message((), (), now, form.zone.key, watch.data_until, hello=hello, page=form.page)
            yield Post(hello_id(name), name, _conversation(name, hello), veiled(message, target.members), ())


def _conversation(target: str, hello: Hello) -> Conversation:
    return Conversation(f"cnv_{_digest(target)}", f"usage-watch: watching {quantity(hello.rules, 'rules')}", None)


def _digest(target: str) -> str:
    return hashlib.sha256(repr((HELLO, target)).encode()).hexdigest()[:20]
