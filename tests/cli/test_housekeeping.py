from __future__ import annotations

import json
import os
import pty
import sqlite3
import subprocess
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.cli.office import NOW, blocks, process, program
from usage_watch.clock import SteppedClock
from usage_watch.store.database import open_for_writing
from usage_watch.store.locks import DaemonLock

ANA = "ana@example.com"


@pytest.fixture
def aged(watched: Path, clock: SteppedClock) -> Path:
    """Two years and some later: what was read then is too old, and one new bucket was read since."""
    later = NOW + timedelta(days=740)
    clock.step(later)
    with open_for_writing(watched.parent / "usage-watch.db") as db, db.transaction():
        stamp = int(later.timestamp()) // 3600 * 3600
        db.execute(
            "INSERT INTO fetch (feed_id, start, first_seen_at, seen_at, changed_at, unchanged_polls, axes) "
            "SELECT id, ?1, ?1, ?1, ?1, 0, '{}' FROM feed",
            (stamp,),
        )
        # What is open is judged from its start on, and holds all of that back.
        db.execute("UPDATE incident SET ended_at = started_at + 3600")
    return watched


def asked(path: Path, sql: str) -> object:
    with closing(sqlite3.connect(path.parent / "usage-watch.db")) as connection:
        return connection.execute(sql).fetchone()[0]


def test_prune_says_what_it_would_do_and_does_it(cli: Cli, aged: Path) -> None:
    dry = cli("history", "prune", "--dry-run")
    assert (dry.code, dry.err) == (0, "")
    assert dry.out.startswith("Would remove  ")
    buckets = asked(aged, "SELECT count(*) FROM fetch")
    done = cli("history", "prune")
    would, did = (" ".join(ran.out.splitlines()[0].split()) for ran in (dry, done))
    assert did.startswith(f"Removed {would.removeprefix('Would remove ')}"), "and the messages of those alerts"
    assert asked(aged, "SELECT count(*) FROM fetch") != buckets
    assert "nothing" in cli("history", "prune").out


def test_prune_for_programs(cli: Cli, aged: Path) -> None:
    would = json.loads(cli("history", "prune", "--dry-run", "--json").out)
    assert would["removed"] == {}
    assert would["would_remove"]["buckets"] > 100
    done = json.loads(cli("history", "prune", "--json").out)
    assert done["would_remove"] == {}
    assert done["removed"].items() >= would["would_remove"].items()
    assert done["free_bytes"] >= 0


def test_the_file_gets_smaller_while_no_daemon_runs(cli: Cli, aged: Path) -> None:
    database = aged.parent / "usage-watch.db"
    with DaemonLock(database):
        ran = cli("history", "prune", "--vacuum")
        assert ran.code == 5
        assert "--vacuum works only while no daemon runs" in ran.err
        assert cli("history", "prune").code == 0
    before = json.loads(cli("history", "prune", "--json").out)["free_bytes"], database.stat().st_size
    after = json.loads(cli("history", "prune", "--vacuum", "--json").out)["free_bytes"], database.stat().st_size
    assert before > after
    assert after[0] == 0
    assert cli("history", "prune", "--dry-run", "--vacuum").code == 2


def test_forget_removes_one_member_and_says_what_it_cannot(cli: Cli, watched: Path) -> None:
    with watched.open("a") as file:
        file.write(f"seats: {{default: 500, members: {{{ANA}: 900}}}}\n")
    line = len(watched.read_text().splitlines())
    ran = cli("history", "forget", "Ana@Example.com", "--yes")
    assert (ran.code, ran.err) == (0, "")
    assert f"rules.yaml, line {line})" in ran.out
    assert "messages that were sent, backups, logs" in ran.out
    assert "Old copies" not in ran.out
    assert ANA not in cli("history", "export").out
    assert "claude-opus-4-8,9000" in cli("history", "export").out
    assert ANA.encode() not in b"".join(
        file.read_bytes() for file in watched.parent.iterdir() if file.name.startswith("usage-watch.db")
    )


def test_what_was_forgotten_does_not_come_back_with_the_next_poll(cli: Cli, watched: Path, clock: SteppedClock) -> None:
    cli("history", "forget", ANA, "--yes")
    clock.step(NOW + timedelta(hours=2))
    assert cli("history", "backfill").code == 0
    assert ANA not in cli("history", "export").out
    again = cli("history", "forget", ANA, "--yes")
    assert (again.code, "nothing left of them" in again.out) == (0, True)


def test_a_rule_about_them_alone_is_not_asked_for(cli: Cli, watched: Path) -> None:
    cli("history", "forget", ANA, "--yes")
    rule = f"  - {{id: hers, kind: threshold, where: {{member: {ANA}}}, above: 5}}\n"
    watched.write_text(watched.read_text() + rule)
    ran = cli("run", "--once")
    assert ran.code == 0
    assert asked(watched, "SELECT count(*) FROM feed WHERE scope LIKE '%@%'") == 0
    assert asked(watched, "SELECT count(*) FROM poll WHERE fault IS NOT NULL") == 0


def test_their_own_alerts_are_not_told_as_taken_back(cli: Cli, watched: Path) -> None:
    rule = f"  - {{id: hers, kind: threshold, bucket: 1d, where: {{member: {ANA}}}, above: 5}}\n"
    watched.write_text(watched.read_text() + rule)
    cli("run", "--once")
    assert asked(watched, "SELECT count(*) FROM incident WHERE rule_id = 'hers'") != 0
    ran = cli("history", "forget", ANA, "--yes")
    assert "about them" in ran.out
    assert "nobody is told that their alerts are over" in ran.out
    assert " 1 alerts" not in ran.out
    assert cli("run", "--once").code == 0
    assert asked(watched, "SELECT count(*) FROM incident WHERE rule_id = 'hers'") == 0
    assert asked(watched, "SELECT count(*) FROM notification WHERE reason = 'retracted'") == 0


@pytest.mark.parametrize(
    ("email", "options", "sentence"),
    [
        ("ann@example.com", ("--yes",), f"nothing is stored of 'ann@example.com'; did you mean {ANA}?"),
        ("qqqq@elsewhere.org", ("--yes",), "write the address as `usage-watch top member` shows it"),
        ("ana", ("--yes",), "'ana' is no mail address"),
        (ANA, (), "this cannot be undone: add --yes"),
    ],
)
def test_what_is_not_meant_removes_nothing(
    cli: Cli, watched: Path, email: str, options: tuple[str, ...], sentence: str
) -> None:
    before = asked(watched, "SELECT count(*) FROM series")
    ran = process("history", "forget", email, *options)
    assert ran.code == 2
    assert sentence in ran.err
    assert asked(watched, "SELECT count(*) FROM series") == before
    assert asked(watched, "SELECT count(*) FROM forgotten") == 0


@pytest.mark.parametrize(("answer", "code", "left"), [("n", 130, 0), ("", 130, 0), ("y", 0, 1)])
def test_on_a_terminal_it_asks_first(watched: Path, answer: str, code: int, left: int) -> None:
    ours, theirs = pty.openpty()
    try:
        with subprocess.Popen(program("history", "forget", ANA), stdin=theirs, stdout=theirs, stderr=theirs) as child:
            os.close(theirs)
            os.write(ours, f"{answer}\n".encode())
            seen = b"".join(blocks(ours)).decode()
            assert child.wait(60) == code
    finally:
        os.close(ours)
    assert f"Remove all of {ANA} (" in seen
    assert asked(watched, "SELECT count(*) FROM forgotten") == left


def test_beside_a_daemon_with_a_large_file_it_says_what_is_left_to_do(
    cli: Cli, watched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("usage_watch.cli.housekeeping.SMALL", 0)
    with DaemonLock(watched.parent / "usage-watch.db"):
        ran = cli("history", "forget", ANA, "--yes")
    assert ran.code == 0
    assert "stop the daemon, run `usage-watch history prune --vacuum` and start it again" in ran.out
