"""What happens to an organization, and when its watcher looks: one story a seed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from tests.crashes.collectors import Fault
from usage_watch.simulator import Runaway, Scenario

RULE = "{id: hourly, kind: threshold, for_each: Model, above: {warning: 2_000, critical: 20_000}}"
MODELS = ("claude-opus-4-8", "claude-sonnet-4-8", "gpt-5-5")

_MIDNIGHT = datetime(2026, 11, 16, tzinfo=UTC)
_HOUR = timedelta(hours=1)
_SETTLED = 52 * _HOUR
"""After which all that ended has."""


@dataclass(frozen=True)
class Look:
    """A run that cron starts."""

    at: datetime
    faults: Mapping[str, Fault]
    """What becomes of the first message to each of these targets."""


@dataclass(frozen=True)
class Story:
    """A whole one."""

    scenario: Scenario
    looks: tuple[Look, ...]
    readable: bool
    """Whether Slack shows the app what it posted."""


def story(seed: int) -> Story:
    """A first start; something fires, goes on in its own way and ends; and then once more."""
    random = Random(seed)
    first = _MIDNIGHT + _HOUR * random.randrange(6, 40)
    second = first + _SETTLED + _HOUR * random.randrange(2, 9)
    # Never an hour without usage, or nothing would settle.
    jobs = [Runaway("ana@example.com", MODELS[0], _MIDNIGHT - 48 * _HOUR, 400, 100)]
    jobs += [*_burst(first, random), *_burst(second, random)]
    if random.random() < 0.3:  # comes and goes while nobody looks
        jobs.append(_job(MODELS[1], first + 6 * _HOUR, random))
    if random.random() < 0.15:  # is open when all begins
        jobs.append(_job(MODELS[2], first - _HOUR, random))
    late = timedelta(minutes=random.randrange(2, 15))
    hours = [first, *_ends(first), *_ends(second)]
    return Story(
        scenario=Scenario(seed, _MIDNIGHT - 48 * _HOUR, lag=None, quiet=True, runaways=tuple(jobs)),
        looks=tuple(Look(at + late, dict(_faults(random))) for at in hours),
        readable=seed % 2 == 0,
    )


def _burst(at: datetime, random: Random) -> Iterator[Runaway]:
    """One or two models run away at once; then one of them gets worse, or another joins in, or that was all."""
    one, other, third = random.sample(MODELS, 3)
    yield _job(one, at, random)
    if random.random() < 0.3:
        yield _job(other, at, random)
    match random.choice(("worse", "worse", "worse", "joined", "over", "over")):
        case "worse":
            yield _job(one, at + _HOUR, random, 25_000)
        case "joined":
            yield _job(third, at + _HOUR, random)


def _job(model: str, at: datetime, random: Random, least: int = 3_000) -> Runaway:
    return Runaway("priya.nair@example.com", model, at, 1, random.randrange(least, least + 9_000))


def _ends(burst: datetime) -> tuple[datetime, ...]:
    """When there is news of a burst: of its first hour, of its second, and that it is over."""
    return burst + _HOUR, burst + 2 * _HOUR, burst + 2 * _HOUR + _SETTLED


def _faults(random: Random) -> Iterator[tuple[str, Fault]]:
    """Now and then a collector has a bad moment."""
    for target in ("ops", "finance", "pager"):
        if random.random() < 0.1:
            yield target, random.choice(list(Fault))
