"""Asking Slack page by page, within bounds: the attempt that asks holds a lease, and others wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from usage_watch.channels.base import Attempt, Verdict
from usage_watch.channels.network import why_unreachable
from usage_watch.channels.slack.answers import refusal
from usage_watch.channels.slack.manifest import LOOK_UP

if TYPE_CHECKING:
    from usage_watch.channels.slack.client import Answer, AppClient

Json = dict[str, Any]

PAGES = 10


class CannotLookError(Exception):
    """Slack does not let the app look, now or later; why, as a clause for people."""


class MissingScopeError(CannotLookError):
    """For want of a scope."""


class NotNowError(Exception):
    """Slack cannot be asked now; the outcome of the attempt that wanted to."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(attempt.detail)
        self.attempt = attempt


class Pages:
    """One look-up: no page more is asked for after PAGES of them, or `seconds`."""

    def __init__(self, client: AppClient, channel: str, now: datetime, seconds: float) -> None:
        self._client = client
        self._channel = channel
        """What its users call it."""
        self._now = now
        self._deadline = time.monotonic() + seconds

    def items(self, method: Callable[..., Any], query: Mapping[str, Any], key: str) -> Iterator[Json]:
        """What stands under `key` on each page; CannotLookError where there is no end to it, NotNowError."""
        cursor = None
        for number in range(PAGES):
            data = self._ask(method, {**query, "cursor": cursor}, first=number == 0)
            found = data.get(key)
            if not isinstance(found, list):
                raise CannotLookError("Slack's answer is not as documented")
            yield from (each for each in found if isinstance(each, dict))
            cursor = _next(data)
            if cursor is None:
                return
            if time.monotonic() > self._deadline:
                break
        raise CannotLookError("there is too much to look through")

    def _ask(self, method: Callable[..., Any], query: Mapping[str, Any], *, first: bool) -> Mapping[str, Any]:
        try:
            answer = self._client.say(method, query)
        except Exception as error:  # whatever a foreign library raises is an outcome of this attempt
            why = f"Slack could not be asked whether an earlier attempt had arrived: {why_unreachable(error)}."
            raise NotNowError(Attempt(Verdict.NOT_SENT, why)) from None
        if answer.ok:
            return answer.data
        refused = refusal(answer.code, answer.status, answer.headers, channel=self._channel, now=self._now)
        if _passes(answer, refused, first=first):
            why = f"Slack did not say whether an earlier attempt had arrived. {refused.detail}"
            raise NotNowError(replace(refused, detail=why))
        if answer.code in ("missing_scope", "no_permission"):
            raise MissingScopeError(_lacks(answer))
        raise CannotLookError(self._why(answer))

    def _why(self, answer: Answer) -> str:
        if answer.code in ("not_in_channel", "channel_not_found"):
            return f"the app is not in {self._channel}: invite it"
        return "Slack's answer is not as documented" if answer.code is None else f"Slack refuses: {answer.code}"


def _passes(answer: Answer, refused: Attempt, *, first: bool) -> bool:
    """Whether it helps to ask again later.

    Not where something in between answers with a page of its own: a post will meet it too. Nor where a further page
    is asked too soon: an app that is distributed outside Slack's Marketplace gets one page of 15 a minute, and would
    never see the second. (An app of the workspace's own gets 50 and more: docs.slack.dev/apis/web-api/rate-limits.)
    """
    if refused.verdict is Verdict.THROTTLED:
        return first
    return refused.verdict is Verdict.SERVER and not (answer.code is None and answer.status == 200)


def _lacks(answer: Answer) -> str:
    # Only those that we know of: what Slack says is needed is text from outside.
    needed = str(answer.data.get("needed")).split(",")
    known = [scope for scope in LOOK_UP if scope in needed]
    return f"the app lacks the scope {' or '.join(known)}" if known else "the app lacks a scope for it"


def _next(data: Mapping[str, Any]) -> str | None:
    match data:
        case {"response_metadata": {"next_cursor": str(cursor)}}:
            return cursor or None
    return None
