"""A world in memory: an outbox whose targets take, refuse or lose what they are sent, and what they heard."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum, auto
from zoneinfo import ZoneInfo

from tests.core.promises import (
    CLOSED,
    ESCALATED,
    FIRED,
    LATE,
    NOW,
    REMINDER,
    RESOLVED,
    RETRACTED,
    TARGETS,
    UPDATED,
)
from usage_watch.core.compose import Form, compose
from usage_watch.core.incident import Incident
from usage_watch.core.message import Reason
from usage_watch.core.mute import Mute
from usage_watch.core.plan import Plan, Routes, Terms, plan
from usage_watch.core.promise import Decision, Notification, Post, Told
from usage_watch.core.silence import Ack, Orders, Silence

LETTERS = {
    FIRED: "f",
    ESCALATED: "e",
    REMINDER: "m",
    UPDATED: "",
    RESOLVED: "r",
    LATE: "x",
    RETRACTED: "t",
    CLOSED: "c",
}
LIVES = re.compile("((f[em]*[rc]|x)t?|f[em]*t)*(f[em]*)?")
"""Openings, rises and one end each, which may be taken back."""
NEWS = (FIRED, ESCALATED, LATE)
_FORM = Form(TARGETS, ZoneInfo("UTC"))

Key = tuple[str, str]
"""Incident and target."""


class Answer(Enum):
    """What a target does with the first row of each conversation; only after `TAKEN` it is sent the next."""

    TAKEN = auto()
    DOWN = auto()
    LOST = auto()
    """Nobody knows whether it arrived, and it did not."""
    UNSURE = auto()
    """Nobody knows whether it arrived, and it did."""
    REFUSED = auto()


class State(Enum):
    QUEUED = auto()
    UNSURE = auto()
    SENT = auto()
    DEAD = auto()
    RECALLED = auto()


@dataclass
class Row:
    post: Post
    at: datetime
    state: State = State.QUEUED
    arrived: bool = False

    @property
    def pending(self) -> bool:
        return self.state in (State.QUEUED, State.UNSURE)

    def told(self) -> Iterator[Told]:
        for key in self.post.keys:
            yield Told(
                key,
                self.post.conversation,
                self.at,
                self.post.id,
                counts=self.pending or self.state is State.SENT,
                waits=self.state is State.QUEUED,
                recalled=self.state is State.RECALLED,
            )


@dataclass
class World:
    """Cycles at times that go on, of which each commits all or nothing."""

    routes: Routes
    remind: timedelta | None = None
    now: datetime = NOW
    rows: list[Row] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    """As the last cycle left them."""
    silences: list[Silence] = field(default_factory=list)
    mutes: Sequence[Mute] = ()
    held: set[Decision] = field(default_factory=set)
    """What was held back, as it is stored."""
    acks: dict[str, Ack] = field(default_factory=dict)
    heard: dict[Key, list[Notification]] = field(default_factory=lambda: defaultdict(list))
    """What arrived at a target, each once, in order; corrections are left out."""

    @property
    def told(self) -> list[Told]:
        return [each for row in self.rows for each in row.told()]

    @property
    def promised(self) -> set[Key]:
        """Of what a target was ever to hear that it began, or rose."""
        keys = (key for row in self.rows for key in row.post.keys)
        return {(key.incident_id, key.target) for key in keys if key.reason in NEWS}

    def words(self) -> dict[Key, str]:
        return {key: "".join(LETTERS[each.reason] for each in heard) for key, heard in self.heard.items()}

    def plan(self, incidents: Sequence[Incident], now: datetime | None = None) -> Plan:
        before = {each.id: each for each in self.incidents}
        orders = Orders(self.silences, self.acks, self.mutes)
        terms = Terms(self.routes, TARGETS, {"it": self.remind}, orders)
        return plan(incidents, before, self.told, terms, now or self.now, self.held)

    def cycle(self, incidents: list[Incident]) -> Plan:
        """Plan and commit."""
        planned = self.plan(incidents)
        self.commit(planned, incidents)
        self.held |= set(planned.held)
        self.incidents = incidents
        return planned

    def commit(self, planned: Plan, incidents: Sequence[Incident], *, only: int | None = None) -> None:
        """Of the posts `only` so many."""
        for row in self.rows:
            if row.post.id in planned.recalled:
                assert row.state is State.QUEUED, "what has left, or is over, is not taken back"
                row.state = State.RECALLED
        by_id = {each.id: each for each in incidents}
        posts = compose(planned.notifications, by_id, self.told, {}, _FORM, self.now)
        known = {key_of(key) for row in self.rows for key in row.post.keys}
        assert not known & {key_of(key) for key in planned.notifications}, "nothing is promised twice"
        assert not {row.post.id for row in self.rows} & {post.id for post in posts}
        self.rows += [Row(post, self.now) for post in posts[:only]]

    def deliver(self, target: str, answer: Answer) -> None:
        """In order within each conversation, until one does not go through."""
        conversations: dict[str, list[Row]] = defaultdict(list)
        for row in self.rows:
            if row.post.target == target and row.pending:
                conversations[row.post.conversation.id].append(row)
        for rows in conversations.values():
            for row in rows:
                self._send(row, answer)
                if row.pending:
                    break

    def _send(self, row: Row, answer: Answer) -> None:
        if answer in (Answer.TAKEN, Answer.UNSURE) and not row.arrived:
            row.arrived = True
            for key in row.post.keys:
                if key.reason is not Reason.UPDATED:
                    self.heard[key.incident_id, key.target].append(key)
        if answer is Answer.REFUSED:
            # What arrived and is refused when it is repeated cannot be told from what is taken.
            row.state = State.SENT if row.arrived else State.DEAD
        elif answer is not Answer.DOWN:
            row.state = State.SENT if answer is Answer.TAKEN else State.UNSURE

    def pardon(self, target: str) -> None:
        """Another chance for what was given up."""
        for row in self.rows:
            if row.post.target == target and row.state is State.DEAD:
                row.state = State.RECALLED

    def drain(self) -> None:
        """All is well again: nothing is silenced or muted, and every target takes what it gets."""
        self.mutes = ()
        self.silences = [replace(each, expired_at=self.now) for each in self.silences]
        for target in TARGETS:
            self.pardon(target)
        # What is sent lets reminders of it be due, and no more than that.
        for _ in range(2):
            self.cycle(self.incidents)
            for target in TARGETS:
                self.deliver(target, Answer.TAKEN)
        assert not any(row.pending for row in self.rows)


def key_of(key: Notification) -> tuple[str, str, Reason, int]:
    return key.incident_id, key.target, key.reason, key.ordinal
