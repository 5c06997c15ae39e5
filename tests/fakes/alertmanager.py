"""Debian's real Alertmanager on loopback, and who it notifies."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest

from tests.fakes.webhook_receiver import WebhookReceiver

PROGRAM = "prometheus-alertmanager"
LONG = 20.0
"""Seconds after which a test that hangs is over."""

CONFIG = """\
route: {{receiver: hook, group_by: [...], group_wait: 50ms, group_interval: 200ms, repeat_interval: 4h}}
receivers: [{{name: hook, webhook_configs: [{{url: "{hook}"}}]}}]
"""
"""Each alert is a group of its own, and looked at five times a second."""

_LOOKS = re.compile(r"^(?:alertmanager_nflog_queries_total|alertmanager_silences_queries_total) (\S+)$", re.MULTILINE)


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether it comes true in time."""
    end = time.monotonic() + LONG
    while not holds():
        if time.monotonic() > end:
            return False
        Event().wait(0.02)
    return True


@dataclass
class Alertmanager:
    """It runs, and posts what it has to say to a receiver."""

    url: str
    receiver: WebhookReceiver

    def heard(self) -> list[str]:
        """Everything that the receiver was told, in order: `firing critical`, `resolved critical`."""
        return [
            f"{alert['status']} {alert['labels']['severity']}"
            for request in self.receiver.requests
            for alert in request.json["alerts"]
        ]

    def told(self, *expected: str) -> bool:
        """Whether the receiver hears just that, and nothing more in several looks at all alerts."""
        if not eventually(lambda: len(self.heard()) >= len(expected)):
            return False
        looks = self._looks()
        return eventually(lambda: self._looks() >= looks + 4) and self.heard() == [*expected]

    def quiet(self) -> bool:
        """Whether nothing was told, though alerts are looked at."""
        return self.told()

    def silence(self, start: str, end: str, **labels: str) -> str:
        """Silence alerts; answers the id."""
        matchers = [{"name": name, "value": value, "isRegex": False} for name, value in labels.items()]
        body = {"matchers": matchers, "startsAt": start, "endsAt": end, "createdBy": "ana", "comment": "known"}
        said = httpx.post(self.url + "/api/v2/silences", json=body, trust_env=False).raise_for_status()
        return str(said.json()["silenceID"])

    def unsilence(self, id: str) -> None:
        httpx.delete(f"{self.url}/api/v2/silence/{id}", trust_env=False).raise_for_status()

    def alerts(self) -> list[dict[str, Any]]:
        """What it holds to be going on."""
        found = httpx.get(self.url + "/api/v2/alerts", trust_env=False).raise_for_status()
        return [dict(each) for each in found.json()]

    def _looks(self) -> float:
        """How often it has looked whether to tell something, of groups and silences."""
        text = httpx.get(self.url + "/metrics", trust_env=False).text
        return sum(float(found) for found in _LOOKS.findall(text))


def require_alertmanager() -> str:
    """Its path. Where it is not installed the test is skipped, unless this is the project's own run of all checks."""
    path = shutil.which(PROGRAM)
    if path is None:
        why = f"{PROGRAM} is not installed: apt-get install {PROGRAM}"
        (pytest.fail if os.environ.get("CI_DEBIAN") == "1" else pytest.skip)(why)
    return path


@contextmanager
def running_alertmanager(folder: Path) -> Iterator[Alertmanager]:
    """Start it with its data below `folder`; it is ended whatever happens."""
    program = require_alertmanager()
    with WebhookReceiver() as receiver, (folder / "alertmanager.log").open("wb") as log:
        config = folder / "alertmanager.yml"
        config.write_text(CONFIG.format(hook=receiver.url("/hook")))
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        options = [f"--config.file={config}", f"--storage.path={folder / 'data'}", "--cluster.listen-address="]
        process = subprocess.Popen(
            [program, *options, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=subprocess.STDOUT
        )
        url = f"http://127.0.0.1:{port}"
        try:
            assert eventually(lambda: _ready(url)), (folder / "alertmanager.log").read_text()
            yield Alertmanager(url, receiver)
        finally:
            process.terminate()
            process.wait(LONG)


def _ready(url: str) -> bool:
    try:
        return httpx.get(url + "/-/ready", trust_env=False).status_code == 200
    except httpx.TransportError:
        return False
