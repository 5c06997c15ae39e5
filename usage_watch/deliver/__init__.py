"""deliver: drain the outbox. Lease, send, record; nothing waits here: the next attempt's time is a column.

Each target has its own courier, so that one which is slow, or dead, delays no other.
"""

from __future__ import annotations

import logging
import random
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from queue import Empty, SimpleQueue
from threading import Event

from usage_watch import logs
from usage_watch.channels.base import Attempt, ChannelSettings, Verdict
from usage_watch.clock import Clock
from usage_watch.core.compose import Form, restated
from usage_watch.core.message import Reason
from usage_watch.deliver.courier import Courier, Returned
from usage_watch.deliver.outlook import LONGEST_WAIT, backoff, outlook
from usage_watch.deliver.restating import Restating
from usage_watch.errors import MachineError
from usage_watch.failpoints import passing
from usage_watch.store.outbox import Outbox, OutboxRow, State

PATIENCE = timedelta(seconds=2)
"""A round ends when no courier was back for so long; who comes later is met in the next."""
LINGER = timedelta(seconds=1.5)
"""A thorough round waits for what is due so soon: for the pace of a target, say."""
PARTING = timedelta(seconds=1)
"""Who is under way when all ends is waited for so long."""
LOOK_AGAIN = timedelta(seconds=0.5)
"""After which it is seen whether who was slow is back."""
_GLANCE = 0.05
"""Seconds after which a waiting round looks at the clock, and at the outbox."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """How one round of sending went."""

    sent: int = 0
    failures: tuple[str, ...] = ()
    """One sentence for each attempt that failed."""
    attempts: tuple[tuple[str, Verdict], ...] = field(default=(), compare=False)
    """The target and the outcome of each message that was tried."""

    def __add__(self, other: Delivered) -> Delivered:
        return Delivered(self.sent + other.sent, self.failures + other.failures, self.attempts + other.attempts)


class Dispatch:
    """Sends what is due in an outbox, of which no other process sends. Close it: that waits for who is under way."""

    def __init__(
        self,
        outbox: Outbox,
        channels: Mapping[str, ChannelSettings],
        environ: Mapping[str, str],
        clock: Clock,
        stop: Event,
        form: Form,
    ) -> None:
        """`form` words what stands, for targets by state."""
        self._outbox, self._channels, self._environ = outbox, channels, environ
        self._clock, self._stop, self._form = clock, stop, form
        self._restating = Restating(channels)
        self._former: Mapping[str, ChannelSettings] = {}
        """Channels as they were, for who set out to them."""
        self._couriers: dict[str, Courier] = {}
        self._under_way: dict[str, datetime] = {}
        """By target, since when."""
        self._returned: SimpleQueue[Returned] = SimpleQueue()
        self._streaks = logs.Streaks()
        self._unrecorded: deque[Returned] = deque()
        """Who is back, and whose outcome could not be stored yet."""
        self._take_over()

    def round(self, *, thorough: bool = False) -> Delivered:
        """Send what is due, until nothing is or `stop` is set. A `thorough` round waits for who is slow, too."""
        sent = 0
        failures: list[str] = []
        attempts: list[tuple[str, Verdict]] = []
        for returned in self._outcomes(thorough):
            if returned.row is not None:
                attempts.append((returned.target, returned.attempt.verdict))
            if returned.attempt.verdict is not Verdict.SENT:
                failures.append(f"{returned.target}: {returned.attempt.detail}")
            elif returned.row is not None:
                sent += 1
        self._dismiss_idle()
        return Delivered(sent, tuple(failures), tuple(attempts))

    def next_due(self, now: datetime) -> datetime | None:
        """When there is something to do again; None while nothing waits."""
        instants = [self._outbox.next_due(now, self._under_way), self._restating.next_due(now, self._under_way)]
        if self._under_way:
            instants.append(now + LOOK_AGAIN)
        return min((at for at in instants if at is not None), default=None)

    def heed(self, channels: Mapping[str, ChannelSettings], form: Form) -> None:
        """From now on these are the channels; who is under way to another goes on, and its outcome is recorded."""
        known = {**self._former, **self._channels}
        self._former = {name: known[name] for name in self._under_way}
        for name in self._under_way.keys() & self._couriers.keys():
            if channels.get(name) != known[name]:
                self._couriers.pop(name).leave()
        self._channels, self._form = channels, form
        self._restating.heed(channels)

    def close(self) -> None:
        """Wait a moment for who is under way, so that it is known whether the message arrived.

        Of what is longer on its way than whoever ends us has patience for, that is found out after the next start.
        """
        until = time.monotonic() + PARTING.total_seconds()
        try:
            while self._under_way and (left := until - time.monotonic()) > 0:
                with suppress(Empty):
                    self._record(self._unrecorded.popleft() if self._unrecorded else self._returned.get(timeout=left))
        except MachineError as error:
            # The next start takes it for one that may have arrived.
            logs.warning("delivery.unrecorded", error=error)
        self._dismiss_idle()

    def hold(self) -> None:
        """Nothing can be stored: tell targets by state what stands all the same, lest they take it for over."""
        now = self._clock.now()
        with suppress(Empty):
            while True:
                self._keep(self._returned.get_nowait(), now)
        with suppress(MachineError):
            for name in self._restating.due(now, self._under_way):
                self._restate(name, now)

    def _keep(self, returned: Returned, now: datetime) -> None:
        if returned.row is not None:
            self._unrecorded.append(returned)
            return
        self._under_way.pop(returned.target, None)
        if returned.attempt.verdict is Verdict.SENT:
            self._restating.done(returned.target, now)
        else:
            self._restating.failed(returned.target, returned.attempt, now)

    def _take_over(self) -> None:
        """What a process had in hand that died may have arrived, and it will tell nobody.

        That says nothing of its target, and however long nobody was there to send it, it is not given up for that.
        """
        for row in self._outbox.on_their_way():
            retry_at = self._clock.now() + backoff(row.attempts, LONGEST_WAIT, random.random())  # noqa: S311
            passing("record")
            self._outbox.take_over(row, retry_at, "usage-watch ended while it was on its way.")
            passing("recorded")
            logs.event("delivery.interrupted", target=row.target, id=row.id)

    def _outcomes(self, thorough: bool) -> Iterator[Returned]:
        while True:
            self._hand_out()
            if not self._under_way and not (thorough and self._soon_due()):
                return
            returned = self._next(thorough)
            if returned is None:
                return
            self._record(returned)
            yield returned

    def _hand_out(self) -> None:
        if self._stop.is_set():
            return
        now = self._clock.now()
        for name in self._restating.due(now, self._under_way):
            self._restate(name, now)
        for row in self._outbox.lease(now, self._under_way):
            self._under_way[row.target] = now
            self._courier(row.target).send(row, now)

    def _restate(self, name: str, now: datetime) -> None:
        message = restated(self._outbox.standing(name), name, self._form, now)
        if message is None:
            self._outbox.nothing_stands(name)
            self._restating.done(name, now)
            return
        self._under_way[name] = now
        self._courier(name).restate(message, now)

    def _courier(self, name: str) -> Courier:
        if name not in self._couriers:
            self._couriers[name] = Courier(name, self._channels[name], self._environ, self._returned)
        return self._couriers[name]

    def _next(self, thorough: bool) -> Returned | None:
        """The next who is back; None where patience ends first, or all stops."""
        idle_until = time.monotonic() + LINGER.total_seconds()
        while self._under_way or time.monotonic() < idle_until:
            if self._unrecorded:
                return self._unrecorded.popleft()
            try:
                return self._returned.get(timeout=_GLANCE)
            except Empty:
                self._hand_out()
            if self._stop.is_set() or (not thorough and self._all_are_slow()):
                return None
        return None

    def _all_are_slow(self) -> bool:
        now = self._clock.now()
        return all(now - since >= PATIENCE for since in self._under_way.values())

    def _soon_due(self) -> bool:
        now = self._clock.now()
        due_at = self._outbox.next_due(now)
        return due_at is not None and due_at - now <= LINGER and not self._stop.is_set()

    def _record(self, returned: Returned) -> None:
        now = self._clock.now()
        passing("record")
        try:
            if returned.row is None:
                self._record_restated(returned.target, returned.attempt, now)
            else:
                self._record_row(returned.row, returned.attempt, now)
        except MachineError:
            # It stays under way until that is stored: sent again, it would be told twice.
            self._unrecorded.append(returned)
            raise
        self._under_way.pop(returned.target, None)
        passing("recorded")

    def _record_restated(self, name: str, attempt: Attempt, now: datetime) -> None:
        if attempt.verdict is Verdict.SENT:
            self._outbox.record_restated(name, now)
            self._restating.done(name, now)
            logs.debug("delivery.restated", target=name)
            self._log_recovery(name)
            return
        retry_at = self._restating.failed(name, attempt, now)
        self._outbox.record_unstated(
            name, now, attempt.detail, retry_at, blocked=attempt.verdict is Verdict.CONFIGURATION
        )
        self._log_failure(name, attempt)

    def _record_row(self, row: OutboxRow, attempt: Attempt, now: datetime) -> None:
        if attempt.verdict is Verdict.SENT:
            pace = (self._channels.get(row.target) or self._former[row.target]).pace
            self._outbox.record_sent(row, now, attempt.ref, attempt.detail, pace)
            self._log_recovery(row.target)
            _log_sent(row)
        else:
            failure = outlook(row, attempt, now, random.random())  # noqa: S311
            self._outbox.record_failure(row, now, failure)
            self._restating.pause(row.target, failure.target_retry_at or now, now)
            self._log_failure(row.target, attempt, row.id, given_up=failure.state is State.DEAD)

    def _log_failure(self, name: str, attempt: Attempt, id: str | None = None, *, given_up: bool = False) -> None:
        verdict, error = attempt.verdict, attempt.detail
        # What is refused as such says nothing of its channel.
        level = logging.WARNING if verdict is Verdict.REJECTED else self._streaks.failed(name, error)
        if given_up:
            logs.warning("delivery.abandoned", target=name, id=id, verdict=verdict, error=error)
        else:
            logs.event("delivery.failed", level=level, target=name, id=id, verdict=verdict, error=error)

    def _log_recovery(self, name: str) -> None:
        if failures := self._streaks.over(name):
            logs.event("delivery.recovered", target=name, failures=failures)

    def _dismiss_idle(self) -> None:
        for name in self._couriers.keys() - self._under_way.keys():
            self._couriers.pop(name).dismiss()


def _log_sent(row: OutboxRow) -> None:
    news = row.message.news
    rule, reasons = (news[0].rule.id if news else None), tuple(dict.fromkeys(each.reason for each in news))
    level = logging.DEBUG if reasons == (Reason.UPDATED,) else logging.INFO
    said = ",".join(reasons) or "hello"
    logs.event("delivery.sent", level=level, target=row.target, id=row.id, rule=rule, reasons=said)
