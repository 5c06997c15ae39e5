"""Whatever the source calls a model, a project or a member: no sink reads it as anything but text."""

from __future__ import annotations

from collections.abc import Callable
from email import message_from_bytes
from functools import partial
from io import StringIO

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.channels.inert import check_mail, check_slack, check_terminal, is_inert
from tests.channels.samples import delivery, hostile, hostile_pair
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


@settings(deadline=None)
@given(text_from_outside, messages)
def test_slack_reads_no_markup_mention_or_link_in_it(text: str, said: Callable[[str], Message]) -> None:
    words = news(said(text))
    check_slack({"text": fallback_text(words), "blocks": blocks(words)})


@settings(deadline=None)
@given(st.text(), st.integers(1, 60))
@example("&&&&&", 8)
def test_cutting_never_breaks_an_entity(text: str, limit: int) -> None:
    cut = escaped(text, limit)
    assert len(cut) <= limit
    assert is_inert(cut)


def test_the_size_of_a_layout_counts_every_text() -> None:
    assert text_size([{"type": "header", "text": {"text": "abc"}}, {"elements": [{"text": "de", "url": "f"}]}]) == 5


# Mail

MAILBOX = Mailbox("usage-watch@example.com", ("ana@example.com",))


@settings(deadline=None)
@given(text_from_outside, messages)
def test_a_mail_has_our_headers_two_parts_and_our_tags(text: str, said: Callable[[str], Message]) -> None:
    one = delivery(said(text), conversation=Conversation("cnv_1", text, None))
    raw, _ = mail(one, MAILBOX)
    assert len(message_from_bytes(raw).keys()) == 10
    assert any("Look closer" in shown for shown in check_mail(raw))


def test_a_reader_of_html_sees_the_text_itself() -> None:
    raw, _ = mail(delivery(hostile("<b>&amp;")), MAILBOX)
    assert any("<b>&amp;" in shown for shown in check_mail(raw))


# Log


@settings(deadline=None)
@given(text_from_outside, messages)
def test_a_terminal_gets_lines_and_nothing_to_obey(text: str, said: Callable[[str], Message]) -> None:
    stream = StringIO()
    LogSender(stream).send(delivery(said(text)))
    check_terminal(stream.getvalue())
