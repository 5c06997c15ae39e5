from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.cli.office import on_terminal
from usage_watch.simulator import SimulatorServer

BROKEN = """\
timezone: Europe/Berln
billing_day: 32
channels:
  screen: {kind: log, colour: red}
notify: [scren]
rules:
  - {id: Runaway, kind: threshold, above: 5}
  - {id: x, kind: treshold}
"""
"""Six faults."""


def test_a_right_file_says_what_it_will_ask_and_when(cli: Cli, rules: Path) -> None:
    ran = cli("check")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "rules.yaml is right: 3 rules, 1 channel.",
        "",
        "asks for                     requests",
        "credit_usage 1h              1 every 15m",
        "credit_usage 1d each-member  1 per 100 members and day, every 1h",
        "",
        "budget  time zone      next periods start",
        "cycle   Europe/Berlin  Mon 14 Dec 2026, Thu 14 Jan 2027, Sun 14 Feb 2027",
        "",
        "budget  levels speak  forecast              burn",
        "cycle   now           from Sun 13 Dec 2026  from Mon 23 Nov 2026",
        "",
        "budget  burns when in  and on in  more than             told as",
        "cycle   7d             1d         6,533 credits (1.4x)  warning",
        "cycle   3d             6h         4,000 credits (2x)    warning",
        "cycle   1d             2h         2,667 credits (4x)    critical",
        "cycle   6h             1h         1,333 credits (8x)    critical",
    ]
    assert list(rules.parent.iterdir()) == [rules]


def test_with_history_it_knows_what_members_cost(cli: Cli, watched: Path) -> None:
    assert "credit_usage 1d each-member  up to 1 every 1h" in cli("check").out


def test_as_data(cli: Cli, rules: Path) -> None:
    assert json.loads(cli("check", "--json").out) == {
        "file": "rules.yaml",
        "faults": [],
        "warnings": [],
        "rules": 3,
        "channels": 1,
        "feeds": [
            {
                "feed": "credit_usage 1h",
                "dataset": "credit_usage",
                "bucket": "1h",
                "scope": "everyone",
                "every": "15m",
                "requests_per_poll": 1,
            },
            {
                "feed": "credit_usage 1d each-member",
                "dataset": "credit_usage",
                "bucket": "1d",
                "scope": "each-member",
                "every": "1h",
                "requests_per_poll": None,
            },
        ],
        "periods": [
            {
                "rule": "cycle",
                "timezone": "Europe/Berlin",
                "starts": ["2026-12-13T23:00:00Z", "2027-01-13T23:00:00Z", "2027-02-13T23:00:00Z"],
            }
        ],
        "parts": [
            {"rule": "cycle", "part": "levels", "speaks_from": "2026-11-22T14:05:00Z"},
            {"rule": "cycle", "part": "forecast", "speaks_from": "2026-12-12T23:00:00Z"},
            {"rule": "cycle", "part": "burn", "speaks_from": "2026-11-22T23:00:00Z"},
        ],
        "burns": [
            {
                "rule": "cycle",
                "long": long,
                "short": short,
                "rate": rate,
                "amount": amount,
                "unit": "credits",
                "severity": severity,
            }
            for long, short, rate, amount, severity in (
                ("7d", "1d", 1.4, 6533, "warning"),
                ("3d", "6h", 2, 4000, "warning"),
                ("1d", "2h", 4, 2667, "critical"),
                ("6h", "1h", 8, 1333, "critical"),
            )
        ],
        "zscores": [],
        "mutes": [],
        "online": [],
    }


@pytest.mark.parametrize("arguments", [("check",), ("run",), ("run", "--once"), ("history", "backfill"), ("status",)])
def test_every_fault_is_told_and_nothing_is_started(cli: Cli, folder: Path, arguments: tuple[str, ...]) -> None:
    (folder / "rules.yaml").write_text(BROKEN)
    ran = cli(*arguments)
    assert (ran.code, ran.out) == (2, "")
    places = [re.match(r"rules\.yaml:(\d+):\d+: \S", line) for line in ran.err.splitlines()]
    assert [place and place[1] for place in places] == ["1", "2", "4", "5", "7", "8"]
    assert [path.name for path in folder.iterdir()] == ["rules.yaml"]


def test_faults_as_data(cli: Cli, folder: Path) -> None:
    path = folder / "other.yaml"
    path.write_text(BROKEN)
    ran = cli("check", str(path), "--json")
    found = json.loads(ran.out)
    assert ran.code == 2
    assert found["file"] == str(path)
    assert len(found["faults"]) == len(ran.err.splitlines()) == 6
    assert found["faults"][0].keys() == {"line", "column", "message"}


def test_a_channel_that_only_meta_names_must_be_there_too(cli: Cli, rules: Path) -> None:
    rules.write_text(rules.read_text() + "meta: {notify: {critical: [scren]}}\n")
    ran = cli("check")
    assert ran.code == 2
    assert ran.err.endswith(": there is no channel `scren`; did you mean `screen`?\n")


def test_watchers_that_speak_to_nobody_of_themselves_are_warned(cli: Cli, rules: Path) -> None:
    rules.write_text(rules.read_text() + "meta: {notify: []}\n")
    ran = cli("check")
    assert ran.code == 0
    assert "warning: nobody is told when the source cannot be read, or seems to stand; add a channel" in ran.out


def test_an_absence_of_members_asks_for_their_days(cli: Cli, folder: Path) -> None:
    absence = "{id: idle, kind: absence, dataset: query_volume, for_each: member, quiet_for: 5d, max_series: 500}"
    (folder / "rules.yaml").write_text(f"rules: [{absence}]\n")
    ran = cli("check")
    assert ran.code == 0
    assert "query_volume 1d each-member  1 per 100 members and day, every 1h" in ran.out


def test_warnings_are_told_with_their_place(cli: Cli, watched: Path) -> None:
    rule = "  - {id: opus, kind: threshold, where: {Model: claude-opus-4-9}, above: 10}\n"
    watched.write_text(watched.read_text() + rule)
    ran = cli("check")
    assert ran.code == 0
    few, unseen = ran.out.splitlines()[:2]
    assert re.match(r"rules\.yaml:11:\d+: warning: `burn`: with 1 active member usage is too rough", few)
    assert re.match(r"rules\.yaml:12:\d+: warning: history has never seen `claude-opus-4-9`", unseen)
    assert [each["line"] for each in json.loads(cli("check", "--json").out)["warnings"]] == [11, 12]


def test_a_file_without_rules_asks_nothing(cli: Cli, folder: Path) -> None:
    (folder / "rules.yaml").write_text("rules: []\n")
    out = cli("check").out
    assert "rules.yaml is right: 0 rules, 0 channels." in out
    assert "It asks for nothing: no rule is enabled." in out
    assert "budget" not in out


@pytest.mark.parametrize("name", ["nothing.yaml", "."])
def test_a_file_that_is_none_ends_with_2(cli: Cli, folder: Path, name: str) -> None:
    ran = cli("check", name)
    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)


def test_online_asks_one_question_and_reads_secrets(cli: Cli, rules: Path, source: SimulatorServer) -> None:
    ran = cli("check", "--online")
    assert ran.code == 0
    assert len(source.requests) == 1
    assert f"source  {source.base_url} takes the key and answers; it has usage of the last two days" in ran.out
    assert "screen  is ready; `usage-watch channels test screen` sends a message" in ran.out
    assert list(rules.parent.iterdir()) == [rules]


def test_online_without_any_rule_still_asks(cli: Cli, rules: Path, source: SimulatorServer) -> None:
    rules.write_text(re.sub(r"(?s)\nrules:.*", "\n", rules.read_text()))
    assert cli("check", "--online").code == 0
    assert len(source.requests) == 1


def test_online_with_nothing_there_says_so(cli: Cli, rules: Path, source: SimulatorServer) -> None:
    source.now = lambda: source.api.usage.scenario.start_at
    assert "it has no usage of the last two days" in cli("check", "--online").out


def test_online_a_refused_key_ends_with_3_and_the_rest_is_told(
    cli: Cli, rules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERPLEXITY_ANALYTICS_API_KEY", "of-somebody-else")
    ran = cli("check", "--online", "--json")
    assert ran.code == 3
    assert [(each["name"], each["ok"]) for each in json.loads(ran.out)["online"]] == [
        ("source", False),
        ("screen", True),
    ]
    assert ran.err.count("refused the key") == 1
    ran = cli("check", "--online")
    assert "is right" in ran.out
    assert ran.said.count("refused the key") == 1


def test_online_every_secret_that_is_missing_is_named(cli: Cli, rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PERPLEXITY_ANALYTICS_API_KEY")
    pager = (
        "channels:\n  pager: {kind: webhook, url: https://hooks.example.com/x, signing_secret: {env: HOOK_SECRET}}\n"
    )
    rules.write_text(rules.read_text().replace("channels:\n", pager))
    ran = cli("check", "--online")
    assert ran.code == 2
    assert [line.split(" is not set")[0] for line in ran.err.splitlines()] == [
        "usage-watch: env PERPLEXITY_ANALYTICS_API_KEY",
        "usage-watch: env HOOK_SECRET",
    ]


@pytest.mark.parametrize(
    ("fields", "speaks"),
    [
        ("burn: off", "now           from Sun 13 Dec 2026  -"),
        ("forecast: off", "now           -         from Mon 23 Nov 2026"),
        ("period: {rolling: 7d}", "now           -         -"),
        (
            "period: {every: 30d, from: 2027-01-05}",
            "from Tue 5 Jan 2027  from Tue 5 Jan 2027  from Tue 5 Jan 2027",
        ),
    ],
)
def test_each_part_of_a_budget_says_from_when_on_it_speaks(cli: Cli, rules: Path, fields: str, speaks: str) -> None:
    rules.write_text(
        re.sub(r"(?s)rules:.*", f"rules: [{{id: it, kind: budget, limit: 5, {fields}}}]\n", rules.read_text())
    )
    lines = cli("check").out.splitlines()
    place = next(n for n, line in enumerate(lines) if "levels speak" in line)
    assert lines[place + 1].split(maxsplit=1)[1] == speaks


def test_history_that_is_there_counts(cli: Cli, watched: Path) -> None:
    watched.write_text(watched.read_text().replace("backfill: 6d", "backfill: 1d"))
    spoken = json.loads(cli("check", "--json").out)["parts"]
    assert [each["speaks_from"] for each in spoken][1] == "2026-12-12T23:00:00Z"


def test_80_columns_are_enough(rules: Path) -> None:
    code, seen = on_terminal("check", "--online")
    assert code == 0
    assert max(map(len, seen.splitlines())) <= 80
