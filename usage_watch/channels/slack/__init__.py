"""Slack: one message per conversation, kept true in place, with the news as replies; or plain posts by a webhook."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from usage_watch.channels.base import Attempt, ChannelSettings, Sender, Verdict
from usage_watch.channels.network import TIMEOUT_S
from usage_watch.channels.slack.answers import THREAD_GONE, UNEDITABLE, refusal
from usage_watch.channels.slack.blocks import blocks, fallback_text
from usage_watch.core.addresses import WebAddress, web_address
from usage_watch.core.message import Delivery, Reason, Severity
from usage_watch.core.plain import plain
from usage_watch.core.wording import Words, news, standing, told
from usage_watch.errors import SecretError
from usage_watch.secret import SecretRef

Json = dict[str, Any]

SLACK = "https://slack.com/api/"


def _channel(written: str) -> str:
    if not re.fullmatch(r"#[^\s#]{1,80}|[A-Z][A-Z0-9]{5,30}", written) or not written.isprintable():
        raise ValueError('write the channel as "#name" (in quotes: # begins a comment) or its ID, such as C0123456789')
    return written


def _api_root(written: str) -> str:
    path = urlsplit(written).path
    return written.rstrip("/") + ("/api/" if path in ("", "/") else "/")


class SlackSettings(ChannelSettings):
    """Posts to Slack, with an app's bot token (threads, updates in place) or an incoming webhook (posts only)."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["token", "channel"]}, {"required": ["webhook_url"]}]}
    )

    kind: Literal["slack"] = Field(description="Posts to Slack.")
    token: SecretRef | None = Field(
        default=None, description="The app's bot token (xoxb-…), with the scope chat:write; goes with `channel`."
    )
    channel: Annotated[str, AfterValidator(_channel)] | None = Field(
        default=None, description='Where the app posts: "#name" or the channel\'s ID.'
    )
    webhook_url: SecretRef | None = Field(
        default=None, description="An incoming webhook's URL, in place of `token` and `channel`: posts only."
    )
    base_url: Annotated[WebAddress, AfterValidator(_api_root)] = Field(
        default=SLACK, description="The API's address, for GovSlack: https://slack-gov.com/api/."
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.token is None) == (self.webhook_url is None):
            raise ValueError(
                "write either `token` and `channel` (posts, threads, updates in place) or `webhook_url` (posts only)"
            )
        if self.token is not None and self.channel is None:
            raise ValueError('`token` needs a `channel` to post in, such as "#usage-alerts"')
        if self.webhook_url is not None and self.channel is not None:
            raise ValueError("a webhook has its channel built in: leave `channel` out, or write `token` in its place")
        if self.webhook_url is not None and self.base_url != SLACK:
            raise ValueError("a webhook's URL is its whole address: leave `base_url` out")
        return self

    @property
    def edits(self) -> bool:
        """A webhook hears nothing of what it posts: it has nothing to edit."""
        return self.token is not None

    def connect(self, environ: Mapping[str, str]) -> Sender:
        """Open the channel; SecretError where its token or webhook is not to be had."""
        if self.token is not None and self.channel is not None:
            return SlackApp(self.token.read(environ).reveal(), self.channel, base_url=self.base_url)
        assert self.webhook_url is not None
        url = self.webhook_url.read(environ).reveal()
        try:
            return SlackHook(web_address(url))
        except ValueError:
            advice = "copy it from Slack, https://hooks.slack.com/services/…"
            raise SecretError(f"{self.webhook_url.describe()} holds no webhook URL: {advice}") from None


class _Parent(NamedTuple):
    """A conversation's first message, as Slack knows it."""

    channel: str
    ts: str

    @classmethod
    def of(cls, delivery: Delivery) -> _Parent | None:
        """None before there is one, and where another kind of channel began the conversation."""
        known = re.fullmatch(r"([A-Z0-9]+)/([0-9]+\.[0-9]+)", delivery.conversation.ref or "")
        return None if known is None else cls(*known.groups())


class SlackApp:
    """Speaks with a bot token."""

    def __init__(self, token: str, channel: str, *, base_url: str = SLACK, timeout: float = TIMEOUT_S) -> None:
        from usage_watch.channels.slack.client import AppClient  # slack_sdk costs 100 ms: only who sends pays

        self._client = AppClient(token, base_url, timeout)
        self._channel = channel

    def send(self, delivery: Delivery) -> Attempt:
        """Post; or bring the first message up to date and reply to it. Nothing about the former stops the latter."""
        parent = _Parent.of(delivery)
        if all(notice.reason is Reason.UPDATED for notice in delivery.message.news):
            return self._correct(delivery, parent)
        if parent is None:
            return self._post(delivery)
        update, code = self._update(delivery, parent)
        if code == "message_not_found":
            return self._post(delivery)  # a reply to what was deleted would be seen by nobody
        reply, code = self._reply(delivery, parent)
        if code in THREAD_GONE:
            return self._post(delivery)
        if reply.verdict is not Verdict.SENT:
            return reply
        stale = "" if update.verdict is Verdict.SENT else f"The first message could not be updated. {update.detail}"
        return Attempt(Verdict.SENT, stale, ref=delivery.conversation.ref)

    def _correct(self, delivery: Delivery, parent: _Parent | None) -> Attempt:
        """Bring the first message up to date, and ping nobody: where there is none, there is nothing to correct."""
        if parent is None:
            return Attempt(Verdict.SENT, "There is no first message to correct.")
        update, code = self._update(delivery, parent)
        if code in UNEDITABLE:
            return Attempt(Verdict.SENT, f"The first message is gone, or can be edited no more ({code}).")
        return update

    def _post(self, delivery: Delivery) -> Attempt:
        payload = {**_payload(delivery, news(delivery.message)), "channel": self._channel, "mrkdwn": False}
        return self._call(self._client.chat_postMessage, payload, delivery)[0]

    def _reply(self, delivery: Delivery, parent: _Parent) -> tuple[Attempt, str | None]:
        payload = {**_payload(delivery, news(delivery.message)), "mrkdwn": False}
        payload |= {"channel": parent.channel, "thread_ts": parent.ts, "reply_broadcast": _is_loud(delivery)}
        return self._call(self._client.chat_postMessage, payload, delivery)

    def _update(self, delivery: Delivery, parent: _Parent) -> tuple[Attempt, str | None]:
        payload = {**_payload(delivery, standing(delivery.message)), "channel": parent.channel, "ts": parent.ts}
        return self._call(self._client.chat_update, payload, delivery)

    def _call(self, method: Callable[..., Any], payload: Json, delivery: Delivery) -> tuple[Attempt, str | None]:
        from usage_watch.channels.slack.client import lost

        try:
            answer = self._client.say(method, payload)
        except Exception as error:  # whatever a foreign library raises is an outcome of this attempt
            return lost(error), None
        if answer.ok:
            return Attempt(Verdict.SENT, ref=f"{answer.channel}/{answer.ts}"), None
        channel, now = plain(self._channel, 80), delivery.sent_at
        return refusal(answer.code, answer.status, answer.headers, channel=channel, now=now), answer.code

    def close(self) -> None:
        """Nothing is kept open."""


class SlackHook:
    """Speaks by an incoming webhook: every message stands alone."""

    def __init__(self, url: str, *, timeout: float = TIMEOUT_S) -> None:
        from usage_watch.channels.slack.client import HookClient  # slack_sdk costs 100 ms: only who sends pays

        self._client = HookClient(url, timeout)

    def send(self, delivery: Delivery) -> Attempt:
        """Post the news."""
        from usage_watch.channels.slack.client import lost

        try:
            answer = self._client.say({**_payload(delivery, news(delivery.message)), "mrkdwn": False})
        except Exception as error:  # whatever a foreign library raises is an outcome of this attempt
            return lost(error)
        if answer.ok:
            return Attempt(Verdict.SENT)
        now = delivery.sent_at
        return refusal(answer.code, answer.status, answer.headers, channel="the webhook's channel", now=now)

    def close(self) -> None:
        """Nothing is kept open."""


def _is_loud(delivery: Delivery) -> bool:
    """A reply is shown in the channel too when something became critical: replies alone are seen by few."""
    return any(notice.reason.firing and notice.severity is Severity.CRITICAL for notice in delivery.message.news)


def _payload(delivery: Delivery, words: Words) -> Json:
    first = told(delivery.message)[0]
    facts = {"id": delivery.id, "rule": first.rule.id, "reason": first.reason.value}
    return {
        "text": fallback_text(words),
        "blocks": blocks(words),
        "unfurl_links": False,
        "unfurl_media": False,
        "parse": "none",
        "link_names": False,
        "metadata": {"event_type": "usage_watch_alert", "event_payload": facts},
    }
