"""What every rule kind shares: the fields that a user writes, and what a kind must be able to do."""

from __future__ import annotations

import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from usage_watch.core.datasets import DATASETS, find_axis
from usage_watch.core.episode import Findings, Level, Patience
from usage_watch.core.incident import Incident
from usage_watch.core.lessons import Lessons
from usage_watch.core.message import COUNTED, NAMED, Evidence, Fact, Severity
from usage_watch.core.selection import MEMBER, Choice, Selected, Selection, select
from usage_watch.core.series import DAY, HOUR, Feed, FeedHistory, Width
from usage_watch.core.template import Style, faults
from usage_watch.core.units import Duration
from usage_watch.rules.asking import Question, Refusal, ask
from usage_watch.rules.fields import NAME, RemindEvery, Switch

Patterns = str | Annotated[list[str], Field(min_length=1)]


class Strict(BaseModel):
    """Something that a user wrote: no unknown keys, never changed, never echoed in an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, populate_by_name=True)


class Not(Strict):
    """All values but these."""

    none_of: Annotated[Patterns, Field(alias="not")]
    """A value or a list of them; `*` stands for any text."""


Where = dict[str, Patterns | Not]


def levels_of(written: BaseModel | float | None) -> tuple[Level, ...]:
    """Limits by severity, or one number, which is a warning, as levels in the order of their severity."""
    if written is None or isinstance(written, int | float):
        given = {Severity.WARNING: written}
    else:
        given = {severity: getattr(written, severity.value) for severity in Severity}
    return tuple(Level(each, limit, 1 + each.weight) for each, limit in given.items() if limit is not None)


Notify = list[str] | dict[Severity, list[str]]

REMIND_EVERY = timedelta(hours=24)
"""The time to the first reminder where no rule says another."""

Routes = Mapping[Severity, Sequence[str]]


def routes(notify: Notify | None) -> Routes:
    """Who is told of which severity; a plain list is told of all."""
    if notify is None:
        return {}
    return dict.fromkeys(Severity, notify) if isinstance(notify, list) else notify


@dataclass(frozen=True, slots=True)
class Seats:
    """What each member may use in a month before the shared pool is drawn on, in credits."""

    default: float
    members: Mapping[str, float]
    """Those with another allowance, by their email in small letters."""

    def of(self, member: str) -> float:
        """The allowance of one of them."""
        return self.members.get(member.casefold(), self.default)


@dataclass(frozen=True, slots=True)
class FileDefaults:
    """What the rules file says for all of its rules."""

    zone: ZoneInfo
    billing_day: int
    seats: Seats | None = None
    """What members may use of their own; None where the file does not say."""
    bands: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """Task durations whose names say nothing by themselves: from and to, in seconds; to infinity where it is open.

    From 0 to 0 where nothing of it is to be counted.
    """
    lessons: Lessons = field(default_factory=Lessons)
    """What people said about what is usual."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a rule that its types cannot catch."""

    field: tuple[str | int, ...]
    """Where, below the rule."""
    message: str
    """What is wrong and what to write instead."""


class Rule(Strict):
    """The fields of every rule, and what each kind answers for itself.

    A kind is one file: its settings, their docs, and these methods.
    """

    algorithm: ClassVar[int] = 1
    """Raised when the kind's judging changes, so that only then old incidents are judged as another rule's."""

    id: Annotated[str, Field(pattern=NAME)]
    """Unique; the incident's identity: renaming makes a new rule."""
    kind: str
    """What the rule judges by."""
    title: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """What messages call it, `$fields` as in `text`; the id by default."""
    text: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    """What messages say besides, in your words; `$$` is a dollar, and what begins with `$` is filled in:
    `$rule` `$severity` `$series` `$member` `$dataset` `$value` `$unit` `$amount` `$limit`
    `$window` `$since` `$summary`."""
    runbook: Annotated[str, Field(pattern=r"^https://\S+$", max_length=2000)] | None = None
    """An https link to what to do about it."""
    dataset: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,64}$", examples=list(DATASETS))] = "credit_usage"
    """What is counted: a dataset of the source."""
    bucket: Literal["1h", "1d"] | None = None
    """1h or 1d; 1h unless the source has days only."""
    where: Where = Field(default_factory=dict)
    """Which usage counts: `{Axis: value}`, a value may be a list, have `*`, or be `{not: …}`; `member: EMAIL`."""
    for_each: Annotated[str, Field(min_length=1, max_length=64, examples=["member", "Model"])] | None = None
    """An axis or `member`: one series and incident each."""
    for_: Annotated[Duration | None, Field(alias="for")] = None
    """How long it must stand before it counts; one bucket by default."""
    resolve_after: Duration | None = None
    """How long it must be clear before it has ended."""
    notify: Notify | None = None
    """Channels, or channels by severity, in place of the file's."""
    remind_every: RemindEvery | None = None
    """What stays open is told again after so long, doubling to 7d; or off. 24h by default; days and budgets: off."""
    max_series: Annotated[int, Field(ge=1, le=1_000_000, strict=True)] = 10_000
    """At most so many series of `for_each` are watched, the largest."""
    max_incidents: Annotated[int, Field(ge=2, le=100, strict=True)] = NAMED
    """At most so many incidents are named in one message; the rest are counted."""
    enabled: Switch = True
    """`no` is as good as removed."""

    # ---- what a kind answers -----------------------------------------------------------------------------------

    @property
    @abstractmethod
    def levels(self) -> tuple[Level, ...]:
        """Everything that it may speak at, of every part."""

    @abstractmethod
    def look_back(self, since: datetime, defaults: FileDefaults) -> datetime:
        """From when buckets are needed to judge those from `since` on."""

    @abstractmethod
    def judge(self, history: FeedHistory, since: datetime, defaults: FileDefaults) -> list[Findings]:
        """Judge each series' buckets from `since` on; a kind may leave out those in which nothing can have happened."""

    @abstractmethod
    def evidence(self, findings: Findings, index: int, rank: int, defaults: FileDefaults) -> Evidence:
        """Say in words and numbers what was judged at a bucket, against the level of a rank."""

    def judge_whole(
        self, history: FeedHistory, since: datetime, defaults: FileDefaults, labels: Mapping[str, str] | None = None
    ) -> list[Findings]:
        """The same, and nothing is left out of it, unless `labels` ask for one series."""
        return self.judge(history, since, defaults)

    def judge_speaking(
        self, history: FeedHistory, since: datetime, defaults: FileDefaults, speaks_from: datetime
    ) -> list[Findings]:
        """The same as `judge`; what a kind finds may depend on when its rule was new."""
        return self.judge(history, since, defaults)

    def speaks_from(self, feed: FeedHistory) -> int:
        """From when on a rule that is new speaks of a feed, epoch seconds: what ended before is history."""
        return feed.frontier or int(feed.starts[feed.fetched][0])

    def regarded(self, incidents: Sequence[Incident], stored: Sequence[Incident], new_rule: bool) -> Sequence[Incident]:
        """The incidents of one series, as far as they are news; `stored` are those of it that were committed before."""
        return incidents

    def patience(self, part: str | None) -> Patience:
        """What it takes to open and to end an episode of a part of it."""
        return Patience(self.for_buckets, self.resolve_buckets)

    def whole(self, findings: Findings, start_at: int, end_at: int) -> float | None:
        """What was counted in all between two instants (epoch seconds); None where no such sum is."""
        return None

    def afterwards(self, findings: Findings, start_at: int, end_at: int) -> str | None:
        """What is to be said of an end between two instants (epoch seconds): why it came, say; None for nothing."""
        return None

    def latest(self, findings: Findings) -> str | None:
        """How what is judged stands at the newest bucket, in words; None where the evidence says that."""
        return None

    def problems(self) -> Iterator[Problem]:
        """What is wrong though each field alone is right; a kind adds its own."""
        answer = self.answer()
        if isinstance(answer, Refusal):
            yield Problem(answer.field, answer.message)
        yield from self._sums_twice()
        yield from self._misspelled()
        for name, value in self.durations().items():
            if value is not None and (value <= timedelta(0) or value.total_seconds() % self.width):
                bucket = "hours" if self.width == HOUR else "days"
                yield Problem(
                    (name,), f"is not a whole number of buckets; this rule judges {bucket}, so write whole {bucket}"
                )

    def _misspelled(self) -> Iterator[Problem]:
        for name, template in {"title": self.title, "text": self.text}.items():
            yield from (Problem((name,), fault) for fault in faults(template or ""))

    def _sums_twice(self) -> Iterator[Problem]:
        known = DATASETS.get(self.dataset)
        overlapping = frozenset[str]() if known is None else known.overlapping
        for name, value in self.where.items():
            if find_axis(name, overlapping) and (not isinstance(value, str) or "*" in value):
                several = f"may sum values of {name} that overlap, so that usage would count twice; write one"
                yield Problem(("where", name), several)

    # ---- what follows from the fields --------------------------------------------------------------------------

    @property
    def sums_members(self) -> bool:
        """Whether it adds up what members used, so that it falls when all of one of them is removed."""
        return False

    def durations(self) -> dict[str, timedelta | None]:
        """The fields that must be whole multiples of the bucket."""
        return {"for": self.for_, "resolve_after": self.resolve_after}

    @property
    def width(self) -> Width:
        """Seconds a bucket."""
        known = DATASETS.get(self.dataset)
        if self.bucket is not None:
            return HOUR if self.bucket == "1h" else DAY
        return DAY if (self.for_each or "").casefold() == MEMBER or (known is not None and not known.hourly) else HOUR

    def answer(self) -> Feed | Refusal:
        """The feed that this rule judges, or why the source has no such answer."""
        return ask(Question(self.dataset, self.width, tuple(self.where), self.for_each, self._member()))

    @property
    def feed(self) -> Feed:
        """The feed that this rule judges; only of a rule without problems."""
        answer = self.answer()
        if isinstance(answer, Refusal):
            raise TypeError(answer.message)
        return answer

    @property
    def selection(self) -> Selection:
        """`where` and `for_each` in the core's terms."""
        axis = next((name for name in self.where if name.casefold() != MEMBER), None)
        choice = None if axis is None else _choice(self.where[axis])
        if self.for_each is not None and self.for_each.casefold() == MEMBER:
            return Selection(axis, choice, self._member(), MEMBER)
        return Selection(axis or self.for_each, choice, self._member(), self.for_each)

    def watched(self, history: FeedHistory) -> list[Selected]:
        """The rule's series in the order of their labels; the largest, where there are more than `max_series`."""
        found = select(history, self.selection)
        if len(found) <= self.max_series:
            return found
        largest = sorted(found, key=lambda series: -int(series.counts.sum()))[: self.max_series]
        kept = {id(series) for series in largest}
        return [series for series in found if id(series) in kept]

    def left_out(self, history: FeedHistory) -> int:
        """How many series `max_series` leaves out."""
        return max(0, len(select(history, self.selection)) - self.max_series)

    def narrowed(self) -> list[Fact]:
        """Which usage counts, where not all does."""
        said = [f"{name} {_choice(value).said}" for name, value in self.where.items()]
        return [Fact(COUNTED, ", ".join(said))] if said else []

    def _member(self) -> str | None:
        wanted = [value for name, value in self.where.items() if name.casefold() == MEMBER]
        return wanted[0] if len(wanted) == 1 and isinstance(wanted[0], str) else None

    @property
    def for_buckets(self) -> int:
        """`for` in buckets."""
        return buckets(self.for_, self.width) or 1

    @property
    def resolve_buckets(self) -> int:
        """`resolve_after` in buckets."""
        return buckets(self.resolve_after, self.width) or (2 if self.width == HOUR else 1)

    @property
    def reminds(self) -> timedelta | None:
        """When an alert that stays open is told again for the first time: `remind_every`; None for never."""
        if self.remind_every is None:
            return REMIND_EVERY if self.width == HOUR else None
        return None if self.remind_every == "off" else self.remind_every

    @property
    def unit(self) -> str:
        """What the dataset counts."""
        known = DATASETS.get(self.dataset)
        return known.unit if known else "units"

    @property
    def style(self) -> Style:
        """How its messages are worded."""
        return Style(self.text, self.max_incidents)

    def leans_on(self, defaults: FileDefaults) -> list[str]:
        """What of the file's defaults its judging depends on."""
        return []

    def digest(self, defaults: FileDefaults) -> str:
        """Of all that judges. Left out: what only words or routes, and defaults, since a new version may add some."""
        words = {"title", "text", "runbook", "notify", "remind_every", "max_incidents", "enabled"}
        fields = self.model_dump(mode="json", exclude=words, exclude_defaults=True)
        judged: list[Any] = [self.algorithm, fields, self.leans_on(defaults)]
        return hashlib.sha256(json.dumps(judged, sort_keys=True).encode()).hexdigest()[:16]


def buckets(duration: timedelta | None, width: int) -> int:
    """A duration in buckets; 0 for None."""
    return 0 if duration is None else int(duration.total_seconds()) // width


def _choice(value: str | list[str] | Not) -> Choice:
    patterns = value.none_of if isinstance(value, Not) else value
    listed = (patterns,) if isinstance(patterns, str) else tuple(patterns)
    return Choice(listed, negated=isinstance(value, Not))
