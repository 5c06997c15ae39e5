"""Config: the sum of everyone's own section, and what follows from them together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, PrivateAttr, field_validator

from usage_watch.channels import AnyChannel
from usage_watch.config.muting import Event, WeeklyMute, lessons
from usage_watch.config.naming import BandEdges
from usage_watch.config.web import HeartbeatSettings, WebSettings
from usage_watch.core.datasets import DATASETS
from usage_watch.core.listening import DEFAULT as LISTEN
from usage_watch.core.money import Price
from usage_watch.core.mute import Mute
from usage_watch.core.series import DAY, EACH_MEMBER, Feed
from usage_watch.meta import RULES as META_RULES
from usage_watch.meta import TO_ANSWER
from usage_watch.rules import AnyRule, FileDefaults, routes
from usage_watch.rules.budget import BudgetRule
from usage_watch.rules.budget.amounts import Amount
from usage_watch.rules.common import REMIND_EVERY, Notify, Routes, Seats, Strict
from usage_watch.rules.fields import NAME, Zone
from usage_watch.source.settings import SourceSettings
from usage_watch.store.settings import StoreSettings
from usage_watch.yamlfile import Document

CURRENCY = r"^[A-Z]{3}$"
"""How a currency is written."""
LONGEST_BACKFILL = timedelta(days=3 * 365)
"""As `source.backfill`: a budget whose period began earlier says since when it counts."""


class MetaSettings(Strict):
    """The watcher's own alerts."""

    notify: Notify | None = None
    """The channels that are told of them: a list, or lists by severity; the file's `notify` by default."""


class SeatSettings(Strict):
    """What members may use in a cycle before they draw on the shared pool."""

    default: Amount
    """The allowance of a seat, in credits a month."""
    members: dict[str, Amount] = Field(default_factory=dict)
    """Those with another allowance: `{ana@example.com: 15_000}`."""

    @property
    def allowances(self) -> Seats:
        """The same, as rules take it."""
        return Seats(self.default, {member.casefold(): amount for member, amount in self.members.items()})


class PriceSettings(Strict):
    """What credits cost you."""

    per_1000: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False, strict=True)]
    """What 1,000 credits cost by your contract, such as 10 or 12.50."""
    currency: Annotated[str, Field(pattern=CURRENCY, examples=["USD", "EUR"])]
    """Three capital letters, such as USD."""


class Config(Strict):
    """What usage_watch watches, by which rules, and whom it tells."""

    timezone: Zone = ZoneInfo("UTC")
    """IANA zone of the times in messages, and of periods that name no other."""
    billing_day: Annotated[int, Field(ge=1, le=31, strict=True)] = 1
    """Day of the month on which a billing cycle starts: `period: cycle`. 29 to 31 clamp to the month's end."""
    source: SourceSettings = SourceSettings()
    """Where usage is read from."""
    store: StoreSettings = StoreSettings()
    """Where everything is kept."""
    web: WebSettings | Literal["off"] = WebSettings()
    """What the daemon serves over HTTP: metrics and health; or off."""
    heartbeat: HeartbeatSettings | None = None
    """Whom to tell once a minute that all is well, so that silence is noticed elsewhere."""
    channels: dict[Annotated[str, Field(pattern=NAME)], AnyChannel] = Field(
        default_factory=dict, json_schema_extra={"additionalProperties": False}
    )
    """Whom messages go to, by a name of yours."""
    notify: Notify = Field(default_factory=list)
    """The channels that are told: a list, or lists by severity."""
    meta: MetaSettings = MetaSettings()
    """What the watcher says of itself: that the source cannot be read, or seems to stand."""
    seats: SeatSettings | None = None
    """The monthly allowances of seats: what members use beyond them draws on the pool (`of: pool`)."""
    price: PriceSettings | None = None
    """Your list price: messages say amounts beside credits, never in their place."""
    bands: dict[str, BandEdges] = Field(default_factory=dict)
    """How long tasks took of the duration bands whose names do not say so: `{Quick: [0s, 2m], Endless: [1h]}`."""
    events: tuple[Event, ...] = ()
    """Days on which usage is meant to be unusual."""
    mute: tuple[WeeklyMute, ...] = ()
    """Hours that come again each week, in which some rules are to be quiet."""
    rules: tuple[AnyRule, ...] = ()
    """What is watched."""

    _document: Document | None = PrivateAttr(None)

    @field_validator("web", mode="before")
    @classmethod
    def _settings_or_off(cls, written: object) -> object:
        if not isinstance(written, dict | WebSettings) and written != "off":
            raise ValueError(f"write {{listen: {LISTEN}}}, or off")
        return written

    @property
    def document(self) -> Document | None:
        """The file that this was read from, to find a place in it; None where it was made otherwise."""
        return self._document

    @property
    def enabled(self) -> tuple[AnyRule, ...]:
        """The rules that are to be judged."""
        return tuple(rule for rule in self.rules if rule.enabled)

    @property
    def defaults(self) -> FileDefaults:
        """What the file says for all rules."""
        seats = None if self.seats is None else self.seats.allowances
        taught = lessons(self.events, self.timezone)
        return FileDefaults(self.timezone, self.billing_day, seats, self.bands, taught)

    @property
    def routes(self) -> Mapping[str, Routes]:
        """By rule id and severity, the channels that are told; a rule's own `notify` replaces the file's.

        The watcher's own alerts have ids as rules have.
        """
        told = {rule.id: routes(self.notify if rule.notify is None else rule.notify) for rule in self.rules}
        return {**dict.fromkeys(META_RULES, self.meta_routes), **told}

    @property
    def page(self) -> str | None:
        """Under which people reach the status page; None where it is not served, or nobody says."""
        return None if isinstance(self.web, str) else self.web.public_url

    @property
    def meta_routes(self) -> Routes:
        """By severity, the channels that are told what the watcher says of itself."""
        return routes(self.notify if self.meta.notify is None else self.meta.notify)

    @property
    def list_price(self) -> Price | None:
        """Of credits; None where no amounts are to be said."""
        return None if self.price is None else Price(self.price.per_1000, self.price.currency)

    @property
    def reminders(self) -> Mapping[str, timedelta | None]:
        """By rule id, the time to the first reminder of an alert that stays open; None for no reminders.

        Of the watcher's own alerts too.
        """
        return {**dict.fromkeys(TO_ANSWER, REMIND_EVERY), **{rule.id: rule.reminds for rule in self.rules}}

    @property
    def mutes(self) -> tuple[Mute, ...]:
        """When something is not to be told: one of each event that mutes anything, then those of each week."""
        events = [event.muted(self.timezone) for event in self.events if event.mute]
        return (*events, *(each.muted(self.timezone) for each in self.mute))

    def feeds(self) -> tuple[Feed, ...]:
        """What the enabled rules need, and member days of what they watch: who drives it. Ordered, once each."""
        watched = {rule.feed for rule in self.enabled}
        members = {Feed(feed.dataset, DAY, EACH_MEMBER) for feed in watched if _has_members(feed.dataset)}
        return tuple(sorted(watched | members))

    def backfill_from(self, now: datetime) -> datetime:
        """From when history is read: `source.backfill` before `now`, or the start of the longest running period."""
        starts = [rule.begins(now, self.defaults) for rule in self.enabled if isinstance(rule, BudgetRule)]
        return max(min([now - self.source.backfill, *starts]), now - LONGEST_BACKFILL)


def _has_members(dataset: str) -> bool:
    return dataset in DATASETS and DATASETS[dataset].per_member
