"""Whatever the source calls a model, a project or a member: no sink reads it as anything but text."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from email import message_from_bytes
from functools import partial
from html.parser import HTMLParser
from io import StringIO
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.channels.samples import delivery, hostile, hostile_pair
from tests.fakes.slack_api import payload_fault
from usage_watch.channels.email.mail import Mailbox, mail
from usage_watch.channels.log import LogSender
from usage_watch.channels.slack.blocks import blocks, escaped, fallback_text, text_size
from usage_watch.core.message import Conversation, Message, Reason
from usage_watch.core.wording import news

EVIL = [
    "<!channel>",
    "<!here|here>",
    "<!subteam^S1>",
    "<@U012345>",
    "<#C012345>",
    "<https://evil.example|Dashboard>",
    "&lt;!channel&gt;",
    "&amp;",
    "@here",
    "*bold*",
    "_italic_",
    "~gone~",
    "`code`",
    "```",
    ":rotating_light:",
    "> quote",
    "https://evil.example/",
    "javascript:alert(1)",
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "<!--",
    "]]>",
    "</title></head>",
    "=?utf-8?q?hi=0D=0AX-Evil=3A_1?=",
    "\r\nX-Evil: 1",
    "\r\n.\r\nQUIT\r\n",
    "--=_ntf_5e6f7a8b9c0d--",
    "\x1b[31m",
    "\x1b]8;;https://evil.example\x07",
    "\x9b2J",
    "\u202e",
    "\u2066",
    "\u2028",
    "\x85",
    "\0",
    "\ud800",
]
text_from_outside = st.one_of(
    st.lists(st.one_of(st.sampled_from(EVIL), st.text(max_size=8)), max_size=4).map("".join), st.text(max_size=400)
)


messages: st.SearchStrategy[Callable[[str], Message]] = st.sampled_from(
    [hostile_pair, *(partial(hostile, reason=reason, kind=kind) for reason in Reason for kind in ("threshold", "meta"))]
)


# Slack


def _objects(part: object) -> Iterator[dict[str, Any]]:
    if isinstance(part, list):
        for each in part:
            yield from _objects(each)
    if isinstance(part, dict):
        yield part
        for each in part.values():
            yield from _objects(each)


def _is_inert(mrkdwn: str) -> bool:
    """Without control characters of Slack's; what it shows for entities is text."""
    return not re.search(r"[<>]|&(?!(amp|lt|gt);)", mrkdwn)


ALL_BLOCKS = {"header", "section", "context", "rich_text"}
ALL_RICH = {"rich_text_section", "rich_text_list", "text"}


OUR_FIELD = re.compile(r"\*(Severity|Since|Now|Ended|Lasted|Alert of|Learned)\*\n[ -~–]+")


@settings(deadline=None)
@given(text_from_outside, messages)
def test_slack_reads_no_markup_mention_or_link_in_it(text: str, said: Callable[[str], Message]) -> None:
    words = news(said(text))
    layout = blocks(words)
    assert payload_fault({"text": fallback_text(words), "blocks": layout}) is None
    assert _is_inert(fallback_text(words))
    for each in _objects(layout):
        _check(each)


def _check(each: dict[str, Any]) -> None:
    match each.get("type"):
        case "plain_text":
            assert each["emoji"] is False
        case "mrkdwn":
            assert OUR_FIELD.fullmatch(each["text"])
            assert each["verbatim"] is True
        case "link":
            assert re.match(r"https?://", each["url"])
            assert each["text"] == "runbook"
        case kind:
            assert kind is None or kind in ALL_BLOCKS | ALL_RICH


@settings(deadline=None)
@given(st.text(), st.integers(1, 60))
@example("&&&&&", 8)
def test_cutting_never_breaks_an_entity(text: str, limit: int) -> None:
    cut = escaped(text, limit)
    assert len(cut) <= limit
    assert _is_inert(cut)


def test_the_size_of_a_layout_counts_every_text() -> None:
    assert text_size([{"type": "header", "text": {"text": "abc"}}, {"elements": [{"text": "de", "url": "f"}]}]) == 5


# Mail

MAILBOX = Mailbox("usage-watch@example.com", ("ana@example.com",))
TAGS = {"html", "head", "meta", "title", "body", "div", "span", "table", "tr", "td", "b", "p", "a", "code"}
ATTRIBUTES = {"lang", "charset", "name", "content", "style", "href", "role", "cellspacing", "cellpadding", "width"}


class _Reader(HTMLParser):
    """Checks each tag, and keeps what a reader sees."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        for name, value in attrs:
            assert name in ATTRIBUTES
            assert name != "href" or re.match(r"https?://", value or "")
            assert name != "style" or not re.search(r"url\(|expression|@import", value or "")

    def handle_data(self, data: str) -> None:
        self.shown.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


@settings(deadline=None)
@given(text_from_outside, messages)
def test_a_mail_has_our_headers_two_parts_and_our_tags(text: str, said: Callable[[str], Message]) -> None:
    one = delivery(said(text), conversation=Conversation("cnv_1", text, None))
    raw, _ = mail(one, MAILBOX)
    root, plain_part, page = message_from_bytes(raw).walk()
    assert len(root.keys()) == 10
    assert "X-Evil" not in root
    body = page.get_payload(decode=True)
    assert isinstance(body, bytes)
    reader = _Reader()
    reader.feed(body.decode())
    reader.close()
    assert plain_part.get_content_type() == "text/plain"
    assert any("Look closer" in shown for shown in reader.shown)


def test_a_reader_of_html_sees_the_text_itself() -> None:
    raw, _ = mail(delivery(hostile("<b>&amp;")), MAILBOX)
    *_, page = message_from_bytes(raw).walk()
    body = page.get_payload(decode=True)
    assert isinstance(body, bytes)
    reader = _Reader()
    reader.feed(body.decode())
    assert any("<b>&amp;" in shown for shown in reader.shown)


# Log


@settings(deadline=None)
@given(text_from_outside, messages)
def test_a_terminal_gets_lines_and_nothing_to_obey(text: str, said: Callable[[str], Message]) -> None:
    stream = StringIO()
    LogSender(stream).send(delivery(said(text)))
    printed = stream.getvalue()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", printed)
