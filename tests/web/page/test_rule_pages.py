from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from threading import Event

import pytest

from tests.core.drawings import check
from usage_watch.clock import SteppedClock
from usage_watch.config import Config, load
from usage_watch.cycle import Cycle
from usage_watch.fetch import silent
from usage_watch.simulator import DEFAULT_KEY, Organization, Runaway, Scenario, SimulatorServer, SyncStop
from usage_watch.store.alerts import AlertStore
from usage_watch.store.database import open_beside, open_for_writing
from usage_watch.vitals import Vitals
from usage_watch.web.answer import Answer, Asked
from usage_watch.web.page.room import key_of
from usage_watch.web.page.site import Site

NOW = datetime(2026, 11, 20, 12, 5, tzinfo=UTC)
"""A Friday, 13:05 in Berlin."""
START = NOW.replace(hour=0, minute=0) - timedelta(days=30)
SCRIPT, IMAGE = "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'
MEMBER = "priya.nair@example.com"
CONNECTORS = (SCRIPT, IMAGE, *(f"Connector {number}" for number in range(60)))
RULES = """\
timezone: Europe/Berlin
billing_day: 24
source: {{base_url: "{source}", backfill: 30d}}
store: {{path: "{store}"}}
web: {{members: {members}}}
channels: {{ops: {{kind: log}}, pager: {{kind: log}}}}
notify: {{warning: [ops], critical: [ops, pager]}}
seats: {{default: 100}}
rules:
  - {{id: hostile, kind: threshold, dataset: connectors, for_each: Connector, above: 2, title: '{title}'}}
  - {{id: runaway, kind: threshold, window: 3h, for: 2h, above: {{warning: 6_000, critical: 12_000}},
     runbook: "https://wiki.example.com/runaway?who=priya.nair@example.com"}}
  - {{id: opus-share, kind: threshold, where: {{Model: "claude-opus-*"}}, statistic: share, window: 6h, min_total: 50,
     above: 92%, clear_at: 80%, runbook: "https://wiki.example.com/share"}}
  - {{id: too-little, kind: threshold, below: {{warning: 5, critical: 2}}, notify: []}}
  - {{id: slow, kind: threshold, dataset: task_durations, statistic: p95, window: 24h, above: 30m}}
  - {{id: long, kind: threshold, dataset: task_durations, statistic: {{share_over: 15m}}, window: 24h, above: 60%}}
  - {{id: unusual, kind: zscore, for_each: Model}}
  - {{id: unusual-days, kind: zscore, for_each: member, direction: both}}
  - {{id: robust, kind: zscore, method: robust, baseline: 14d, min_change: 0, direction: down}}
  - {{id: quiet, kind: absence, dataset: spaces, quiet_for: 2d}}
  - {{id: quiet-model, kind: absence, for_each: Model, quiet_for: 2d, min_active_days: 5}}
  - {{id: new-model, kind: novelty, for_each: Model}}
  - {{id: not-expected, kind: novelty, dataset: connectors, for_each: Connector, expected: ["Connector 1*"]}}
  - {{id: cycle, kind: budget, limit: 200_000, levels: {{warning: 80%, critical: 100%}}}}
  - {{id: pool, kind: budget, of: pool, limit: 1_000}}
  - {{id: rolling, kind: budget, limit: 50_000, period: {{rolling: 7d}}}}
  - {{id: people, kind: budget, for_each: member, limit: {{default: 5_000, overrides: {{{member}: 9_000}}}}, burn: off}}
  - {{id: weekly, kind: budget, limit: 5, period: {{every: 7d, from: 2026-11-02}}, forecast: off}}
  - {{id: mid-month, kind: budget, limit: 5, period: {{every: month, starts_on: 14}}, remind_every: 2d}}
  - {{id: monthly, kind: budget, limit: 5, period: {{every: month}}}}
  - {{id: daily, kind: budget, limit: 5, period: day}}
  - {{id: later, kind: budget, limit: 5, period: {{every: 30d, from: 2027-01-01}}}}
  - {{id: hers, kind: threshold, where: {{member: {member}}}, above: 90_000}}
  - {{id: of-others, kind: novelty, for_each: member, where: {{Model: gpt-5-5}}}}
  - {{id: off, kind: threshold, dataset: workflows, above: 5, enabled: no}}
  - {{id: off-of-read, kind: threshold, above: 5, enabled: no}}
"""


@dataclass
class World:
    """A database that the real cycle has filled, and pages over it."""

    folder: Path
    _configs: dict[str, Config] = field(default_factory=dict)
    _sites: dict[str, Site] = field(default_factory=dict)

    def config(self, members: str = "full", source: str = "http://localhost:1/") -> Config:
        if members in self._configs:
            return self._configs[members]
        rules = self.folder / "rules.yaml"
        database = self.folder / "usage-watch.db"
        title = (SCRIPT + IMAGE).replace("'", "''")
        rules.write_text(RULES.format(source=source, store=database, members=members, title=title, member=MEMBER))
        self._configs[members] = load(rules, {})
        return self._configs[members]

    def answer(self, path: str, query: str = "", members: str = "full") -> Answer:
        if members not in self._sites:
            made = Site(self.folder / "usage-watch.db", self.config(members), Vitals(NOW), lambda: NOW)
            self._sites[members] = made
        return self._sites[members].pages[path](Asked(path, query))

    def page(self, path: str, query: str = "", members: str = "full") -> str:
        answer = self.answer(path, query, members)
        assert answer.status == 200, answer.body
        return answer.body.decode()


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Thirty days, a night with a job that runs away while the sync stands, and two polls."""
    folder = tmp_path_factory.mktemp("pages")
    clock, world = SteppedClock(folder / "clock"), World(folder)
    clock.step(NOW - timedelta(hours=20))
    own = Organization.from_seed(1)
    people = replace(own, titles={**own.titles, "Connector": CONNECTORS})
    night = NOW.replace(hour=1, minute=0)
    story = Scenario(
        seed=1,
        start_at=START,
        lag=None,
        runaways=(Runaway(MEMBER, "claude-opus-4-8", night, 5, 7_000),),
        stops=(SyncStop(night, NOW - timedelta(minutes=30)),),
    )
    with SimulatorServer(story, organization=people, now=clock.now) as source:
        config = world.config(source=source.base_url)
        with open_for_writing(folder / "usage-watch.db") as database:
            environ = {"PERPLEXITY_ANALYTICS_API_KEY": DEFAULT_KEY}
            with Cycle(config, database, clock, Event(), environ, silent) as cycle:
                for at in (clock.now(), night + timedelta(hours=4), NOW):
                    clock.step(at)
                    cycle.run()
    return world


class Shape(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[str] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data

    def links(self, of: str) -> list[str]:
        found = [attributes.get("href") or "" for tag, attributes in self.elements if tag == "a"]
        return [each for each in found if each.startswith(f"{of}?")]

    def current(self) -> list[str]:
        return [each["href"] or "" for tag, each in self.elements if tag == "a" and each.get("aria-current") == "true"]


def svgs(page: str) -> list[str]:
    return re.findall(r"<svg.*?</svg>", page, re.DOTALL)


def ids() -> list[str]:
    return re.findall(r"\{id: ([a-z-]+),", RULES)


# ---- all of them -----------------------------------------------------------------------------------------------------


def test_all_rules_are_listed_and_lead_to_their_page(world: World) -> None:
    shape = Shape(world.page("/rules"))
    assert shape.links("rule") == [f"rule?id={id}" for id in ids()], "those that are disabled are last in the file"
    assert shape.links("alert"), "something is open"
    assert ("td", {"data-head": "Series", "role": "cell"}) in shape.elements
    assert "62 series" in shape.text
    assert re.search(rf"{len(ids())} rules, of which 2 are disabled; [1-9]\d* have something open\.", shape.text)
    assert shape.text.count("disabled: it is not judged") == 2


def test_a_rule_that_is_disabled_is_listed_last(world: World) -> None:
    config = world.config()
    moved = config.model_copy(update={"rules": tuple(reversed(config.rules))})
    site = Site(world.folder / "usage-watch.db", moved, Vitals(NOW), lambda: NOW)
    shape = Shape(site.pages["/rules"](Asked("/rules", "")).body.decode())
    assert shape.links("rule")[-2:] == ["rule?id=off-of-read", "rule?id=off"]


def test_a_file_without_rules_has_a_page_too(world: World) -> None:
    config = world.config().model_copy(update={"rules": ()})
    site = Site(world.folder / "usage-watch.db", config, Vitals(NOW), lambda: NOW)
    assert "usage-watch init" in site.pages["/rules"](Asked("/rules", "")).body.decode()


@pytest.mark.parametrize(
    ("id", "sentence"),
    [
        ("hostile", "Threads (connectors) of each Connector in 1 h, above 2 (warning)."),
        ("runaway", "Credits in 3 h, above 6,000 (warning) or 12,000 (critical)."),
        ("opus-share", "Share of credits with Model claude-opus-* in 6 h, above 92 % (warning)."),
        ("too-little", "Credits in 1 h, below 5 (warning) or 2 (critical)."),
        ("slow", "How long tasks took (p95) in 1 d, above 30 min (warning)."),
        ("long", "Part of the tasks that took over 15 min in 1 d, above 60 % (warning)."),
        ("unusual", "Credits of each Model, far above what is usual at that hour of the week."),
        ("unusual-days", "Credits of each member, far from what is usual at that day of the week."),
        ("robust", "Credits in 1 h, far below their median of 14 d."),
        ("quiet", "No threads (spaces) for 2 d."),
        ("quiet-model", "No credits of a Model in regular use for 2 d."),
        ("new-model", "Any Model that is used for the first time in 90 d (credit_usage)."),
        ("not-expected", "Any Connector in use that is not expected (connectors)."),
        ("cycle", "200,000 credits in each billing cycle, told at 80 %, 100 %; and whether that will last."),
        ("pool", "1,000 credits drawn on the shared pool in each billing cycle, told at 50 %, 80 %, 100 %."),
        ("rolling", "50,000 credits in any 7 d, told at 50 %, 80 %, 100 %."),
        ("people", "5,000 credits of each member in each billing cycle, told at 50 %, 80 %, 100 %; and"),
        ("weekly", "5 credits in each 7 d from 2 Nov 2026 on, told at 50 %, 80 %, 100 %."),
        ("mid-month", "5 credits in each month from day 14 on, told at 50 %, 80 %, 100 %; and whether that will last."),
        ("monthly", "5 credits in each month, told at 50 %, 80 %, 100 %; and whether that will last."),
        ("daily", "5 credits in each day, told at 50 %, 80 %, 100 %; and whether that will last."),
        ("hers", f"Credits with member {MEMBER} in 1 h, above 90,000 (warning)."),
    ],
)
def test_what_a_rule_watches_is_one_sentence(world: World, id: str, sentence: str) -> None:
    assert sentence in Shape(world.page("/rules")).text
    assert sentence in Shape(world.page("/rule", f"id={id}")).text


# ---- one of them -----------------------------------------------------------------------------------------------------

UNREAD = {"later": "The first period of later has not begun", "off": "It is disabled, and nothing is stored"}


@pytest.mark.parametrize("id", ids())
def test_a_rule_of_each_kind_has_a_page(world: World, id: str) -> None:
    page = world.page("/rule", f"id={id}")
    shape, pictures = Shape(page), svgs(page)
    assert shape.headings[0] == "h1"
    assert set(shape.headings[1:]) == {"h2"}
    for each in pictures:
        check(each)
    assert [("chart-wide" in each, "chart-narrow" in each) for each in pictures] in ([(True, False), (False, True)], [])
    assert not [tag for tag, each in shape.elements if tag in ("script", "img", "style") or "style" in each]
    named = [each["id"] for _, each in shape.elements if "id" in each]
    assert len(set(named)) == len(named)
    assert (id in UNREAD) == (not pictures)
    assert UNREAD.get(id, "") in shape.text


@pytest.mark.parametrize(
    ("id", "name", "value"),
    [
        ("runaway", "Must stand", "for 2 h"),
        ("runaway", "Has ended", "after 2 h of being clear"),
        ("runaway", "Tells", "warning: ops; critical: ops, pager"),
        ("runaway", "Reminds", "after 1 d, then less and less"),
        ("opus-share", "Counted", "Model claude-opus-*"),
        ("opus-share", "Statistic", "share"),
        ("opus-share", "Needs", "50 credits at least: fewer say nothing"),
        ("opus-share", "Is clear", "at 80 % of the lowest level"),
        ("too-little", "Tells", "nobody"),
        ("long", "Statistic", "over 15 min"),
        ("unusual", "Windows", "1 h, 3 h, 12 h, 1 d"),
        ("unusual", "Speaks", "from a score of warning 6.5, critical 8, far above the usual"),
        ("unusual", "No news", "less than 10 credits or 25 % off the usual"),
        ("unusual-days", "Data", "credit_usage, by UTC days"),
        ("robust", "Usual", "rolling, of 14 d (robust)"),
        ("robust", "No news", "less than 25 % off the usual"),
        ("quiet-model", "Regular use", "5 of 28 days"),
        ("not-expected", "Expected", "Connector 1*"),
        ("cycle", "Levels", "warning 80 %, critical 100 %"),
        ("cycle", "Forecast", "told from 80 % likely (warning)"),
        ("weekly", "Forecast", "off"),
        ("people", "Burn", "off"),
        ("people", "Limit", "5,000 credits of each member in each billing cycle; 1 with a limit of their own"),
        ("mid-month", "Reminds", "after 2 d, then less and less"),
        ("cycle", "Reminds", "never"),
    ],
)
def test_its_settings_are_facts(world: World, id: str, name: str, value: str) -> None:
    assert f"<dt>{name}</dt><dd>{value}</dd>" in world.page("/rule", f"id={id}")


def test_a_budget_says_how_it_stands(world: World) -> None:
    assert "<dt>Even pace</dt>" in world.page("/rule", "id=cycle")
    assert "the last 7 d, at any time" in world.page("/rule", "id=rolling")
    people = Shape(world.page("/rule", "id=people")).text
    assert re.search(r"@example\.com[\d,]+ of [59],000 credits spent", people)
    assert "over the limit" in people


def test_the_time_that_is_shown_is_marked(world: World) -> None:
    assert Shape(world.page("/rule", "id=runaway")).current() == ["rule?id=runaway"]
    assert Shape(world.page("/rule", "id=runaway&since=7d")).current() == ["rule?id=runaway&since=7d"]
    assert "Time shown" not in world.page("/rule", "id=cycle"), "it is drawn in its period"


def test_alerts_of_that_time_lead_to_their_page(world: World) -> None:
    with open_beside(world.folder / "usage-watch.db") as database:
        every = AlertStore(database).incidents(START)
        wanted = {f"alert?id={each.id}" for each in every if each.rule.id == "runaway"}
    page = world.page("/rule", "id=runaway")
    assert set(Shape(page).links("alert")) == wanted
    assert wanted
    assert '<span class="badge critical">critical</span>' in page
    assert "None." in world.page("/rule", "id=hers")


def test_the_alerts_that_are_too_many_are_counted(world: World) -> None:
    page = world.page("/rule", "id=hostile")
    assert len(Shape(page).links("alert")) == 20
    assert re.search("And [1-9][0-9,]* more, less urgent or older", page)


def test_other_series_are_listed_and_shown(world: World) -> None:
    shape = Shape(world.page("/rule", "id=hostile"))
    others = [each for each in shape.links("rule") if "series=" in each]
    assert len(others) == 40
    assert "And 22 more, which are smaller." in shape.text
    assert others[0] in shape.current()
    second = Shape(world.page("/rule", others[1].split("?")[1]))
    assert others[1] in second.current()
    assert [each for each in second.links("rule") if "series=" in each and "since=" in each], (
        "the time keeps the series"
    )
    assert re.search(r"All [\d,]+ of the rule", second.text)


def test_a_small_series_is_listed_beside_the_largest(world: World) -> None:
    shape = Shape(world.page("/rule", "id=hostile"))
    largest = {each for each in shape.links("rule") if "series=" in each}
    keys = {name: f"rule?id=hostile&series={key_of({'Connector': name})}" for name in CONNECTORS}
    smallest = next(to for to in keys.values() if to not in largest)
    page = Shape(world.page("/rule", smallest.split("?")[1]))
    assert smallest in page.current()
    assert "And 21 more" in page.text


def test_buckets_that_came_late_are_marked_and_said(world: World) -> None:
    page = world.page("/rule", "id=runaway&since=7d")
    assert "came late" in svgs(page)[0]
    assert "<summary>2 signs in it: what came late, or was revised</summary>" in page
    assert "<li>01:00–07:00: came up to 11 h 5 min late</li>" in page, "the sync had stood"
    assert "<li>Thu 19 Nov 17:00–23:00: first read up to 12 h late</li>" in page, "nobody had asked"


@pytest.mark.parametrize(
    ("id", "command"),
    [
        ("runaway", "usage-watch chart runaway --since 90d --output runaway.svg"),
        ("cycle", "usage-watch chart cycle --output cycle.svg"),
        ("cycle", "usage-watch budget cycle"),
        ("runaway", "usage-watch backtest --since 90d"),
    ],
)
def test_the_commands_that_show_the_same_are_named(world: World, id: str, command: str) -> None:
    assert f"<code>{command}</code>" in world.page("/rule", f"id={id}")


@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("", "There is no rule &#x27;&#x27; in the rules file."),
        ("id=%3Cscript%3E", "There is no rule &#x27;&lt;script&gt;&#x27; in the rules file."),
        ("id=hostile&series=x", "hostile has no such series in that time; its page shows those that it has."),
        ("id=runaway&since=1y", "There is no page of &#x27;1y&#x27;: it shows 7d, 30d, 90d."),
    ],
)
def test_what_there_is_not_is_said_in_one_sentence(world: World, query: str, why: str) -> None:
    answer = world.answer("/rule", query)
    assert (answer.status, why in answer.body.decode()) == (404, True)


def test_before_anything_is_read_a_page_says_so(tmp_path: Path) -> None:
    world = World(tmp_path)
    open_for_writing(tmp_path / "usage-watch.db").close()
    for id in ids():
        page = world.page("/rule", f"id={id}")
        assert "<svg" not in page
        assert re.search(r"stored of .* yet|has no series yet|has not begun|nothing is stored", page)
    assert "all quiet" in world.page("/rules")


# ---- what comes from outside -----------------------------------------------------------------------------------------


def test_hostile_titles_and_names_stay_text(world: World) -> None:
    pages = [world.page("/rules"), world.page("/rule", "id=hostile")]
    pages += [world.page("/rule", f"id=hostile&series={key_of({'Connector': name})}") for name in (SCRIPT, IMAGE)]
    for page in pages:
        shape = Shape(page)
        assert not {tag for tag, _ in shape.elements} & {"script", "img"}
        assert not any(name.startswith("on") for _, each in shape.elements for name in each)
        assert SCRIPT + IMAGE in shape.text
        for each in svgs(page):
            check(each)
    assert SCRIPT in Shape(pages[2]).text
    assert IMAGE in Shape(pages[3]).text


@pytest.mark.parametrize("members", ["initials", "hidden"])
def test_no_page_names_a_member_where_they_are_veiled(world: World, members: str) -> None:
    pages = [world.page("/rules", members=members)]
    for id in ids():
        page = world.page("/rule", f"id={id}", members)
        pages += [page, *(world.page("/rule", each.split("?")[1], members) for each in Shape(page).links("rule")[3:5])]
    for page in pages:
        assert "@" not in page.replace("@media", "")
        assert "priya" not in page.casefold()


def test_a_link_that_names_a_member_is_none_where_they_are_veiled(world: World) -> None:
    link = 'href="https://wiki.example.com/'
    assert link in world.page("/rule", "id=runaway")
    assert link not in world.page("/rule", "id=runaway", "initials")
    assert link in world.page("/rule", "id=opus-share", "initials")


def test_a_command_names_no_veiled_member(world: World) -> None:
    assert "--series" in world.page("/rule", "id=people")
    assert "--series" not in world.page("/rule", "id=people", "initials")
