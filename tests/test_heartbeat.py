from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

import pytest

from tests.fakes.alertmanager import eventually
from tests.fakes.scripted_http import Answer, Drip, Flood, Hang, Raw, Reset
from tests.fakes.webhook_receiver import WebhookReceiver
from tests.listening import Heard, listening
from tests.web.talking import Ticks
from usage_watch.heartbeat import EVERY_SECONDS, Heartbeat
from usage_watch.secret import SecretRef

TOKEN = "kestrel-5b1c"


@dataclass
class Watched:
    receiver: WebhookReceiver
    heartbeat: Heartbeat
    ticks: Ticks
    heard: Heard

    def beat(self) -> None:
        """Another one, a minute later, and all that comes of it."""
        asked = len(self.receiver.requests)
        self.heartbeat.beat()
        assert eventually(lambda: len(self.receiver.requests) > asked)
        self.ticks.at += EVERY_SECONDS

    @property
    def log(self) -> list[tuple[str, object]]:
        return [(name, fields.get("error")) for name, fields in zip(self.heard.names, self.heard.fields, strict=True)]


@contextmanager
def watched(url: str | None = None, timeout: float = 5.0) -> Iterator[Watched]:
    """Leaving it waits for what is under way."""
    ticks = Ticks()
    with listening() as heard, WebhookReceiver() as receiver:
        environ = {"URL": url or receiver.url(f"/{TOKEN}")}
        with closing(Heartbeat(SecretRef(env="URL"), environ, ticks=ticks, timeout=timeout)) as heartbeat:
            yield Watched(receiver, heartbeat, ticks, heard)


def test_it_asks_the_address_once_a_minute() -> None:
    with watched() as found:
        found.beat()
        found.ticks.at -= 1
        for _ in range(5):
            found.heartbeat.beat()
        found.ticks.at += 1
        found.beat()
    assert [request.path for request in found.receiver.requests] == [f"/{TOKEN}"] * 2
    assert found.receiver.requests[0].headers["user-agent"].startswith("usage-watch/")
    assert found.log == []


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (Answer(404, TOKEN), "it answered 404"),
        (Answer(302, headers={"Location": f"/{TOKEN}"}), "it answered 302"),
        (Reset(), "the connection was lost"),
        (Raw(b"rubbish\r\n\r\n"), "the connection failed"),
    ],
)
def test_a_failure_is_said_once_and_that_it_is_over(step: object, why: str) -> None:
    with watched() as found:
        found.receiver.script.extend([step] * 2)  # type: ignore[list-item]
        for _ in range(4):
            found.beat()
            assert eventually(lambda: found.heartbeat._wanted.empty())
    assert found.log == [("heartbeat.failed", why), ("heartbeat.recovered", None)]
    assert len(found.receiver.requests) == 4
    assert TOKEN not in repr(found.heard.records) + repr(found.log)


@pytest.mark.parametrize("step", [Hang(), Drip(b"HTTP/1.1 200 OK\r\nX: ", b"x")])
def test_who_is_slow_is_given_up_and_holds_up_nothing(step: object) -> None:
    with watched(timeout=0.1) as found:
        found.receiver.script.append(step)  # type: ignore[arg-type]
        found.beat()
        for _ in range(5):
            found.heartbeat.beat()
            found.ticks.at += EVERY_SECONDS
        assert eventually(lambda: bool(found.log))
    assert found.log[0] == ("heartbeat.failed", "it did not answer in time")


def test_an_answer_without_end_is_not_read() -> None:
    with watched() as found:
        found.receiver.script.append(Flood())
        found.beat()
    assert found.log == []
    assert found.receiver.poured < 20_000_000


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("", "env URL is empty: write the secret there"),
        (f"http://hc.example.com/{TOKEN}", "plain http goes only to loopback and private addresses: write https://"),
        (f"ftp://{TOKEN}", "this is no web address: write it as https://host/path"),
        (f"http://127.0.0.1:9/{TOKEN}", "the connection was refused"),
    ],
)
def test_an_address_that_is_none_is_said_without_it(url: str, why: str) -> None:
    with watched(url or " ") as found:
        found.heartbeat.beat()
        assert eventually(lambda: bool(found.log))
    ((event, said),) = found.log
    assert (event, str(said).removeprefix("env URL: ")) == ("heartbeat.failed", why)
    assert TOKEN not in repr(found.log)


def test_closing_waits_for_nobody() -> None:
    before = threading.active_count()
    with watched(timeout=0.2) as found:
        found.receiver.script.append(Hang())
        found.beat()
    assert eventually(lambda: threading.active_count() == before)
