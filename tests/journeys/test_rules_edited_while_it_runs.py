"""The rules file is edited at night, well and badly, and the daemon that runs is called; and it is told to end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event

from tests.fakes.scripted_http import Answer, Request, Step
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.journeys.office import Office, job, opened
from usage_watch.quickened import own_environment
from usage_watch.simulator import Scenario

EVENING = datetime(2026, 11, 17, 20, 5, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 18, tzinfo=UTC)
RULE = "{id: runaway, kind: threshold, above: {warning: 2_000, critical: 40_000}}"
SECOND = "\n  - {id: second, kind: threshold, above: 2_500}"
LONG = 30.0


def eventually(found: Callable[[], bool]) -> bool:
    until = time.monotonic() + LONG
    while not found() and time.monotonic() < until:
        time.sleep(0.02)
    return found()


@contextmanager
def night(folder: Path, pager: WebhookReceiver | None = None) -> Iterator[Office]:
    """A job from midnight to nine."""
    story = Scenario(1, MIDNIGHT - timedelta(days=9), lag=None, quiet=True, runaways=(job(MIDNIGHT, 9, 3_000),))
    with opened(folder, story, EVENING, RULE, backfill="8d", pager=pager) as office:
        yield office


def edited(office: Office, before: str, after: str) -> None:
    """The file is changed, and the daemon called; it has read it when this returns."""
    rules = office.clock._path.with_name("rules.yaml")
    text = rules.read_text()
    assert before in text
    rules.write_text(text.replace(before, after))
    known = reads(office)
    os.kill(office.daemon.pid, signal.SIGHUP)
    assert eventually(lambda: reads(office) == known + 1), office.daemon.log
    until = office.clock.now()
    assert eventually(lambda: "cycle.done" in "".join(office.daemon.log).rpartition(" rules.re")[2]), office.daemon.log
    office.daemon.run_until(until)


def reads(office: Office) -> int:
    return sum(" rules.reloaded " in line or " rules.refused " in line for line in office.daemon.log)


def rules_told(office: Office) -> list[tuple[str, str]]:
    return [(each.json["reason"], each.json["rule"]["id"]) for each in office.pager.requests]


def test_a_night_of_edits(tmp_path: Path) -> None:
    with night(tmp_path) as office:
        office.start()
        office.daemon.run_until(MIDNIGHT + timedelta(hours=2))
        assert rules_told(office) == [("fired", "runaway")]

        edited(office, "kind: threshold", "kind: threshhold")
        office.daemon.run_until(MIDNIGHT + timedelta(hours=3))
        assert rules_told(office)[1:] == [("fired", "meta:config_rejected")]

        edited(office, RULE.replace("threshold", "threshhold"), RULE + SECOND)
        office.daemon.run_until(MIDNIGHT + timedelta(hours=4))
        assert sorted(rules_told(office)[2:]) == [("fired", "second"), ("resolved", "meta:config_rejected")]

        edited(office, SECOND, "")
        office.daemon.run_until(MIDNIGHT + timedelta(hours=5))
        assert rules_told(office)[4:] == [("closed", "second")]

        office.daemon.run_until(MIDNIGHT + timedelta(hours=60))
        rest = rules_told(office)[5:]
        assert rest == [("reminder", "runaway"), ("resolved", "runaway")]
        fired, reminder = (datetime.fromisoformat(office.pager.requests[at].json["sent_at"]) for at in (0, 5))
        assert timedelta(hours=24) <= reminder - fired < timedelta(hours=24, minutes=1), "no timer began anew"
        assert office.told == (7, 7, 7)
        assert office.daemon.stop() == 0


def reload(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "usage_watch", "--config", str(folder / "rules.yaml"), "reload"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=own_environment(), check=False)


def test_the_command_says_what_became_of_it(tmp_path: Path) -> None:
    with night(tmp_path) as office:
        lonely = reload(tmp_path)
        assert (lonely.returncode, lonely.stderr.count("\n")) == (5, 1)
        assert "no daemon watches into" in lonely.stderr
        office.start()
        office.daemon.run_until(EVENING)
        rules = tmp_path / "rules.yaml"
        good = rules.read_text()
        rules.write_text(good.replace("id: runaway", "id: walkaway"))
        assert (found := reload(tmp_path)).returncode == 0, found.stderr
        assert found.stdout == "1 rule: 1 new (walkaway), 1 gone (runaway).\n"
        rules.write_text(good.replace("kind: threshold", "kind: threshhold"))
        bad = reload(tmp_path)
        assert (bad.returncode, bad.stdout) == (2, "")
        assert bad.stderr.splitlines()[0].endswith("did you mean threshold?")
        assert bad.stderr.splitlines()[1] == ("usage-watch: the rules file was not taken up; the rules of before hold.")


def test_a_file_that_does_not_even_say_where_its_database_is_shows_its_faults(tmp_path: Path) -> None:
    with night(tmp_path) as office:
        office.start()
        office.daemon.run_until(EVENING)
        rules = tmp_path / "rules.yaml"
        rules.write_text(rules.read_text() + "rules: [")
        bad = reload(tmp_path)
        assert bad.returncode == 2
        assert bad.stderr.startswith(f"{rules}:")
        assert "no daemon watches into usage-watch.db. Mend the file" in bad.stderr


def test_one_cycle_alone_is_not_called(tmp_path: Path) -> None:
    """SIGHUP would end it with a message in hand."""
    with night(tmp_path, pager := Hanging()) as office:
        office.clock.step(MIDNIGHT + timedelta(hours=2))
        command = [*office.daemon._command, "--once"]
        with subprocess.Popen(command, env=office.daemon._environ, stderr=subprocess.DEVNULL) as once:
            assert pager.asked.wait(LONG)
            refused = reload(tmp_path)
            pager.over.set()
            assert (refused.returncode, refused.stderr.count("\n")) == (5, 1)
            assert f"process {once.pid}, which has the database now, is no daemon" in refused.stderr
            assert once.wait(LONG) == 0


# ---- being told to end ----------------------------------------------------------------------------------------------


class Hanging(WebhookReceiver):
    """Has the message, and does not answer."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.over = Event(), Event()

    def respond(self, request: Request) -> Step:
        self.asked.set()
        self.over.wait(LONG)
        return Answer(204)


def test_it_ends_though_a_receiver_hangs_and_sends_again_with_the_same_id(tmp_path: Path) -> None:
    with night(tmp_path, pager := Hanging()) as office:
        office.start()
        office.clock.step(MIDNIGHT + timedelta(hours=2))
        assert pager.asked.wait(LONG)
        assert office.daemon.stop() == 0
        pager.over.set()
        office.start()
        office.daemon.run_until(MIDNIGHT + timedelta(hours=3))
        assert len({each.headers["webhook-id"] for each in pager.requests}) == 1
        assert len(pager.requests) == 2
