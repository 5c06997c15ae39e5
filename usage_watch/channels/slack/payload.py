"""What a call of Slack's carries. Pure."""

from __future__ import annotations

from typing import Any

from usage_watch.channels.slack.blocks import blocks, fallback_text, least_text
from usage_watch.core.message import Delivery
from usage_watch.core.wording import Words, told

Json = dict[str, Any]

EVENT = "usage_watch_alert"


def payload(delivery: Delivery, words: Words) -> Json:
    """A message; of a minimal one there is text alone."""
    first = told(delivery.message)[0]
    facts = {"id": delivery.id, "rule": first.rule.id, "reason": first.reason.value}
    whole = {"text": fallback_text(words), "blocks": blocks(words)}
    shown = {"text": least_text(words)} if delivery.minimal else whole
    return {
        **shown,
        "unfurl_links": False,
        "unfurl_media": False,
        "parse": "none",
        "link_names": False,
        "metadata": {"event_type": EVENT, "event_payload": facts},
    }
