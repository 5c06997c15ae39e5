"""/metrics: what the newest snapshot holds, under names that stay. No label is a member, or without end otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime

from usage_watch.vitals import Counts, Snapshot, Vitals
from usage_watch.web.answer import Answer, Asked, Page
from usage_watch.web.exposition import CONTENT_TYPE, Family, Sample, exposition

Now = Callable[[], datetime]


def metrics(vitals: Vitals, version: str, now: Now) -> Page:
    """The page of a daemon of this version."""

    def page(_: Asked) -> Answer:
        return Answer(exposition(families(vitals, version, now())), content_type=CONTENT_TYPE)

    return page


def families(vitals: Vitals, version: str, now: datetime) -> Iterator[Family]:
    """All there is, in order."""
    yield Family("usage_watch_build_info", "gauge", "Which version runs.", [Sample(1, {"version": version})])
    yield _gauge(
        "last_turn_timestamp_seconds", "When the main loop last gave a sign.", [_bare(vitals.beaten_at.timestamp())]
    )
    hindered = [Sample(count, {"cause": cause}) for cause, count in sorted(vitals.hindrances.items())]
    yield Family(
        "usage_watch_cycles_hindered_total",
        "counter",
        "Cycles since the start that this machine stood in the way of, by cause.",
        hindered,
    )
    if vitals.snapshot is not None:
        yield from _of_loop(vitals.snapshot)
        yield from _of_reading(vitals.snapshot)
        yield from _of_telling(vitals.snapshot, now)
        yield from _of_budgets(vitals.snapshot)


def _of_loop(snapshot: Snapshot) -> Iterator[Family]:
    spent = [Sample(snapshot.turned_for, {}, "_sum"), Sample(snapshot.turns, {}, "_count")]
    yield Family("usage_watch_cycle_seconds", "summary", "Time that cycles took.", spent)
    size = "Size of the database, with its write-ahead log."
    yield _gauge("db_bytes", size, [_bare(snapshot.database_bytes)])


def _of_reading(snapshot: Snapshot) -> Iterator[Family]:
    polls = "Attempts to read a feed since the start, by outcome: success, or what it failed of."
    yield _counter("polls_total", polls, ("feed", "outcome"), snapshot.polls)
    read = [Sample(each.read_at, {"feed": each.feed}) for each in snapshot.feeds if each.read_at is not None]
    yield _gauge("last_success_timestamp_seconds", "When a feed was last read with success.", read)
    until = [Sample(each.data_until, {"feed": each.feed}) for each in snapshot.feeds if each.data_until is not None]
    yield _gauge("data_until_timestamp_seconds", "End of the newest bucket that had usage.", until)


def _of_telling(snapshot: Snapshot, now: datetime) -> Iterator[Family]:
    alerts = [
        Sample(each.count, {"rule": each.rule, "severity": each.severity, "state": each.state})
        for each in snapshot.alerts
    ]
    yield _gauge("alerts", "Alerts that are open, firing or acknowledged.", alerts)
    told = "Attempts to deliver a message since the start, by outcome."
    yield _counter("notifications_total", told, ("channel", "outcome"), snapshot.notifications)
    pending = [Sample(each.pending, {"channel": each.channel}) for each in snapshot.channels]
    yield _gauge("outbox_pending", "Messages that are to be sent.", pending)
    oldest = "How long the oldest message that is to be sent has waited; 0 where none is."
    yield _gauge("outbox_oldest_seconds", oldest, [_bare(snapshot.waited(now))])


def _of_budgets(snapshot: Snapshot) -> Iterator[Family]:
    spent = [Sample(each.spent, {"rule": each.rule}) for each in snapshot.budgets]
    limit = [Sample(each.limit, {"rule": each.rule}) for each in snapshot.budgets]
    yield _gauge("budget_spent", "What of a budget is spent in its period, in its dataset's unit.", spent)
    yield _gauge("budget_limit", "What a period of a budget may use, in its dataset's unit.", limit)


def _gauge(name: str, meaning: str, samples: Iterable[Sample]) -> Family:
    return Family(f"usage_watch_{name}", "gauge", meaning, samples)


def _counter(name: str, meaning: str, labels: tuple[str, str], counts: Counts) -> Family:
    samples = [Sample(count, _named(labels, key)) for key, count in sorted(counts.items())]
    return Family(f"usage_watch_{name}", "counter", meaning, samples)


def _named(names: tuple[str, str], values: tuple[str, str]) -> Mapping[str, str]:
    return dict(zip(names, values, strict=True))


def _bare(value: float) -> Sample:
    return Sample(value, {})
