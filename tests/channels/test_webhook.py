from __future__ import annotations

import base64
import json
import logging
import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import pytest
import trustme
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from tests.channels.samples import EVIDENCE, NOON, PAGE, RULE, blind, delivery, message, notice
from tests.fakes.scripted_http import Answer, Drip, Flood, Hang, Request, Reset
from tests.fakes.webhook_receiver import WebhookReceiver
from usage_watch import __version__
from usage_watch.channels import AnyChannel, WebhookSettings
from usage_watch.channels.base import Attempt, Verdict
from usage_watch.channels.http import http_verdict
from usage_watch.channels.webhook import WebhookSender
from usage_watch.channels.webhook.body import webhook_body
from usage_watch.channels.webhook.signature import signing_key
from usage_watch.core.message import Reason
from usage_watch.errors import SecretError
from usage_watch.secret import complaints

unhurried = hypothesis_settings(deadline=None)

OLD, NEW = (
    f"whsec_{base64.b64encode(key).decode()}" for key in (b"the old key, 24 bytes...", b"the new key, 24 bytes...")
)


@pytest.fixture
def receiver() -> Iterator[WebhookReceiver]:
    with WebhookReceiver() as fake:
        yield fake


def sent(receiver: WebhookReceiver, timeout: float = 5.0, **changes: object) -> Attempt:
    sender = WebhookSender(receiver.url("/hook?team=7"), [b"key"], timeout=timeout)
    try:
        return sender.send(delivery(**changes))  # type: ignore[arg-type]
    finally:
        sender.close()


def settings(**written: object) -> WebhookSettings:
    written = {"kind": "webhook", "url": "https://hooks.example.com/x", **written}
    channel: object = TypeAdapter(AnyChannel).validate_python(written)
    assert isinstance(channel, WebhookSettings)
    return channel


# What is sent


def test_the_body_is_the_contract(receiver: WebhookReceiver) -> None:
    assert sent(receiver) == Attempt(Verdict.SENT)
    [request] = receiver.requests
    assert request.path == "/hook?team=7"
    assert request.json == {
        "version": 1,
        "id": "ntf_5e6f7a8b9c0d",
        "reason": "fired",
        "status": "firing",
        "severity": "critical",
        "rule": {
            "id": "hourly-credits",
            "kind": "threshold",
            "title": "hourly-credits",
            "runbook": "https://wiki.example.com/credits?a=1&b=2",
        },
        "incident": {
            "id": "inc_4f2a9c81d07be6a35c11",
            "labels": {},
            "part": None,
            "period": None,
            "started_at": "2026-11-22T12:00:00Z",
            "ended_at": None,
            "sequence": 1,
        },
        "dataset": "credit_usage",
        "bucket": "1h",
        "unit": "credits",
        "value": 12345,
        "limit": 10000,
        "score": None,
        "summary": "12,345 credits in 3 h, over the critical limit of 10,000",
        "facts": [
            {"name": "Usual for this hour", "value": "3,100 to 4,900"},
            {"name": "Limits", "value": "warning 5,000, critical 10,000"},
        ],
        "contributors": [
            {"axis": "Model", "category": "claude-opus-4-8", "change": 8800, "share": 0.71},
            {"axis": "Model", "category": "claude-sonnet-4-5", "change": 1240, "share": 0.1},
        ],
        "data_until": "2026-11-22T13:00:00Z",
        "sent_at": "2026-11-22T14:10:03Z",
    }


PAGED = message(page=PAGE)
URL = f"{PAGE}/alert?id=inc_4f2a9c81d07be6a35c11"


def test_where_there_is_a_page_the_body_has_a_link_and_else_not_even_its_key() -> None:
    plain, linked = (json.loads(webhook_body(delivery(said))) for said in (message(), PAGED))
    assert linked == {**plain, "url": URL}
    assert json.loads(webhook_body(delivery(PAGED, minimal=True)))["url"] == URL
    long = replace(PAGED, page=f"{PAGE}/{'x' * 200}")
    assert json.loads(webhook_body(delivery(long, minimal=True)))["url"] is None
    assert "url" not in json.loads(webhook_body(delivery(replace(PAGED, test=True))))


# The least


def keys(part: object) -> object:
    """The shape of a body: its keys, all the way down; of lists nothing."""
    return {name: keys(value) for name, value in part.items()} if isinstance(part, dict) else None


def test_the_least_has_every_key_of_the_contract_and_what_is_short_as_it_was() -> None:
    labelled = message(notice(labels={"Model": "claude-opus-4-8"}, part="team \t 1"))
    whole, least = (json.loads(webhook_body(delivery(labelled, minimal=minimal))) for minimal in (False, True))
    assert list(least) == list(whole)
    assert keys(least) == keys(whole)
    assert least == {**whole, "facts": [], "contributors": []}


@pytest.mark.parametrize(
    "text", ["x" * 9_000, "é" * 9_000, "🔴" * 9_000, '"' * 9_000, "\x01" * 9_000, "\ud800" * 9_000]
)
def test_the_least_of_a_huge_message_is_small(text: str) -> None:
    evidence = replace(EVIDENCE, unit=text, summary=text, after=text)
    labels = {f"{n}{text}": text for n in range(12)}
    rule = replace(RULE, title=text, runbook=f"https://example.com/{text}")
    huge = notice(Reason.CLOSED, evidence=evidence, labels=labels, rule=rule, part=text, note=text)
    body = webhook_body(delivery(message(huge), minimal=True))
    assert len(body) < 3_000
    least = json.loads(body)
    assert (least["facts"], least["contributors"], least["rule"]["runbook"]) == ([], [], None)
    assert least["summary"].endswith("…")
    assert 0 < len(least["incident"]["labels"]) <= 3
    assert least["id"] == "ntf_5e6f7a8b9c0d"


def test_a_repeat_is_the_same_body() -> None:
    assert webhook_body(delivery(unsure=True)) == webhook_body(delivery())


def test_of_a_webhooks_repeats_its_id_is_said(receiver: WebhookReceiver) -> None:
    sender = WebhookSender(receiver.url())
    try:
        assert sender.about_repeats(sender.send(delivery())) == "A repeat has the same webhook-id."
    finally:
        sender.close()


def test_the_keys_stand_in_the_order_of_the_contract() -> None:
    keys = "version id reason status severity rule incident dataset bucket unit value limit score summary facts"
    assert list(json.loads(webhook_body(delivery()))) == [*keys.split(), "contributors", "data_until", "sent_at"]


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        (Reason.FIRED, "firing"),
        (Reason.ESCALATED, "firing"),
        (Reason.RESOLVED, "resolved"),
        (Reason.CLOSED, "resolved"),
        (Reason.FIRED_AND_ENDED, "resolved"),
        (Reason.RETRACTED, "resolved"),
    ],
)
def test_machines_know_firing_and_resolved(reason: Reason, status: str) -> None:
    assert json.loads(webhook_body(delivery(message(notice(reason)))))["status"] == status


def test_the_body_says_why_an_incident_was_closed() -> None:
    body = json.loads(webhook_body(delivery(message(notice(Reason.CLOSED)))))
    assert body["facts"][0] == {"name": "Note", "value": "Its rule was removed or disabled."}
    assert body["incident"]["ended_at"] == "2026-11-22T19:00:00Z"


def test_the_body_says_what_turned_out_otherwise() -> None:
    body = json.loads(webhook_body(delivery(message(notice(Reason.RETRACTED)))))
    assert (body["reason"], body["status"], body["value"]) == ("retracted", "resolved", 12345)
    assert body["facts"][0]["value"].endswith("12,345 credits turned out to be 900 credits.")


def test_what_is_said_afterwards_comes_with_the_end() -> None:
    for reason in (Reason.RESOLVED, Reason.CLOSED, Reason.FIRED_AND_ENDED):
        facts = json.loads(webhook_body(delivery(message(blind(reason)))))["facts"]
        assert "Afterwards" in [fact["name"] for fact in facts]
    facts = json.loads(webhook_body(delivery(message(blind()))))["facts"]
    assert "Afterwards" not in [fact["name"] for fact in facts]


def test_a_correction_that_a_machine_should_never_get_still_says_how_it_stands() -> None:
    on, over = notice(Reason.UPDATED), notice(Reason.UPDATED, ended_at=NOON)
    assert [json.loads(webhook_body(delivery(message(each))))["status"] for each in (on, over)] == [
        "firing",
        "resolved",
    ]


def test_a_test_is_marked_so_that_no_pager_wakes_anybody() -> None:
    assert json.loads(webhook_body(delivery(message(test=True))))["test"] is True
    assert "test" not in json.loads(webhook_body(delivery()))


def test_numbers_are_whole_where_they_are_and_absent_where_they_are_none() -> None:
    odd = replace(EVIDENCE, value=float("inf"), limit=0.5, score=7.0)
    body = json.loads(webhook_body(delivery(message(notice(evidence=odd)))))
    assert (body["value"], body["limit"], body["score"]) == (None, 0.5, 7)


def test_a_budget_names_its_part_and_period() -> None:
    body = json.loads(webhook_body(delivery(message(notice(part="forecast", period_at=NOON)))))
    assert (body["incident"]["part"], body["incident"]["period"]) == ("forecast", "2026-11-22T12:00:00Z")


@unhurried
@given(st.text(), st.text())
def test_labels_reach_machines_as_they_are_but_for_halves_of_pairs(axis: str, category: str) -> None:
    body = json.loads(webhook_body(delivery(message(notice(labels={axis: category})))))
    whole = [text.encode("utf-8", "replace").decode() for text in (axis, category)]
    assert body["incident"]["labels"] == {whole[0]: whole[1]}


def test_the_headers_say_who_speaks_and_in_what(receiver: WebhookReceiver) -> None:
    sent(receiver)
    headers = receiver.requests[0].headers
    assert headers["user-agent"] == f"usage-watch/{__version__}"
    assert headers["content-type"] == "application/json"


# Signatures


def test_the_reference_library_verifies_old_and_new_key_while_they_are_replaced(receiver: WebhookReceiver) -> None:
    environ = {"OLD": OLD, "NEW": NEW}
    both = settings(url=receiver.url(), signing_secret=[{"env": "NEW"}, {"env": "OLD"}])
    sender = both.connect(environ)
    sender.send(delivery(sent_at=datetime.now(UTC)))
    sender.close()
    [request] = receiver.requests
    for secret in (OLD, NEW):
        assert Webhook(secret).verify(request.body, dict(request.headers))["id"] == "ntf_5e6f7a8b9c0d"
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + base64.b64encode(b"another").decode()).verify(request.body, dict(request.headers))
    with pytest.raises(WebhookVerificationError):
        Webhook(OLD).verify(request.body + b" ", dict(request.headers))


@pytest.mark.parametrize(
    ("ours", "accepted"),
    [
        (["OLD"], {OLD}),
        (["NEW", "OLD"], {OLD, NEW}),  # while the receiver changes over, whichever it has
        (["NEW"], {NEW}),
    ],
)
def test_a_secret_is_replaced_without_a_message_being_refused(
    receiver: WebhookReceiver, ours: list[str], accepted: set[str]
) -> None:
    written = [{"env": name} for name in ours]
    sender = settings(url=receiver.url(), signing_secret=written).connect({"OLD": OLD, "NEW": NEW})
    sender.send(delivery(sent_at=datetime.now(UTC)))
    sender.close()
    [request] = receiver.requests
    signatures = request.headers["webhook-signature"].split(" ")
    assert len(signatures) == len(set(signatures)) == len(ours)
    assert all(each.startswith("v1,") for each in signatures)
    assert {secret for secret in (OLD, NEW) if _accepts(secret, request)} == accepted


def _accepts(secret: str, request: Request) -> bool:
    try:
        Webhook(secret).verify(request.body, dict(request.headers))
    except WebhookVerificationError:
        return False
    return True


def test_a_secret_without_mark_is_its_own_bytes(receiver: WebhookReceiver) -> None:
    sender = settings(url=receiver.url(), signing_secret={"env": "RAW"}).connect({"RAW": "just a phrase"})
    sender.send(delivery(sent_at=datetime.now(UTC)))
    sender.close()
    [request] = receiver.requests
    Webhook(b"just a phrase").verify(request.body, dict(request.headers))


def test_a_message_keeps_its_id_on_every_attempt(receiver: WebhookReceiver) -> None:
    for attempt in (1, 2):
        sent(receiver, attempt=attempt)
    assert {request.headers["webhook-id"] for request in receiver.requests} == {"ntf_5e6f7a8b9c0d"}
    assert receiver.requests[0].json["id"] == "ntf_5e6f7a8b9c0d"


def test_without_a_secret_there_is_no_signature(receiver: WebhookReceiver) -> None:
    sender = settings(url=receiver.url()).connect({})
    assert sender.send(delivery()).verdict is Verdict.SENT
    sender.close()
    assert "webhook-signature" not in receiver.requests[0].headers


@pytest.mark.parametrize("secret", ["whsec_", "whsec_!!!", "whsec_abc def"])
def test_a_secret_that_is_no_base64_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(SecretError) as refused:
        signing_key(secret)
    assert "copy it anew" in str(refused.value)
    assert secret not in str(refused.value).replace("with whsec_ but", "")


def test_a_secret_without_its_padding_is_taken() -> None:
    assert signing_key("whsec_YWJjZA") == b"abcd"


# Outcomes


@pytest.mark.parametrize("status", [status for status in HTTPStatus if status >= 200])
def test_every_answer_has_the_class_of_its_status(receiver: WebhookReceiver, status: HTTPStatus) -> None:
    body = b"" if status in (204, 304) else b"<html>secret"
    receiver.script.append(Answer(status, body))
    attempt = sent(receiver)
    assert attempt.verdict is http_verdict(status)
    assert "html" not in attempt.detail


def test_the_wait_that_is_asked_for_is_handed_on(receiver: WebhookReceiver) -> None:
    receiver.script.append(Answer(429, headers={"Retry-After": "2.5"}))
    assert sent(receiver).retry_after == timedelta(seconds=2.5)


def test_redirects_are_not_followed(receiver: WebhookReceiver) -> None:
    receiver.script.append(Answer(307, headers={"Location": receiver.url("/elsewhere")}))
    assert sent(receiver).verdict is Verdict.CONFIGURATION
    assert len(receiver.requests) == 1


@pytest.mark.parametrize("fault", [Reset(), Hang()])
def test_silence_after_the_body_was_written_is_ambiguous(receiver: WebhookReceiver, fault: Reset | Hang) -> None:
    receiver.script.append(fault)
    attempt = sent(receiver, timeout=0.3)
    assert attempt.verdict is Verdict.AMBIGUOUS
    assert attempt.detail.startswith("The receiver may have got the message")
    assert len(receiver.requests) == 1


def test_an_answer_that_drips_ends_at_the_deadline(receiver: WebhookReceiver) -> None:
    receiver.script.append(Drip(b"HTTP/1.1 200 OK\r\n", b"X-Slow: 1\r\n"))
    assert sent(receiver, timeout=0.3) == Attempt(
        Verdict.AMBIGUOUS, "The receiver may have got the message: it did not answer in time."
    )


def test_a_body_that_drips_changes_nothing_about_its_status(receiver: WebhookReceiver) -> None:
    receiver.script.append(Drip(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n", b"x"))
    assert sent(receiver, timeout=0.3).verdict is Verdict.SENT


def test_a_body_without_end_is_not_read(receiver: WebhookReceiver) -> None:
    receiver.script.append(Flood())
    assert sent(receiver).verdict is Verdict.SENT
    assert receiver.poured < 2_000_000


def test_nobody_there_is_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    sender = WebhookSender(f"http://127.0.0.1:{port}/")
    assert sender.send(delivery()) == Attempt(
        Verdict.NOT_SENT, "The receiver was not reached: the connection was refused."
    )
    sender.close()


def test_a_name_that_is_none_is_not_sent() -> None:
    sender = WebhookSender("http://nobody.invalid/", timeout=2)
    assert sender.send(delivery()).verdict is Verdict.NOT_SENT
    sender.close()


def test_an_unknown_certificate_is_not_sent_and_says_what_to_do() -> None:
    with WebhookReceiver() as receiver:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
        receiver.encrypt(context)
        sender = WebhookSender(f"https://127.0.0.1:{receiver.port}/")
        attempt = sender.send(delivery())
        sender.close()
    assert attempt.verdict is Verdict.NOT_SENT
    assert "certificate could not be verified" in attempt.detail
    assert receiver.requests == []


def test_over_tls_a_hanging_receiver_is_cut_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    ca = trustme.CA()
    with WebhookReceiver() as receiver, ca.cert_pem.tempfile() as trusted:
        monkeypatch.setenv("SSL_CERT_FILE", trusted)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        ca.issue_cert("127.0.0.1").configure_cert(context)
        receiver.encrypt(context)
        receiver.script.extend([Answer(204), Drip(b"HTTP/1.1 200 OK\r\n", b"X-Slow: 1\r\n")])
        sender = WebhookSender(f"https://127.0.0.1:{receiver.port}/", timeout=0.3)
        verdicts = [sender.send(delivery()).verdict for _ in range(2)]
        sender.close()
    assert verdicts == [Verdict.SENT, Verdict.AMBIGUOUS]


def test_the_signing_key_reaches_no_log(receiver: WebhookReceiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    sender = settings(url=receiver.url(), signing_secret={"env": "OLD"}).connect({"OLD": OLD})
    sender.send(delivery())
    sender.close()
    assert OLD not in caplog.text
    assert "the old key" not in caplog.text


# Settings


def test_a_webhook_gets_one_notification_at_a_time() -> None:
    assert WebhookSettings.people is False


@pytest.mark.parametrize(
    "written",
    [
        {"url": "http://hooks.example.com/"},
        {"url": "https://me:pw@hooks.example.com/"},
        {"signing_secret": "literal"},
        {"signing_secret": []},
        {"timeout": 3},
    ],
)
def test_what_cannot_be_is_refused(written: dict[str, object]) -> None:
    with pytest.raises(ValidationError) as refused:
        settings(**written)
    [(_, sentence)] = complaints(refused.value)
    assert "pw" not in sentence


def test_a_missing_secret_is_told_when_the_channel_is_opened() -> None:
    with pytest.raises(SecretError, match="HOOK_SECRET"):
        settings(signing_secret={"env": "HOOK_SECRET"}).connect({})
