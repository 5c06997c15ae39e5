"""What one target is still to be told of one incident."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import TypeVar

from usage_watch.core.hold import Hold, heard_from, holding
from usage_watch.core.incident import Incident
from usage_watch.core.message import Reason, Severity
from usage_watch.core.mute import says_muted
from usage_watch.core.promise import Decision, Notification, Target, Told

Item = TypeVar("Item")

LATE_NEWS = timedelta(hours=24)
"""What ended longer ago, untold and not critical, is no news any more."""
CORRECTED_FOR = timedelta(days=7)
"""For how long after its end something that was told is corrected or retracted."""
RAREST_REMINDER = timedelta(days=7)
"""Reminders come ever more rarely, but not more rarely than this, unless that was asked for."""

_NEWS = frozenset({Reason.FIRED, Reason.ESCALATED, Reason.FIRED_AND_ENDED})
HELD_BACK = _NEWS | {Reason.REMINDER}
"""What silences and mutes hold back; never an end of what was told."""


@dataclass(frozen=True, slots=True)
class Say:
    """What is to be told to a target about an incident, or would be."""

    notification: Notification | None = None
    held: Decision | None = None
    """What a silence or a mute holds back."""
    again_at: datetime | None = None
    """The next instant at which there is more to tell, though nothing happens."""


@dataclass(frozen=True, slots=True)
class Case:
    """One incident and one target."""

    incident: Incident
    name: str
    """The target's."""
    target: Target
    told: Sequence[Told]
    """In the order in which it was promised."""
    routed: bool
    """It is listed for the incident's severity."""
    ended_now: bool
    """This cycle found the incident's end."""
    remind: timedelta | None
    """To the first reminder; None for none."""
    known: bool
    """Somebody acknowledged the incident as it stands."""
    holds: Sequence[Hold]
    """Silences and mutes that cover the incident, whenever."""
    muted: bool
    """A mute has held back that it came and went."""
    now: datetime

    def say(self) -> Say:
        """An open incident is told to whom its severity is routed; its end to exactly those who were told."""
        reason, hold = self._news(), holding(self.holds, self.incident, self.now)
        if reason in HELD_BACK and hold is not None:
            held = Decision(self.incident.id, self.name, reason, told=False, why=hold.why)
            return Say(self._notification(self._correction()), held, self._told_at(held))
        reminder_at = self._reminder_at(reason)
        again_at = None if reminder_at is None else self._heard_from(reminder_at)
        return Say(self._notification(reason or self._correction()), again_at=again_at)

    def _news(self) -> Reason | None:
        is_for_it = self.routed or self._owed
        if self.incident.open:
            return (self._opening() if is_for_it else None) or self._reminder()
        return (self._late() if is_for_it else None) or self._ending()

    def _notification(self, reason: Reason | None) -> Notification | None:
        if reason is None:
            return None
        ordinal = 1 + sum(each.notification.reason is reason for each in self.told)
        return Notification(self.incident.id, self.name, reason, ordinal, self.incident.rank, self.incident.face)

    def _told_at(self, held: Decision) -> datetime | None:
        """When what is held back is told; None where it is no news any more by then."""
        free_at = self._heard_from(self.now)
        if free_at is None:
            return None
        then = replace(self, ended_now=False, muted=self.muted or came_and_went_muted(held), now=free_at)
        return free_at if then._news() else None

    def _heard_from(self, at: datetime) -> datetime | None:
        """The first instant from then on at which nothing holds it back; None where there is none."""
        return heard_from(self.holds, self.incident, at)

    @property
    def _records(self) -> Sequence[Told]:
        """What was promised and not taken back."""
        return [each for each in self.told if not each.recalled]

    @property
    def _owed(self) -> bool:
        """It was promised lately that it had begun or risen, and that was taken back, and nothing has been said since.

        That is news, however old it is, and whatever the routes are by now.
        """
        promises = [each for each in self.told if each.notification.reason is not Reason.UPDATED]
        since = takewhile(lambda each: each.recalled, reversed(promises))
        return any(each.notification.reason in _NEWS and self.now - each.decided_at < CORRECTED_FOR for each in since)

    # ---- while it goes on --------------------------------------------------------------------------------------

    def _opening(self) -> Reason | None:
        """What an open incident still has to say to a target that was told this."""
        if not _heard(self._records) and self._stale() and not self._owed:
            return None
        current = self._current()
        # What was given up counts here too: trying the same again each cycle would never end.
        if self.incident.rank <= max((record.notification.rank for record in current), default=0):
            return None
        return Reason.ESCALATED if any(record.counts for record in current) else Reason.FIRED

    def _current(self) -> Sequence[Told]:
        """What was told of its being open, since it was last said to have ended."""
        heard_ends = [record.counts and record.notification.reason.ending for record in self._records]
        return [each for each in _after_last(self._records, heard_ends) if each.notification.reason.firing]

    def _stale(self) -> bool:
        """Whether it looks over, and so long ago that nobody would be told of its end: the watcher was down, say."""
        was_long_ago = self.now - self.incident.evidence.until_at >= LATE_NEWS
        return self.incident.looks_over and was_long_ago and self.incident.severity is not Severity.CRITICAL

    def _reminder(self) -> Reason | None:
        due_at = self._reminder_at()
        return Reason.REMINDER if due_at is not None and due_at <= self.now else None

    def _reminder_at(self, news: Reason | None = None) -> datetime | None:
        """When the next reminder is due, once the news are told: ever more rarely; sooner where a silence ends.

        None where there is none: what looks over will be said to have ended soon enough.
        """
        current = self._current()
        if self.remind is None or not self._goes_on() or (news is None and not _lies_there(current)):
            return None
        # What was given up counts here too: trying the same again each cycle would never end.
        words = [(each.notification.reason, self._said_at(each)) for each in current]
        words += [] if news is None else [(news, self.now)]
        last_at = words[-1][1]
        reminded = list(takewhile(lambda word: word[0] is Reason.REMINDER, reversed(words)))
        # Not 2 ** many: that would overflow after years of reminders.
        doubled: int = 2 ** min(len(reminded), 10)
        wait = min(self.remind * doubled, max(self.remind, RAREST_REMINDER))
        # The end of what comes again each week would remind as often as that, whatever was asked for.
        ends = (each.over_at for each in self.holds)
        return min([last_at + wait, *(at for at in ends if at is not None and last_at < at)])

    def _said_at(self, told: Told) -> datetime:
        """When it arrived; when it was decided, where a clock says otherwise that has been set since."""
        sent_at = told.sent_at
        return sent_at if sent_at is not None and told.decided_at <= sent_at <= self.now else told.decided_at

    def _goes_on(self) -> bool:
        """Whether it is open for all that is known, and somebody is to answer it who has not.

        A target by state needs no reminder: it is told all the time.
        """
        incident = self.incident
        unanswered = self.routed and not self.known and not incident.quiet and not self.target.by_state
        return incident.open and not incident.looks_over and unanswered

    # ---- once it is over ---------------------------------------------------------------------------------------

    def _late(self) -> Reason | None:
        """What ended before it could be told at its level is told once, where it still matters."""
        if not (self.ended_now or self._owed or self._unmuted) or self.incident.closed is not None:
            return None
        worth = self.incident.severity is Severity.CRITICAL or self._ended_within(LATE_NEWS) or self._owed
        counted = [record.notification for record in self._records if record.counts]
        stands = _after_last(counted, [each.reason is Reason.RETRACTED for each in counted])
        told_rank = max((each.rank for each in stands if each.reason is not Reason.UPDATED), default=0)
        owes_its_end = any(
            each.reason.firing for each in _after_last(counted, [each.reason.ending for each in counted])
        )
        return Reason.FIRED_AND_ENDED if worth and not owes_its_end and self.incident.rank > told_rank else None

    @property
    def _unmuted(self) -> bool:
        """It came and went critical under a mute, which is told once when nothing holds it back any more."""
        incident = self.incident
        if not self.muted or incident.ended_at is None or incident.severity is not Severity.CRITICAL:
            return False
        free_at = self._heard_from(max(incident.ended_at, incident.committed_at))
        late = (each.notification for each in self._records if each.notification.reason is Reason.FIRED_AND_ENDED)
        # What was given up counts here too: trying the same again each cycle would never end.
        told = any(key.rank >= incident.rank for key in late)
        return free_at is not None and self.now - free_at < CORRECTED_FOR and not told

    def _ending(self) -> Reason | None:
        """The end of an incident, for a target that was told of it and not yet of its end; once, even if given up."""
        incident, records = self.incident, self._records
        if incident.retracted:
            unheard = [record.notification.reason is Reason.RETRACTED for record in records]
            due = self._ended_within(CORRECTED_FOR)
            return Reason.RETRACTED if due and _heard(_after_last(records, unheard)) else None
        ends = [record.notification.reason.ending for record in records]
        if not _heard(_after_last(records, ends)):
            return None
        if incident.closed:
            return Reason.CLOSED
        # Machines keep track; people are not told that what they were told once is no news any more. What they were not
        # told yet is taken back.
        waits = any(each.waits for each in self._current())
        return None if incident.quiet and self.target.people and not waits else Reason.RESOLVED

    def _correction(self) -> Reason | None:
        """What stands where it was told is kept true, for a week after its end."""
        records = self._records
        told = any(record.counts for record in records)
        if not self.target.edits or not told or not self._ended_within(CORRECTED_FOR):
            return None
        # What was given up counts here too: trying the same correction again each cycle would never end.
        return Reason.UPDATED if records[-1].notification.face != self.incident.face else None

    def _ended_within(self, span: timedelta) -> bool:
        return self.incident.ended_at is None or self.now - self.incident.ended_at < span


def came_and_went_muted(held: Decision) -> bool:
    """Whether this is what a mute held back of something that was over already."""
    return held.reason is Reason.FIRED_AND_ENDED and says_muted(held.why)


def _heard(records: Iterable[Told]) -> bool:
    """Whether anything was told; corrections are only seen by who looks."""
    return any(record.counts and record.notification.reason is not Reason.UPDATED for record in records)


def _lies_there(current: Sequence[Told]) -> bool:
    """Whether some of it was told, and the last of it has left: no reminder overtakes what it reminds of."""
    return any(each.counts for each in current) and not current[-1].waits


def _after_last(records: Sequence[Item], marked: Sequence[bool]) -> Sequence[Item]:
    """The records after the last marked one; all of them where none is."""
    return records[max((index for index, mark in enumerate(marked, 1) if mark), default=0) :]
