from __future__ import annotations

import json
import os
import random
import shutil
import signal
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Cli
from tests.cli.office import NOW, on_terminal, scenario
from tests.store.store_samples import HOURLY
from tests.store.test_store_looking import somebody_else
from tests.store.test_store_processes import HOLD, heard, running, tell
from usage_watch.clock import SteppedClock
from usage_watch.simulator import SimulatorServer
from usage_watch.store.database import open_for_writing
from usage_watch.store.history import HistoryStore
from usage_watch.vitals import Vitals
from usage_watch.web.hosts import Hosts
from usage_watch.web.pages import pages
from usage_watch.web.server import WebServer

SECTIONS = ["Versions", "Rules file", "Database", "Daemon", "Source (times in Europe/Berlin)", "Channels"]
Found = Mapping[tuple[str, str], Mapping[str, Any]]
"""By section and what it is about."""


def examined(cli: Cli, *arguments: str, code: int = 0) -> Found:
    ran = cli("doctor", "--json", *arguments)
    assert (ran.code, ran.err) == (code, ""), ran.said
    data = json.loads(ran.out)
    found = {(part["name"].split()[0], each["about"]): each for part in data["sections"] for each in part["findings"]}
    levels = ["ok", "note", "warning", "fault"]
    assert data["worst"] == max((each["level"] for each in found.values()), key=levels.index)
    assert all(bool(each["code"]) == (each["level"] == "fault") for each in found.values())
    return found


def level(found: Found, section: str, about: str) -> str:
    return str(found[section, about]["level"])


def listed(folder: Path) -> dict[str, tuple[int, int]]:
    return {each.name: (each.stat().st_size, each.stat().st_mtime_ns) for each in folder.iterdir()}


def test_each_section_has_a_line_a_finding(cli: Cli, watched: Path) -> None:
    ran = cli("doctor")
    assert (ran.code, ran.err) == (0, "")
    assert [line for line in ran.out.splitlines() if line and not line.startswith(" ")][:-1] == SECTIONS
    lines = [line for line in ran.out.splitlines() if line.startswith("  ")]
    assert {line.split()[0] for line in lines} == {"ok", "note"}
    assert ran.out.splitlines()[-1] == "Nothing is wrong."


def test_it_fits_a_terminal(watched: Path) -> None:
    code, seen = on_terminal("doctor", columns=80)
    assert code == 0
    assert max(map(len, seen.splitlines())) <= 80


def test_what_is_well_is_said_to_be(cli: Cli, watched: Path) -> None:
    found = examined(cli)
    for section, about in [
        ("Rules", "rules.yaml"),
        ("Database", "integrity"),
        ("Database", "schema"),
        ("Database", "disk"),
        ("Source", "answer"),
        ("Source", "clock"),
        ("Source", "credit_usage 1h"),
        ("Channels", "screen"),
    ]:
        assert level(found, section, about) == "ok"
    assert "quick_check" in found["Database", "integrity"]["said"]
    assert "a zero is final after 36 h (assumed)" in found["Source", "credit_usage 1h"]["said"]
    assert "integrity_check" in examined(cli, "--thorough")["Database", "integrity"]["said"]


def test_it_writes_nothing(cli: Cli, watched: Path) -> None:
    before = listed(watched.parent)
    examined(cli)
    assert listed(watched.parent) == before


def test_no_file_mode_is_said_where_nobody_else_may_come(cli: Cli, watched: Path) -> None:
    watched.parent.chmod(0o700)
    assert ("Database", "mode") not in examined(cli)


def test_modes_that_are_too_wide(cli: Cli, watched: Path) -> None:
    for folder in watched.parents[:4]:
        folder.chmod(folder.stat().st_mode | 0o055)
    watched.chmod(0o600)
    watched.with_name("usage-watch.db").chmod(0o644)
    found = examined(cli)
    assert ("Rules", "mode") not in found
    assert level(found, "Database", "mode") == "note"
    watched.chmod(0o602)
    found = examined(cli)
    assert level(found, "Rules", "mode") == "warning"
    assert found["Rules", "mode"]["do"] == f"Run `chmod o-w {watched}`."


def test_another_user_is_told_whose_it_is(cli: Cli, watched: Path) -> None:
    for folder in watched.parents[:4]:
        folder.chmod(folder.stat().st_mode | 0o055)
    watched.with_name("usage-watch.db").chmod(0o644)
    examined(cli)  # what is loaded later may not be to be read any more
    with somebody_else():
        found = examined(cli)
        assert level(found, "Database", "integrity") == "ok"
        assert "is root's" in found["Database", "owner"]["said"]
    watched.with_name("usage-watch.db").chmod(0o600)
    with somebody_else():
        assert level(examined(cli, code=5), "Database", "usage-watch.db") == "fault"


def test_without_a_database_it_looks_at_the_rest(cli: Cli, rules: Path) -> None:
    found = examined(cli)
    assert level(found, "Database", "usage-watch.db") == "note"
    assert level(found, "Daemon", "process") == "warning"
    assert level(found, "Source", "answer") == "ok"
    assert list(rules.parent.iterdir()) == [rules]


def test_an_empty_file_is_no_database_yet(cli: Cli, rules: Path) -> None:
    rules.with_name("usage-watch.db").touch()
    assert level(examined(cli), "Database", "usage-watch.db") == "note"


@pytest.mark.parametrize(
    ("written", "about"),
    [
        ("rules:\n  - {id: x, kind: budgt}\n", "line 2:19"),
        ("rules: [\n", "line 1:8"),
        (None, "rules.yaml"),
    ],
)
def test_a_wrong_rules_file_ends_with_2_and_the_rest_is_looked_at(
    cli: Cli, watched: Path, written: str | None, about: str
) -> None:
    if written is None:
        watched.unlink()
    else:
        watched.write_text(written)
    found = examined(cli, code=2)
    assert level(found, "Rules", about) == "fault"
    assert level(found, "Database", "integrity") == "ok"
    assert level(found, "Source", "answer") == "note"


def test_its_warnings_are_said(cli: Cli, watched: Path) -> None:
    watched.write_text(watched.read_text().replace("notify: [screen]", "notify: []"))
    found = examined(cli)
    assert {each["level"] for (section, about), each in found.items() if about.startswith("line")} == {"warning"}
    assert level(found, "Channels", "own alerts") == "warning"


def test_without_a_key_nothing_is_asked(
    cli: Cli, watched: Path, source: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PERPLEXITY_ANALYTICS_API_KEY")
    found = examined(cli)
    assert (level(found, "Source", "key"), level(found, "Source", "answer")) == ("warning", "note")
    assert ("Source", "clock") not in found
    assert not source.requests
    with running(HOLD, watched.with_name("usage-watch.db")) as daemon:
        assert heard(daemon) == "held"
        assert level(examined(cli), "Source", "key") == "note", "the daemon may well have it"
        tell(daemon)


def test_one_question_is_asked(cli: Cli, watched: Path, source: SimulatorServer) -> None:
    examined(cli)
    assert len(source.requests) == 1


def test_a_key_that_is_refused_ends_with_3_and_the_clock_is_known(
    cli: Cli, watched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PERPLEXITY_ANALYTICS_API_KEY", "pplx-kestrel-key-8812")
    found = examined(cli, code=3)
    assert (level(found, "Source", "answer"), level(found, "Source", "clock")) == ("fault", "ok")
    assert "kestrel" not in json.dumps(list(found.values()))


def test_a_source_that_is_not_there_ends_with_3(cli: Cli, watched: Path) -> None:
    text = watched.read_text()
    watched.write_text(text.replace(text.split('base_url: "')[1].split('"')[0], "http://127.0.0.1:9"))
    found = examined(cli, code=3)
    assert (level(found, "Source", "answer"), level(found, "Source", "clock")) == ("fault", "note")


@pytest.mark.parametrize(
    ("ahead", "code", "said"),
    [
        (timedelta(seconds=40), 0, "40 s behind"),
        (timedelta(minutes=5), 0, "5 min behind"),
        (timedelta(days=1), 5, "1 d behind"),
        (timedelta(minutes=-5), 0, "5 min ahead of"),
        (timedelta(days=-1), 5, "1 d ahead of"),
    ],
)
def test_a_clock_that_goes_wrong(
    cli: Cli, watched: Path, clock: SteppedClock, ahead: timedelta, code: int, said: str
) -> None:
    def theirs() -> Any:
        return clock.now() + ahead

    with SimulatorServer(scenario(), now=theirs) as server:
        text = watched.read_text()
        watched.write_text(text.replace(text.split('base_url: "')[1].split('"')[0], server.base_url))
        found = examined(cli, code=code)
    assert said in found["Source", "clock"]["said"]
    wanted = "fault" if code else "ok" if abs(ahead) < timedelta(minutes=1) else "warning"
    assert level(found, "Source", "clock") == wanted


def test_a_feed_that_fails_and_what_was_odd(cli: Cli, watched: Path) -> None:
    with open_for_writing(watched.with_name("usage-watch.db")) as db:
        store = HistoryStore(db)
        for _ in range(2):
            store.failed(HOURLY, NOW, "server", "it \x1b[2Jbroke", NOW + timedelta(minutes=5))
        store.keep_oddity(HOURLY, NOW, "a field is new", b'{"\x1b[31mkestrel": "\xe2\x80\xae"}' + b"x" * 1_000)
    found = examined(cli)
    feed, odd = found["Source", "credit_usage 1h"], found["Source", "odd: credit_usage 1h"]
    assert (feed["level"], feed["said"]) == ("warning", "2 attempts in a row failed: it [2Jbroke.")
    assert odd["said"].startswith('15:05: a field is new. It began: {"[31mkestrel": ""}xxx')
    assert len(odd["said"]) < 300
    assert "\x1b" not in cli("doctor").out


@pytest.mark.parametrize(
    ("written", "wanted", "code"),
    [
        ("blocked_from = 1795356000, failing_from = 1795356000", "fault", 4),
        ("failing_from = 1795356000", "warning", 0),
    ],
)
def test_channels_in_trouble(cli: Cli, watched: Path, written: str, wanted: str, code: int) -> None:
    with open_for_writing(watched.with_name("usage-watch.db")) as db, db.transaction():
        assert db.execute(f"UPDATE target SET {written}, last_error = 'status 404: no such channel'") == 1
    found = examined(cli, code=code)["Channels", "screen"]
    assert (found["level"], "status 404: no such channel" in found["said"]) == (wanted, True)


def test_secrets_are_looked_for_and_never_shown(
    cli: Cli, watched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("https://example.com/kestrel\nkestrel")
    watched.write_text(
        f"{watched.read_text()}heartbeat: {{url: {{env: KESTREL}}}}\n".replace(
            "channels:\n",
            f"channels:\n  odd: {{kind: slack, webhook_url: {{file: {secret}}}}}\n"
            "  gone: {kind: slack, webhook_url: {file: /gone/kestrel-file}}\n"
            "  cred: {kind: slack, webhook_url: {credential: hook}}\n",
        )
    )
    found = examined(cli, code=2)
    assert [level(found, "Channels", name) for name in ("odd", "gone", "cred")] == ["fault", "fault", "warning"]
    assert level(found, "Daemon", "heartbeat") == "warning"
    monkeypatch.setenv("KESTREL", "https://kestrel-ping.example.com")
    found = examined(cli, code=2)
    assert level(found, "Daemon", "heartbeat") == "ok"
    assert "example.com" not in json.dumps(list(found.values()))


def test_a_daemon_that_runs_is_named_and_one_that_hangs_is_a_fault(cli: Cli, watched: Path) -> None:
    database = watched.with_name("usage-watch.db")
    with running(HOLD, database) as daemon:
        assert heard(daemon) == "held"
        found = examined(cli)
        assert f"pid {daemon.pid} watches" in found["Daemon", "process"]["said"]
        assert level(found, "Daemon", "loop") == "ok"
        os.utime(database.with_name(f"{database.name}.daemon"), (1, 1))
        assert level(examined(cli, code=5), "Daemon", "loop") == "fault"
        database.rename(database.with_name("elsewhere"))
        assert "is gone, and the daemon" in examined(cli, code=5)["Database", "usage-watch.db"]["said"]
        daemon.send_signal(signal.SIGKILL)


def test_a_port_that_somebody_else_has_is_a_fault(cli: Cli, watched: Path, source: SimulatorServer) -> None:
    address = source.base_url.removeprefix("http://")
    watched.write_text(watched.read_text().replace("web: off", f"web: {{listen: {address}}}"))
    assert level(examined(cli, code=5), "Daemon", "web") == "fault"


def test_a_daemon_that_has_not_got_its_database_is_not_to_be_stopped(cli: Cli, watched: Path) -> None:
    found = Vitals(NOW)
    with WebServer("127.0.0.1", 0, Hosts(()), pages(found, watched, "1", lambda: NOW)) as server:
        address = server.url.removeprefix("http://")
        watched.write_text(watched.read_text().replace("web: off", f"web: {{listen: {address}}}"))
        web = examined(cli)["Daemon", "web"]
    assert web["level"] == "warning"
    assert web["do"].startswith(f"Ask http://{address}/readyz")


def test_listening_elsewhere_is_worth_a_note(cli: Cli, watched: Path) -> None:
    listen = "web: {listen: 0.0.0.0:0, allowed_hosts: [usage.example.com]}"
    watched.write_text(watched.read_text().replace("web: off", listen))
    assert level(examined(cli), "Daemon", "web") == "note"


def test_no_damage_ends_in_a_fault_of_ours(cli: Cli, watched: Path) -> None:
    database = watched.with_name("usage-watch.db")
    shutil.copy(database, watched.with_name("good.db"))
    good = watched.with_name("good.db").read_bytes()
    chance, faults = random.Random(8), 0
    for _ in range(25):
        content = bytearray(good)
        for _ in range(chance.choice((1, 20, 400))):
            content[chance.randrange(100, len(content))] = chance.randrange(256)
        database.write_bytes(content)
        ran = cli("doctor", *(["--thorough"] if chance.random() < 0.5 else []))
        assert ran.code in (0, 3, 4, 5), ran.said
        faults += ran.code == 5
    assert faults > 10


@pytest.mark.parametrize("content", [b"SQLite format 3\x00", b"no database" * 100])
def test_what_is_no_database(cli: Cli, watched: Path, content: bytes) -> None:
    watched.with_name("usage-watch.db").write_bytes(content)
    assert level(examined(cli, code=5), "Database", "usage-watch.db") == "fault"


def test_an_older_schema_is_said_and_nothing_more_is_read(cli: Cli, watched: Path) -> None:
    import sqlite3

    with closing(sqlite3.connect(watched.with_name("usage-watch.db"))) as connection, connection:
        connection.execute("PRAGMA user_version = 3")
    found = examined(cli)
    assert level(found, "Database", "schema") == "warning"
    assert ("Source", "credit_usage 1h") not in found
