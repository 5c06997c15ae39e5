"""Slack by an incoming webhook: every message stands alone."""

from __future__ import annotations

from usage_watch.channels.base import Attempt, Verdict
from usage_watch.channels.network import TIMEOUT_S
from usage_watch.channels.slack.answers import refusal
from usage_watch.channels.slack.chart import Charts
from usage_watch.channels.slack.payload import payload
from usage_watch.channels.variants import maybe_repeat, never_looked_up
from usage_watch.core.message import Delivery
from usage_watch.core.wording import news, told


class SlackHook:
    """Speaks by an incoming webhook, which only posts."""

    def __init__(self, url: str, *, timeout: float = TIMEOUT_S) -> None:
        from usage_watch.channels.slack.client import HookClient  # slack_sdk costs 100 ms: only who sends pays

        self._client = HookClient(url, timeout)
        self._charts = Charts()

    def send(self, delivery: Delivery) -> Attempt:
        """Post the news."""
        from usage_watch.channels.slack.client import lost

        words = news(delivery.message)
        words = maybe_repeat(words) if delivery.unsure else words
        chart = None if delivery.minimal else self._charts.of(told(delivery.message), delivery.message)
        try:
            answer = self._charts.say(
                lambda shown: self._client.say({**payload(delivery, words, shown), "mrkdwn": False}), chart
            )
        except Exception as error:  # whatever a foreign library raises is an outcome of this attempt
            return lost(error)
        if answer.ok:
            return Attempt(Verdict.SENT)
        now = delivery.sent_at
        return refusal(answer.code, answer.status, answer.headers, channel="the webhook's channel", now=now)

    def about_repeats(self, sent: Attempt) -> str:
        """It hears nothing of what it posts."""
        return never_looked_up("a webhook only posts")

    def close(self) -> None:
        """Nothing is kept open."""
