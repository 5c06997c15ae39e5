"""How it starts, what memory it has over thousands of turns, and what a turn without news costs."""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from serving.process import Event, Memory
from serving.world import EVERY_SERIES, NOW, RULES, World, fill, fresh

Figures = dict[str, object]
VARIANTS = {"usual_rules": RULES, "zscore_over_100": EVERY_SERIES}
STARTS, QUIET_TURNS, WARM_TURNS = 5, 50, 4
_IMPORTS = """
import sys
for name in sys.argv[1:]: __import__(name)
print(next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith("VmRSS")))
"""


def start(world: World, python: Path | None) -> Figures:
    """A year of history that is up to date: until it listens (READY), and until its first cycle is done."""
    fill(world, world.folder / "365d.db", 365)
    found: Figures = {"imports_mib": imports(python)}
    for name, rules in VARIANTS.items():
        runs = [_started(world, rules, python) for _ in range(STARTS)]
        found[name] = {
            moment: {what: _median([getattr(run[moment], what) for run in runs]) for what in ("wall_s", "cpu_s")}
            for moment in ("ready", "first_cycle")
        }
    return found


def _started(world: World, rules: Sequence[str], python: Path | None) -> dict[str, Event]:
    world.clock.step(NOW)
    with world.daemon(_copied(world, 365), rules=rules, backfill="365d", python=python) as daemon:
        daemon.start()
        ready, cycle = daemon.await_event("web.listening"), daemon.cycle()
        daemon.stop()
    return {"ready": ready, "first_cycle": cycle}


def imports(python: Path | None) -> dict[str, float]:
    """MiB resident of an empty Python, of one with what the program depends on, and of one with all of the daemon."""
    depends = ["click", "httpx", "numpy", "pydantic", "sqlite3", "yaml"]
    named = {"python": [], "dependencies": depends, "daemon": ["usage_watch.cli.run", "usage_watch.daemon"]}
    return {name: _resident(modules, python) for name, modules in named.items()}


def _resident(modules: Sequence[str], python: Path | None) -> float:
    command = [str(python or sys.executable), "-c", _IMPORTS, *modules]
    return round(float(subprocess.run(command, capture_output=True, check=True, text=True).stdout), 1)


def memory(world: World, turns: int, python: Path | None) -> Figures:
    """Over so many turns, each a poll 15 minutes after the one before; a tenth as many with a score of each series."""
    fill(world, world.folder / "365d.db", 365)
    return {
        name: _over(world, rules, turns if rules is RULES else turns // 10, python) for name, rules in VARIANTS.items()
    }


def _over(world: World, rules: Sequence[str], turns: int, python: Path | None) -> Figures:
    world.clock.step(NOW)
    with world.daemon(_copied(world, 365), rules=rules, backfill="365d", python=python) as daemon:
        daemon.start()
        last = daemon.cycle()
        seen, told, quiet = {1: daemon.memory()}, 0, 0
        for turn in range(2, turns + 1):
            last = daemon.turn(last)
            told, quiet = told + last.counts["told"], quiet + _is_quiet(last)
            if turn in (10, 100) or turn % max(1, turns // 40) == 0:
                seen[turn] = daemon.memory()
        code, took_s = daemon.stop()
    return {
        "turns": turns,
        "turns_without_news": quiet,
        "told": told,
        "after_first": asdict(seen[1]),
        "after_100": asdict(seen[100]) if 100 in seen else None,
        "last": asdict(seen[max(seen)]),
        "growth_mib": _growth(seen),
        "rss_mib_by_turn": {turn: each.rss for turn, each in seen.items()},
        "stopped": {"code": code, "seconds": round(took_s, 3)},
    }


def _growth(seen: dict[int, Memory]) -> float:
    """From the median of the first half to that of the second, the first turns left out."""
    settled = [each.rss for turn, each in sorted(seen.items()) if turn >= 100] or [each.rss for each in seen.values()]
    half = len(settled) // 2
    return round(statistics.median(settled[half:]) - statistics.median(settled[: half + 1]), 1)


def quiet(world: World, python: Path | None) -> Figures:
    """A turn without news after 90 days, a year and two, side by side: CPU of the main thread.

    Polled every ten seconds, within the quarter of an hour in which the source learns nothing.
    """
    by_days: dict[int, list[float]] = {90: [], 365: [], 730: []}
    for days in by_days:
        fill(world, world.folder / f"{days}d.db", days)
    world.clock.step(NOW)
    daemons = {
        days: world.daemon(
            _copied(world, days), backfill=f"{days}d", poll_every="10s", python=python, web=False, own_clock=True
        )
        for days in by_days
    }
    try:
        last = {}
        for days, daemon in daemons.items():
            daemon.start()
            last[days] = daemon.cycle()
        for turn in range(WARM_TURNS + QUIET_TURNS):
            for days, daemon in daemons.items():
                before = daemon.main_cpu_s()
                last[days] = daemon.turn(last[days])
                if turn >= WARM_TURNS and _is_quiet(last[days]):
                    by_days[days].append(daemon.main_cpu_s() - before)
    finally:
        for daemon in daemons.values():
            daemon.kill()
    cost = {days: _median(costs) for days, costs in by_days.items()}
    return {
        "turns": {f"{days}d": len(costs) for days, costs in by_days.items()},
        "cpu_s": {f"{days}d": each for days, each in cost.items()},
        "ratio_2y_to_90d": round(cost[730] / cost[90], 3),
        "ratio_2y_to_1y": round(cost[730] / cost[365], 3),
    }


def _is_quiet(event: Event) -> bool:
    return event.counts["new"] == event.counts["changed"] == 0


def _copied(world: World, days: int) -> Path:
    """A database of its own for a daemon."""
    path = fresh(world.folder / f"lives-{days}d.db")
    shutil.copy(world.folder / f"{days}d.db", path)
    return path


def _median(values: Sequence[float]) -> float:
    return round(statistics.median(values), 4)
