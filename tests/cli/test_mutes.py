"""`events` and `mute` of the rules file, from the file to what is told and shown."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.cli.office import NOW
from usage_watch.clock import SteppedClock

MONDAY = NOW.replace(hour=23, minute=0)
"""It begins then in Berlin."""
MUTES = """\
events: [{title: Hackathon, from: 2026-11-26, to: 2026-11-28, mute: [budget]}]
mute: [{rules: [runaway, heavy-*], days: sat-sun}]
"""


def mute(rules: Path, written: str = MUTES) -> None:
    rules.write_text(rules.read_text() + written)


def data(cli: Cli, *arguments: str) -> Any:
    ran = cli(*arguments, "--json")
    assert ran.code == 0, ran.err
    return json.loads(ran.out)


def news(cli: Cli, rule: str, *, over: bool = False) -> list[tuple[str, bool]]:
    """Of each decision about the alerts of a rule, or those that are over: the news, and whether it was told."""
    alerts = [each for each in data(cli, "alerts") if each["rule"]["id"] == rule]
    ids = [each["id"] for each in alerts if not (over and each["open"])]
    found = [each for id in ids for each in data(cli, "alerts", "show", id)["decisions"]]
    return [(each["reason"], each["told"]) for each in found]


@pytest.fixture
def muted(cli: Cli, rules: Path) -> Path:
    """After one cycle on a Sunday."""
    mute(rules)
    assert cli("run", "--once").code == 0
    return rules


def test_a_weekend_is_quiet_and_on_monday_what_is_open_is_told(cli: Cli, muted: Path, clock: SteppedClock) -> None:
    assert news(cli, "runaway") == [("fired", False)]
    assert news(cli, "cycle") == [("fired", True)]
    clock.step(MONDAY - timedelta(seconds=1))
    cli("run", "--once")
    assert ("fired", True) not in news(cli, "heavy-day")
    clock.step(MONDAY)
    assert cli("run", "--once").code == 0
    assert ("fired", True) in news(cli, "heavy-day")


def test_what_came_and_went_critical_in_an_event_is_told_once_when_it_is_over(
    cli: Cli, rules: Path, clock: SteppedClock
) -> None:
    """Each run is a process of its own: what is owed is stored."""
    rules.write_text(rules.read_text().replace("40_000", "5_000"))
    mute(rules, "events: [{title: Hackathon, from: 2026-11-20, to: 2026-11-23, mute: [threshold]}]\n")
    for hours in range(0, 32, 4):
        clock.step(NOW + timedelta(hours=hours))
        assert cli("run", "--once").code == 0
    held = [("fired", False), ("fired_and_ended", False)]
    assert news(cli, "runaway", over=True) == held
    for minutes in (0, 20, 90):
        clock.step(MONDAY + timedelta(days=1, minutes=minutes))
        assert cli("run", "--once").code == 0
        assert [each for each in news(cli, "runaway", over=True) if each[0] == "fired_and_ended"] == [
            ("fired_and_ended", False),
            ("fired_and_ended", True),
        ]


def test_what_is_muted_is_shown_as_what_is_silenced(cli: Cli, muted: Path) -> None:
    [runaway] = [each for each in data(cli, "alerts") if each["rule"]["id"] == "runaway" and each["open"]]
    assert runaway["mute"] == {"name": "sat-sun 00:00-24:00", "until": "2026-11-22T23:00:00Z"}
    assert [each["mute"] for each in data(cli, "alerts") if each["rule"]["id"] == "cycle"] == [None]
    row = next(line for line in cli("alerts").out.splitlines() if line.startswith(runaway["id"]))
    assert row.endswith("(muted until Mon 23 Nov 00:00 by sat-sun 00:00-24:00)")
    out = cli("alerts", "show", runaway["id"]).out
    assert re.search("^Muted +until Mon 23 Nov 00:00: sat-sun 00:00-24:00$", out, re.M)
    assert re.search(" no +Muted sat-sun 00:00-24:00.$", out, re.M)


def test_what_is_always_muted_says_so(cli: Cli, watched: Path) -> None:
    mute(watched, "mute: [{rules: [runaway]}]\n")
    assert "(muted always by mon-sun 00:00-24:00)" in cli("alerts").out


def test_the_status_has_the_mutes_that_are_in_force(cli: Cli, watched: Path) -> None:
    mute(watched)
    lines = cli("status").out.splitlines()
    at = lines.index("Mutes in force")
    assert [re.split(r"\s{2,}", line) for line in lines[at + 1 : at + 3]] == [
        ["muted", "rules", "from", "until"],
        ["sat-sun 00:00-24:00", "runaway, heavy-day", "now", "Mon 23 Nov 00:00"],
    ]
    assert data(cli, "status")["mutes"] == [
        {
            "name": "sat-sun 00:00-24:00",
            "rules": ["runaway", "heavy-day"],
            "in_force": True,
            "begins": "2026-11-22T14:05:00Z",
            "ends": "2026-11-22T23:00:00Z",
        }
    ]


def test_check_says_when_each_is_next_in_force(cli: Cli, rules: Path) -> None:
    mute(
        rules,
        "events:\n- {title: Hackathon, from: 2026-11-26, to: 2026-11-28, mute: [budget]}\n"
        "- {title: Move, from: 2026-11-02, to: 2026-11-02, mute: [threshold]}\n"
        "mute: [{rules: [runaway, heavy-*], days: sat-sun}, {rules: ['meta:*']}, {rules: [x], hours: 22:00-06:00}]\n",
    )
    lines = cli("check").out.splitlines()
    at = lines.index("What is muted next (times in Europe/Berlin)")
    assert [re.split(r"\s{2,}", line.rstrip()) for line in lines[at + 2 :]] == [
        ["the event Hackathon", "cycle", "Thu 26 Nov 00:00", "Sun 29 Nov 00:00"],
        ["the event Move", "runaway, heavy-day", "over"],
        ["sat-sun 00:00-24:00", "runaway, heavy-day", "now", "Mon 23 Nov 00:00"],
        ["mon-sun 00:00-24:00", re.split(r"\s{2,}", lines[at + 5])[1], "now", "for ever"],
        ["mon-sun 22:00-06:00", "none", "22:00", "Mon 23 Nov 06:00"],
    ]
    assert re.search(r"meta:\S+, meta:\S+ and \d+ more  now", lines[at + 5])
    assert [each["begins"] for each in data(cli, "check")["mutes"]][:2] == ["2026-11-25T23:00:00Z", None]
