"""What the page costs by itself, and what it costs a cycle when many look."""

from __future__ import annotations

import re
import shutil
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from urllib.parse import urlsplit

from serving.asking import Asking
from serving.process import Daemon
from serving.process import Event as Said
from serving.world import EVERY_SERIES, World, fill, fresh
from tests.web.browser.crawl import crawl, sample
from usage_watch.clock import SteppedClock
from usage_watch.config import Config
from usage_watch.config import load as load_config
from usage_watch.cycle import Cycle
from usage_watch.store.database import Database, open_for_writing
from usage_watch.vitals import Vitals
from usage_watch.web.answer import Asked
from usage_watch.web.hosts import Hosts
from usage_watch.web.page.site import Site
from usage_watch.web.server import WebServer

Figures = dict[str, object]
_DAYS, _TIMES, _OF_EACH_KIND, _MIXED = 90, 5, 12, 3
_IN_TURN = 4
"""Cycles beside the one, and then beside the other."""
_MINUTE = timedelta(minutes=1)
_LISTENING = re.compile(r"url\"?[=:]\s*\"?(http://[^\s\"]+)")


def pages(world: World) -> Figures:
    """By path: the middle and the slowest of its pages, each the median of some times; and when first asked for."""
    path = _copied(world)
    world.daemon(path, rules=EVERY_SERIES)  # which writes the rules file
    config, times = load_config(path.with_suffix(".yaml"), {}), _Minutes(world.clock)
    by_path: dict[str, list[_Cost]] = defaultdict(list)
    # Open, as the daemon has it: else each page would be the last to close it, and fold its write-ahead log.
    with open_for_writing(path) as database:
        _judge(config, database, world.clock)
        site = Site(path, config, Vitals(times()), times)
        with WebServer("127.0.0.1", 0, Hosts(), site.pages) as server:
            wall, cpu = _timed(lambda: site.pages["/"](Asked("/", "")))
            urls = crawl(server.url)
        # Another, which knows of none of them.
        site = Site(path, config, Vitals(times()), times)
        for url in sample(urls, _OF_EACH_KIND):
            parts = urlsplit(url)
            by_path[parts.path].append(_cost(site, Asked(parts.path, parts.query), times))
    return {
        "first_of_all_ms": _ms(wall),
        "first_of_all_cpu_ms": _ms(cpu),
        "linked": len(urls),
        "by_path": {name: _of(by_path[name]) for name in by_path},
    }


def _judge(config: Config, database: Database, clock: SteppedClock) -> None:
    """As the cycle did before anybody looks; what it remembers of that is there for the pages."""
    with Cycle(config, database, clock, Event()) as cycle:
        cycle.rehearse(config)


class _Minutes:
    """A clock that somebody sets forward by a minute: in which nothing is kept any more."""

    def __init__(self, clock: SteppedClock) -> None:
        self._now = clock.now()

    def __call__(self) -> datetime:
        return self._now

    def forward(self) -> None:
        self._now += _MINUTE


class _Cost:
    """Of one page, in seconds: each time that it was made, and read from what is kept."""

    def __init__(self, asked: Asked) -> None:
        self.asked, self.size = asked, 0
        self.walls: list[float] = []
        self.cpus: list[float] = []
        self.cached: list[float] = []

    @property
    def wall(self) -> float:
        """Once the process has made it before."""
        return statistics.median(self.walls[1:])

    @property
    def cpu(self) -> float:
        """The same, of this thread alone."""
        return statistics.median(self.cpus[1:])


def _cost(site: Site, asked: Asked, times: _Minutes) -> _Cost:
    cost = _Cost(asked)
    for _ in range(_TIMES):
        times.forward()
        wall, cpu = _timed(lambda: site.pages[asked.path](asked))
        cost.walls.append(wall)
        cost.cpus.append(cpu)
        cost.cached.append(_timed(lambda: site.pages[asked.path](asked))[0])
    cost.size = len(site.pages[asked.path](asked).body)
    return cost


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.thread_time()
    work()
    return time.perf_counter() - wall, time.thread_time() - cpu


def _of(costs: Sequence[_Cost]) -> Figures:
    slowest, first = max(costs, key=lambda cost: cost.cpu), max(costs, key=lambda cost: cost.cpus[0])
    return {
        "pages": len(costs),
        "uncached_ms": _ms(statistics.median(each.wall for each in costs)),
        "cpu_ms": _ms(statistics.median(each.cpu for each in costs)),
        "slowest_ms": _ms(slowest.wall),
        "slowest_cpu_ms": _ms(slowest.cpu),
        "slowest": _named(slowest),
        "slowest_first_cpu_ms": _ms(first.cpus[0]),
        "slowest_first": _named(first),
        "cached_ms": _ms(statistics.median(once for each in costs for once in each.cached)),
        "largest_kib": round(max(each.size for each in costs) / 1024, 1),
    }


def _named(cost: _Cost) -> str:
    return f"{cost.asked.path}?{cost.asked.query}".rstrip("?")


def load(world: World, seconds: float, pace: float, rate: int, python: Path | None) -> Figures:
    """A few cycles beside an idle page and as many beside one that many look at, in turns.

    `seconds`: of each in all; `pace`: seconds from a cycle's begin to the next.
    """
    found: dict[str, list[float]] = {"idle": [], "loaded": []}
    cpu: dict[str, list[float]] = {"idle": [], "loaded": []}
    with world.daemon(_copied(world), rules=EVERY_SERIES, python=python) as daemon:
        daemon.start()
        listening = _LISTENING.search(daemon.await_event("web.listening").text)
        assert listening is not None
        last = daemon.cycle()
        mix = sample(crawl(listening[1]), _MIXED)
        asking = Asking(mix, rate)
        for _ in range(max(1, round(seconds / (pace * _IN_TURN)))):
            last = _cycles(daemon, last, pace, found["idle"], cpu["idle"])
            with asking:
                last = _cycles(daemon, last, pace, found["loaded"], cpu["loaded"])
        daemon.stop()
    middle = {name: statistics.median(each) for name, each in found.items()}
    return {
        "pages": len(mix),
        "rate": rate,
        "pace_s": pace,
        "cycles": {name: len(each) for name, each in found.items()},
        "cycle_ms": {name: _ms(each) for name, each in middle.items()},
        "longest_ms": {name: _ms(max(each)) for name, each in found.items()},
        "cycle_cpu_ms": {name: _ms(statistics.median(each)) for name, each in cpu.items()},
        "ratio": round(middle["loaded"] / middle["idle"], 3),
        **asking.figures(),
    }


def _cycles(daemon: Daemon, last: Said, pace: float, walls: list[float], cpus: list[float]) -> Said:
    for _ in range(_IN_TURN):
        # Before each: that pages are looked at from one cycle to the next is what may keep the next one waiting.
        time.sleep(pace)
        began, cpu = time.monotonic(), daemon.main_cpu_s()
        last = daemon.turn(last)
        walls.append(time.monotonic() - began)
        cpus.append(daemon.main_cpu_s() - cpu)
    return last


def _copied(world: World) -> Path:
    """A database of its own, 90 days long."""
    kept, path = world.folder / f"{_DAYS}d.db", fresh(world.folder / "looked-at.db")
    fill(world, kept, _DAYS, EVERY_SERIES)
    shutil.copy(kept, path)
    return path


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
