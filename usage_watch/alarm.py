"""The alarm: that nothing can be stored goes straight to the channels, the one message that no database has to know.

Everything else is stored before the first byte leaves. Here each channel is told once for each cause and UTC day, under
an id that is made of these, so that a receiver can drop a repeat; and once more when it is over, also where it ended
with a restart. A thread of its own sends each message, so that nothing here waits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from queue import Empty, SimpleQueue
from zoneinfo import ZoneInfo

from usage_watch import logs
from usage_watch.channels.base import Attempt, ChannelSettings, Verdict
from usage_watch.config import Config
from usage_watch.core.message import Conversation, Delivery, Message, Reason, Severity
from usage_watch.deliver.courier import Courier, Returned
from usage_watch.errors import Hindrance, MachineError
from usage_watch.meta import unstored
from usage_watch.meta.telling import Reader
from usage_watch.told import Heard, Kept, Told

PATIENCE: Mapping[Hindrance, int] = {Hindrance.LOCKED: 5}
"""So many attempts in a row, 30 s apart, must have failed before anybody is told: a backup passes. Else one."""
CALM = timedelta(minutes=5)
"""So long it must have gone well to be over: a disk that is full again at once is one outage."""
GIVE_UP = timedelta(hours=1)
"""After which nobody is told any more that it is over."""
_OVER = "over"


@dataclass(slots=True)
class _Outage:
    since: datetime
    name: str
    """The UTC day on which it began, and its number among those that were told of since anything is kept."""
    hindrance: Hindrance
    error: str = ""
    attempts: int = 0
    """Those that failed in a row, of this cause."""
    well_from: datetime | None = None
    """Since when it goes well again; None while it does not."""
    over_from: datetime | None = None
    """Since when that it is over is told; None before."""

    def id(self, kind: str, what: str) -> str:
        """Alike in every process that finds it as its first of that day: a restart changes nothing."""
        return f"{kind}_" + hashlib.sha256(repr((unstored.RULE.id, self.name, what)).encode()).hexdigest()[:20]


@dataclass(frozen=True, slots=True)
class _Said:
    what: str
    """The cause and the day, or that it is over."""
    hindrance: Hindrance
    delivery: Delivery


@dataclass(slots=True)
class _Hearer:
    """A channel, and what it took of the outage."""

    settings: ChannelSettings
    taken_at: dict[str, datetime] = field(default_factory=dict)
    """By what it was told; or would not take, however little was said."""
    causes: set[Hindrance] = field(default_factory=set)
    """Those that it was told of."""
    under_way: _Said | None = None
    ref: str | None = None
    failed: Verdict | None = None
    """Of its last attempt."""
    returned: SimpleQueue[Returned] = field(default_factory=SimpleQueue)

    def wants(self, what: str, now: datetime) -> bool:
        """Whether it is to be told now: a target by state again and again."""
        if self.under_way is not None:
            return False
        taken_at, every = self.taken_at.get(what), self.settings.restate_every
        if taken_at is None:
            return True
        return every is not None and what != _OVER and not taken_at <= now < taken_at + every


class Alarm:
    """Used by the main thread alone; `told` is all that outlasts the process."""

    def __init__(self, config: Config, environ: Mapping[str, str], told: Told) -> None:
        self._environ, self._told = environ, told
        self._zone: ZoneInfo = config.timezone
        self._page: str | None = None
        self._hearers: dict[str, _Hearer] = {}
        self._outage: _Outage | None = None
        self._outages = 0
        self.heed(config)
        if (kept := told.read()) is not None:
            self._go_on_from(kept)

    def heed(self, config: Config) -> None:
        """From now on these channels are told: those that hear of what is critical of the watcher itself."""
        self._zone, self._page = config.timezone, config.page
        settings = {name: config.channels[name] for name in config.meta_routes.get(Severity.CRITICAL, ())}
        known = self._hearers
        self._hearers = {
            name: known[name] if name in known and known[name].settings == each else _Hearer(each)
            for name, each in settings.items()
        }

    @property
    def heard(self) -> bool:
        """Whether somebody knows of the outage that goes on, and of its cause."""
        self._collect()
        outage = self._outage
        return outage is not None and any(outage.hindrance in each.causes for each in self._hearers.values())

    def close(self) -> None:
        """Keep what has come of messages until now."""
        self._collect()

    def hindered(self, error: MachineError, now: datetime) -> None:
        """Another attempt failed: tell whoever does not know yet today."""
        self._collect()
        outage = self._outage
        if outage is None or any(_OVER in each.taken_at for each in self._hearers.values()):
            outage = self._begin(error, now)
        goes_on = outage.hindrance is error.hindrance and outage.well_from is None
        outage.attempts = outage.attempts + 1 if goes_on else 1
        outage.hindrance, outage.error = error.hindrance, str(error)
        outage.well_from = outage.over_from = None
        outage.since = min(outage.since, now)  # the clock may have been set back
        if outage.attempts < PATIENCE.get(outage.hindrance, 1):
            return
        what = f"{outage.hindrance} {_day(now)}"
        for name, hearer in self._hearers.items():
            if hearer.wants(what, now):
                reason = Reason.REMINDER if outage.hindrance in hearer.causes else Reason.FIRED
                self._send(name, hearer, outage, what, reason, now)

    def well(self, now: datetime) -> None:
        """It goes well: once that has lasted, tell who was told otherwise."""
        self._collect()
        outage = self._outage
        if outage is None:
            return
        if outage.well_from is None or outage.well_from > now:
            outage.well_from = now
        know = {name: each for name, each in self._hearers.items() if each.causes or each.under_way}
        if all(_OVER in each.taken_at for each in know.values()):
            self._end(outage)
        elif now - outage.well_from >= CALM:
            outage.over_from = outage.over_from or now
            if now - outage.over_from >= GIVE_UP:
                self._end(outage)
                return
            for name, hearer in know.items():
                if hearer.wants(_OVER, now):
                    self._send(name, hearer, outage, _OVER, Reason.RESOLVED, now)

    def _begin(self, error: MachineError, now: datetime) -> _Outage:
        self._outages += 1
        self._outage = _Outage(now, f"{_day(now)} {self._outages}", error.hindrance)
        self._hearers = {name: _Hearer(each.settings) for name, each in self._hearers.items()}
        return self._outage

    def _end(self, outage: _Outage) -> None:
        self._keep(outage, over=True)
        self._outage = None

    def _go_on_from(self, kept: Kept) -> None:
        """What the process before this one told of goes on, or has ended with that."""
        self._outages = kept.number
        if kept.over:
            return
        self._outage = _Outage(kept.since, kept.name, kept.hindrance)
        for name, heard in kept.hearers.items():
            hearer = self._hearers.get(name)
            if hearer is not None and hearer.settings.digest == heard.digest:
                hearer.taken_at, hearer.causes, hearer.ref = dict(heard.taken_at), set(heard.causes), heard.ref

    def _keep(self, outage: _Outage, *, over: bool = False) -> None:
        hearers = {
            name: Heard(
                digest=each.settings.digest, taken_at=each.taken_at, causes=frozenset(each.causes), ref=each.ref
            )
            for name, each in self._hearers.items()
        }
        kept = Kept(
            name=outage.name,
            number=self._outages,
            since=outage.since,
            hindrance=outage.hindrance,
            over=over,
            hearers=hearers,
        )
        self._told.keep(kept)

    def _send(self, name: str, hearer: _Hearer, outage: _Outage, what: str, reason: Reason, now: datetime) -> None:
        delivery = Delivery(
            outage.id("ntf", f"{name} {what}"),
            self._message(outage, len(hearer.taken_at) + 1, reason, now),
            Conversation(outage.id("cnv", name), unstored.SUBJECT, hearer.ref),
            1 if hearer.failed is None else 2,
            now,
            unsure=hearer.failed is Verdict.AMBIGUOUS,
            minimal=hearer.failed is Verdict.REJECTED,
        )
        hearer.under_way = _Said(what, outage.hindrance, delivery)
        courier = Courier(name, hearer.settings, self._environ, hearer.returned)
        courier.hand(delivery)
        courier.leave()

    def _message(self, outage: _Outage, sequence: int, reason: Reason, now: datetime) -> Message:
        ended_at = outage.well_from if reason is Reason.RESOLVED else None
        said = unstored.message(
            outage.id("inc", ""),
            reason,
            sequence,
            outage.hindrance,
            outage.error,
            outage.since,
            ended_at,
            Reader(self._zone, now),
        )
        return replace(said, page=self._page)

    def _collect(self) -> None:
        """What came of the messages that were under way."""
        for name, hearer in self._hearers.items():
            with suppress(Empty):
                _record(name, hearer, hearer.returned.get_nowait().attempt)
                if self._outage is not None:
                    self._keep(self._outage)


def _record(name: str, hearer: _Hearer, attempt: Attempt) -> None:
    said, hearer.under_way = hearer.under_way, None
    assert said is not None
    if attempt.verdict is Verdict.SENT:
        hearer.taken_at[said.what], hearer.failed = said.delivery.sent_at, None
        hearer.causes.add(said.hindrance)
        hearer.ref = hearer.ref or attempt.ref
        logs.event("alarm.sent", target=name, id=said.delivery.id)
        return
    hearer.failed = attempt.verdict
    if attempt.verdict is Verdict.REJECTED and said.delivery.minimal:
        hearer.taken_at[said.what], hearer.failed = said.delivery.sent_at, None
    logs.warning("alarm.failed", target=name, verdict=attempt.verdict, error=attempt.detail)


def _day(now: datetime) -> str:
    return f"{now.astimezone(UTC):%Y-%m-%d}"
