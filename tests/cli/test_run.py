from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import takewhile
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.cli.office import NOW, on_terminal, process, program
from tests.fakes.alertmanager import eventually
from tests.fakes.analytics_faults import AnalyticsFaults, Drip
from tests.fakes.scripted_http import Answer
from tests.fakes.webhook_receiver import WebhookReceiver
from usage_watch.clock import SteppedClock
from usage_watch.simulator import SimulatorServer

PAGER = 'channels:\n  pager: {{kind: webhook, url: "{hook}", signing_secret: {{env: HOOK_SECRET}}}}\n'


def with_pager(rules: Path, hook: str) -> None:
    """Everybody is told over a webhook."""
    text = rules.read_text().replace("channels:\n", PAGER.format(hook=hook))
    rules.write_text(text.replace("notify: [screen]", "notify: [pager]"))


def test_once_says_nothing_but_its_messages(cli: Cli, rules: Path) -> None:
    ran = cli("run", "--once")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(
        "👋 usage-watch watches 3 rules and tells you here; data until 14:00 (Europe/Berlin)\n"
        "Look closer: usage-watch status · for quiet: usage-watch silence --help\n\n"
    )
    assert ran.out.count("times in Europe/Berlin") == 3


def test_once_again_has_nothing_to_say(cli: Cli, watched: Path) -> None:
    assert cli("run", "--once").said == ""


def test_once_verbose_logs(cli: Cli, rules: Path) -> None:
    ran = cli("-v", "run", "--once")
    assert [line.split()[2] for line in ran.err.splitlines()] == [
        "daemon.started",
        *["alert.told"] * 3,
        "alert.noted",
        *["delivery.sent"] * 4,
        "lookup.done",
        "cycle.done",
    ]


def test_once_on_a_terminal_says_what_it_did(watched: Path) -> None:
    code, seen = on_terminal("run", "--once")
    assert code == 0
    assert "0 feeds read, 0 new buckets, 0 revised; 0 messages sent." in seen


def test_a_refused_key_is_said_once_and_ends_with_3(cli: Cli, rules: Path, source: SimulatorServer) -> None:
    source.api = replace(source.api, key="another")
    ran = cli("run", "--once")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith("usage-watch: The analytics API refused the key (status 401)")
    assert ran.err.count("\n") == 1


def test_a_source_that_is_left_alone_for_now_is_no_success(
    cli: Cli, rules: Path, source: SimulatorServer, clock: SteppedClock
) -> None:
    source.api = replace(source.api, key="another")
    first = cli("run", "--once")
    again = cli("run", "--once")
    assert again.code == 3
    assert len(source.requests) == 1
    assert again.err == first.err.rstrip("\n") + "; it is not asked again before 15:06\n"


def test_without_a_key_it_ends_with_2_and_delivers_all_the_same(
    cli: Cli, watched: Path, monkeypatch: pytest.MonkeyPatch, clock: SteppedClock
) -> None:
    clock.step(NOW + timedelta(hours=1))
    monkeypatch.delenv("PERPLEXITY_ANALYTICS_API_KEY")
    rule = "  - {id: second, kind: threshold, window: 3h, above: 2_000}\n"
    watched.write_text(watched.read_text() + rule)
    ran = cli("run", "--once")
    assert ran.code == 2
    assert ran.err == (
        "usage-watch: env PERPLEXITY_ANALYTICS_API_KEY is not set: set it where usage-watch is started.\n"
    )
    # Between yesterday's job and this morning's nothing is settled yet: it may all be one.
    assert "(second, since Sat 21 Nov 15:00)" in ran.out


def test_a_message_that_is_not_taken_ends_with_4(cli: Cli, rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", "whsec_" + "c2VjcmV0IHNlY3JldCBzZWNyZXQ=")
    with WebhookReceiver() as pager:
        with_pager(rules, pager.url("/hook"))
        pager.script.append(Answer(404))
        ran = cli("run", "--once")
    assert ran.code == 4
    assert ran.out.startswith("🟠 pager: has taken nothing since"), "that it fails is told through another"
    assert [re.search(r"answered (\d+)", line)[1] for line in ran.err.splitlines()] == ["404"]  # type: ignore[index]
    assert all(line.startswith("usage-watch: pager: ") for line in ran.err.splitlines())


def test_both_failures_are_told_and_the_first_decides(
    cli: Cli, watched: Path, source: SimulatorServer, clock: SteppedClock
) -> None:
    clock.step(NOW + timedelta(hours=1))
    with_pager(watched, "http://127.0.0.1:9/hook")
    rule = "  - {id: second, kind: threshold, window: 3h, above: 2_000}\n"
    watched.write_text(watched.read_text() + rule)
    source.api = replace(source.api, enabled=False)
    ran = cli("run", "--once")
    assert ran.code == 3
    assert "switched off" in ran.err.splitlines()[0]
    assert ran.err.splitlines()[1].startswith("usage-watch: pager: env HOOK_SECRET is not set")


def test_warnings_of_the_rules_are_logged(cli: Cli, rules: Path) -> None:
    rules.write_text(rules.read_text().replace("backfill: 6d", "backfill: 6d, poll_every: 30s"))
    assert "rules.warned line=3 " in cli("-v", "run", "--once").err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_daemon_ends_with_0_when_told_to(cli: Cli, rules: Path, number: int) -> None:
    before = signal.getsignal(number)
    with at_the_first("daemon.ready", lambda: os.kill(os.getpid(), number)):
        ran = cli("run")
    assert ran.code == 0
    assert [line.split()[2] for line in ran.err.splitlines()][-2:] == ["daemon.ready", "daemon.stopped"]
    assert signal.getsignal(number) is before


@contextmanager
def at_the_first(event: str, act: Callable[[], None]) -> Iterator[None]:
    """Do something, in another thread, as soon as an event is logged."""
    logged = threading.Event()

    def watch(record: logging.LogRecord) -> bool:
        if record.getMessage() == event:
            logged.set()
        return True

    def wait() -> None:
        logged.wait(30)
        act()

    thread = threading.Thread(target=wait)
    logging.getLogger("usage_watch").addFilter(watch)
    thread.start()
    yield
    logging.getLogger("usage_watch").removeFilter(watch)
    thread.join()


def test_the_daemon_without_a_key_logs_it_and_goes_on(rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PERPLEXITY_ANALYTICS_API_KEY")
    with subprocess.Popen(program("run"), stderr=subprocess.PIPE, text=True) as daemon:
        assert daemon.stderr is not None
        log = [daemon.stderr.readline() for _ in range(3)]
        daemon.send_signal(signal.SIGTERM)
        rest = daemon.stderr.read()
    assert daemon.returncode == 0
    assert "env PERPLEXITY_ANALYTICS_API_KEY is not set" in log[1]
    assert "daemon.ready" in log[2]
    assert "Traceback" not in rest


@pytest.mark.parametrize(
    ("arguments", "number", "code"),
    [
        (("run",), signal.SIGTERM, 0),
        (("run",), signal.SIGINT, 0),
        (("run", "--once"), signal.SIGINT, 130),
        (("run", "--once"), signal.SIGTERM, 143),
        (("history", "backfill"), signal.SIGINT, 130),
    ],
)
def test_nobody_waits_for_a_source_that_says_nothing(
    rules: Path, arguments: tuple[str, ...], number: int, code: int
) -> None:
    asked = threading.Event()

    def silence(seen: object) -> Drip:
        asked.set()
        return Drip()

    with AnalyticsFaults(silence) as source:
        rules.write_text(re.sub(r'base_url: "[^"]*"', f'base_url: "{source.url}"', rules.read_text()))
        with subprocess.Popen(program(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
            assert asked.wait(30)
            child.send_signal(number)
            # Half of the 30 seconds that an answer may take.
            out, err = child.communicate(timeout=15)
    assert child.returncode == code
    assert "Traceback" not in out + err
    assert len(source.seen) == 1


def test_called_while_it_reads_its_rules_it_reads_them_again(rules: Path) -> None:
    with subprocess.Popen(program("run"), stderr=subprocess.PIPE, text=True) as daemon:
        assert daemon.stderr is not None
        assert eventually(lambda: _catches(daemon.pid, signal.SIGHUP))
        daemon.send_signal(signal.SIGHUP)
        events = [line.split()[2] for line in takewhile(lambda line: "rules.reloaded" not in line, daemon.stderr)]
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=30)
    assert "daemon.started" in events
    assert daemon.returncode == 0


def _catches(pid: int, number: int) -> bool:
    caught = re.search(r"SigCgt:\s*(\w+)", Path(f"/proc/{pid}/status").read_text())
    return caught is not None and bool(int(caught[1], 16) >> (number - 1) & 1)


def test_a_second_daemon_ends_with_5(rules: Path) -> None:
    with subprocess.Popen(program("run"), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as daemon:
        assert daemon.stderr is not None
        assert "daemon.started" in daemon.stderr.readline()
        for arguments in (("run",), ("run", "--once")):
            ran = process(*arguments)
            assert (ran.code, ran.out) == (5, "")
            assert f"another usage-watch daemon (pid {daemon.pid})" in ran.err.splitlines()[-1]
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate(timeout=30)
    assert daemon.returncode == 0


# ---- the log ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked_for", ["--log-format=json", "USAGE_WATCH_LOG_FORMAT=json"])
def test_all_of_the_log_is_json_where_that_is_asked_for(
    rules: Path, monkeypatch: pytest.MonkeyPatch, asked_for: str
) -> None:
    name, _, value = asked_for.partition("=")
    options = [asked_for] if name.startswith("-") else []
    if not options:
        monkeypatch.setenv(name, value)
    with subprocess.Popen(program("run", *options), stderr=subprocess.PIPE, text=True) as daemon:
        assert daemon.stderr is not None
        log = [daemon.stderr.readline()]
        while "daemon.ready" not in log[-1]:
            log.append(daemon.stderr.readline())
        other = process("run", *options)
        daemon.send_signal(signal.SIGTERM)
        log += daemon.stderr.readlines()
    events = [json.loads(line) for line in log]
    assert [events[0]["event"], events[-1]["event"]] == ["daemon.started", "daemon.stopped"]
    assert {each["level"] for each in events} == {"info"}
    assert events[0]["rules"] == 3
    (end,) = map(json.loads, other.err.splitlines())
    assert (other.code, end["event"], end["level"]) == (5, "daemon.failed", "error")
    assert end["error"].startswith("another usage-watch daemon")


def test_a_rules_file_that_is_wrong_is_an_event_too(rules: Path) -> None:
    rules.write_text(rules.read_text().replace("kind: budget", "kind: budgt").replace("limit: 20_000", "limit: -1"))
    ran = process("run", "--log-format", "json")
    said = [json.loads(line) for line in ran.err.splitlines()]
    assert ran.code == 2
    assert {each["event"] for each in said} == {"daemon.failed"}
    assert said[0]["error"].startswith("rules.yaml:")


def test_a_format_that_there_is_not_is_wrong_usage(cli: Cli, rules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USAGE_WATCH_LOG_FORMAT", "xml")
    ran = cli("run")
    assert ran.code == 2
    assert "USAGE_WATCH_LOG_FORMAT" in ran.err


def test_who_reads_the_log_no_more_ends_no_daemon(rules: Path, source: SimulatorServer, clock: SteppedClock) -> None:
    with subprocess.Popen(program("-v", "run"), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as daemon:
        assert daemon.stderr is not None
        daemon.stderr.readline()
        daemon.stderr.close()
        _go_on(source, clock)
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(30) == 0


def test_who_reads_the_log_not_now_holds_up_no_daemon(
    rules: Path, source: SimulatorServer, clock: SteppedClock
) -> None:
    theirs, ours = os.pipe()
    fcntl.fcntl(ours, fcntl.F_SETPIPE_SZ, 4096)
    with subprocess.Popen(program("-v", "run"), stderr=ours, stdout=subprocess.DEVNULL) as daemon:
        os.close(ours)
        _go_on(source, clock)
        with os.fdopen(theirs) as log:
            assert log.readline().split()[2] == "daemon.started"
            daemon.send_signal(signal.SIGTERM)
            assert "log.lost" in log.read()
        assert daemon.wait(30) == 0


def _go_on(source: SimulatorServer, clock: SteppedClock) -> None:
    """A day of cycles, of which each asks the source."""
    for hour in range(1, 25):
        asked = len(source.requests)
        clock.step(NOW + timedelta(hours=hour))
        assert eventually(lambda asked=asked: len(source.requests) > asked)
