from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from tests.channels.samples import EVIDENCE, delivery, greeting, hostile, member_day, message, notice
from tests.fakes.scripted_http import Answer, Drip, Hang, Reset, Step
from tests.fakes.slack_api import HOOK, TOKEN, SlackApi, refusal, texts
from usage_watch.channels import AnyChannel, SlackSettings
from usage_watch.channels.base import Attempt, Verdict
from usage_watch.channels.slack import SlackApp, SlackHook
from usage_watch.core.message import Delivery, Fact, Reason, Severity
from usage_watch.core.wording import news, standing
from usage_watch.errors import SecretError
from usage_watch.secret import complaints


@pytest.fixture
def slack() -> Iterator[SlackApi]:
    with SlackApi() as fake:
        yield fake


def app(slack: SlackApi, channel: str = "#usage", timeout: float = 5.0) -> SlackApp:
    return SlackApp(TOKEN, channel, base_url=slack.base_url, timeout=timeout)


def begun(slack: SlackApi) -> str:
    """A conversation that is on; its reference."""
    attempt = app(slack).send(delivery())
    assert attempt.verdict is Verdict.SENT
    assert attempt.ref is not None
    return attempt.ref


def patience(step: Step) -> float:
    """A time-out in seconds: short only where it is waited for."""
    return 0.3 if isinstance(step, Hang) else 5.0


# The life of an alert


def test_the_first_message_is_posted_and_its_place_remembered(slack: SlackApi) -> None:
    assert app(slack).send(delivery()) == Attempt(Verdict.SENT, ref="C0USAGE/1700000000.000001")
    assert slack.calls == ["chat.postMessage"]


def test_a_greeting_is_posted_in_one_small_block_and_corrects_nothing(slack: SlackApi) -> None:
    ref = app(slack).send(delivery(greeting())).ref
    assert (slack.calls, ref) == (["chat.postMessage"], "C0USAGE/1700000000.000001")
    (posted,) = slack.messages.values()
    assert [block["type"] for block in posted.payload["blocks"]] == ["rich_text"]
    assert posted.metadata == {
        "event_type": "usage_watch_alert",
        "event_payload": {"id": delivery().id, "reason": "hello"},
    }


def test_a_greeting_whose_answer_was_lost_is_looked_up(slack: SlackApi) -> None:
    first = app(slack).send(delivery(greeting()))
    again = app(slack).send(replace(delivery(greeting()), attempt=2, unsure=True))
    assert (len(slack.messages), again.ref) == (1, first.ref)


def test_where_it_cannot_be_looked_up_a_greeting_says_that_it_may_be_a_repeat(slack: SlackApi) -> None:
    for minimal in (False, True):
        SlackHook(slack.hook_url).send(replace(delivery(greeting()), unsure=True, minimal=minimal))
    whole, least = (request.json for request in slack.requests)
    assert "may be a repeat" in "".join(texts(whole["blocks"]))
    assert "blocks" not in least
    assert least["text"].endswith("(may be a repeat: an earlier attempt got no answer)")


def test_an_end_updates_the_first_message_and_replies_to_it(slack: SlackApi) -> None:
    ref = begun(slack)
    attempt = app(slack).send(delivery(message(notice(Reason.RESOLVED)), ref=ref))
    assert attempt == Attempt(Verdict.SENT, ref=ref)
    first, reply = slack.messages.values()
    assert first.edits[-1]["text"].startswith("✅ ended 20:00")
    assert reply.payload["text"].startswith("✅ ended 20:00")
    assert (reply.thread_ts, reply.channel) == (first.ts, first.channel)
    assert slack.calls == ["chat.postMessage", "chat.update", "chat.postMessage"]


def test_the_first_message_shows_every_incident_of_the_conversation_and_the_reply_only_the_news(
    slack: SlackApi,
) -> None:
    ref = begun(slack)
    over, on = member_day("ana@example.com", 21_400, Reason.RESOLVED), member_day("ben@example.com", 2_900)
    app(slack).send(delivery(message(over, standing=(over, on)), ref=ref))
    first, reply = slack.messages.values()
    assert first.edits[-1]["text"].startswith("🟠 2 alerts of member-day (1 open, 1 ended)")
    assert "ben@" not in reply.payload["text"]


def test_another_attempt_at_a_reply_updates_again_and_replies_again(slack: SlackApi) -> None:
    ref = begun(slack)
    slack.script.extend([Answer(503), Answer(503)])
    follow_up = delivery(message(notice(Reason.RESOLVED)), ref=ref)
    assert app(slack).send(follow_up).verdict is Verdict.SERVER
    assert app(slack).send(follow_up).verdict is Verdict.SENT
    first, reply = slack.messages.values()
    assert reply.thread_ts == first.ts
    assert len(first.edits) == 1


@pytest.mark.parametrize(
    ("reason", "severity", "loud"),
    [
        (Reason.ESCALATED, Severity.CRITICAL, True),
        (Reason.FIRED, Severity.CRITICAL, True),
        (Reason.ESCALATED, Severity.WARNING, False),
        (Reason.RESOLVED, Severity.CRITICAL, False),
        (Reason.CLOSED, Severity.CRITICAL, False),
        (Reason.FIRED_AND_ENDED, Severity.CRITICAL, False),
        (Reason.RETRACTED, Severity.CRITICAL, False),
    ],
)
def test_only_what_becomes_critical_is_shown_to_the_whole_channel(
    slack: SlackApi, reason: Reason, severity: Severity, loud: bool
) -> None:
    app(slack).send(delivery(message(notice(reason, severity=severity)), ref=begun(slack)))
    *_, reply = slack.messages.values()
    assert reply.payload["reply_broadcast"] is loud


UPDATE_FAILS: list[Step] = [
    refusal("cant_update_message"),
    refusal("edit_window_closed"),
    refusal("update_failed"),
    refusal("ratelimited", 429),
    Answer(502, "<html>"),
    Reset(),
]


@pytest.mark.parametrize("step", UPDATE_FAILS, ids=repr)
def test_a_first_message_that_cannot_be_updated_never_stops_the_reply(slack: SlackApi, step: Step) -> None:
    ref = begun(slack)
    slack.script.append(step)
    attempt = app(slack).send(delivery(message(notice(Reason.RESOLVED)), ref=ref))
    assert attempt.verdict is Verdict.SENT
    assert attempt.ref == ref
    assert attempt.detail.startswith("The first message could not be updated. Slack ")
    assert list(slack.messages.values())[-1].thread_ts is not None


def test_news_of_a_first_message_that_was_deleted_start_anew(slack: SlackApi) -> None:
    ref = begun(slack)
    slack.messages.clear()
    attempt = app(slack).send(delivery(message(notice(Reason.RESOLVED)), ref=ref))
    assert attempt == Attempt(Verdict.SENT, ref="C0USAGE/1700000000.000002")
    [news] = slack.messages.values()
    assert news.thread_ts is None


@pytest.mark.parametrize("code", ["thread_not_found", "channel_not_found", "is_archived", "not_in_channel"])
def test_news_of_a_thread_that_is_gone_go_to_the_configured_channel(slack: SlackApi, code: str) -> None:
    ref = begun(slack)
    slack.script.extend([refusal(code), refusal(code)])
    attempt = app(slack, "#elsewhere").send(delivery(message(notice(Reason.RESOLVED)), ref=ref))
    assert attempt == Attempt(Verdict.SENT, ref="C0ELSEWHERE/1700000000.000002")


def test_a_reply_that_fails_for_another_reason_is_not_posted_elsewhere(slack: SlackApi) -> None:
    ref = begun(slack)
    slack.script.extend([refusal("invalid_auth"), refusal("invalid_auth")])
    assert app(slack).send(delivery(ref=ref)).verdict is Verdict.CONFIGURATION
    assert len(slack.messages) == 1


@pytest.mark.parametrize("ref", ["<cnv_1@example.com>", "C0USAGE", "", "C0USAGE/17", "https://x/1.2"])
def test_a_conversation_that_another_kind_of_channel_began_starts_anew(slack: SlackApi, ref: str) -> None:
    assert app(slack).send(delivery(ref=ref)).ref == "C0USAGE/1700000000.000001"
    assert slack.calls == ["chat.postMessage"]


# Corrections

CORRECTED = message(notice(Reason.UPDATED, looks_over=True), standing=(notice(looks_over=True),))


def test_a_correction_updates_the_first_message_and_pings_nobody(slack: SlackApi) -> None:
    ref = begun(slack)
    assert app(slack).send(delivery(CORRECTED, ref=ref)) == Attempt(Verdict.SENT, ref=ref)
    [first] = slack.messages.values()
    assert slack.calls == ["chat.postMessage", "chat.update"]
    assert first.edits[-1]["text"].endswith("since 13:00, looks clear, waiting for data to settle)")


def test_a_correction_beside_news_is_seen_where_it_stands_alone(slack: SlackApi) -> None:
    ref = begun(slack)
    over, corrected = member_day("ana@example.com", 21_400, Reason.RESOLVED), member_day("ben@example.com", 2_900)
    news = (replace(corrected, reason=Reason.UPDATED), over)
    app(slack).send(delivery(message(*news, standing=(over, corrected)), ref=ref))
    first, reply = slack.messages.values()
    assert reply.payload["text"].startswith("✅ ended Mon 23 Nov: ana@example.com (")
    assert reply.payload["metadata"]["event_payload"]["reason"] == "resolved"
    assert first.edits[-1]["text"].startswith("🟠 2 alerts of member-day (1 open, 1 ended)")


@pytest.mark.parametrize("ref", [None, "<cnv_1@example.com>"])
def test_where_nothing_was_posted_nothing_is_corrected(slack: SlackApi, ref: str | None) -> None:
    attempt = app(slack).send(delivery(CORRECTED, ref=ref))
    assert attempt == Attempt(Verdict.SENT, "There is no first message to correct.")
    assert slack.calls == []


@pytest.mark.parametrize(
    "code", ["message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found", "is_archived"]
)
def test_what_is_gone_or_stays_as_it_is_needs_no_correction(slack: SlackApi, code: str) -> None:
    ref = begun(slack)
    slack.script.append(refusal(code))
    attempt = app(slack).send(delivery(CORRECTED, ref=ref))
    assert (attempt.verdict, attempt.ref) == (Verdict.SENT, None)
    assert attempt.detail == f"The first message is gone, or can be edited no more ({code})."
    assert len(slack.messages) == 1


CORRECTION_FAILS: list[tuple[Step, Verdict]] = [
    (refusal("ratelimited", 429), Verdict.THROTTLED),
    (refusal("update_failed"), Verdict.SERVER),
    (refusal("token_revoked"), Verdict.CONFIGURATION),
    (Reset(), Verdict.AMBIGUOUS),
]


@pytest.mark.parametrize(("step", "verdict"), CORRECTION_FAILS, ids=repr)
def test_a_correction_that_fails_is_tried_again_and_never_posted(slack: SlackApi, step: Step, verdict: Verdict) -> None:
    ref = begun(slack)
    slack.script.append(step)
    assert app(slack).send(delivery(CORRECTED, ref=ref)).verdict is verdict
    assert app(slack).send(delivery(CORRECTED, ref=ref)).verdict is Verdict.SENT
    assert len(slack.messages) == 1


# What is sent


def test_nothing_unfolds_links_or_parses_by_itself(slack: SlackApi) -> None:
    ref = begun(slack)
    app(slack).send(delivery(message(notice(Reason.RESOLVED)), ref=ref))
    for request in slack.requests:
        quiet = {name: request.json[name] for name in ("unfurl_links", "unfurl_media", "parse", "link_names")}
        assert quiet == {"unfurl_links": False, "unfurl_media": False, "parse": "none", "link_names": False}


def test_metadata_tells_machines_what_it_was(slack: SlackApi) -> None:
    begun(slack)
    assert slack.requests[0].json["metadata"] == {
        "event_type": "usage_watch_alert",
        "event_payload": {"id": "ntf_5e6f7a8b9c0d", "rule": "hourly-credits", "reason": "fired"},
    }


def test_a_wide_message_is_cut_to_what_slack_takes(slack: SlackApi) -> None:
    long = "&" * 5_000
    wide = message(*(member_day(f"{n}{long}", 30_000 + n) for n in range(32)))
    assert app(slack).send(delivery(wide)).verdict is Verdict.SENT
    [posted] = slack.messages.values()
    assert sum(map(len, texts(posted.payload["blocks"]))) <= 12_000
    assert len(posted.payload["text"]) < 4_000


def test_reasons_give_way_before_incidents_do(slack: SlackApi) -> None:
    facts = tuple(Fact(f"{n}{'n' * 100}", "v" * 300) for n in range(12))
    wide = [member_day(f"member{n}{'x' * 80}", 30_000 + n) for n in range(20)]
    wide = [replace(each, evidence=replace(each.evidence, facts=facts, summary="s" * 400)) for each in wide]
    assert app(slack).send(delivery(message(*wide))).verdict is Verdict.SENT
    [posted] = slack.messages.values()
    said = "".join(texts(posted.payload["blocks"]))
    assert len(said) <= 12_000
    assert said.count("member") == 20 + 1 + 1  # each incident, the title and the footer
    assert said.count("5nnn") == 1  # the gravest alone keeps its reasons


@pytest.mark.parametrize("text", ["", "\u200b", "*" * 4_000, "<!channel> " * 900, "\ud800", "🔴" * 3_000])
def test_strange_texts_are_taken_too(slack: SlackApi, text: str) -> None:
    assert app(slack).send(delivery(hostile(text))).verdict is Verdict.SENT
    assert SlackHook(slack.hook_url).send(delivery(hostile(text))).verdict is Verdict.SENT


# The least

HUGE = "&" * 2_000 + "🔴" * 2_000 + "é" * 2_000
REFUSED_WHOLE = [Reason.FIRED, Reason.RESOLVED, Reason.UPDATED]


@pytest.mark.parametrize("reason", REFUSED_WHOLE)
@pytest.mark.parametrize("begun_before", [False, True])
def test_what_was_refused_goes_as_one_short_line(slack: SlackApi, reason: Reason, begun_before: bool) -> None:
    ref = begun(slack) if begun_before else None
    slack.requests.clear()
    assert app(slack).send(delivery(hostile(HUGE, reason), ref=ref, minimal=True)).verdict is Verdict.SENT
    for request in slack.requests:
        assert len(request.body) < 3_000
        assert not request.json.get("blocks")
        assert request.json["text"]
        assert "\n" not in request.json["text"]
        assert request.json["metadata"]["event_payload"]["id"] == "ntf_5e6f7a8b9c0d"


def test_the_least_says_what_happened_and_nothing_more(slack: SlackApi) -> None:
    assert app(slack).send(delivery(minimal=True)).verdict is Verdict.SENT
    assert slack.requests[0].json == {
        "channel": "#usage",
        "text": news(message()).line,
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "parse": "none",
        "link_names": False,
        "metadata": {
            "event_type": "usage_watch_alert",
            "event_payload": {"id": "ntf_5e6f7a8b9c0d", "rule": "hourly-credits", "reason": "fired"},
        },
    }


def test_the_least_takes_the_place_of_the_blocks_that_were_there(slack: SlackApi) -> None:
    ref = begun(slack)
    assert app(slack).send(delivery(CORRECTED, ref=ref, minimal=True)).verdict is Verdict.SENT
    [first] = slack.messages.values()
    assert first.edits[-1]["blocks"] == []
    assert first.edits[-1]["text"] == standing(CORRECTED).line


def test_the_least_may_be_a_repeat_too(slack: SlackApi) -> None:
    slack.scopes = {"chat:write"}
    app(slack).send(delivery(minimal=True, unsure=True))
    SlackHook(slack.hook_url).send(delivery(minimal=True, unsure=True))
    for request in (slack.requests[-2], slack.requests[-1]):
        assert request.json["text"] == f"{news(message()).line} (may be a repeat: an earlier attempt got no answer)"
        assert "blocks" not in request.json


# Outcomes

MEANT = {
    "ratelimited": Verdict.THROTTLED,
    "rate_limited": Verdict.THROTTLED,
    "message_limit_exceeded": Verdict.THROTTLED,
    "msg_too_long": Verdict.REJECTED,
    "msg_blocks_too_long": Verdict.REJECTED,
    "invalid_blocks": Verdict.REJECTED,
    "invalid_blocks_format": Verdict.REJECTED,
    "no_text": Verdict.REJECTED,
    "invalid_arguments": Verdict.REJECTED,
    "metadata_too_large": Verdict.REJECTED,
    "fatal_error": Verdict.SERVER,
    "internal_error": Verdict.SERVER,
    "service_unavailable": Verdict.SERVER,
    "request_timeout": Verdict.SERVER,
    "team_added_to_org": Verdict.SERVER,
    "invalid_auth": Verdict.CONFIGURATION,
    "not_authed": Verdict.CONFIGURATION,
    "account_inactive": Verdict.CONFIGURATION,
    "token_revoked": Verdict.CONFIGURATION,
    "token_expired": Verdict.CONFIGURATION,
    "channel_not_found": Verdict.CONFIGURATION,
    "not_in_channel": Verdict.CONFIGURATION,
    "is_archived": Verdict.CONFIGURATION,
    "missing_scope": Verdict.CONFIGURATION,
    "no_permission": Verdict.CONFIGURATION,
    "restricted_action": Verdict.CONFIGURATION,
    "team_access_not_granted": Verdict.CONFIGURATION,
    "ekm_access_denied": Verdict.CONFIGURATION,
    "a_code_of_tomorrow": Verdict.CONFIGURATION,
}


@pytest.mark.parametrize(("code", "verdict"), MEANT.items())
def test_every_code_has_its_class(slack: SlackApi, code: str, verdict: Verdict) -> None:
    slack.script.append(refusal(code))
    attempt = app(slack).send(delivery())
    assert attempt.verdict is verdict
    assert code in attempt.detail or verdict is Verdict.THROTTLED
    assert len(slack.requests) == 1


ADVICE = {
    "not_in_channel": "Slack refuses (not_in_channel): invite the app to #usage.",
    "is_archived": "Slack refuses (is_archived): #usage is archived; restore it or write another one.",
    "missing_scope": "Slack refuses (missing_scope): the app lacks the scope chat:write; add it and install the app"
    " anew.",
    "token_revoked": "Slack refuses (token_revoked): the token is not valid (any more); put a new bot token where"
    " `token` points.",
    "channel_not_found": "Slack refuses (channel_not_found): the app sees no such channel; check `channel` and invite"
    " the app to #usage.",
    "a_code_of_tomorrow": "Slack refuses (a_code_of_tomorrow): look the code up in Slack's list of errors.",
}


@pytest.mark.parametrize(("code", "detail"), ADVICE.items())
def test_a_matter_of_configuration_says_what_to_do(slack: SlackApi, code: str, detail: str) -> None:
    slack.script.append(refusal(code))
    assert app(slack).send(delivery()).detail == detail


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("30", 30.0),
        ("1.5", 1.5),
        ("Sun, 22 Nov 2026 14:10:33 GMT", 30.0),
        ("soon", None),
    ],
)
def test_slack_may_ask_for_patience_in_any_way(slack: SlackApi, header: str, wait: float | None) -> None:
    slack.script.append(refusal("ratelimited", 429, **{"Retry-After": header}))
    attempt = app(slack).send(delivery())
    assert attempt.verdict is Verdict.THROTTLED
    assert attempt.retry_after == (None if wait is None else timedelta(seconds=wait))


ANSWERS: dict[str, tuple[Step, Verdict]] = {
    "502 page": (Answer(502, "<html>inside"), Verdict.SERVER),
    "503": (Answer(503), Verdict.SERVER),
    "504 JSON": (refusal("gateway", 504), Verdict.SERVER),
    "500 with a code": (refusal("internal_error", 500), Verdict.SERVER),
    "200 page": (Answer(200, "<html>welcome to the hotel"), Verdict.SERVER),
    "200 nothing": (Answer(200), Verdict.SERVER),
    "200 null": (Answer(200, "null"), Verdict.SERVER),
    "200 true": (Answer(200, "true"), Verdict.AMBIGUOUS),
    "429 page": (Answer(429, "<html>"), Verdict.THROTTLED),
    "401 page": (Answer(401, "<html>"), Verdict.CONFIGURATION),
    "413 page": (Answer(413, "<html>"), Verdict.REJECTED),
    "bytes": (Answer(200, b"\xff\xfe{", {"Content-Type": "application/json; charset=no-such"}), Verdict.SERVER),
    "a code that is none": (refusal("<b>inside"), Verdict.SERVER),
    "reset": (Reset(), Verdict.AMBIGUOUS),
    "silence": (Hang(), Verdict.AMBIGUOUS),
}


@pytest.mark.parametrize(("step", "verdict"), ANSWERS.values(), ids=ANSWERS.keys())
def test_every_answer_has_its_class(slack: SlackApi, step: Step, verdict: Verdict) -> None:
    slack.script.append(step)
    attempt = app(slack, timeout=patience(step)).send(delivery())
    assert attempt.verdict is verdict
    assert attempt.detail.startswith(("Slack ", "The answer was not Slack's"))
    assert "inside" not in attempt.detail
    assert len(slack.requests) == 1


def test_an_answer_that_says_a_long_message_back_is_read_whole(slack: SlackApi) -> None:
    wide = "𝒳" * 800  # twelve bytes each in Slack's JSON
    facts = tuple(Fact(wide, wide) for _ in range(12))
    evidence = replace(EVIDENCE, summary=wide, facts=facts)
    long = message(*(member_day(f"{n}{wide}", 30_000 + n, evidence=evidence) for n in range(20)))
    assert app(slack).send(delivery(long)).ref == "C0USAGE/1700000000.000001"
    [posted] = slack.messages.values()
    assert len(json.dumps(posted.payload)) > 64 * 1024


BROKEN_OFF: dict[str, Step] = {
    "in the middle": Answer(200, '{"ok": true, "chan', {"Content-Length": "500"}),
    "never": Drip(b"HTTP/1.1 200 OK\r\n\r\n", b" "),
}


@pytest.mark.parametrize("step", BROKEN_OFF.values(), ids=BROKEN_OFF.keys())
def test_an_answer_that_does_not_end_leaves_it_open_whether_the_message_arrived(slack: SlackApi, step: Step) -> None:
    slack.script.extend([step, step])
    for sender in (app(slack, timeout=0.2), SlackHook(slack.hook_url, timeout=0.2)):
        attempt = sender.send(delivery())
        assert attempt.verdict is Verdict.AMBIGUOUS
        assert attempt.detail.startswith("Slack may have got the message: ")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_token_never_follows_a_redirect(slack: SlackApi, status: int) -> None:
    elsewhere = {"Location": slack.url("/api/elsewhere")}
    slack.script.extend([Answer(status, headers=elsewhere), Answer(status, headers=elsewhere)])
    assert app(slack).send(delivery()).verdict is Verdict.CONFIGURATION
    assert SlackHook(slack.hook_url).send(delivery()).verdict is Verdict.CONFIGURATION
    assert len(slack.requests) == 2


def test_nobody_there_is_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    expected = Attempt(Verdict.NOT_SENT, "Slack was not reached: the connection was refused.")
    assert SlackApp(TOKEN, "#usage", base_url=f"http://127.0.0.1:{port}/api/").send(delivery()) == expected
    assert SlackHook(f"http://127.0.0.1:{port}/x").send(delivery()) == expected


def test_a_follow_up_to_nobody_is_not_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    sender = SlackApp(TOKEN, "#usage", base_url=f"http://127.0.0.1:{port}/api/")
    assert sender.send(delivery(ref="C0USAGE/1.2")).verdict is Verdict.NOT_SENT


# Webhooks

HOOK_ANSWERS: dict[str, tuple[Step, Verdict]] = {
    "ok": (Answer(200, "ok"), Verdict.SENT),
    "page": (Answer(200, "<html>"), Verdict.SERVER),
    "invalid_token": (Answer(403, "invalid_token"), Verdict.CONFIGURATION),
    "action_prohibited": (Answer(403, "action_prohibited"), Verdict.CONFIGURATION),
    "no_service": (Answer(404, "no_service"), Verdict.CONFIGURATION),
    "archived": (Answer(410, "channel_is_archived"), Verdict.CONFIGURATION),
    "user_not_found": (Answer(400, "user_not_found"), Verdict.CONFIGURATION),
    "invalid_payload": (Answer(400, "invalid_payload"), Verdict.REJECTED),
    "invalid_blocks": (Answer(400, "invalid_blocks\n"), Verdict.REJECTED),
    "400": (Answer(400, "who knows?"), Verdict.REJECTED),
    "rollup_error": (Answer(500, "rollup_error"), Verdict.SERVER),
    "503": (Answer(503, "<html>"), Verdict.SERVER),
    "429": (Answer(429, "rate_limited", {"Retry-After": "7"}), Verdict.THROTTLED),
    "reset": (Reset(), Verdict.AMBIGUOUS),
    "silence": (Hang(), Verdict.AMBIGUOUS),
}


@pytest.mark.parametrize(("step", "verdict"), HOOK_ANSWERS.values(), ids=HOOK_ANSWERS.keys())
def test_every_answer_to_a_webhook_has_its_class(slack: SlackApi, step: Step, verdict: Verdict) -> None:
    slack.script.append(step)
    attempt = SlackHook(slack.hook_url, timeout=patience(step)).send(delivery())
    assert attempt.verdict is verdict
    assert attempt.ref is None
    assert "T000" not in attempt.detail
    assert attempt.retry_after == (timedelta(seconds=7) if verdict is Verdict.THROTTLED else None)


def test_a_webhook_posts_the_news_of_a_follow_up_by_themselves(slack: SlackApi) -> None:
    follow_up = delivery(message(notice(Reason.RESOLVED)), ref="C0USAGE/1.2")
    assert SlackHook(slack.hook_url).send(follow_up) == Attempt(Verdict.SENT)
    [request] = slack.requests
    assert request.path == HOOK
    assert request.json["text"].startswith("✅ ended")
    assert request.json["unfurl_links"] is False


# Secrets


@pytest.mark.parametrize("step", [Answer(200, json.dumps({"ok": True})), refusal("invalid_auth"), Reset(), Answer(302)])
def test_token_and_webhook_reach_no_log_no_outcome_and_no_standard_error(
    slack: SlackApi, step: Step, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    for sender in (app(slack), SlackHook(slack.hook_url)):
        slack.script.append(step)
        attempt = sender.send(delivery())
        for secret in (TOKEN, "secretsecret"):
            assert secret not in repr((attempt, sender)) + caplog.text + capsys.readouterr().err


# Settings


def settings(**written: object) -> SlackSettings:
    channel: object = TypeAdapter(AnyChannel).validate_python({"kind": "slack", **written})
    assert isinstance(channel, SlackSettings)
    return channel


REFUSED: dict[str, tuple[dict[str, object], str]] = {
    "nothing": ({}, "write either `token` and `channel`"),
    "both": (
        {"token": {"env": "T"}, "channel": "#x", "webhook_url": {"env": "W"}},
        "write either `token` and `channel`",
    ),
    "no channel": ({"token": {"env": "T"}}, "`token` needs a `channel`"),
    "channel of a webhook": ({"webhook_url": {"env": "W"}, "channel": "#x"}, "has its channel built in"),
    "address of a webhook": (
        {"webhook_url": {"env": "W"}, "base_url": "https://slack-gov.com/api/"},
        "leave `base_url` out",
    ),
    "channel without #": ({"token": {"env": "T"}, "channel": "usage"}, 'write the channel as "#name"'),
    "channel with a line": ({"token": {"env": "T"}, "channel": "#a\nb"}, 'write the channel as "#name"'),
    "http": ({"token": {"env": "T"}, "channel": "#x", "base_url": "http://slack.com/api/"}, "plain http goes only"),
    "literal": ({"token": "xoxb-1", "channel": "#x"}, "secrets are never written in this file"),
    "unknown": ({"token": {"env": "T"}, "channel": "#x", "chanel": 1}, "Extra inputs"),
}


@pytest.mark.parametrize(("written", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_is_refused_in_one_sentence(written: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        settings(**written)
    [(_, sentence)] = complaints(refused.value)
    assert says in sentence


@pytest.mark.parametrize("channel", ["#usage", "#kosten-übersicht", "C0123456789", "G01234567"])
def test_a_channel_is_a_name_or_an_id(channel: str) -> None:
    assert settings(token={"env": "T"}, channel=channel).channel == channel


@pytest.mark.parametrize(
    ("written", "used"),
    [
        ("https://slack-gov.com/api/", "https://slack-gov.com/api/"),
        ("https://slack-gov.com/api", "https://slack-gov.com/api/"),
        ("https://slack-gov.com", "https://slack-gov.com/api/"),
        ("https://slack-gov.com/", "https://slack-gov.com/api/"),
    ],
)
def test_the_address_may_be_written_shortly(written: str, used: str) -> None:
    assert settings(token={"env": "T"}, channel="#x", base_url=written).base_url == used


def test_an_app_is_opened_with_its_token(slack: SlackApi) -> None:
    sender = settings(token={"env": "T"}, channel="#usage", base_url=slack.base_url).connect({"T": TOKEN})
    assert sender.send(delivery()).verdict is Verdict.SENT
    sender.close()


def test_a_webhook_is_opened_with_its_url(slack: SlackApi) -> None:
    sender = settings(webhook_url={"env": "W"}).connect({"W": slack.hook_url})
    assert sender.send(delivery()).verdict is Verdict.SENT
    sender.close()


def test_a_webhook_url_that_is_none_is_refused_without_being_shown() -> None:
    with pytest.raises(SecretError) as refused:
        settings(webhook_url={"env": "W"}).connect({"W": "http://hooks.slack.com/services/T/B/secret"})
    assert str(refused.value) == ("env W holds no webhook URL: copy it from Slack, https://hooks.slack.com/services/…")


def test_a_missing_token_is_told_when_the_channel_is_opened() -> None:
    with pytest.raises(SecretError, match="env T is not set"):
        settings(token={"env": "T"}, channel="#x").connect({})


def test_slack_is_told_no_more_than_a_message_a_second() -> None:
    assert SlackSettings.pace == timedelta(seconds=1)


def test_people_get_one_message_for_all() -> None:
    assert SlackSettings.people is True


def test_a_delivery_is_not_changed_by_being_sent(slack: SlackApi) -> None:
    one: Delivery = delivery()
    app(slack).send(one)
    assert one == delivery()
