"""Whatever the source calls a model, a project or a member: no sink reads it as anything but text.

2,000 strings, the same each time: 100 of them in tests/cli/test_hostile_output.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from email import message_from_bytes
from email.policy import default
from functools import partial
from io import StringIO
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.channels.evil import text_from_outside
from tests.channels.inert import check_alert, check_mail, check_slack, check_terminal, is_clean, is_inert
from tests.channels.samples import HOURS, NOON, PAGE, delivery, hostile, hostile_pair, message, notice
from tests.meta.making import found, minute, seen, target
from usage_watch.channels.alertmanager.body import alerts_body
from usage_watch.channels.email.mail import Mailbox, mail
from usage_watch.channels.log import LogSender
from usage_watch.channels.slack.blocks import blocks, escaped, fallback_text, text_size
from usage_watch.channels.slack.chart import Charts
from usage_watch.channels.webhook.body import webhook_body
from usage_watch.core.chart import chart
from usage_watch.core.feedstate import Poll
from usage_watch.core.message import Conversation, Message, Reason
from usage_watch.core.series import HOUR, Feed
from usage_watch.core.wording import news, told
from usage_watch.source.errors import from_answer


def times(examples: int) -> settings:
    """So many strings, the same each time."""
    return settings(deadline=None, derandomize=True, max_examples=examples)


def in_trouble(text: str, cause: str) -> Message:
    """What the watcher says of itself, where a channel, a member or a rule is called so and all errors read so."""
    feed = Feed("credit_usage", HOUR, text)
    polls = [Poll(feed, minute(at), "drift", text) for at in (0, 10, 20, 30)]
    failing = target(text, blocked=0, failing=0, oldest=0, lost=[0], error=text)
    lost = replace(failing, given_up=tuple(replace(each, detail=text) for each in failing.given_up))
    late = target(text, failing=0, oldest=0, error=text)
    sight = replace(seen(iter(polls), feeds=[feed]), targets=[lost, late], unworded={text: text})
    happening = next(each for each in found(sight, 40) if each.rule.id == f"meta:{cause}")
    about = {"rule": happening.rule, "evidence": happening.evidence, "labels": happening.labels}
    return message(notice(severity=happening.severity, **about))


CAUSES = ("delivery_blocked", "delivery_lagging", "delivery_given_up", "schema_drift", "template_error")
messages: st.SearchStrategy[Callable[[str], Message]] = st.sampled_from(
    [
        hostile_pair,
        *(partial(hostile, reason=reason, kind=kind) for reason in Reason for kind in ("threshold", "meta")),
        *(partial(in_trouble, cause=cause) for cause in CAUSES),
    ]
)


# Slack


@times(450)
@given(text_from_outside, messages)
def test_slack_reads_no_markup_mention_or_link_in_it(text: str, said: Callable[[str], Message]) -> None:
    whole = said(text)
    words, chart = news(whole), Charts().of(told(whole), whole)
    for payload in (
        {"text": fallback_text(words), "blocks": blocks(words, chart)},
        {"text": fallback_text(words), "blocks": blocks(words)},
    ):
        check_slack(payload)
        assert is_clean(payload["text"])


@times(100)
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


def painted(svg: str) -> bytes:
    """Any picture, of an SVG that is one."""
    check_drawing(svg)
    return b"a picture"


@times(400)
@given(text_from_outside, messages)
def test_a_mail_has_our_headers_two_parts_and_our_tags(text: str, said: Callable[[str], Message]) -> None:
    one = delivery(said(text), conversation=Conversation("cnv_1", text, None))
    raw, _ = mail(one, MAILBOX, painted)
    assert len(message_from_bytes(raw).keys()) == 10
    assert any("Look closer" in shown for shown in check_mail(raw))
    read = message_from_bytes(raw, policy=default)
    assert is_clean(read["Subject"])
    body = read.get_body(("plain",))
    check_terminal(body.get_content().replace("\r\n", "\n"))


def test_a_reader_of_html_sees_the_text_itself() -> None:
    raw, _ = mail(delivery(hostile("<b>&amp;")), MAILBOX)
    assert any("<b>&amp;" in shown for shown in check_mail(raw))


# Charts


def check_drawing(svg: str) -> None:
    """Our elements alone, which neither run nor fetch anything."""
    for each in ElementTree.fromstring(svg).iter():
        assert each.tag.rpartition("}")[2] in {"svg", "title", "desc", "rect", "text", "path", "circle"}
        assert not any("href" in name or name.startswith("on") or name == "style" for name in each.attrib)
        assert is_clean((each.text or "").strip("\n"))


@times(200)
@given(text_from_outside)
def test_a_chart_shows_it_as_text(text: str) -> None:
    [one] = hostile(text).news
    check_drawing(chart(one.evidence, replace(HOURS, what=text), ZoneInfo("UTC")))


# Terminals


@times(300)
@given(text_from_outside, messages)
def test_a_terminal_gets_lines_and_nothing_to_obey(text: str, said: Callable[[str], Message]) -> None:
    stream = StringIO()
    LogSender(stream).send(delivery(said(text)))
    check_terminal(stream.getvalue())


# Machines


@times(200)
@given(text_from_outside, messages, st.booleans())
def test_a_webhook_gets_one_line_of_json_and_the_text_in_it(
    text: str, said: Callable[[str], Message], minimal: bool
) -> None:
    whole = said(text)
    raw = webhook_body(delivery(whole, minimal=minimal))
    assert not re.search(rb"[\x00-\x1f]", raw)
    body = json.loads(raw)
    assert set(body) - {"url"} == set(json.loads(webhook_body(delivery())))
    assert re.fullmatch(r"https://usage\.example\.com/[!-~]+", body.get("url") or f"{PAGE}/alert")
    if not minimal:
        assert body["summary"] == whole.news[0].evidence.summary.encode("utf-8", "replace").decode()


@times(200)
@given(text_from_outside, messages)
def test_alertmanager_gets_legal_names_and_lines(text: str, said: Callable[[str], Message]) -> None:
    for alert in json.loads(alerts_body(delivery(said(text)))):
        check_alert(alert)


# Errors of the API


@times(50)
@given(text_from_outside, st.sampled_from([301, 400, 401, 403, 404, 418, 429, 500]))
def test_what_the_api_says_of_an_error_is_quoted_in_one_line(text: str, status: int) -> None:
    body = json.dumps({"error": {"type": text, "message": text}}).encode()
    feed = Feed("credit_usage", HOUR, text)
    said = str(from_answer(feed, status, {"retry-after": text, "date": text}, body, NOON))
    assert is_clean(said)
    assert len(said) < 1_000
