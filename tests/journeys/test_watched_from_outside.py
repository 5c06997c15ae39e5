"""The real daemon, watched over HTTP while cycles run, while its loop hangs and while all of it stands."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any

import httpx
import pytest

from tests.cli.office import NOW, scenario
from tests.fakes.alertmanager import eventually
from tests.fakes.analytics_faults import AnalyticsFaults, Drip, Seen
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.web.promtool import lint, require
from tests.web.talking import LONG, Ticks
from usage_watch import daemon
from usage_watch.calls import Calls
from usage_watch.clock import STEPPED, SteppedClock
from usage_watch.config import load
from usage_watch.cycle import Cycle
from usage_watch.observer import Observer
from usage_watch.simulator import DEFAULT_KEY, SimulatorServer
from usage_watch.store.database import open_for_writing
from usage_watch.vitals import LATE_AFTER, Vitals
from usage_watch.web.hosts import Hosts
from usage_watch.web.pages import pages
from usage_watch.web.server import WebServer

RULES = """\
source: {{base_url: "{source}", backfill: 6d}}
store: {{path: "{folder}/usage.db"}}
web: {{listen: 127.0.0.1:0}}
heartbeat: {{url: {{env: HEARTBEAT}}}}
channels:
  "pager": {{kind: webhook, url: "{hook}"}}
notify: [pager]
rules:
  - {{id: runaway, kind: threshold, window: 3h, above: {{warning: 2_000, critical: 40_000}}}}
  - {{id: heavy-day, kind: threshold, for_each: member, above: 5_000}}
  - {{id: cycle, kind: budget, limit: 20_000}}
"""
TOKEN = "kestrel-9d"


@dataclass
class Running:
    """A daemon of its own, on a clock that stands until it is stepped."""

    process: subprocess.Popen[str]
    url: str
    clock: SteppedClock
    rules: Path
    pager: WebhookReceiver
    heard: WebhookReceiver
    source: SimulatorServer
    log: list[str]

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, trust_env=False, timeout=LONG)

    def metrics(self) -> dict[str, float]:
        text = self.get("/metrics").text
        return {name: float(value) for name, value in re.findall(r"^(usage_watch\S+?(?:\{.*\})?) (\S+)$", text, re.M)}

    def health(self) -> tuple[int, str]:
        command = [sys.executable, "-m", "usage_watch", "health", "--address", self.url.removeprefix("http://")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def turn(self, after: timedelta) -> None:
        polls, turns = self.polls, self.turns
        self.clock.step(self.clock.now() + after)
        assert eventually(lambda: self.polls > polls and self.turns > turns), self.log

    @property
    def polls(self) -> float:
        return self.metrics().get('usage_watch_polls_total{feed="credit_usage 1h",outcome="success"}', 0)

    @property
    def turns(self) -> float:
        return self.metrics().get("usage_watch_cycle_seconds_count", 0)


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    clock = SteppedClock(folder / "clock")
    clock.step(NOW)
    rules = folder / "rules.yaml"
    with (
        SimulatorServer(scenario(), now=clock.now) as source,
        WebhookReceiver() as pager,
        WebhookReceiver() as heard,
    ):
        rules.write_text(RULES.format(source=source.base_url, hook=pager.url("/hook"), folder=folder))
        environ = {
            **os.environ,
            STEPPED: str(folder / "clock"),
            "PERPLEXITY_ANALYTICS_API_KEY": DEFAULT_KEY,
            "HEARTBEAT": heard.url(f"/{TOKEN}"),
            "NO_PROXY": "*",
        }
        command = [sys.executable, "-m", "usage_watch", "--config", str(rules), "run"]
        with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
            log: list[str] = []
            follower = Thread(target=lambda: log.extend(process.stderr or ()))
            follower.start()
            try:
                assert eventually(lambda: bool(_listening(log)) or process.poll() is not None), log
                yield Running(process, _listening(log)[0], clock, rules, pager, heard, source, log)
            finally:
                process.send_signal(signal.SIGCONT)
                process.terminate()
                process.wait(LONG)
                follower.join()


def _listening(log: list[str]) -> list[str]:
    return re.findall(r" web\.listening url=(\S+)", "".join(log))


@pytest.fixture
def found(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as started:
        yield started


def test_it_is_scraped_while_cycles_run_and_ends_in_order(found: Running) -> None:
    assert eventually(lambda: found.turns > 0)
    assert found.get("/readyz").text == "ready\n"
    assert lint(found.get("/metrics").content) == ""
    for _ in range(4):
        found.turn(timedelta(minutes=15))
    assert found.polls == 5
    assert eventually(lambda: found.metrics()['usage_watch_outbox_pending{channel="pager"}'] == 0), found.log
    after = found.metrics()
    assert after["usage_watch_last_turn_timestamp_seconds"] == (NOW + timedelta(hours=1)).timestamp()
    assert after['usage_watch_alerts{rule="runaway",severity="warning",state="firing"}'] == 1
    assert after['usage_watch_notifications_total{channel="pager",outcome="sent"}'] == len(found.pager.requests)
    assert after["usage_watch_outbox_oldest_seconds"] == 0
    assert after['usage_watch_budget_limit{rule="cycle"}'] == 20_000
    assert after['usage_watch_budget_spent{rule="cycle"}'] > 20_000
    assert "@" not in found.get("/metrics").text, "members are no labels"
    assert eventually(lambda: len(found.heard.requests) == 1), "once a minute, of real time"
    code, said = found.health()
    assert (code, re.sub(r"\d+ s", "… s", said)) == (0, re.sub(r"\d+ s", "… s", found.get("/healthz").text))
    found.process.terminate()
    assert found.process.wait(LONG) == 0
    assert TOKEN not in "".join(found.log)


def test_a_process_that_stands_does_not_live(found: Running) -> None:
    assert eventually(lambda: found.turns > 0)
    found.process.send_signal(signal.SIGSTOP)
    code, said = found.health()
    assert (code, said.rpartition(":")[0].partition(": ")[0]) == (5, "usage-watch")
    assert "it does not answer" in said
    found.process.send_signal(signal.SIGCONT)
    assert eventually(lambda: found.health()[0] == 0)


def test_a_second_daemon_on_the_same_port_ends_with_5(found: Running, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    text = found.rules.read_text().replace("usage.db", "other.db")
    other.write_text(text.replace("127.0.0.1:0}", f"{found.url.removeprefix('http://')}}}"))
    done = subprocess.run(
        [sys.executable, "-m", "usage_watch", "--config", str(other), "run"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 5
    assert re.fullmatch(
        r"usage-watch: cannot listen on 127\.0\.0\.1 port \d+: another program does; stop that, or write another "
        r"`listen` \(or `web: off`\) in the rules file\.",
        done.stderr.splitlines()[-1],
    )


def test_one_cycle_alone_serves_nothing(found: Running, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    text = found.rules.read_text().replace("usage.db", "other.db")
    other.write_text(text.replace("127.0.0.1:0}", f"{found.url.removeprefix('http://')}}}"))
    environ = {**os.environ, "PERPLEXITY_ANALYTICS_API_KEY": DEFAULT_KEY, STEPPED: str(tmp_path / "clock")}
    command = [sys.executable, "-m", "usage_watch", "--config", str(other), "-v", "run", "--once"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environ)
    assert (done.returncode, "web.listening" in done.stderr) == (0, False)


def test_a_loop_that_hangs_is_late_while_its_server_answers(tmp_path: Path) -> None:
    """A source that says nothing for longer than is in time: its answer has 30 s, so here the ticks go faster."""
    ticks, asked, stop = Ticks(), Event(), Calls()
    clock = SteppedClock(tmp_path / "clock")
    clock.step(NOW)

    def silence(seen: Seen) -> Drip:
        asked.set()
        return Drip()

    rules, database_path = tmp_path / "rules.yaml", tmp_path / "usage.db"
    environ: dict[str, Any] = {"PERPLEXITY_ANALYTICS_API_KEY": DEFAULT_KEY}
    with AnalyticsFaults(silence) as source:
        rules.write_text(RULES.format(source=source.url, hook="http://127.0.0.1:9/", folder=tmp_path))
        vitals = Vitals(NOW, ticks)

        def loop() -> None:
            config = load(rules)
            with (
                open_for_writing(database_path) as database,
                Cycle(config, database, clock, stop, environ) as cycle,
            ):
                daemon.run(cycle, clock, stop, Observer(vitals, config, database, clock))

        thread = Thread(target=loop)
        thread.start()
        with WebServer("127.0.0.1", 0, Hosts(), pages(vitals, database_path, "1", clock.now)) as server:

            def status(path: str) -> int:
                return httpx.get(server.url + path, trust_env=False, timeout=LONG).status_code

            assert asked.wait(LONG)
            ticks.at += LATE_AFTER
            assert status("/healthz") == 200
            ticks.at += 1
            assert (status("/healthz"), status("/readyz"), status("/metrics")) == (503, 503, 200)
            stop.set()
            source.__exit__()  # the connection is reset: the answer failed, and the loop goes on
            thread.join(LONG)
            assert (status("/healthz"), status("/readyz")) == (200, 200)


PROMETHEUS = """\
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: ["{rules}"]
scrape_configs:
  - job_name: usage-watch
    static_configs: [{{targets: ["{target}"]}}]
"""


@pytest.mark.skipif(os.environ.get("CI_DEBIAN") != "1", reason="a real Prometheus takes ten seconds: CI_DEBIAN=1")
def test_debians_prometheus_scrapes_it_and_evaluates_its_rules(found: Running, tmp_path: Path) -> None:
    program = require("prometheus")
    shipped = Path(__file__).parents[2] / "deploy" / "prometheus" / "usage-watch.rules.yml"
    config = tmp_path / "prometheus.yml"
    config.write_text(PROMETHEUS.format(rules=shipped, target=found.url.removeprefix("http://")))
    command = [program, f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'tsdb'}"]
    with (tmp_path / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([*command, "--web.listen-address=127.0.0.1:0"], stdout=log, stderr=log)
        try:
            at = re.compile(r"msg=\"Listening on\" address=(\S+)")
            path = tmp_path / "prometheus.log"
            assert eventually(lambda: at.search(path.read_text()) is not None), path.read_text()
            listening = at.search(path.read_text())
            assert listening is not None
            api = f"http://{listening[1]}/api/v1"

            def query(what: str) -> list[Any]:
                found = httpx.get(f"{api}/query", params={"query": what}, trust_env=False, timeout=LONG).json()
                return [each["metric"] for each in found["data"]["result"]]

            # It listens before it answers.
            ready = f"http://{listening[1]}/-/ready"
            assert eventually(lambda: httpx.get(ready, trust_env=False, timeout=LONG).is_success)
            began = time.monotonic()
            assert eventually(lambda: bool(query('usage_watch_alerts{rule="runaway"}')))
            print(f"first sample after {time.monotonic() - began:.1f} s")
            (metric,) = query("usage_watch_build_info")
            assert metric["job"] == "usage-watch"
            assert query('up{job="usage-watch"} == 1')
            groups = httpx.get(f"{api}/rules", trust_env=False).json()["data"]["groups"]
            assert eventually(
                lambda: all(
                    rule["health"] == "ok"
                    for group in httpx.get(f"{api}/rules", trust_env=False).json()["data"]["groups"]
                    for rule in group["rules"]
                )
            ), groups
        finally:
            process.terminate()
            process.wait(LONG)
