from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.channels.inert import check_terminal
from tests.cli.conftest import Cli
from tests.cli.office import NOW, on_terminal
from tests.cli.test_hostile_output import strings
from tests.store.store_samples import Cell, read_up, reading, totals
from usage_watch.cli.common.bars import bar
from usage_watch.cli.entry import run
from usage_watch.clock import STEPPED, SteppedClock
from usage_watch.core.series import DAY, EACH_MEMBER, HOUR, Feed
from usage_watch.rules.budget.words import chance
from usage_watch.simulator import DEFAULT_KEY, Runaway, Scenario, SimulatorServer
from usage_watch.store.alerts import AlertStore
from usage_watch.store.database import open_for_writing
from usage_watch.store.history import HistoryStore

RULES = """\
timezone: Europe/Berlin
billing_day: 14
source: {{base_url: "{source}", backfill: 85d}}
channels:
  screen: {{kind: log}}
  ops: {{kind: log}}
notify: [screen, ops]
price: {{per_1000: 10, currency: USD}}
seats: {{default: 100}}
rules:
  - {{id: cycle, kind: budget, limit: 600_000, title: Credits of this cycle}}
  - {{id: calm, kind: budget, limit: 9_000_000, forecast: off}}
  - {{id: people, kind: budget, for_each: member, limit: {{default: 5_000, overrides: {{ana@example.com: 100}}}}}}
  - {{id: pool, kind: budget, of: pool, limit: 2_000_000}}
  - {{id: rolling, kind: budget, limit: 9_000_000, period: {{rolling: 30d}}}}
  - {{id: none, kind: budget, limit: 0, where: {{Model: nobody-has-it}}}}
  - {{id: later, kind: budget, limit: 10, period: {{every: 30d, from: 2027-01-01}}}}
  - {{id: asleep, kind: budget, limit: 10, enabled: no}}
  - {{id: heavy, kind: threshold, above: 900_000}}
"""


def story() -> Scenario:
    """An organization in which a job has been running away since this morning."""
    job = Runaway("priya.nair@example.com", "claude-opus-4-8", NOW.replace(minute=0) - timedelta(hours=12), 12, 9_000)
    start_at = datetime(2026, 8, 20, tzinfo=UTC)
    return Scenario(seed=1, start_at=start_at, lag=None, runaways=(job,))


@pytest.fixture(scope="session")
def month(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rules file and database after one cycle; copied, never used."""
    folder = tmp_path_factory.mktemp("month")
    clock = SteppedClock(folder / "clock")
    clock.step(NOW)
    with pytest.MonkeyPatch.context() as patch, SimulatorServer(story(), now=clock.now) as server:
        patch.setenv(STEPPED, str(folder / "clock"))
        patch.setenv("NO_PROXY", "*")
        patch.setenv("PERPLEXITY_ANALYTICS_API_KEY", DEFAULT_KEY)
        patch.chdir(folder)
        (folder / "rules.yaml").write_text(RULES.format(source=server.base_url))
        assert run(["run", "--once"]) == 0
    return folder


@pytest.fixture
def budgets(month: Path, folder: Path) -> Path:
    """The rules file beside that database."""
    for name in ("rules.yaml", "usage-watch.db"):
        shutil.copy(month / name, folder)
    return folder / "rules.yaml"


def data(cli: Cli, *arguments: str) -> list[dict[str, Any]]:
    ran = cli("budget", *arguments, "--json")
    assert (ran.code, ran.err) == (0, "")
    found: list[dict[str, Any]] = json.loads(ran.out)
    return found


def facts(out: str) -> dict[str, str]:
    """Names and values of one budget."""
    rows = [re.split(r"\s{2,}", line, maxsplit=1) for line in out.splitlines()]
    return {row[0]: row[1] for row in rows if len(row) == 2}


def test_a_budget_tells_what_is_spent_and_whether_it_will_last(cli: Cli, budgets: Path) -> None:
    ran = cli("budget", "cycle")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("cycle: Credits of this cycle\n[█")
    said = facts(ran.out)
    assert said["Period"] == "Sat 14 Nov – Sun 13 Dec (Europe/Berlin), 29 % of it over"
    assert re.fullmatch(r"[\d,]+ of 600,000 credits \([\d,.]+ USD, \d+ %\)", said["Spent"])
    assert said["Even pace"] == "172,569 credits by now"
    assert re.fullmatch(r"[\d,]+ credits \([\d,.]+ USD\) at the end; 80 %: [\d,]+ to [\d,]+", said["Expected"])
    assert "by settled days alone; far more was seen since" in ran.out
    assert re.search(r"likely", said["Over limit"])
    assert said["Record"].startswith("7-day forecasts were within ±")
    assert re.fullmatch(r"at [\d,]+ credits a day or less; [\d,]+ a day lately", said["Stays inside"])
    assert said["Data"] == "usage until 15:00, settled until 03:00"
    assert said["Burn"].startswith("open, critical: ")
    assert said["told"] == "15:05 to screen, ops"
    assert "Forecast" not in said


def test_the_pace_that_stays_inside_is_never_rounded_up(cli: Cli, budgets: Path) -> None:
    [found] = data(cli, "cycle")
    pace = facts(cli("budget", "cycle").out)["Stays inside"].split()[1]
    assert int(pace.replace(",", "")) <= found["series"][0]["pace_left"]


def test_a_level_is_told_with_when_and_to_whom(cli: Cli, budgets: Path) -> None:
    out = cli("budget", "people").out
    assert re.search(
        r"^Levels  open, critical: \S+@example.com: [^\n]*\ntold    100 % level 15:05 to screen, ops$", out, re.M
    )


def test_the_largest_members_by_share_of_their_own_limit(cli: Cli, budgets: Path) -> None:
    out = cli("budget", "people").out
    rows = out.split("\nmember ")[1].split("\n\n")[0].splitlines()
    assert len(rows) == 12, "heads, ten members, and how many more"
    assert rows[0].split() == ["used", "spent", "of", "expected", "over", "open"]
    assert re.split(r"\s{2,}", rows[1])[0] == "ana@example.com"
    assert re.split(r"\s{2,}", rows[1])[3:] == ["100", re.split(r"\s{2,}", rows[1])[4], "reached", "critical"]
    assert re.fullmatch(r"and \d+ more: usage-watch budget people --json", rows[-1])
    assert re.search(r"^In all  [\d,]+ credits spent \([\d,.]+ USD\); \d+ of \d+ over the limit", out, re.M)


def test_all_is_there_for_programs(cli: Cli, budgets: Path) -> None:
    found = {each["rule"]["id"]: each for each in data(cli)}
    assert list(found) == ["cycle", "calm", "people", "pool", "rolling", "none", "later"]
    cycle = found["cycle"]
    [line] = cycle.pop("series")
    [*_, incident] = cycle.pop("incidents")
    assert cycle == {
        "rule": {"id": "cycle", "title": "Credits of this cycle"},
        "of": "usage",
        "estimate": False,
        "dataset": "credit_usage",
        "unit": "credits",
        "period": {"start": "2026-11-13T23:00:00Z", "end": "2026-12-13T23:00:00Z"},
        "rolling": None,
        "timezone": "Europe/Berlin",
        "begins_at": None,
        "passed": pytest.approx(0.2876, abs=1e-4),
        "for_each": None,
        "lower_bound": [],
        "unattributed": None,
        "forecast_days": cycle["forecast_days"],
        "no_forecast": None,
        "data_until": "2026-11-22T14:00:00Z",
        "settled_until": "2026-11-22T02:00:00Z",
    }
    assert line.keys() == {
        *("labels", "limit", "spent", "share", "over", "amount", "even_pace", "pace_left", "recent_pace", "forecast")
    }
    assert line["amount"] == {"spent": line["spent"] / 100, "limit": 6000, "currency": "USD"}
    forecast = line["forecast"]
    assert forecast["settled"] < forecast["median"] < forecast["high"]
    assert 0 < forecast["over"] <= 1
    assert [each["channels"] for each in incident["told"]] == [["screen", "ops"]]
    told = [each["told"][0]["level"] for each in found["people"]["incidents"] if each["part"] == "levels"]
    assert set(told) == {0.5, 1}
    assert incident["told"][0]["level"] is None, "it has none"
    shares = [each["share"] for each in found["people"]["series"]]
    assert shares == sorted(shares, reverse=True)
    assert len(shares) > 10
    days = [line["forecast"][at] for line in found["people"]["series"] for at in ("earliest_at", "run_out_at")]
    assert min(filter(None, days)) >= "2026-11-22T14:05:00Z", "what has not come by now is not said of the past"


@pytest.mark.parametrize(
    ("id", "why", "said"),
    [
        ("pool", "pool", "none: what is drawn on a pool does not come day by day"),
        ("none", "no_limit", "none: with a limit of 0 any use is over"),
        ("calm", None, "told to nobody: it is `off` in the rules file"),
    ],
)
def test_why_nothing_is_forecast_or_told_of_it(cli: Cli, budgets: Path, id: str, why: str | None, said: str) -> None:
    assert facts(cli("budget", id).out)["Forecast"] == said
    assert data(cli, id)[0]["no_forecast"] == why


def test_a_limit_that_lasts_is_not_said_to_run_out(cli: Cli, budgets: Path) -> None:
    said = facts(cli("budget", "calm").out)
    assert said["Over limit"] == "<1 % likely"
    assert "Levels" not in said


def test_a_pool_is_an_estimate(cli: Cli, budgets: Path) -> None:
    assert facts(cli("budget", "pool").out)["Estimate"].startswith("what each member's days show beyond the allowance")
    assert data(cli, "pool")[0]["estimate"] is True


def test_what_is_no_members_is_said_of_a_pool(cli: Cli, budgets: Path) -> None:
    """Who left before their days were read, say; the simulator's members are all there."""
    assert re.fullmatch(
        r"none of [\d,]+ paid credits until Fri 20 Nov: all of them are some member's",
        facts(cli("budget", "pool").out)["Unattributed"],
    )
    assert re.search(r"^pool .*  no forecast$", cli("status").out, re.M)
    day = int(NOW.timestamp()) // DAY * DAY - 4 * DAY
    [found] = data(cli, "pool")
    with open_for_writing(budgets.parent / "usage-watch.db") as database:
        hours = HistoryStore(database).load({Feed("credit_usage", HOUR): NOW - timedelta(days=5)})
        noon = next(each for each in hours).total()[24 + 12]
        cells: dict[Cell, int] = {(None, None, None): int(noon) + 9_000, ("Credit Source", "paid", None): 9_000}
        HistoryStore(database).save(
            reading(Feed("credit_usage", HOUR), {day + 12 * HOUR: cells}, ("Credit Source",)), NOW
        )
    [more] = data(cli, "pool")
    assert found["unattributed"]["rest"] == 0
    assert 0 < more["unattributed"]["rest"] <= 9_000
    rest, paid = more["unattributed"]["rest"], more["unattributed"]["paid"]
    assert facts(cli("budget", "pool").out)["Unattributed"].startswith(f"{rest:,} of {paid:,} paid credits until Fri ")
    assert re.search(r"^pool .*  up to [\d,]+ more$", cli("status").out, re.M)
    brief = {each["rule"]: each for each in json.loads(cli("status", "--json").out)["budgets"]}
    assert (brief["pool"]["unattributed"], brief["cycle"]["unattributed"]) == (rest, None)
    assert [each["spent"] for each in more["series"]] == [each["spent"] for each in found["series"]]


def test_without_usage_of_everyone_the_rest_of_a_pool_is_not_known(cli: Cli, rules: Path) -> None:
    head = rules.read_text().split("rules:")[0]
    rules.write_text(head + "seats: {default: 100}\nrules: [{id: pool, kind: budget, of: pool, limit: 20_000}]\n")
    assert cli("run", "--once").code == 0
    assert "Unattributed" not in facts(cli("budget", "pool").out)
    assert data(cli, "pool")[0]["unattributed"] is None


def test_the_forecast_that_was_told_is_that_of_the_command(cli: Cli, budgets: Path) -> None:
    """Both speak of the same last settled day, from the same history."""
    [found] = data(cli, "people")
    lines = {line["labels"]["member"]: line["forecast"] for line in found["series"]}
    told = [
        each
        for each in found["incidents"]
        if each["part"] == "forecast" and each["open"] and each["judged_until"] == found["settled_until"]
    ]
    assert len(told) > 20
    for each in told:
        line = lines[each["labels"]["member"]]
        assert each["value"] == float(f"{line['settled']:.3g}")
        assert f"(P {chance(line['settled_over'])};" in each["summary"]
        if line["settled"] == line["median"]:
            assert line["settled_over"] == line["over"]


def test_hours_that_were_never_read_make_it_a_lower_bound_without_a_forecast(cli: Cli, rules: Path) -> None:
    """More than a week ago: what is missing only since then may still come."""
    newest = int(NOW.timestamp()) // HOUR * HOUR
    hours = range(newest - 30 * DAY, newest, HOUR)
    with open_for_writing(rules.parent / "usage-watch.db") as database:
        store = HistoryStore(database)
        store.save(totals({hour: 5 for hour in hours if not 180 <= (newest - hour) // HOUR < 187}), NOW)
        read_up(store, NOW)
    said = facts(cli("budget", "cycle").out)
    assert said["Spent"].startswith("at least ")
    assert said["Not read"] == "7 h of it, so more may be spent"
    assert said["Forecast"] == "none: days of this period or of the 8 weeks before were never read"
    [found] = data(cli, "cycle")
    assert (found["lower_bound"], found["no_forecast"]) == (["7 h of it, so more may be spent"], "missing")


def test_a_rolling_period_has_neither_pace_nor_end(cli: Cli, budgets: Path) -> None:
    out = cli("budget", "rolling").out
    assert "|" not in out
    assert facts(out).keys() == {"Period", "Spent", "Data"}
    [found] = data(cli, "rolling")
    assert (found["period"], found["rolling"], found["no_forecast"]) == (None, "30d", "rolling")
    assert found["series"][0]["even_pace"] is None


def test_what_a_rolling_period_told_is_listed(cli: Cli, budgets: Path, month: Path) -> None:
    store = budgets.parent / "usage-watch.db"
    with open_for_writing(store) as database:
        [some, *_] = [each for each in AlertStore(database).incidents(NOW) if each.rule.id == "cycle"]
        rule = replace(some.rule, id="rolling")
        lately, before = NOW - timedelta(days=3), NOW - timedelta(days=31)
        mine = replace(some, rule=rule, period_at=None, part="levels", rank=1_008_000, fingerprint="r")
        ended = [replace(mine, id=f"inc_r{n}", ended_at=at) for n, at in enumerate((lately, before))]
        AlertStore(database).commit(ended, [], [], [], NOW)
    assert [each["id"] for each in data(cli, "rolling")[0]["incidents"]] == ["inc_r0"]
    assert facts(cli("budget", "rolling").out)["told"] == "to nobody"


def test_a_period_that_is_to_come_says_when(cli: Cli, budgets: Path) -> None:
    said = facts(cli("budget", "later").out)
    assert said["Period"] == "begins Fri 1 Jan 2027 00:00 (Europe/Berlin)"
    assert said["Limit"] == "10 credits (0.10 USD)"
    assert "Spent" not in said
    assert data(cli, "later")[0]["begins_at"] == "2026-12-31T23:00:00Z"


def test_with_a_limit_of_0_any_use_is_over(cli: Cli, budgets: Path) -> None:
    budgets.write_text(budgets.read_text().replace("limit: 600_000", "limit: 0"))
    out = cli("budget", "cycle").out
    assert out.splitlines()[1].startswith(f"[{'█' * 11}|")
    [line] = data(cli, "cycle")[0]["series"]
    assert (line["over"], line["share"], line["pace_left"], line["forecast"]) == (True, None, None, None)


def test_a_limit_that_is_reached(cli: Cli, budgets: Path) -> None:
    budgets.write_text(budgets.read_text().replace("limit: 600_000", "limit: 1_000"))
    said = facts(cli("budget", "cycle").out)
    assert said["Over limit"] == "the limit is reached"
    assert "Stays inside" not in said


def test_history_that_begins_inside_the_period_is_a_lower_bound(cli: Cli, watched: Path) -> None:
    watched.write_text(watched.read_text().replace("limit: 20_000", "limit: 20_000, period: month"))
    out = cli("budget", "cycle").out
    said = facts(out)
    assert said["Spent"].startswith("at least ")
    assert said["Known"].startswith("since Sat 14 Nov 00:00 only")
    assert said["Forecast"] == "from about Sun 29 Nov, with 14 settled days; now 7"
    assert data(cli, "cycle")[0]["lower_bound"] != []
    [row] = [line for line in cli("status").out.splitlines() if line.startswith("cycle  ")]
    assert re.search(r"  ≥ [\d,]+  20,000  over$", row), row


def test_a_young_forecast_is_shown_and_says_from_when_it_is_told(cli: Cli, rules: Path) -> None:
    rules.write_text(rules.read_text().replace("backfill: 6d", "backfill: 20d"))
    assert cli("run", "--once").code == 0
    out = cli("budget", "cycle").out
    assert "Expected" in facts(out)
    assert re.search(r"^Forecast    told from about \w+ \d+ Dec, with 28 settled days; now 1\d$", out, re.M)


@pytest.mark.parametrize(
    ("id", "sentence"),
    [
        ("cycl", "There is no budget 'cycl'; budgets are cycle, calm, people, pool, rolling, none, later."),
        ("\x1b[31m", "There is no budget '[31m'; budgets are "),
        ("heavy", "The rule heavy is of kind threshold, not budget; budgets are "),
        ("asleep", "The budget asleep is disabled; write `enabled: yes`"),
    ],
)
def test_an_unknown_budget_is_refused_with_those_there_are(cli: Cli, budgets: Path, id: str, sentence: str) -> None:
    ran = cli("budget", id)
    assert (ran.code, ran.out) == (2, "")
    assert sentence in ran.err


def test_without_any_budget_it_says_so(cli: Cli, watched: Path) -> None:
    watched.write_text("rules: []\n")
    assert cli("budget").out == "No budget is enabled; `usage-watch init` writes a first one.\n"
    assert cli("budget", "--json").out == "[]\n"
    assert "no budget is enabled" in cli("budget", "cycle").err
    assert "Budgets" not in cli("status").out


def test_without_a_database_it_says_so(cli: Cli, rules: Path) -> None:
    ran = cli("budget")
    assert (ran.code, ran.out) == (5, "")
    assert "there is no database at" in ran.err


def test_a_budget_of_which_nothing_is_read_yet(cli: Cli, watched: Path) -> None:
    text = "  - {id: queries, kind: budget, dataset: query_volume, limit: 5_000, for_each: Feature}\n"
    watched.write_text(watched.read_text() + text)
    said = facts(cli("budget", "queries").out)
    assert said["In all"] == "nothing is known yet"
    assert said["Data"] == "nothing is read yet"
    assert re.search(r"^queries .*nothing is known yet$", cli("status").out, re.M)


def test_where_nothing_is_read_0_is_no_more_than_a_lower_bound(cli: Cli, watched: Path) -> None:
    watched.write_text(watched.read_text() + "  - {id: q, kind: budget, dataset: query_volume, limit: 5_000}\n")
    said = facts(cli("budget", "q").out)
    assert said["Spent"] == "at least 0 of 5,000 queries (0 %)"
    assert said["Not read"] == "nothing of this period is read yet, so more may be spent"
    assert re.search(r"^q .* ≥ 0 ", cli("status").out, re.M)
    assert data(cli, "q")[0]["lower_bound"] == [said["Not read"]]


def test_check_ends_with_1_until_all_of_it_is_acknowledged(cli: Cli, budgets: Path) -> None:
    assert cli("budget", "cycle").code == 0
    assert cli("budget", "calm", "--check").code == 0
    assert cli("budget", "cycle", "--check").code == 1
    assert cli("budget", "cycle", "--check", "--json").code == 1
    for each in data(cli, "cycle")[0]["incidents"]:
        assert cli("alerts", "ack", each["id"], "--author", "bo").code == 0
    ran = cli("budget", "cycle", "--check")
    assert ran.code == 0
    assert "acknowledged by bo" in ran.out.replace("\n", " ")
    assert cli("budget", "--check").code == 1, "that of others stands"


def test_data_that_stands_still_is_said(cli: Cli, budgets: Path, month: Path) -> None:
    SteppedClock(budgets.parent.parent / "clock").step(NOW + timedelta(hours=9))
    assert facts(cli("budget", "cycle").out)["Data"].endswith("; overdue: usage-watch status")


def test_80_columns_are_enough(budgets: Path) -> None:
    code, seen = on_terminal("budget")
    assert code == 0
    assert max(map(len, seen.splitlines())) <= 80
    assert not any(line.startswith("    ") and "@" in line for line in seen.splitlines()), "no row is broken"
    _, seen = on_terminal("status")
    rows = seen.split("\nBudgets")[1].split("\n\n")[0].splitlines()
    assert len(rows) == 2 + 7, "one line each"
    assert max(map(len, seen.splitlines())) <= 80


def test_names_from_outside_are_cleaned(cli: Cli, watched: Path) -> None:
    text = "  - {id: models, kind: budget, for_each: Model, limit: 10, max_series: 1000}\n"
    watched.write_text(watched.read_text() + text + "  - {id: mine, kind: budget, for_each: member, limit: 10}\n")
    hour, day = (int(NOW.timestamp()) // width * width for width in (HOUR, DAY))
    names: Iterable[str] = list(enumerate_unique(strings()))
    with open_for_writing(watched.parent / "usage-watch.db") as database:
        cells: dict[Cell, int] = {(None, None, None): 900, **{("Model", name, None): 9 for name in names}}
        HistoryStore(database).save(reading(Feed("credit_usage", HOUR), {hour - HOUR: cells}), NOW)
        members: dict[Cell, int] = {(None, None, name): 9 for name in names}
        HistoryStore(database).save(reading(Feed("credit_usage", DAY, EACH_MEMBER), {day - DAY: members}, ()), NOW)
    for arguments in (("budget",), ("budget", "--json"), ("status",)):
        ran = cli(*arguments)
        assert (ran.code, ran.err) == (0, "")
        check_terminal(ran.out)


def enumerate_unique(texts: Iterable[str]) -> Iterable[str]:
    """Those that are something, each once."""
    return dict.fromkeys(text for text in texts if text)


@pytest.mark.parametrize(
    ("share", "mark", "drawn"),
    [
        (0, None, "[░░░░░░░░░░]"),
        (0.001, None, "[█░░░░░░░░░]"),
        (0.5, 0.75, "[█████░░|░░]"),
        (0.5, 0.25, "[██|██░░░░░]"),
        (0.999, None, "[█████████░]"),
        (1, 1, "[█████████|]"),
        (float("inf"), 0, "[|█████████]"),
    ],
)
def test_a_bar(share: float, mark: float | None, drawn: str) -> None:
    assert bar(share, mark, 10) == drawn


def test_a_terminal_without_blocks_gets_letters(budgets: Path) -> None:
    _, seen = on_terminal("budget", "cycle", environ={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert "[####" in seen
    assert "|" in seen.splitlines()[1]


def test_only_who_was_active_lately_counts_as_few(cli: Cli, rules: Path) -> None:
    today = int(NOW.timestamp()) // DAY * DAY
    feed = Feed("credit_usage", DAY, EACH_MEMBER)
    long_ago = {(None, None, f"m{n}@example.com"): 9 for n in range(30)}
    lately = {(None, None, f"m{n}@example.com"): 9 for n in range(7)}
    with open_for_writing(rules.parent / "usage-watch.db") as database:
        HistoryStore(database).save(reading(feed, {today - 40 * DAY: long_ago, today - 3 * DAY: lately}, ()), NOW)
    assert "warning: `burn`: with 7 active members usage is too rough" in cli("check").out
    with open_for_writing(rules.parent / "usage-watch.db") as database:
        HistoryStore(database).save(reading(feed, {today - 27 * DAY: long_ago}, ()), NOW)
    assert "too rough" not in cli("check").out
