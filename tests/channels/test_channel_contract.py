"""What holds for every channel kind."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from tests.channels.kinds import FAILURES, KINDS, Rig, unreachable
from tests.channels.samples import delivery, hostile, message, notice
from usage_watch.channels import AnyChannel, EmailSettings, LogSettings, SlackSettings, WebhookSettings
from usage_watch.channels.base import ChannelSettings, Verdict
from usage_watch.core.message import Reason
from usage_watch.secret import complaints


@pytest.fixture(params=KINDS)
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    with KINDS[request.param]() as opened:
        yield opened


@pytest.mark.parametrize("reason", set(Reason) - {Reason.UPDATED})
def test_a_message_arrives_once_and_says_so(rig: Rig, reason: Reason) -> None:
    attempt = rig.sender.send(delivery(message(notice(reason))))
    assert (attempt.verdict, attempt.detail, attempt.retry_after) == (Verdict.SENT, "", None)
    assert rig.arrived() == 1


def test_a_correction_is_no_message_where_it_can_be_made_in_place_and_a_fault_nowhere(rig: Rig) -> None:
    first = rig.sender.send(delivery())
    corrected = delivery(message(notice(Reason.UPDATED, looks_over=True)), ref=first.ref, id="ntf_2")
    attempt = rig.sender.send(corrected)
    assert (attempt.verdict, attempt.detail, attempt.ref) == (Verdict.SENT, "", first.ref)
    assert rig.arrived() == (1 if rig.edits else 2)


def test_a_test_arrives_as_every_message_does(rig: Rig) -> None:
    assert rig.sender.send(delivery(message(test=True))).verdict is Verdict.SENT
    assert rig.arrived() == 1


def test_a_channel_sends_more_than_one_message(rig: Rig) -> None:
    first = rig.sender.send(delivery())
    second = rig.sender.send(delivery(message(notice(Reason.RESOLVED)), ref=first.ref, id="ntf_2"))
    assert second.verdict is Verdict.SENT
    assert second.ref == first.ref
    assert rig.arrived() == 2


@pytest.mark.parametrize(
    ("name", "verdict"), [(name, verdict) for name, verdicts in FAILURES.items() for verdict in verdicts]
)
def test_a_failure_is_an_outcome_with_one_sentence_without_secrets(
    name: str, verdict: Verdict, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with KINDS[name]() as rig:
        rig.fail(verdict)
        attempt = rig.sender.send(delivery())
    assert attempt.verdict is verdict
    assert attempt.detail.endswith((".", "?"))
    assert attempt.detail.isprintable()
    assert attempt.retry_after == (timedelta(seconds=3) if verdict is Verdict.THROTTLED else None)
    shown = repr((attempt, rig.sender)) + caplog.text
    assert not any(secret in shown for secret in rig.secrets)


@pytest.mark.parametrize("name", KINDS.keys() - {"log"})
def test_after_a_failure_the_next_message_arrives(name: str) -> None:
    with KINDS[name]() as rig:
        rig.fail(Verdict.SERVER)
        assert rig.sender.send(delivery()).verdict is Verdict.SERVER
        rig.mend()
        before = rig.arrived()
        assert rig.sender.send(delivery()).verdict is Verdict.SENT
        assert rig.arrived() == before + 1


HOSTILE = [
    "\x1b[31m",
    "<!channel>",
    "=?utf-8?q?hi=0D=0AX-Evil=3A_1?=",
    "a\r\n.\r\nb",
    "\ud800",
    "",
    "\u202e",
    "é" * 9_000,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_stands_in_the_way_of_a_message(rig: Rig, text: str) -> None:
    for reason in Reason:
        assert rig.sender.send(delivery(hostile(text, reason))).verdict is Verdict.SENT


@pytest.mark.parametrize("name", KINDS.keys() - {"log"})
def test_nobody_there_is_not_sent(name: str) -> None:
    sender = unreachable()[name]
    attempt = sender.send(delivery())
    sender.close()
    assert attempt.verdict is Verdict.NOT_SENT
    assert attempt.detail.endswith(": the connection was refused.")


def test_closing_twice_harms_nothing(rig: Rig) -> None:
    rig.sender.close()
    rig.sender.close()


# Settings

WRITTEN: dict[type[ChannelSettings], dict[str, Any]] = {
    SlackSettings: {"kind": "slack", "token": {"env": "T"}, "channel": "#usage"},
    EmailSettings: {
        "kind": "email",
        "host": "smtp.example.com",
        "sender": "u@example.com",
        "recipients": ["a@example.com"],
    },
    WebhookSettings: {"kind": "webhook", "url": "https://hooks.example.com/x"},
    LogSettings: {"kind": "log"},
}
ANY: TypeAdapter[ChannelSettings] = TypeAdapter(AnyChannel)


@pytest.mark.parametrize(("kind", "written"), WRITTEN.items())
def test_the_kind_decides_what_it_is(kind: type[ChannelSettings], written: dict[str, Any]) -> None:
    assert type(ANY.validate_python(written)) is kind


@pytest.mark.parametrize("written", WRITTEN.values(), ids=lambda written: written["kind"])
def test_an_unknown_field_is_refused(written: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as refused:
        ANY.validate_python({**written, "colour": "red"})
    assert [loc[-1] for loc, _ in complaints(refused.value)] == ["colour"]


@pytest.mark.parametrize("kind", ["alertmanager", "pigeon", None])
def test_an_unknown_kind_is_refused(kind: object) -> None:
    with pytest.raises(ValidationError, match="kind"):
        ANY.validate_python({"kind": kind})


@pytest.mark.parametrize("kind", WRITTEN, ids=lambda kind: kind.__name__)
def test_editors_are_told_what_each_field_means(kind: type[ChannelSettings]) -> None:
    properties = kind.model_json_schema()["properties"]
    assert [name for name, field in properties.items() if not field.get("description")] == []


def test_only_machines_get_one_message_per_incident() -> None:
    assert {kind.__name__: kind.people for kind in WRITTEN} == {
        "SlackSettings": True,
        "EmailSettings": True,
        "WebhookSettings": False,
        "LogSettings": True,
    }


def test_only_an_app_of_slacks_corrects_in_place() -> None:
    hook = ANY.validate_python({"kind": "slack", "webhook_url": {"env": "W"}})
    assert [kind.__name__ for kind, written in WRITTEN.items() if ANY.validate_python(written).edits] == [
        "SlackSettings"
    ]
    assert not hook.edits


def test_knowing_the_kinds_costs_none_of_their_libraries() -> None:
    heavy = ["slack_sdk", "httpx", "smtplib", "http.client", "urllib.request"]
    program = f"import json, sys, usage_watch.channels; print(json.dumps([m for m in {heavy} if m in sys.modules]))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert json.loads(run.stdout) == []
