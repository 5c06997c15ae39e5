"""What a rule says in its own words, and how many incidents it names, as each kind of channel lays it out."""

from __future__ import annotations

import json
from dataclasses import replace
from email import message_from_bytes

import pytest

from tests.channels.inert import check_slack
from tests.channels.samples import delivery, member_day, message
from usage_watch.channels.email.mail import Mailbox, mail
from usage_watch.channels.slack.blocks import blocks, fallback_text, text_size
from usage_watch.core.message import Message
from usage_watch.core.wording import news

ASK = "Ask <ana> & *ben*."


def worded(count: int, text: str = ASK, name: str = "m", **changes: object) -> Message:
    many = (member_day(f"{name}{n}@example.com", 3_000 + n) for n in range(count))
    return replace(message(*(replace(each, text=text) for each in many)), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(("incidents", "said"), [(1, 1), (5, 3)])
def test_slack_says_it_after_the_reasons_as_plain_text(incidents: int, said: int) -> None:
    words = news(worded(incidents))
    laid = blocks(words)
    check_slack({"text": fallback_text(words), "blocks": laid})
    assert json.dumps(laid).count(json.dumps({"type": "text", "text": ASK})) == said


def test_slack_says_it_where_there_is_nothing_else_to_say() -> None:
    words = news(worded(1))
    bare = replace(words, entries=(replace(words.entries[0], labels=(), reasons=()),))
    assert ASK in json.dumps(blocks(bare))


@pytest.mark.parametrize(("incidents", "said"), [(1, 1), (5, 3)])
def test_a_mail_says_it_in_both_parts(incidents: int, said: int) -> None:
    raw, _ = mail(delivery(worded(incidents)), Mailbox("usage-watch@example.com", ("ana@example.com",)))
    pages = {part.get_content_type(): part.get_payload(decode=True) for part in message_from_bytes(raw).walk()}
    text, html = pages["text/plain"], pages["text/html"]
    assert isinstance(text, bytes)
    assert isinstance(html, bytes)
    assert text.decode().count(ASK) == said
    assert html.decode().count(">Ask &lt;ana&gt; &amp; *ben*.</p>") == said


@pytest.mark.parametrize("filler", ["x", "&", "x y "])
def test_where_slack_has_no_room_for_all_that_are_named_more_are_counted(filler: str) -> None:
    words = news(worded(400, filler * 500, filler * 200, named=100))
    assert len(words.entries) == 100
    laid = blocks(words)
    check_slack({"text": fallback_text(words), "blocks": laid})
    assert text_size(laid) <= 12_000
    lists = [each for each in laid[1]["elements"] if each.get("indent") == 0]
    counted = laid[1]["elements"][-1]["elements"][0]["text"]
    assert counted == f"and {400 - len(lists)} more"


def linked(laid: object) -> int:
    """How many links there are in a layout."""
    return json.dumps(laid).count('"type": "link"')


def test_where_slack_has_no_room_for_each_ones_link_the_messages_own_is_there() -> None:
    told, paged = worded(20), worded(20, page="https://usage.example.com")
    assert linked(blocks(news(paged))) == 20 + 1
    far = replace(paged, page=f"https://usage.example.com/{'x' * 600}")
    assert linked(blocks(news(far))) == 1
    [*before, _, footer] = blocks(news(told))
    assert blocks(news(far))[:-2] == before, "nothing that is said makes room for links"
    assert blocks(news(far))[-1] == footer
    crowded = news(worded(400, "x" * 500, "x" * 200, named=100, page="https://usage.example.com"))
    laid = blocks(crowded)
    check_slack({"text": fallback_text(crowded), "blocks": laid})
    assert (linked(laid), text_size(laid) <= 12_000) == (1, True)
