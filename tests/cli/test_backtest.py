from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.cli.office import NOW, on_terminal
from usage_watch.clock import SteppedClock
from usage_watch.store.database import open_for_writing

WANTED = """\
What rules.yaml would have told,
from Mon 16 Nov 15:05 to 15:05 (Europe/Berlin):

rule       month    fired  escalated  had ended  retracted  open
cycle      2026-11  1      1          0          0          24 h
heavy-day  2026-11  1      0          0          0          38 h
runaway    2026-11  2      0          0          0          28 h

All alerts, the newest first:
rule       severity  since             until             what
runaway    warning   Sat 21 Nov 15:00  open              18,000 credits in 3 h, over the warning limit of 2,000
cycle      critical  Sat 21 Nov 15:00  open              30,800 of 20,000 credits spent (154 %), past the 100 % level
heavy-day  warning   Sat 21 Nov        open              ana@example.com: 8,000 credits in 1 d, over the warning \
limit of 5,000
runaway    warning   Wed 18 Nov 15:00  Wed 18 Nov 19:00  4,800 credits in 3 h, over the warning limit of 2,000

As read later up to 09:00: 137 of 143 buckets of credit_usage 1h.
As read later up to Thu 19 Nov: 3 of 5 buckets of credit_usage 1d each-member.
What was read later counts as known 2 h and as settled 48 h after its end.
"""

DIFFERENCE = """\
What new.yaml tells (+) and what only the present rules tell (-),
from Mon 16 Nov 15:05 to 15:05 (Europe/Berlin):

   rule       severity  since             until             what
+  low        warning   Wed 18 Nov 15:00  Wed 18 Nov 17:00  2,400 credits in 1 h, over the warning limit of 2,000
-  runaway    warning   Wed 18 Nov 15:00  Wed 18 Nov 19:00  4,800 credits in 3 h, over the warning limit of 2,000
-  heavy-day  warning   Sat 21 Nov        open              ana@example.com: 8,000 credits in 1 d, over the warning \
limit of 5,000
+  low        warning   Sat 21 Nov 15:00  open              9,000 credits in 1 h, over the warning limit of 2,000
-  cycle      critical  Sat 21 Nov 15:00  open              30,800 of 20,000 credits spent (154 %), past the 100 % level

+2 -3, 1 told by both, 1 of them at another severity.
"""

NEW = """\
timezone: Europe/Berlin
rules:
  - {id: runaway, kind: threshold, window: 3h, above: {critical: 10_000}}
  - {id: low, kind: threshold, above: 2_000}
"""


@pytest.fixture
def new(watched: Path) -> Path:
    """Another rules file, which tells nobody."""
    path = watched.with_name("new.yaml")
    path.write_text(NEW)
    return path


def without_notes(text: str) -> str:
    return text.partition("\nSilent: ")[0].partition("\nAs read later ")[0]


def test_what_would_have_been_told_reads_well(cli: Cli, watched: Path) -> None:
    ran = cli("backtest", "--since", "6d")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == WANTED


def test_on_a_terminal_it_fits_and_shows_where_it_is(watched: Path) -> None:
    code, seen = on_terminal("backtest", "--since", "6d")
    assert code == 0
    *progress, shown = seen.split("\r\x1b[K")
    assert "replaying runaway: 2026-11-18" in progress
    assert max(map(len, shown.splitlines())) <= 80
    assert shown.startswith("What rules.yaml would have told,\n")


def test_what_is_open_at_the_beginning_is_told_once(cli: Cli, watched: Path) -> None:
    ran = cli("backtest", "--since", "2026-11-22T05:00Z")
    assert "Open at the beginning, and told at once: 2.\n" in ran.out
    assert "\nrunaway    2026-11  1      0          0          0          9 h\n" in ran.out, "its hours since then"
    assert "Wed 18 Nov" not in ran.out.partition("As read later")[0], "what had ended is history"


def test_another_file_is_tried_over_the_same_history(cli: Cli, watched: Path, new: Path) -> None:
    new.write_text(NEW.replace("10_000", "50_000") + "store: {path: nowhere.db}\n")
    ran = cli("backtest", "--since", "6d", "--rules", "new.yaml")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("What new.yaml would have told,\n")
    assert "\nlow   2026-11  2 " in ran.out
    assert "\nSilent: runaway.\n" in ran.out


def test_two_files_are_compared_alert_by_alert(cli: Cli, watched: Path, new: Path) -> None:
    ran = cli("backtest", "--since", "6d", "--rules", "new.yaml", "--diff")
    assert (ran.code, ran.err) == (0, "")
    assert without_notes(ran.out) == DIFFERENCE


def test_a_file_does_not_differ_from_itself(cli: Cli, watched: Path) -> None:
    ran = cli("backtest", "--since", "6d", "--rules", "rules.yaml", "--diff")
    assert "\n\nNo difference.\n\n+0 -0, 4 told by both.\n" in ran.out


def test_programs_get_all_of_it(cli: Cli, watched: Path, new: Path) -> None:
    data: dict[str, Any] = json.loads(cli("backtest", "--since", "6d", "--json").out)
    assert list(data) == [
        *("rules", "since", "until", "months", "alerts", "silent", "not_judged", "read_later", "diff"),
    ]
    assert (data["rules"], data["since"], data["until"]) == (
        "rules.yaml",
        "2026-11-16T14:05:00Z",
        "2026-11-22T14:05:00Z",
    )
    assert data["months"][0] == {
        "rule": "cycle",
        "month": "2026-11",
        "fired": 1,
        "escalated": 1,
        "fired_and_ended": 0,
        "retracted": 0,
        "open_hours": pytest.approx(24 + 1 / 12),
    }
    first = data["alerts"][0]
    assert (first["rule"]["id"], first["started_at"], first["ended_at"]) == (
        "runaway",
        "2026-11-18T14:00:00Z",
        "2026-11-18T18:00:00Z",
    )
    assert first["told"] == [
        {"at": "2026-11-18T17:00:00Z", "channel": "screen", "reason": "fired"},
        {"at": "2026-11-20T20:00:00Z", "channel": "screen", "reason": "resolved"},
    ]
    assert data["read_later"][0] == {
        "feed": "credit_usage 1h",
        "bucket": "1h",
        "count": 137,
        "of": 143,
        "until": "2026-11-22T08:00:00Z",
    }
    assert data["diff"] is None
    data = json.loads(cli("backtest", "--since", "6d", "--json", "--rules", "new.yaml", "--diff").out)
    assert {name: len(each) if isinstance(each, list) else each for name, each in data["diff"].items()} == {
        "added": 2,
        "removed": 3,
        "both": 1,
        "regraded": 1,
    }
    assert data["alerts"][0]["told"][0]["channel"] == "backtest", "a file without channels is tried all the same"


def test_only_the_newest_are_listed(cli: Cli, watched: Path) -> None:
    with closing(sqlite3.connect("usage-watch.db")) as database, database:
        database.execute(
            "INSERT OR REPLACE INTO bucket (series_id, start, count, seen_at) "
            "SELECT series.id, start, iif(start / 3600 % 6 = 0, 3000, 0), first_seen_at "
            "FROM series JOIN fetch USING (feed_id) JOIN feed ON feed.id = feed_id WHERE axis = '' AND width = 3600"
        )
    watched.write_text(watched.read_text().partition("rules:")[0] + NEW.partition("\n")[2])
    watched.write_text(watched.read_text().replace("2_000}", "2_000, resolve_after: 1h}"))
    out = cli("backtest", "--since", "6d").out
    assert "\nThe newest 20 of 26 alerts, the newest first:\n" in out
    assert out.count("\nlow ") == 1 + 20
    assert len(json.loads(cli("backtest", "--since", "6d", "--json").out)["alerts"]) == 26


def test_it_writes_nothing_and_needs_no_secret(cli: Cli, watched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PERPLEXITY_ANALYTICS_API_KEY")
    before = {path.name: path.read_bytes() for path in watched.parent.glob("usage-watch.db")}
    assert cli("backtest").code == 0
    assert {path.name: path.read_bytes() for path in watched.parent.glob("usage-watch.db")} == before


# ---- when there is nothing to replay --------------------------------------------------------------------------------


def test_an_empty_history_is_said_in_a_sentence(cli: Cli, rules: Path) -> None:
    open_for_writing(rules.parent / "usage-watch.db").close()
    ran = cli("backtest")
    assert (ran.code, ran.err) == (0, "")
    assert (
        ran.out == "Nothing is stored of this time that these rules judge; `usage-watch history backfill` reads it.\n"
    )
    assert json.loads(cli("backtest", "--json").out)["alerts"] == []


def test_a_rule_of_which_nothing_is_stored_is_named(cli: Cli, watched: Path) -> None:
    watched.write_text(watched.read_text() + "  - {id: many, kind: threshold, dataset: agent_tasks, above: 9}\n")
    ran = cli("backtest", "--since", "6d")
    assert ran.code == 0
    assert "\nNot judged: many, since nothing is stored of agent_tasks 1h.\n" in ran.out
    data = json.loads(cli("backtest", "--json").out)
    assert (data["not_judged"], data["silent"]) == ([{"rule": "many", "feed": "agent_tasks 1h"}], [])


def test_no_enabled_rule_is_said_in_a_sentence(cli: Cli, watched: Path) -> None:
    watched.write_text(watched.read_text().partition("rules:")[0])
    assert cli("backtest").out == "No rule of rules.yaml is enabled: there is nothing to replay.\n"


def test_rules_that_would_have_told_nothing(cli: Cli, watched: Path, clock: SteppedClock) -> None:
    watched.write_text(watched.read_text().partition("rules:")[0] + "rules: [{id: x, kind: threshold, above: 99_999}]")
    out = cli("backtest", "--since", "6d").out
    assert out.splitlines()[2:6] == ["", "Nothing.", "", "Silent: x."]
    clock.step(NOW + timedelta(days=150))
    assert "\nNothing.\n\nSilent: x.\n" in cli("backtest").out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--diff",), 2, "--diff compares two rules files; name the new one with --rules FILE."),
        (("--since", "2026-12-01"), 2, "--since '2026-12-01' has not come yet; write a time in the past."),
        (("--since", "soon"), 2, "--since 'soon' is no time; write 7d, 2026-11-01 or 2026-11-01T14:00Z."),
        (("--rules", "none.yaml"), 2, "none.yaml"),
    ],
)
def test_what_cannot_be_done_is_said(cli: Cli, watched: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    ran = cli("backtest", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
    assert ran.err.count("\n") == 1


def test_without_a_database_it_ends_with_5(cli: Cli, rules: Path) -> None:
    ran = cli("backtest")
    assert (ran.code, ran.out) == (5, "")
    assert "there is no database at" in ran.err


def test_every_fault_of_the_new_file_is_told(cli: Cli, watched: Path, new: Path) -> None:
    new.write_text("rules: [{id: x, kind: threshold, aboove: 1}]")
    ran = cli("backtest", "--rules", "new.yaml")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("new.yaml:1:")
