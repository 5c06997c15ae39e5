"""`usage-watch demo`: the story of one night, told by the real program in its real messages."""

from __future__ import annotations

import re
import socket
import tempfile
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from usage_watch.cli.common.stopping import stoppable
from usage_watch.core.listening import DEFAULT, split_listen

if TYPE_CHECKING:
    from usage_watch.clock import SteppedClock
    from usage_watch.quickened import QuickenedDaemon
    from usage_watch.simulator import Scenario

ZONE = ZoneInfo("Europe/Berlin")
EVENING = datetime(2026, 11, 19, 18, 0, tzinfo=ZONE)
"""A Thursday; the same night each time, so that people can talk about it."""
_LISTENING = re.compile(r" web\.listening .*url=(\S+)")
WIDTH = 80
MARGIN = " " * len("Thu 18:00  ")

RULES = """\
timezone: Europe/Berlin
billing_day: 24
source: {{base_url: "{base_url}", poll_every: 30m}}
store: {{path: "{store}"}}
web: off
channels:
  screen: {{kind: log}}
notify: [screen]
rules:
  - {{id: credits-cycle, kind: budget, limit: 440_000,
     levels: {{warning: 80%, critical: 100%}}}}
  - {{id: runaway, kind: threshold, window: 3h,
     above: {{warning: 6_000, critical: 12_000}}}}
  - {{id: opus-share, kind: threshold, where: {{Model: "claude-opus-*"}},
     statistic: share, window: 6h, above: 92%}}
  - {{id: unusual-hour, kind: zscore, for_each: Model}}
"""


@dataclass(frozen=True, slots=True)
class Beat:
    """Something that happens in the story."""

    at: datetime
    said: str
    act: Callable[[QuickenedDaemon], None] | None = None


@click.command()
@click.option("--serve", is_flag=True, help="Then keep its status page open, until Ctrl-C.")
def demo(serve: bool) -> None:
    """Watch one night at a made-up organization: no key, no network, a few seconds."""
    from usage_watch.clock import SteppedClock
    from usage_watch.quickened import QuickenedDaemon, own_environment
    from usage_watch.simulator import DEFAULT_KEY, SimulatorServer

    _say(
        "usage-watch demo: one night at a made-up organization of 40 people, told by the\n"
        "real daemon on a quickened clock. Only the analytics API is simulated; history,\n"
        "rules and messages are real.\n"
    )
    with tempfile.TemporaryDirectory(prefix="usage-watch-demo-") as folder:
        clock_file, rules = Path(folder, "clock"), Path(folder, "rules.yaml")
        clock = SteppedClock(clock_file)
        clock.step(EVENING)
        environ = {**own_environment(), "PERPLEXITY_ANALYTICS_API_KEY": DEFAULT_KEY}
        with SimulatorServer(_scenario(), now=clock.now) as server:
            written = RULES.format(base_url=server.base_url, store=Path(folder, "usage-watch.db"))
            rules.write_text(written.replace("web: off", f"web: {{listen: '{_listen()}'}}") if serve else written)
            _say(f"Its rules:\n\n{_shown_rules()}")
            with QuickenedDaemon(rules, clock, clock_file, environ) as daemon:
                for beat in _story():
                    if beat.at > clock.now():
                        daemon.run_until(beat.at)
                    _say(f"\n{beat.at:%a %H:%M}  {_wrapped(beat.said)}")
                    if beat.act is not None:
                        beat.act(daemon)
                _say(_end(len(server.requests)))
                if serve:
                    _keep_open(daemon, clock)


def _scenario() -> Scenario:
    """Ninety days of work, and a job that loops from one to six in the morning while the source syncs late."""
    from usage_watch.simulator import Runaway, Scenario, SyncLag, SyncStop

    one = EVENING.replace(hour=1) + timedelta(days=1)
    return Scenario(
        seed=1,
        start_at=datetime(2026, 8, 20, tzinfo=ZoneInfo("UTC")),
        lag=SyncLag(),
        runaways=(Runaway("priya.nair@example.com", "claude-opus-4-8", one, 5, 7_000),),
        stops=(SyncStop(one + timedelta(hours=3, minutes=30), one + timedelta(hours=5, minutes=30)),),
    )


def _story() -> list[Beat]:
    night = EVENING.replace(minute=0) + timedelta(days=1)
    return [
        Beat(
            EVENING,
            "The daemon starts for the first time, reads 90 days of history and says what it watches. What had ended "
            "before it came is history; what is open now, it tells, once.",
            _start,
        ),
        Beat(
            night.replace(hour=1),
            "Everybody sleeps. A job of priya.nair@ begins to loop on claude-opus-4-8, at 7,000 credits an hour. The "
            "source syncs up to 90 minutes late, and does not say so.",
        ),
        Beat(
            night.replace(hour=3, minute=40),
            "kill -9: the daemon dies, in the worst hour of the night. It is started again, as systemd would do it, "
            "and tells nothing twice.",
            _crash,
        ),
        Beat(
            night.replace(hour=4, minute=30),
            'The source stops syncing for two hours. Zeros come, and end nothing: a zero may mean "not yet".',
        ),
        Beat(night.replace(hour=6), "The job is stopped. Its last hour is yet to be synced."),
        Beat(night.replace(hour=9), "People come to work and read what the night has left them. The day goes on."),
        Beat(
            night.replace(hour=21),
            "Evening. An end is only told once its hours have settled, so that nothing has to be taken back.",
        ),
    ]


def _start(daemon: QuickenedDaemon) -> None:
    daemon.start(_print_message)


def _crash(daemon: QuickenedDaemon) -> None:
    daemon.kill()
    daemon.start(_print_message)


def _print_message(line: str) -> None:
    """A message as the log channel prints it, but tighter: a blank line only before each."""
    if line and not line[0].isascii():
        _say("")
    for piece in textwrap.wrap(line, WIDTH - 8, subsequent_indent="  ", break_on_hyphens=False):
        _say(f"    │ {piece}")


def _listen() -> str:
    """The daemon's own address, or any port that is free where another program has that one."""
    host, port = split_listen(DEFAULT)
    with socket.socket() as tried:
        # As the daemon does it: what was open there a moment ago is not in its way.
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError:
            return f"{host}:0"
    return DEFAULT


def _keep_open(daemon: QuickenedDaemon, clock: SteppedClock) -> None:
    """Until somebody ends it. From the story's evening time goes on by itself: a daemon that stands still is late."""
    with stoppable() as stop:
        clock.go_on()
        _say(f"Its status page is open at {_url(daemon.log)}/ and goes on from that evening; Ctrl-C ends it.")
        stop.wait()


def _url(log: Sequence[str]) -> str:
    """Where it listens since its last start."""
    return [found[1] for line in log if (found := _LISTENING.search(line))][-1]


def _shown_rules() -> str:
    """The rules file as the daemon reads it, but for what only this machine needs."""
    lines = RULES.format(base_url="", store="").splitlines()
    return "".join(f"    {line}\n" for line in lines if not line.startswith(("source", "store", "web")))


def _wrapped(text: str) -> str:
    """As wide as a terminal, beside the time."""
    return textwrap.fill(text, WIDTH, initial_indent=MARGIN, subsequent_indent=MARGIN, break_on_hyphens=False)[
        len(MARGIN) :
    ]


def _end(requests: int) -> str:
    return f"""
That was {requests} requests, one SIGKILL and a sync that stopped: nothing lost, nothing
told twice. What to do next:

    export PERPLEXITY_ANALYTICS_API_KEY=…
                          an admin makes it: Settings → Organization → Computer
    usage-watch init      a few questions, and a rules.yaml of ten lines
    usage-watch check     every fault at its line, before anything runs
    usage-watch run       the daemon
"""


def _say(text: str) -> None:
    click.echo(text)
