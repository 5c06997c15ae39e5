"""Whether a post whose answer was lost arrived: Slack is asked for it by the delivery's id in its metadata.

The id is made for one delivery. So whoever's message carries it, under our event type, tells people what is to be
told; whose it is (`bot_id`, `app_id`) is not asked, since a token does not know its own without more scopes.

What Slack gives, by its documentation:
- conversations.history and .replies want `channels:history` (`groups:history` in a private channel) and a member of
  the channel; a page's newest message comes first, in a thread its oldest; the payload of metadata is left out unless
  `include_all_metadata` is set. docs.slack.dev/reference/methods/conversations.history, …/conversations.replies
  (the latter's page still says that bots may not read channels' threads, yet lists the scopes of bots for it: so it is
  tried, and `channels test` tries both.)
- they take a channel's ID alone; a name's ID is found by conversations.list, which wants `channels:read` and, for
  private channels, `groups:read`. docs.slack.dev/reference/methods/conversations.list
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from usage_watch.channels.slack.pages import CannotLookError, MissingScopeError, Pages
from usage_watch.channels.slack.payload import EVENT
from usage_watch.channels.slack.ref import Ref
from usage_watch.core.message import Delivery
from usage_watch.core.plain import plain

if TYPE_CHECKING:
    from usage_watch.channels.slack.client import AppClient

Json = dict[str, Any]

_SKEW = timedelta(hours=1)
"""By so much may our clock be ahead of Slack's."""
_LIMIT = 100
"""Messages of a page: ours take up to 150 kB each."""
_CHANNELS = 999
_TYPES = ("public_channel,private_channel", "public_channel", "private_channel")
"""Of channels, to be listed: the first that the app's scopes allow."""


class Lookup:
    """Looks for what one app posted to one channel. Each look takes `seconds`, and one more answer, at most."""

    def __init__(self, client: AppClient, channel: str, seconds: float) -> None:
        self._client = client
        self._channel = channel
        self._seconds = seconds
        self._id = channel if re.fullmatch(r"[A-Z0-9]+", channel) else None

    def in_channel(self, delivery: Delivery, beside: Ref | None) -> Ref | None:
        """The message that carries the delivery's id, other than `beside`; CannotLookError, NotNowError."""
        pages = self._pages(delivery.sent_at)
        channel = self._channel_id(pages)
        return self._first(self._history(pages, channel, _oldest(delivery)), channel, delivery.id, beside)

    def in_thread(self, delivery: Delivery, parent: Ref) -> Ref | None:
        """The same among the replies to `parent`, which carries the id of the last delivery that updated it."""
        pages = self._pages(delivery.sent_at)
        replies = self._replies(pages, parent, _oldest(delivery))
        return self._first(replies, parent.channel, delivery.id, parent)

    def try_on(self, posted: Ref) -> None:
        """Look for what was just posted, in both ways, by no more than the settings; CannotLookError, NotNowError."""
        pages = self._pages(posted.posted_at)
        oldest = posted.posted_at - timedelta(seconds=1)
        for found in (
            self._history(pages, self._channel_id(pages), oldest),
            self._replies(pages, posted, oldest),
        ):
            if not any(each.get("ts") == posted.ts and _delivery_id(each) for each in found):
                raise CannotLookError("Slack does not show the app what it just posted")

    def _pages(self, now: datetime) -> Pages:
        return Pages(self._client, plain(self._channel, 80), now, self._seconds)

    def _history(self, pages: Pages, channel: str, oldest: datetime) -> Iterator[Json]:
        return pages.items(self._client.conversations_history, {"channel": channel, **_query(oldest)}, "messages")

    def _replies(self, pages: Pages, parent: Ref, oldest: datetime) -> Iterator[Json]:
        query = {"channel": parent.channel, "ts": parent.ts, **_query(oldest)}
        return pages.items(self._client.conversations_replies, query, "messages")

    def _first(self, messages: Iterator[Json], channel: str, id: str, beside: Ref | None) -> Ref | None:
        found = (Ref.read(f"{channel}/{each.get('ts')}") for each in messages if _delivery_id(each) == id)
        return next((ref for ref in found if ref is not None and ref != beside), None)

    def _channel_id(self, pages: Pages) -> str:
        if self._id is None:
            self._id = self._listed(pages)
        return self._id

    def _listed(self, pages: Pages) -> str:
        for types in _TYPES:
            try:
                return self._among(pages, types)
            except MissingScopeError:
                continue
        raise CannotLookError("the app lacks the scope channels:read, and `channel` is no ID")

    def _among(self, pages: Pages, types: str) -> str:
        query = {"types": types, "exclude_archived": True, "limit": _CHANNELS}
        name = self._channel.removeprefix("#").casefold()
        for each in pages.items(self._client.conversations_list, query, "channels"):
            if name == str(each.get("name")).casefold() and re.fullmatch(r"[A-Z0-9]+", str(each.get("id"))):
                return str(each["id"])
        raise CannotLookError("the app is not shown the channel's ID: write that as `channel`")


def _oldest(delivery: Delivery) -> datetime:
    return delivery.message.decided_at - _SKEW


def _query(oldest: datetime) -> Json:
    since = f"{oldest.astimezone(UTC).timestamp():.6f}"
    return {"oldest": since, "include_all_metadata": True, "limit": _LIMIT}


def _delivery_id(message: Json) -> str | None:
    match message:
        case {"metadata": {"event_type": str(event), "event_payload": {"id": str(id)}}} if event == EVENT:
            return id
    return None
