from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.cli.office import NOW, on_terminal
from usage_watch.clock import SteppedClock
from usage_watch.simulator import SimulatorServer


def test_it_says_how_fresh_the_data_is_what_is_open_and_what_waits(cli: Cli, watched: Path) -> None:
    ran = cli("status")
    lines = ran.out.splitlines()
    assert (ran.code, ran.err) == (0, "")
    assert lines[0] == "Data (times in Europe/Berlin)"
    assert lines[1].split("  ")[0] == "feed"
    assert lines[2].split() == ["credit_usage", "1h", "14:00", "Sat", "21", "Nov", "03:00", "15:05", "fine"]
    assert lines[3].split("  ")[0] == "credit_usage 1d each-member"
    assert "Open: 1 critical, 2 warning" in ran.out
    assert "ana@example.com: 8,000 credits in 1 d" in ran.out
    assert "usage-watch alerts show ID" in ran.out
    assert "Messages not delivered: none" in ran.out
    assert "How late the source is" in ran.out
    assert ["credit_usage", "1h", "2", "h,", "until", "learned", "36", "h,", "until", "learned"] in [
        line.split() for line in lines
    ]


def test_the_gravest_is_first_then_the_newest(cli: Cli, watched: Path) -> None:
    severities = [each["severity"] for each in json.loads(cli("status", "--json").out)["open"]]
    assert severities == sorted(severities, key=["critical", "warning", "info"].index)


def test_as_data(cli: Cli, watched: Path) -> None:
    found = json.loads(cli("status", "--json").out)
    assert found.keys() == {"feeds", "budgets", "open", "silences", "mutes", "outbox", "channels"}
    assert found["feeds"][0] == {
        "feed": "credit_usage 1h",
        "dataset": "credit_usage",
        "bucket": "1h",
        "scope": "everyone",
        "data_until": "2026-11-22T13:00:00Z",
        "settled_until": found["feeds"][0]["settled_until"],
        "polled_at": "2026-11-22T14:05:00Z",
        "next_poll_at": "2026-11-22T14:20:00Z",
        "overdue": False,
        "stale_from": None,
        "usual_lag_seconds": 7200,
        "lag_learned_from": 0,
        "zero_age_seconds": 129_600,
        "zero_age_learned_from": 0,
        "failures": 0,
        "last_error": None,
    }
    [budget] = found["budgets"]
    assert budget["period"] == {"start": "2026-11-13T23:00:00Z", "end": "2026-12-13T23:00:00Z"}
    assert (budget["rule"], budget["series"], budget["over"], budget["limit"]) == ("cycle", 1, 1, 20_000)
    assert budget["share"] == round(budget["spent"] / 20_000, 4) > 1
    assert (budget["lower_bound"], budget["forecast"]) == (False, None)
    assert {each["rule"]["id"] for each in found["open"]} == {"runaway", "heavy-day", "cycle"}
    assert all((each["ack"], each["silence"]) == (None, None) for each in found["open"])
    assert found["silences"] == found["mutes"] == []
    assert found["outbox"] == {}


@pytest.mark.parametrize("arguments", [(), ("--json",), ("--check",)])
def test_without_a_database_it_says_so_and_makes_none(cli: Cli, rules: Path, arguments: tuple[str, ...]) -> None:
    ran = cli("status", *arguments)
    assert (ran.code, ran.out) == (5, "")
    assert "there is no database at" in ran.err
    assert "usage-watch run" in ran.err
    assert list(rules.parent.iterdir()) == [rules]


def test_check_ends_with_1_where_something_of_warning_or_above_is_open(cli: Cli, watched: Path) -> None:
    assert cli("status").code == 0
    assert cli("status", "--check").code == 1
    assert cli("status", "--check", "--json").code == 1


def test_check_ends_with_0_where_nothing_is_open(cli: Cli, rules: Path) -> None:
    rules.write_text(rules.read_text().replace("above: 5_000", "above: 500_000").replace("2_000", "20_000"))
    rules.write_text(rules.read_text().replace("limit: 20_000", "limit: 900_000"))
    assert cli("run", "--once").code == 0
    ran = cli("status", "--check")
    assert (ran.code, "Open: nothing" in ran.out) == (0, True)


def test_check_counts_what_nobody_has_acknowledged(cli: Cli, watched: Path, clock: SteppedClock) -> None:
    ids = [each["id"] for each in json.loads(cli("status", "--json").out)["open"]]
    for left, id in enumerate(ids):
        ran = cli("status", "--check")
        assert (ran.code, f"; {left} acknowledged" in ran.out) == (1, left > 0)
        assert cli("alerts", "ack", id, "--author", "ana").code == 0
    ran = cli("status", "--check")
    assert ran.code == 0
    assert "Open: 1 critical, 2 warning; 3 acknowledged" in ran.out
    assert ran.out.count("(acknowledged by ana)") == 3


def test_check_counts_again_what_rose_since(cli: Cli, watched: Path) -> None:
    for each in json.loads(cli("status", "--json").out)["open"]:
        assert cli("alerts", "ack", each["id"], "--author", "ana").code == 0
    with closing(sqlite3.connect(watched.parent / "usage-watch.db")) as connection, connection:
        connection.execute("UPDATE incident SET rank = rank + 1, severity = 'critical' WHERE rule_id = 'runaway'")
    ran = cli("status", "--check")
    assert ran.code == 1
    assert "Open: 2 critical, 1 warning; 2 acknowledged" in ran.out


def test_check_counts_what_is_only_silenced(cli: Cli, watched: Path) -> None:
    assert cli("silence", "add", "rule=~.*", "--for", "2h", "--reason", "move", "--author", "ana").code == 0
    assert cli("status", "--check").code == 1


def test_what_is_silenced_is_marked_and_by_what_is_listed(cli: Cli, watched: Path, clock: SteppedClock) -> None:
    silence = ("silence", "add", "--reason", "move", "--author", "ana")
    held = json.loads(cli(*silence, "rule=runaway", "--for", "2h", "--json").out)
    cli(*silence, "rule=cycle", "--from", "2026-11-23T18:00", "--for", "2h")
    out = cli("status").out
    [row] = [line for line in out.splitlines() if "silenced until 17:05 by ana" in line]
    assert "runaway" in row
    rows = out.split("Silences in force\n")[1].split("\n\n")[0].splitlines()
    assert [re.split(r"\s{2,}", row) for row in rows[1:]] == [
        [held["id"], "in force", "15:05", "17:05", "1", "rule=runaway (ana: move)"]
    ]
    found = json.loads(cli("status", "--json").out)
    assert found["silences"] == [held]
    [marked] = [each for each in found["open"] if each["silence"] is not None]
    assert marked["rule"]["id"] == "runaway"
    assert marked["silence"] == {
        "id": held["id"],
        "until": "2026-11-22T16:05:00Z",
        "author": "ana",
        "reason": "move",
    }
    clock.step(NOW + timedelta(hours=2))
    assert "ilence" not in cli("status").out


def test_a_daemon_that_stands_still_is_noticed(cli: Cli, watched: Path, clock: SteppedClock) -> None:
    clock.step(NOW + timedelta(hours=9))
    ran = cli("status")
    assert "overdue" in ran.out
    assert "Nothing has asked since 15:05: is `usage-watch run` running" in ran.out.replace("Sun 22 Nov ", "")
    assert json.loads(cli("status", "--json").out)["feeds"][0]["overdue"] is True


def test_a_failing_source_is_quoted_once(cli: Cli, watched: Path, clock: SteppedClock, source: SimulatorServer) -> None:
    clock.step(NOW + timedelta(hours=2))
    _revoke(source)
    assert cli("run", "--once").code == 3
    ran = cli("status")
    assert ran.out.count("failing") == 2
    assert ran.out.count("refused the key") == 1
    assert "After 1 failed attempt, again at 17:06: " in ran.out
    clock.step(NOW + timedelta(hours=12))
    assert "After 1 failed attempt: " in cli("status").out, "nobody tries any more"


def test_a_feed_that_was_never_asked_is_new(cli: Cli, watched: Path) -> None:
    text = "  - {id: queries, kind: threshold, dataset: query_volume, above: 5_000_000}\n"
    watched.write_text(watched.read_text() + text)
    row = next(line for line in cli("status").out.splitlines() if line.startswith("query_volume 1d  "))
    assert row.split("  ")[-1] == "new"
    assert "nothing yet" in row
    assert "never" in row


def test_no_rules_are_said_in_words(cli: Cli, watched: Path) -> None:
    watched.write_text("rules: []\n")
    assert "Nothing is asked for: no rule is enabled." in cli("status").out


def test_quiet_weeks_are_said_in_words(cli: Cli, watched: Path, clock: SteppedClock) -> None:
    clock.step(NOW + timedelta(days=40))
    assert "none lately" in cli("status").out


def test_many_open_ones_are_counted(cli: Cli, rules: Path, source: SimulatorServer) -> None:
    more = "".join(f"  - {{id: r{n}, kind: threshold, window: 3h, above: 100}}\n" for n in range(21))
    rules.write_text(rules.read_text() + more)
    cli("run", "--once")
    assert "and 4 more: usage-watch alerts" in cli("status").out


def test_what_could_not_be_delivered_waits_by_channel(cli: Cli, rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _with_pager(rules)
    assert cli("run", "--once").code == 4
    out = cli("status").out
    row = next(line for line in out.splitlines() if line.startswith("pager"))
    assert "3         refused since 15:05, tried again each hour: env HOOK_SECRET is not set" in row
    assert json.loads(cli("status", "--json").out)["outbox"] == {"pager": {"blocked": 1, "queued": 2}}


def test_open_alerts_that_are_not_told_again_are_said_by_channel(cli: Cli, watched: Path) -> None:
    change = "UPDATE target SET unstated_from = ?, last_error = 'It answered 503.' WHERE name = 'screen'"
    with closing(sqlite3.connect(watched.parent / "usage-watch.db")) as database, database:
        database.execute(change, ((NOW - timedelta(minutes=20)).timestamp(),))
    row = next(line for line in cli("status").out.splitlines() if line.startswith("screen "))
    assert row.split("  ")[-1].strip() == "open alerts not told again since 14:45: It answered 503."
    (channel,) = json.loads(cli("status", "--json").out)["channels"]
    assert channel["unstated_from"] == "2026-11-22T13:45:00Z"


def test_80_columns_are_enough(watched: Path) -> None:
    code, seen = on_terminal("status")
    assert code == 0
    assert max(map(len, seen.splitlines())) <= 80
    assert "8,000 credits in 1 d, over the warning limit of 5,000" in seen


def _with_pager(rules: Path) -> None:
    """A channel whose secret is not there."""
    pager = (
        "channels:\n  pager: {kind: webhook, url: https://hooks.example.com/x, signing_secret: {env: HOOK_SECRET}}\n"
    )
    text = rules.read_text().replace("channels:\n", pager).replace("notify: [screen]", "notify: [pager]")
    rules.write_text(text)


def _revoke(source: SimulatorServer) -> None:
    from dataclasses import replace

    source.api = replace(source.api, key="another")
