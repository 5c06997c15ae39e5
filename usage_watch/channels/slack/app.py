"""Slack by an app: one message per conversation, kept true in place, with the news as replies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from usage_watch.channels.base import Attempt, Verdict
from usage_watch.channels.network import TIMEOUT_S
from usage_watch.channels.slack.answers import THREAD_GONE, UNEDITABLE, refusal
from usage_watch.channels.slack.chart import Charts
from usage_watch.channels.slack.lookup import Lookup
from usage_watch.channels.slack.pages import CannotLookError, NotNowError
from usage_watch.channels.slack.payload import Json, payload
from usage_watch.channels.slack.ref import Ref
from usage_watch.channels.variants import maybe_repeat, never_looked_up
from usage_watch.core.message import Delivery, Notice, Reason, Severity
from usage_watch.core.plain import plain
from usage_watch.core.wording import news, standing, told

SLACK = "https://slack.com/api/"


class SlackApp:
    """Speaks with a bot token."""

    def __init__(self, token: str, channel: str, *, base_url: str = SLACK, timeout: float = TIMEOUT_S) -> None:
        from usage_watch.channels.slack.client import AppClient  # slack_sdk costs 100 ms: only who sends pays

        self._client = AppClient(token, base_url, timeout)
        self._channel = channel
        self._lookup = Lookup(self._client, channel, timeout)
        self._charts = Charts()

    def send(self, delivery: Delivery) -> Attempt:
        """Post; or bring the first message up to date and reply to it. Nothing about the former stops the latter."""
        parent = Ref.read(delivery.conversation.ref)
        news = delivery.message.news
        if news and all(notice.reason is Reason.UPDATED for notice in news):
            return self._correct(delivery, parent)
        if parent is None:
            return self._post(delivery, None)
        update, code = self._update(delivery, parent)
        if code == "message_not_found":
            return self._post(delivery, parent)  # a reply to what was deleted would be seen by nobody
        reply, code = self._reply(delivery, parent)
        if code in THREAD_GONE:
            return self._post(delivery, parent)
        if reply.verdict is not Verdict.SENT:
            return reply
        stale = "" if update.verdict is Verdict.SENT else f"The first message could not be updated. {update.detail}"
        return Attempt(Verdict.SENT, stale, ref=delivery.conversation.ref)

    def about_repeats(self, sent: Attempt) -> str:
        """Really look for what was just sent."""
        posted = Ref.read(sent.ref)
        if posted is None:
            return never_looked_up("Slack does not say where it posts")
        try:
            self._lookup.try_on(posted)
        except CannotLookError as error:
            return never_looked_up(str(error))
        except NotNowError as error:
            return f"Whether a post whose answer is lost can be looked up is not known yet. {error}"
        return "A post whose answer is lost is looked up before it is repeated."

    def close(self) -> None:
        """Nothing is kept open."""

    def _correct(self, delivery: Delivery, parent: Ref | None) -> Attempt:
        """Bring the first message up to date, and ping nobody: where there is none, there is nothing to correct."""
        if parent is None:
            return Attempt(Verdict.SENT, "There is no first message to correct.")
        update, code = self._update(delivery, parent)
        if code in UNEDITABLE:
            return Attempt(Verdict.SENT, f"The first message is gone, or can be edited no more ({code}).")
        return update

    def _post(self, delivery: Delivery, before: Ref | None) -> Attempt:
        """A message of its own; `before` is a first message that is no use any more, though it may carry this id."""
        where = {"channel": self._channel}
        shown = told(delivery.message)
        return self._once(delivery, where, lambda: self._lookup.in_channel(delivery, before), shown)[0]

    def _reply(self, delivery: Delivery, parent: Ref) -> tuple[Attempt, str | None]:
        where = {"channel": parent.channel, "thread_ts": parent.ts, "reply_broadcast": _is_loud(delivery)}
        return self._once(delivery, where, lambda: self._lookup.in_thread(delivery, parent))

    def _once(
        self, delivery: Delivery, where: Json, look_up: Callable[[], Ref | None], drawn: Sequence[Notice] = ()
    ) -> tuple[Attempt, str | None]:
        """Post, unless it is there already; where nobody can know that, the post says so."""
        words = news(delivery.message)
        if delivery.unsure:
            try:
                found = look_up()
            except NotNowError as error:
                return error.attempt, None
            except CannotLookError:
                words = maybe_repeat(words)
            else:
                if found is not None:
                    return Attempt(Verdict.SENT, ref=str(found)), None
        return self._call(
            self._client.chat_postMessage,
            lambda chart: {**payload(delivery, words, chart), "mrkdwn": False, **where},
            delivery,
            drawn,
        )

    def _update(self, delivery: Delivery, parent: Ref) -> tuple[Attempt, str | None]:
        words, where = standing(delivery.message), {"channel": parent.channel, "ts": parent.ts}
        return self._call(
            self._client.chat_update,
            # Where no blocks are given, those from before may stay.
            lambda chart: {"blocks": [], **payload(delivery, words, chart), **where},
            delivery,
            delivery.message.standing,
        )

    def _call(
        self,
        method: Callable[..., Any],
        said: Callable[[Json | None], Json],
        delivery: Delivery,
        drawn: Sequence[Notice],
    ) -> tuple[Attempt, str | None]:
        """Call a method with what is `said` with a chart or without; `drawn` is what a chart may be of."""
        from usage_watch.channels.slack.client import lost

        chart = None if delivery.minimal else self._charts.of(drawn, delivery.message)
        try:
            answer = self._charts.say(lambda shown: self._client.say(method, said(shown)), chart)
        except Exception as error:  # whatever a foreign library raises is an outcome of this attempt
            return lost(error), None
        if answer.ok:
            done = Ref.read(f"{answer.data.get('channel')}/{answer.data.get('ts')}")
            return Attempt(Verdict.SENT, ref=None if done is None else str(done)), None
        channel, now = plain(self._channel, 80), delivery.sent_at
        return refusal(answer.code, answer.status, answer.headers, channel=channel, now=now), answer.code


def _is_loud(delivery: Delivery) -> bool:
    """A reply is shown in the channel too when something became critical: replies alone are seen by few."""
    return any(notice.reason.firing and notice.severity is Severity.CRITICAL for notice in delivery.message.news)
