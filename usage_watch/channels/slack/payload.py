"""What a call of Slack's carries. Pure."""

from __future__ import annotations

from typing import Any

from usage_watch.channels.slack.blocks import blocks, fallback_text, least_text
from usage_watch.core.hello import HELLO
from usage_watch.core.message import Delivery
from usage_watch.core.wording import Words, told

Json = dict[str, Any]

EVENT = "usage_watch_alert"


def payload(delivery: Delivery, words: Words, chart: Json | None = None) -> Json:
    """A message, with a chart in place of the row that says the same; of a minimal one there is text alone."""
    first = next(iter(told(delivery.message)), None)
    about = {"reason": HELLO} if first is None else {"rule": first.rule.id, "reason": first.reason.value}
    whole = {"text": fallback_text(words), "blocks": blocks(words, chart)}
    shown = {"text": least_text(words)} if delivery.minimal else whole
    return {
        **shown,
        "unfurl_links": False,
        "unfurl_media": False,
        "parse": "none",
        "link_names": False,
        "metadata": {"event_type": EVENT, "event_payload": {"id": delivery.id, **about}},
    }
