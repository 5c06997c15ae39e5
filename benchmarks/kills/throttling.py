"""A 429 with Retry-After, on the machine's clock: the message comes when that is over, and nothing at all before."""

from __future__ import annotations

import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path
from threading import Event

from kills.hearing import HELLO, Verdict
from kills.rounds import Round
from tests.fakes.scripted_http import Answer, Request, Step
from tests.fakes.slack_api import TOKEN, SlackApi, refusal
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.journeys.office import job
from usage_watch.quickened import own_environment
from usage_watch.simulator import DEFAULT_KEY, Scenario, SimulatorServer

WITHIN_S = 2.0
"""So long after the end of the wait the message is to be there."""
PATIENCE_S = 30.0
ASKED = (1.0, 2.5, 5.0, None)
"""Seconds; None: an HTTP date, three to four seconds on."""
_RULES = """\
source: {{api_key: {{file: "{key}"}}, base_url: "{source}", backfill: 2d}}
web: off
store: {{path: "{store}"}}
channels:
  target: {channel}
notify: [target]
rules:
  - {{id: first, kind: threshold, above: 2_000}}
  - {{id: second, kind: threshold, above: 3_000}}
"""


@dataclass(frozen=True, slots=True)
class Came:
    """One message that knocked."""

    id: str
    at: float
    """time.time(), before it was answered."""


class Throttle:
    """Answers the first message with a 429, and takes all that follow."""

    def __init__(self, seconds: float | None) -> None:
        self.came: list[Came] = []
        self.until = 0.0
        """time.time() before which nothing is to come."""
        self.done = Event()
        self._seconds = seconds

    def take(self, id: str) -> str | None:
        """Note a message; its Retry-After, or None where it is taken."""
        self.came.append(Came(id, time.time()))
        if len(self.came) == 1:
            return self._wait()
        if len({each.id for each in self.came[1:]}) == 2:
            self.done.set()
        return None

    def _wait(self) -> str:
        now = time.time()
        if self._seconds is not None:
            self.until = now + self._seconds
            return f"{self._seconds:g}"
        self.until = math.ceil(now + 3)
        return formatdate(self.until, usegmt=True)


class Hook(WebhookReceiver):
    """A webhook's receiver that is asked too much."""

    def __init__(self, throttle: Throttle) -> None:
        super().__init__()
        self._throttle = throttle

    @property
    def settings(self) -> str:
        return f'{{kind: webhook, url: "{self.url("/hook")}"}}'

    def respond(self, request: Request) -> Step:
        wait = self._throttle.take(request.headers["webhook-id"])
        return super().respond(request) if wait is None else Answer(429, "", {"Retry-After": wait})


class Slack(SlackApi):
    """Slack that is asked too much."""

    def __init__(self, throttle: Throttle) -> None:
        super().__init__()
        self._throttle = throttle

    @property
    def settings(self) -> str:
        return f'{{kind: slack, token: {{env: SLACK_TOKEN}}, channel: "#usage", base_url: "{self.base_url}"}}'

    def respond(self, request: Request) -> Step:
        if not request.path.startswith("/api/chat."):
            return super().respond(request)
        facts = request.json["metadata"]["event_payload"]
        if facts["reason"] == HELLO:
            return super().respond(request)
        wait = self._throttle.take(facts["id"])
        return super().respond(request) if wait is None else refusal("ratelimited", 429, **{"Retry-After": wait})


KINDS: dict[str, type[Hook] | type[Slack]] = {"webhook": Hook, "slack": Slack}


def play(numbers: Sequence[int], beside: int) -> Iterator[Round]:
    """Play these rounds, so many at a time."""
    with ThreadPoolExecutor(beside) as pool:
        yield from pool.map(retry_after, numbers)


def retry_after(number: int) -> Round:
    """Two messages are due at once; the first to come is told to wait, and so is the other."""
    kind, seconds = list(KINDS)[number % 2], ASKED[number // 2 % len(ASKED)]
    throttle = Throttle(seconds)
    variant = f"{kind} {'date' if seconds is None else f'{seconds:g} s'}"
    with (
        KINDS[kind](throttle) as receiver,
        tempfile.TemporaryDirectory() as folder,
        _daemon(Path(folder), receiver.settings),
    ):
        done = throttle.done.wait(PATIENCE_S)
        time.sleep(0.05)
    if not done:
        return Round(number, variant, Verdict(), broken=f"only {len(throttle.came)} messages came")
    return _weighed(Round(number, variant, Verdict()), throttle)


def _weighed(played: Round, throttle: Throttle) -> Round:
    refused, *later = throttle.came
    again = [each.at - throttle.until for each in later if each.id == refused.id]
    early = [each for each in later if each.at < throttle.until]
    words = [f"{each.id} came {throttle.until - each.at:.3f} s early" for each in early]
    words += [f"it came {at:.3f} s late" for at in again[:1] if at > WITHIN_S]
    verdict = Verdict(
        lost=0 if again else 1,
        surplus=len(later) - len({each.id for each in later}),
        misplaced=len(words),
        words=tuple(words) if again else ("what was refused never came again",),
    )
    return replace(played, verdict=verdict, facts={"late_s": round(again[0], 3)} if again else {})


@contextmanager
def _daemon(folder: Path, channel: str) -> Iterator[None]:
    """The daemon as users start it; something has been open for hours when it does."""
    now = datetime.now(UTC)
    midnight, hour = (
        now.replace(hour=0, minute=0, second=0, microsecond=0),
        now.replace(minute=0, second=0, microsecond=0),
    )
    runaway = job(hour - timedelta(hours=4), 12, 9_000)
    scenario = Scenario(1, midnight - timedelta(days=3), lag=None, quiet=True, runaways=(runaway,))
    with SimulatorServer(scenario) as source:
        rules, key = folder / "rules.yaml", folder / "key"
        key.write_text(DEFAULT_KEY)
        rules.write_text(_RULES.format(key=key, source=source.base_url, store=folder / "history.db", channel=channel))
        command = [sys.executable, "-m", "usage_watch", "--config", str(rules), "run"]
        environ = {**own_environment(), "SLACK_TOKEN": TOKEN}
        with subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                yield
            finally:
                process.kill()
