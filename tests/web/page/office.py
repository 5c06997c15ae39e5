"""A database as real cycles leave it, and its pages as a browser gets them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from threading import Event

from tests.cli.office import NOW, scenario
from tests.cli.stored import add, days, hours, store, usual
from usage_watch.clock import SteppedClock
from usage_watch.config import load
from usage_watch.core.incident import Incident
from usage_watch.cycle import Cycle
from usage_watch.simulator import DEFAULT_KEY, SimulatorServer
from usage_watch.store.alerts import AlertStore
from usage_watch.store.database import open_for_reading, open_for_writing
from usage_watch.vitals import Vitals
from usage_watch.web.answer import Asked
from usage_watch.web.page.site import Site

KEY = {"PERPLEXITY_ANALYTICS_API_KEY": DEFAULT_KEY}
FIRST = datetime(1970, 1, 1, tzinfo=UTC)

EVIL = "<script>alert(1)</script> \"'&amp; \u202ex"
"""A model, as somebody may call it."""
SHELL = 'o\'clock "$(date)" <b>'
"""Another, whose name a shell would misread."""
ODD = "d'arc.jean@example.com"
"""A member whose address is escaped in HTML."""

RULES = """\
timezone: Europe/Berlin
billing_day: 14
source: {{base_url: "{source}", backfill: 6d}}
web: {{members: {members}}}
store: {{path: "{store}"}}
channels:
  screen: {{kind: log}}
notify: [screen]
rules:
  - {{id: runaway, kind: threshold, window: 3h, above: {{warning: 2_000, critical: 40_000}},
     runbook: "https://wiki.example.com/runaway?a=1&b=2"}}
  - {{id: heavy-day, kind: threshold, for_each: member, above: 5_000}}
  - {{id: cycle, kind: budget, limit: 20_000, title: Credits of this cycle}}
"""

HOSTILE = """\
timezone: Europe/Berlin
source: {{base_url: "{source}", backfill: 6d}}
web: {{members: {members}}}
store: {{path: "{store}"}}
channels:
  screen: {{kind: log}}
notify: [screen]
rules:
  - {{id: models, kind: zscore, for_each: Model, title: "<i>$series</i>"}}
  - {{id: hourly, kind: threshold, for_each: Model, above: {{critical: 5_000}}}}
  - {{id: people, kind: budget, for_each: member, limit: 9_000}}
"""


_HEADINGS = {"h1", "h2", "h3"}


@dataclass
class Markup(HTMLParser):
    """A page, taken apart; whatever is not closed, or should not be there, is refused."""

    text: str
    links: list[str] = field(default_factory=list)
    current: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    headings: list[tuple[str, str]] = field(default_factory=list)
    charts: int = 0
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._open: list[str] = []
        self._ids: set[str] = set()
        self.feed(self.text)
        self.close()
        assert not self._open
        levels = [int(name[1]) for name, _ in self.headings]
        assert levels[0] == 1
        assert 1 not in levels[1:]
        assert all(after <= before + 1 for before, after in pairwise(levels))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        assert tag not in ("script", "i", "b", "img", "style", "form")
        assert not any(name.startswith("on") or name == "style" for name in found)
        if (id := found.get("id")) is not None:
            assert id not in self._ids
            self._ids.add(id)
        if tag == "a":
            self.links.append(found["href"] or "")
        if "aria-current" in found:
            self.current.append(found["href"] or "")
        self.charts += tag == "svg"
        if tag in _HEADINGS:
            self.headings.append((tag, ""))
        if tag not in ("meta", "link"):
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ("rect", "path", "circle")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not _HEADINGS.isdisjoint(self._open):
            name, begun = self.headings[-1]
            self.headings[-1] = name, begun + data
        if self._open[-1:] == ["code"]:
            self.codes.append(data)
        if data.strip() and "svg" not in self._open:
            self.words.append(data.strip())

    @property
    def said(self) -> str:
        """All that is to be read, in one line."""
        return " ".join(self.words)


@dataclass
class Office:
    """A rules file beside a database."""

    rules: Path
    database: Path
    now: datetime = NOW

    @cached_property
    def site(self) -> Site:
        """Of one daemon."""
        return Site(self.database, load(self.rules, KEY), Vitals(self.now), lambda: self.now)

    def answer(self, path: str, query: str = "") -> tuple[int, str]:
        """What a browser gets: status and text."""
        self.site.heed(load(self.rules, KEY))
        found = self.site.pages[path](Asked(path, query))
        return found.status, found.body.decode()

    def page(self, path: str, query: str = "") -> Markup:
        """One that is there."""
        status, text = self.answer(path, query)
        assert status == 200
        return Markup(text)

    def sorry(self, path: str, query: str = "") -> str:
        """Why there is none."""
        status, text = self.answer(path, query)
        assert status == 404
        return Markup(text).said

    def incidents(self) -> Sequence[Incident]:
        """All that there are."""
        with open_for_reading(self.database) as database:
            return AlertStore(database).incidents(FIRST)

    def one(self, rule: str, is_open: bool = True, part: str | None = None) -> Incident:
        """The last of a rule."""
        of_rule = [each for each in self.incidents() if each.rule.id == rule and not each.history]
        return [each for each in of_rule if each.open is is_open and part in (None, each.part)][-1]

    def rule_of(self, id: str) -> str:
        """Which rule found one."""
        return next(each.rule.id for each in self.incidents() if each.id == id)

    def alert(self, rule: str, is_open: bool = True) -> Markup:
        """The page of the last of a rule."""
        return self.page("/alert", f"id={self.one(rule, is_open).id}")

    def copy(self, folder: Path) -> Office:
        """The same, to be written to."""
        for each in (self.rules, self.database):
            shutil.copy(each, folder)
        rules = folder / self.rules.name
        rules.write_text(rules.read_text().replace(str(self.database), str(folder / self.database.name)))
        return Office(rules, folder / self.database.name, self.now)


def written(folder: Path, text: str, source: str, members: str = "full") -> Office:
    """A new one."""
    office = Office(folder / "rules.yaml", folder / "usage-watch.db")
    office.rules.write_text(text.format(source=source, members=members, store=office.database))
    return office


def veiled(office: Office, members: str = "initials") -> Office:
    """The same, with members by their initials, or not at all."""
    rules = office.rules.with_name("veiled.yaml")
    rules.write_text(office.rules.read_text().replace("members: full", f"members: {members}"))
    return Office(rules, office.database, office.now)


def turn(office: Office, clock: SteppedClock, times: int = 1, every: timedelta = timedelta(hours=1)) -> None:
    """Real cycles."""
    with (
        open_for_writing(office.database) as database,
        Cycle(load(office.rules, KEY), database, clock, Event(), KEY, thorough=True) as cycle,
    ):
        for _ in range(times):
            cycle.run()
            office.now = clock.now()
            clock.step(clock.now() + every)


@contextmanager
def simulated(folder: Path, half_days: int = 0, *, fails: bool = True) -> Iterator[Office]:
    """Three jobs that ran away; perhaps so many half days without any; then the source takes the key no more."""
    clock = SteppedClock(folder / "clock")
    clock.step(NOW)
    with SimulatorServer(scenario(), now=clock.now) as source:
        office = written(folder, RULES, source.base_url)
        turn(office, clock)
        turn(office, clock, half_days, timedelta(hours=12))
        if fails:
            source.api = replace(source.api, key="another")
            turn(office, clock, 3)
        yield office


def hostile(folder: Path) -> Office:
    """Names that nobody should have, of six weeks; the source is away."""
    clock = SteppedClock(folder / "clock")
    clock.step(NOW)
    office = written(folder, HOSTILE, "http://127.0.0.1:9/")
    open_for_writing(office.database).close()
    since_at = NOW.replace(hour=0, minute=0) - timedelta(days=42)
    over, by_day = hours(since_at, NOW), days(since_at, NOW)
    models = {name: usual(over, 300, seed) for seed, name in enumerate((EVIL, SHELL, "gpt-5-5"))}
    add(models[EVIL], over, NOW.replace(minute=0) - timedelta(hours=3), 9_000, 3)
    add(models[SHELL], over, NOW.replace(minute=0) - timedelta(hours=2), 6_000, 2)
    store(office.database, NOW, over, models)
    store(
        office.database,
        NOW,
        by_day,
        {ODD: usual(by_day, 4_000, 3), "bo@example.com": usual(by_day, 9, 4)},
        members=True,
    )
    turn(office, clock)
    return office
