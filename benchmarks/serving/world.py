"""A simulated organization with 100 hourly series, a rules file that watches them, and a database that holds them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from serving.process import Daemon
from tests.fakes.webhook_receiver import WebhookReceiver
from usage_watch.clock import SteppedClock
from usage_watch.simulator import DEFAULT_KEY, Model, Organization, Runaway, Scenario, SimulatorServer

NOW = datetime(2027, 1, 22, 0, 5, tzinfo=UTC)
"""When the daemon that is measured is started: 90 days then reach into three blocks of the seasonal rule, the most."""
START = datetime(2024, 10, 1, tzinfo=UTC)
"""Of all usage: over two years before."""
_MODELS, _TITLES = 18, 20
"""With two credit sources 20 series of credits, and as many of each of four other datasets: 100, and five totals."""
_AXES = ("Connector", "Skill", "Space", "Workflow")

_FILE = """\
timezone: Europe/Berlin
source: {{api_key: {{file: "{key}"}}, base_url: "{source}", backfill: {backfill}, poll_every: {poll_every}}}
web: {web}
store: {{path: "{store}"}}
channels:
  pager: {{kind: webhook, url: "{hook}"}}
  {second}
notify: [pager, second]
rules:
"""
_MAIL = (
    "second: {{kind: email, host: 127.0.0.1, port: {port}, security: none, sender: usage-watch@example.com, "
    "recipients: [finance@example.com]}}"
)
RULES = (
    "{id: cycle, kind: budget, where: {Credit Source: paid}, limit: 5_000_000}",
    "{id: week, kind: budget, limit: 1_500_000, period: week}",
    "{id: hourly-credits, kind: threshold, window: 3h, above: {warning: 20_000, critical: 60_000}}",
    "{id: connector, kind: threshold, dataset: connectors, for_each: Connector, above: 300}",
    "{id: workflows, kind: threshold, dataset: workflows, window: 6h, above: 600}",
    "{id: nothing-happens, kind: absence, dataset: spaces, quiet_for: 3d}",
    "{id: skills, kind: threshold, dataset: skills, window: 24h, above: 5_000}",
    "{id: models, kind: zscore, for_each: Model}",
)
"""Two budgets, thresholds, an absence and a zscore over 18 series: what an admin would write. All five feeds."""
EVERY_SERIES = (
    *RULES,
    "{id: sources, kind: zscore, for_each: Credit Source}",
    "{id: usual-connectors, kind: zscore, dataset: connectors, for_each: Connector}",
    "{id: usual-skills, kind: zscore, dataset: skills, for_each: Skill}",
    "{id: usual-spaces, kind: zscore, dataset: spaces, for_each: Space}",
    "{id: usual-workflows, kind: zscore, dataset: workflows, for_each: Workflow}",
)
"""The same with a zscore over all 100."""


def organization() -> Organization:
    """The simulator's own, with more to use."""
    titles = {axis: tuple(f"{axis} {number}" for number in range(1, _TITLES + 1)) for axis in _AXES}
    models = tuple(
        Model(f"model-{number}", f"family-{number % 4}", cost=1.0, popularity=1 / number, search_popularity=1 / number)
        for number in range(1, _MODELS + 1)
    )
    own = Organization.from_seed(1)
    return replace(own, models=models, titles={**own.titles, **titles})


@dataclass(frozen=True)
class World:
    """A source, a receiver and a clock, all on this machine."""

    folder: Path
    source: SimulatorServer
    hook: WebhookReceiver
    clock: SteppedClock

    def daemon(
        self,
        database: Path,
        *,
        rules: Sequence[str] = RULES,
        backfill: str = "90d",
        poll_every: str = "15m",
        hook: str | None = None,
        mail: int | None = None,
        python: Path | None = None,
        web: bool = True,
        own_clock: bool = False,
    ) -> Daemon:
        """`usage-watch run` over that database, yet to be started.

        `mail`: a port that it sends mails to; `own_clock`: one that others do not follow, and the source neither.
        """
        key, file = self.folder / "key", self.folder / f"{database.stem}.yaml"
        key.write_text(DEFAULT_KEY)
        head = _FILE.format(
            key=key,
            source=self.source.base_url,
            backfill=backfill,
            poll_every=poll_every,
            store=database,
            hook=hook or self.hook.url("/hook"),
            second="second: {kind: log}" if mail is None else _MAIL.format(port=mail),
            web="{listen: 127.0.0.1:0}" if web else "off",
        )
        file.write_text(head + "".join(f"  - {rule}\n" for rule in rules))
        if not own_clock:
            return Daemon(file, self.clock, self.folder / "clock", python)
        path = self.folder / f"{database.stem}.clock"
        clock = SteppedClock(path)
        clock.step(self.clock.now())
        return Daemon(file, clock, path, python)


@contextmanager
def world(folder: Path, runaways: Sequence[Runaway] = (), at: datetime = NOW) -> Iterator[World]:
    """Open one; the folder is the caller's."""
    clock = SteppedClock(folder / "clock")
    clock.step(at)
    scenario = Scenario(1, START, runaways=tuple(runaways))
    with SimulatorServer(scenario, organization=organization(), now=clock.now) as source, WebhookReceiver() as hook:
        yield World(folder, source, hook, clock)


def fill(world: World, database: Path, days: int, rules: Sequence[str] = RULES) -> None:
    """Let the real daemon read so many days of history, if the database is not there yet."""
    if database.exists():
        return
    with world.daemon(database, backfill=f"{days}d", rules=rules) as daemon:
        daemon.start()
        daemon.cycle(patience_s=1200)
        daemon.stop()


def fresh(path: Path) -> Path:
    """The same, with no database there."""
    for each in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        each.unlink(missing_ok=True)
    return path


def runaway(at: datetime, hours: int = 3) -> Runaway:
    """A job out of control, of which the thresholds speak."""
    return Runaway("priya.nair@example.com", "model-3", at, hours, 120_000)


DAY = timedelta(days=1)
