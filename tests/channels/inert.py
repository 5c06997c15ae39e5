"""Whether anything in what was sent would be obeyed: markup, mentions, links, headers, tags, escapes of terminals."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from email import message_from_bytes
from html.parser import HTMLParser
from typing import Any

from tests.channels.samples import PAGE
from tests.fakes.slack_api import payload_fault

_BLOCKS = {"header", "section", "context", "rich_text", "rich_text_section", "rich_text_list", "text", "line"}
_OUR_FIELD = re.compile(r"\*(Severity|Since|Now|Ended|Lasted|Alert of|Learned)\*\n[ -~–]+")
_TAGS = {"html", "head", "meta", "title", "body", "div", "span", "table", "tr", "td", "b", "p", "a", "code", "img"}
_ATTRIBUTES = {
    "lang",
    "charset",
    "name",
    "content",
    "style",
    "href",
    "role",
    "cellspacing",
    "cellpadding",
    "width",
    "height",
}
_ATTRIBUTES |= {"src", "alt"}
_HEADERS = {
    *("From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted"),
    *("X-Auto-Response-Suppress", "List-Id", "MIME-Version", "Content-Type", "Content-Transfer-Encoding"),
}


def check_slack(payload: dict[str, Any]) -> None:
    """Within Slack's limits, and no text from outside where Slack reads markup."""
    assert payload_fault(payload) is None
    assert is_inert(payload["text"])
    for each in _objects(payload.get("blocks", [])):
        _check_object(each)


def is_inert(mrkdwn: str) -> bool:
    """Without control characters of Slack's; what it shows for entities is text."""
    return not re.search(r"[<>]|&(?!(amp|lt|gt);)", mrkdwn)


def _objects(part: object) -> Iterator[dict[str, Any]]:
    if isinstance(part, list):
        for each in part:
            yield from _objects(each)
    if isinstance(part, dict):
        yield part
        for each in part.values():
            yield from _objects(each)


def _check_object(each: dict[str, Any]) -> None:
    match each.get("type"):
        case "plain_text":
            assert each["emoji"] is False
        case "mrkdwn":
            assert _OUR_FIELD.fullmatch(each["text"])
            assert each["verbatim"] is True
        case "link":
            assert re.match(r"https?://", each["url"])
            assert each["text"] in ("runbook", "open")
        case "data_visualization":
            names = [series["name"] for series in each["chart"]["series"]]
            assert all(is_inert(text) for text in (each["title"], *names, *each["chart"]["axis_config"]["categories"]))
        case kind:
            assert kind is None or kind in _BLOCKS


def check_mail(raw: bytes) -> list[str]:
    """Our headers alone, each once, and our tags; what a reader of HTML is shown."""
    root, *parts = message_from_bytes(raw).walk()
    names = list(root.keys())
    assert set(names) <= _HEADERS
    assert len(set(names)) == len(names)
    assert [part.get_content_type() for part in parts] in (
        ["text/plain", "text/html"],
        ["text/plain", "multipart/related", "text/html", "image/png"],
        [],
    )
    reader = _Reader()
    for page in (part for part in parts if part.get_content_type() == "text/html"):
        body = page.get_payload(decode=True)
        assert isinstance(body, bytes)
        reader.feed(body.decode())
    reader.close()
    return reader.shown


class _Reader(HTMLParser):
    """Checks each tag, and keeps what a reader sees."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in _TAGS
        for name, value in attrs:
            assert name in _ATTRIBUTES
            assert name != "href" or re.match(r"https?://", value or "")
            assert name != "src" or re.fullmatch(r"cid:chart\.[\w-]+@example\.com", value or "")
            assert name != "style" or not re.search(r"url\(|expression|@import", value or "")

    def handle_data(self, data: str) -> None:
        self.shown.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


def check_terminal(printed: str) -> None:
    """Lines, and nothing to obey."""
    assert all(is_clean(line) for line in printed.split("\n"))


def is_clean(line: str) -> bool:
    """One line that shows all it holds: no control, direction, half of a pair or other end of a line."""
    return not any(unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in line)


def check_alert(alert: dict[str, Any]) -> None:
    """As Alertmanager takes it, in lines that no terminal obeys."""
    assert set(alert) - {"generatorURL"} == {"labels", "annotations", "startsAt", "endsAt"}
    assert re.match(r"https?://[!-~]+$", alert.get("generatorURL", PAGE))
    assert alert["startsAt"] <= alert["endsAt"]
    assert {"severity", "source"} <= alert["labels"].keys()
    for name, value in (*alert["labels"].items(), *alert["annotations"].items()):
        assert re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", name)
        assert value
        assert is_clean(value)
        assert len(value) < 700 or name == "runbook_url"
