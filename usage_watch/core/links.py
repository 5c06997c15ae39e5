"""Links to the status page, from what a message says already: what it hides, they cannot name. Pure."""

from __future__ import annotations

from urllib.parse import quote

from usage_watch.core.message import Message, Notice
from usage_watch.core.plain import web_link


def front_page(message: Message) -> str | None:
    """How everything stands; None where there is no page."""
    return _link(message, "")


def rule_page(message: Message, notice: Notice) -> str | None:
    """A rule and its series; None where there is no page."""
    return _link(message, f"rule?id={_quoted(notice.rule.id)}")


def alert_page(message: Message, notice: Notice) -> str | None:
    """One alert; None where there is no page, and for what no page can show: it is stored nowhere."""
    stored = not message.test and not message.unstored
    return _link(message, f"alert?id={_quoted(notice.incident_id)}") if stored else None


def _link(message: Message, path: str) -> str | None:
    return None if message.page is None else web_link(f"{message.page.rstrip('/')}/{path}")


def _quoted(text: str) -> str:
    return quote(text, safe="", errors="replace")
