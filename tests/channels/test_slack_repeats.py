"""Slack: what becomes of a post whose answer was lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.channels.samples import NOON, delivery, message, notice
from tests.fakes.scripted_http import Answer, Hang, Reset, Step
from tests.fakes.slack_api import SCOPES, TOKEN, SlackApi, Taken, Usual, form, missing_scope, refusal, texts
from usage_watch.channels.base import Attempt, Verdict
from usage_watch.channels.slack import SlackApp, SlackHook
from usage_watch.channels.slack.client import AppClient
from usage_watch.channels.slack.lookup import Lookup
from usage_watch.channels.slack.pages import PAGES, CannotLookError
from usage_watch.core.message import Delivery, Reason

SENT_AT = delivery().sent_at
MAYBE = "may be a repeat: an earlier attempt got no answer"


class Now:
    """The time by Slack's clock."""

    def __init__(self) -> None:
        self.at = SENT_AT

    def __call__(self) -> Any:
        return self.at


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
def slack(now: Now) -> Iterator[SlackApi]:
    with SlackApi(now) as fake:
        yield fake


def app(slack: SlackApi, channel: str = "#usage", timeout: float = 5.0) -> SlackApp:
    return SlackApp(TOKEN, channel, base_url=slack.base_url, timeout=timeout)


def again(one: Delivery) -> Delivery:
    """The next attempt, ten seconds later, after one that got no answer."""
    return replace(one, unsure=True, attempt=one.attempt + 1, sent_at=one.sent_at + timedelta(seconds=10))


def follow_up(ref: str) -> Delivery:
    return delivery(message(notice(Reason.RESOLVED), decided_at=SENT_AT), ref=ref, id="ntf_2")


def lost(slack: SlackApi, one: Delivery, step: Step, *before: Step) -> None:
    """An attempt that got no answer, after steps that did."""
    slack.script.extend([*before, step])
    assert app(slack).send(one).verdict is Verdict.AMBIGUOUS
    slack.requests.clear()


def whole_text(slack: SlackApi) -> str:
    """Every text of the newest message."""
    payload = list(slack.messages.values())[-1].payload
    return "\n".join(texts(payload.get("blocks", [])))


# Looked up


@pytest.mark.parametrize("channel", ["#usage", "C0USAGE"])
def test_a_post_that_arrived_is_not_repeated(slack: SlackApi, channel: str) -> None:
    lost(slack, delivery(), Taken())
    attempt = app(slack, channel).send(again(delivery()))
    [first] = slack.messages.values()
    assert attempt == Attempt(Verdict.SENT, ref=f"C0USAGE/{first.ts}")
    listed = ["conversations.list"] if channel == "#usage" else []
    assert slack.calls == [*listed, "conversations.history"]


@pytest.mark.parametrize("channel", ["#usage", "C0USAGE"])
def test_a_post_that_did_not_arrive_is_repeated_without_a_doubt(slack: SlackApi, channel: str) -> None:
    lost(slack, delivery(), Reset())
    assert app(slack, channel).send(again(delivery())).verdict is Verdict.SENT
    assert len(slack.messages) == 1
    assert MAYBE not in whole_text(slack)


def test_a_first_attempt_looks_nothing_up(slack: SlackApi) -> None:
    app(slack).send(delivery())
    assert slack.calls == ["chat.postMessage"]


def test_a_reply_that_arrived_is_not_repeated(slack: SlackApi) -> None:
    ref = app(slack).send(delivery()).ref
    assert ref is not None
    lost(slack, follow_up(ref), Taken(), Usual())
    assert app(slack).send(again(follow_up(ref))) == Attempt(Verdict.SENT, ref=ref)
    assert slack.calls == ["chat.update", "conversations.replies"]
    assert len(slack.messages) == 2


def test_a_reply_that_did_not_arrive_is_repeated_though_the_first_message_carries_its_id(slack: SlackApi) -> None:
    ref = app(slack).send(delivery()).ref
    assert ref is not None
    lost(slack, follow_up(ref), Reset(), Usual())
    [first] = slack.messages.values()
    assert first.metadata is not None
    assert first.metadata["event_payload"]["id"] == "ntf_2"
    assert app(slack).send(again(follow_up(ref))) == Attempt(Verdict.SENT, ref=ref)
    _, reply = slack.messages.values()
    assert reply.thread_ts == first.ts
    assert MAYBE not in whole_text(slack)


def test_news_posted_anew_are_not_taken_for_the_first_message_that_they_updated(slack: SlackApi) -> None:
    ref = app(slack).send(delivery()).ref
    assert ref is not None
    locked = refusal("restricted_action_thread_locked")
    slack.script.extend([Usual(), Usual(), locked])  # the update and the look-up go well, the reply does not
    assert app(slack).send(again(follow_up(ref))).verdict is Verdict.SENT
    assert len(slack.messages) == 2
    assert list(slack.messages.values())[-1].thread_ts is None


def test_a_correction_is_made_again_without_a_look(slack: SlackApi) -> None:
    ref = app(slack).send(delivery()).ref
    slack.requests.clear()
    corrected = delivery(message(notice(Reason.UPDATED, looks_over=True)), ref=ref, id="ntf_2")
    assert app(slack).send(again(corrected)).verdict is Verdict.SENT
    assert slack.calls == ["chat.update"]


def test_a_busy_channel_is_looked_through_page_by_page(slack: SlackApi, now: Now) -> None:
    lost(slack, delivery(), Taken())
    now.at += timedelta(minutes=1)
    for _ in range(7):
        slack.put("C0USAGE", {"text": "lunch?"})
    slack.page = 3
    assert app(slack, "C0USAGE").send(again(delivery())).verdict is Verdict.SENT
    assert slack.calls == ["conversations.history"] * 3


def test_what_was_said_before_the_decision_is_not_asked_for(slack: SlackApi, now: Now) -> None:
    now.at = NOON - timedelta(days=3)
    slack.put("C0USAGE", {"text": "lunch?"})
    now.at = SENT_AT - timedelta(minutes=50)  # Slack's clock is behind ours
    lost(slack, delivery(), Taken())
    slack.page = 1
    assert app(slack, "C0USAGE").send(again(delivery())).verdict is Verdict.SENT
    assert slack.calls == ["conversations.history"]
    asked = form(slack.requests[0])
    assert asked["include_all_metadata"] == "1"
    assert float(asked["oldest"]) == (delivery().message.decided_at - timedelta(hours=1)).timestamp()


STRANGERS: dict[str, Any] = {
    "another delivery's": {"event_type": "usage_watch_alert", "event_payload": {"id": "ntf_other"}},
    "another program's": {"event_type": "deployed", "event_payload": {"id": "ntf_5e6f7a8b9c0d"}},
    "of another shape": {"event_type": "usage_watch_alert", "event_payload": ["ntf_5e6f7a8b9c0d"]},
    "none": None,
}


@pytest.mark.parametrize("metadata", STRANGERS.values(), ids=STRANGERS.keys())
def test_only_the_deliverys_own_id_counts(slack: SlackApi, metadata: object) -> None:
    slack.put("C0USAGE", {"text": "ntf_5e6f7a8b9c0d", "metadata": metadata} if metadata else {"text": "x"})
    assert app(slack).send(again(delivery())).verdict is Verdict.SENT
    assert slack.calls[-1] == "chat.postMessage"


@pytest.mark.parametrize(
    ("scopes", "private", "lists"),
    [
        ({"channels:read", "groups:read"}, False, 1),
        ({"channels:read"}, False, 2),
        ({"groups:read"}, True, 3),
    ],
)
def test_a_name_is_looked_up_by_what_the_app_may_list(
    slack: SlackApi, scopes: set[str], private: bool, lists: int
) -> None:
    slack.scopes = (set(SCOPES) - {"channels:read", "groups:read"}) | scopes
    slack.private = {"C0USAGE"} if private else set()
    lost(slack, delivery(), Taken())
    assert app(slack).send(again(delivery())).verdict is Verdict.SENT
    assert len(slack.messages) == 1
    assert slack.calls.count("conversations.list") == lists


def test_a_name_is_looked_up_once(slack: SlackApi) -> None:
    sender = app(slack)
    for id in ("ntf_1", "ntf_2"):
        assert sender.send(again(delivery(id=id))).verdict is Verdict.SENT
    assert slack.calls.count("conversations.list") == 1


def test_a_name_beyond_the_first_page_is_found(slack: SlackApi) -> None:
    slack.channels = {**{f"#room{n}": f"C0ROOM{n}" for n in range(5)}, **slack.channels}
    slack.page = 2
    lost(slack, delivery(), Taken())
    assert app(slack).send(again(delivery())).verdict is Verdict.SENT
    assert len(slack.messages) == 1
    assert slack.calls.count("conversations.list") == 3


# Not to be looked up


def _without(*scopes: str) -> set[str]:
    return set(SCOPES) - set(scopes)


Blind = dict[str, Any]
BLIND: dict[str, Blind] = {
    "no history": {"scopes": _without("channels:history")},
    "no list": {"scopes": _without("channels:read", "groups:read")},
    "no member": {"members": set()},
    "not listed": {"scopes": _without("groups:read"), "private": {"C0USAGE"}},
    "too much": {"page": 1},
}


@pytest.mark.parametrize("blind", BLIND.values(), ids=BLIND.keys())
def test_a_repeat_that_cannot_be_looked_up_says_that_it_may_be_one(slack: SlackApi, blind: Blind) -> None:
    lost(slack, delivery(), Taken())
    for name, value in blind.items():
        setattr(slack, name, value)
    for _ in range(PAGES):
        slack.put("C0USAGE", {"text": "lunch?"})
    assert app(slack).send(again(delivery())).verdict is Verdict.SENT
    assert slack.calls[-1] == "chat.postMessage"
    assert whole_text(slack).endswith(f"times in Europe/Berlin · {MAYBE}")


def test_a_reply_that_cannot_be_looked_up_says_so_but_the_first_message_does_not(slack: SlackApi) -> None:
    ref = app(slack).send(delivery()).ref
    assert ref is not None
    slack.scopes = _without("channels:history")
    assert app(slack).send(again(follow_up(ref))).verdict is Verdict.SENT
    first, reply = slack.messages.values()
    assert MAYBE in "".join(texts(reply.payload["blocks"]))
    assert MAYBE not in "".join(texts(first.edits[-1]["blocks"]))


NO_ANSWER: dict[str, Step] = {
    "of tomorrow": refusal("a_code_of_tomorrow"),
    "no argument": refusal("invalid_arguments"),
    "a page": Answer(200, "<html>welcome to the hotel"),
    "no messages": Answer(200, json.dumps({"ok": True})),
    "a redirect": Answer(302, headers={"Location": "https://example.com"}),
    "no scope named": missing_scope("<!channel>", TOKEN),
}


@pytest.mark.parametrize("step", NO_ANSWER.values(), ids=NO_ANSWER.keys())
def test_a_look_that_will_never_succeed_does_not_stop_the_repeat(slack: SlackApi, step: Step) -> None:
    slack.script.append(step)
    assert app(slack, "C0USAGE").send(again(delivery())).verdict is Verdict.SENT
    assert slack.calls == ["conversations.history", "chat.postMessage"]
    assert MAYBE in whole_text(slack)


def test_an_app_that_may_ask_for_one_page_a_minute_repeats_after_the_first(slack: SlackApi) -> None:
    page = {"ok": True, "messages": [{"ts": "1.2"}], "response_metadata": {"next_cursor": "more"}}
    slack.script.extend([Answer(200, json.dumps(page)), refusal("ratelimited", 429, **{"Retry-After": "60"})])
    assert app(slack, "C0USAGE").send(again(delivery())).verdict is Verdict.SENT
    assert MAYBE in whole_text(slack)


def test_a_look_ends_when_its_time_is_up(slack: SlackApi) -> None:
    slack.page = 1
    for _ in range(2):
        slack.put("C0USAGE", {"text": "lunch?"})
    lookup = Lookup(AppClient(TOKEN, slack.base_url, 5.0), "C0USAGE", seconds=-1.0)
    with pytest.raises(CannotLookError, match="there is too much to look through"):
        lookup.in_channel(delivery(), None)
    assert slack.calls == ["conversations.history"]


def test_a_webhook_can_only_say_that_it_may_be_a_repeat(slack: SlackApi) -> None:
    assert SlackHook(slack.hook_url).send(again(delivery())).verdict is Verdict.SENT
    [request] = slack.requests
    assert MAYBE in "".join(texts(request.json["blocks"]))


# Not to be looked up now

PASSING: dict[str, tuple[Step, Attempt]] = {
    "reset": (
        Reset(),
        Attempt(
            Verdict.NOT_SENT,
            "Slack could not be asked whether an earlier attempt had arrived: the connection was lost.",
        ),
    ),
    "silence": (
        Hang(),
        Attempt(
            Verdict.NOT_SENT,
            "Slack could not be asked whether an earlier attempt had arrived: it did not answer in time.",
        ),
    ),
    "too many": (
        refusal("ratelimited", 429, **{"Retry-After": "30"}),
        Attempt(
            Verdict.THROTTLED,
            "Slack did not say whether an earlier attempt had arrived. Slack asks for fewer messages.",
            timedelta(seconds=30),
        ),
    ),
    "503": (
        Answer(503, "<html>"),
        Attempt(
            Verdict.SERVER,
            "Slack did not say whether an earlier attempt had arrived. Slack answered 503: a fault on its side.",
        ),
    ),
    "internal_error": (
        refusal("internal_error"),
        Attempt(
            Verdict.SERVER,
            "Slack did not say whether an earlier attempt had arrived. Slack has a fault on its side (internal_error).",
        ),
    ),
}


@pytest.mark.parametrize(("step", "expected"), PASSING.values(), ids=PASSING.keys())
@pytest.mark.parametrize("channel", ["#usage", "C0USAGE"])
def test_where_slack_cannot_be_asked_now_nothing_is_posted(
    slack: SlackApi, step: Step, expected: Attempt, channel: str
) -> None:
    lost(slack, delivery(), Taken())
    slack.script.append(step)
    patience = 0.3 if isinstance(step, Hang) else 5.0
    assert app(slack, channel, patience).send(again(delivery())) == expected
    assert app(slack, channel).send(again(delivery())).verdict is Verdict.SENT
    assert len(slack.messages) == 1


def test_where_a_thread_cannot_be_read_now_nothing_is_posted(slack: SlackApi) -> None:
    ref = app(slack).send(delivery()).ref
    assert ref is not None
    slack.script.extend([Usual(), Answer(503)])
    assert app(slack).send(again(follow_up(ref))).verdict is Verdict.SERVER
    assert len(slack.messages) == 1


def test_a_token_that_is_revoked_is_told_by_the_post(slack: SlackApi) -> None:
    slack.script.extend([refusal("token_revoked"), refusal("token_revoked")])
    attempt = app(slack, "C0USAGE").send(again(delivery()))
    assert attempt.verdict is Verdict.CONFIGURATION
    assert slack.messages == {}


# What `channels test` says

ABOUT: dict[str, tuple[str, Blind, str]] = {
    "an ID": ("C0USAGE", {}, ""),
    "a name": ("#usage", {}, ""),
    "an ID, no list": ("C0USAGE", {"scopes": _without("channels:read", "groups:read")}, ""),
    "no history": ("#usage", {"scopes": _without("channels:history")}, "the app lacks the scope channels:history"),
    "no history of groups": (
        "#usage",
        {"scopes": _without("groups:history"), "private": {"C0USAGE"}},
        "the app lacks the scope groups:history",
    ),
    "no list": (
        "#usage",
        {"scopes": _without("channels:read", "groups:read")},
        "the app lacks the scope channels:read, and `channel` is no ID",
    ),
    "not listed": (
        "#usage",
        {"scopes": _without("groups:read"), "private": {"C0USAGE"}},
        "the app is not shown the channel's ID: write that as `channel`",
    ),
    "no member": ("#usage", {"members": set()}, "the app is not in #usage: invite it"),
}


@pytest.mark.parametrize(("channel", "blind", "why"), ABOUT.values(), ids=ABOUT.keys())
def test_what_is_said_of_repeats_was_tried(slack: SlackApi, channel: str, blind: Blind, why: str) -> None:
    for name, value in blind.items():
        setattr(slack, name, value)
    sender = app(slack, channel)
    said = sender.about_repeats(sender.send(delivery()))
    if why:
        assert said == f"A post whose answer is lost cannot be looked up ({why}): its repeat says that it may be one."
    else:
        assert said == "A post whose answer is lost is looked up before it is repeated."


ODD: dict[str, tuple[list[Step], str]] = {
    "replies alone refused": (
        [Usual(), missing_scope("channels:history,groups:history,im:history", "chat:write")],
        "(the app lacks the scope channels:history or groups:history)",
    ),
    "needs what nobody knows": (
        [missing_scope("<!here>", "chat:write")],
        "(the app lacks a scope for it)",
    ),
    "metadata held back": ([Answer(200, '{"ok": true, "messages": []}')], "does not show the app what it just posted"),
    "a page": ([Answer(200, "<html>hotel")], "(Slack's answer is not as documented)"),
    "refused": ([refusal("access_denied")], "(Slack refuses: access_denied)"),
    "not now": (
        [Answer(503, "hotel")],
        "Whether a post whose answer is lost can be looked up is not known yet. Slack did not say whether",
    ),
}


@pytest.mark.parametrize(("steps", "says"), ODD.values(), ids=ODD.keys())
def test_whatever_slack_answers_a_sentence_without_foreign_text_is_said(
    slack: SlackApi, steps: list[Step], says: str
) -> None:
    sender = app(slack, "C0USAGE")
    sent = sender.send(delivery())
    slack.script.extend(steps)
    said = sender.about_repeats(sent)
    assert says in said
    assert said.endswith(".")
    for foreign in ("<", "hotel", TOKEN):
        assert foreign not in said


def test_where_slack_does_not_say_where_it_posted_nothing_can_be_looked_up(slack: SlackApi) -> None:
    slack.script.append(Answer(200, json.dumps({"ok": True})))
    sender = app(slack)
    sent = sender.send(delivery())
    assert sent == Attempt(Verdict.SENT)
    assert "(Slack does not say where it posts)" in sender.about_repeats(sent)


def test_of_a_webhooks_repeats_the_truth_is_said(slack: SlackApi) -> None:
    sender = SlackHook(slack.hook_url)
    assert sender.about_repeats(sender.send(delivery())) == (
        "A post whose answer is lost cannot be looked up (a webhook only posts): its repeat says that it may be one."
    )
