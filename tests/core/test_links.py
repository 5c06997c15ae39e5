"""Where a message's links lead."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.channels.samples import MEMBERS, PAGE, blind, frozen, greeting, member_day, message, notice
from usage_watch.core.links import alert_page, front_page, rule_page
from usage_watch.core.message import Message, Reason
from usage_watch.core.wording import news, standing

INCIDENT = "inc_4f2a9c81d07be6a35c11"


@pytest.mark.parametrize(
    ("page", "front"),
    [
        ("https://usage.example.com", "https://usage.example.com/"),
        ("https://usage.example.com/", "https://usage.example.com/"),
        ("https://example.com/usage", "https://example.com/usage/"),
        ("https://example.com/usage/", "https://example.com/usage/"),
        ("https://example.com/usage//", "https://example.com/usage/"),
        ("http://127.0.0.1:8321", "http://127.0.0.1:8321/"),
        ("https://example.com/l'usage", "https://example.com/l%27usage/"),
    ],
)
def test_what_is_linked_stands_under_the_page_after_one_slash(page: str, front: str) -> None:
    said = message(page=page)
    assert front_page(said) == front
    assert alert_page(said, said.news[0]) == f"{front}alert?id={INCIDENT}"
    assert rule_page(said, said.news[0]) == f"{front}rule?id=hourly-credits"


def test_without_a_page_there_are_no_links() -> None:
    said = message()
    assert (front_page(said), alert_page(said, said.news[0]), rule_page(said, said.news[0])) == (None, None, None)


@pytest.mark.parametrize(
    ("written", "quoted"),
    [("a&id=b#c", "a%26id%3Db%23c"), ("../ä b", "..%2F%C3%A4%20b"), ("\ud800", "%3F"), ("%", "%25")],
)
def test_an_id_is_quoted_whatever_it_holds(written: str, quoted: str) -> None:
    one = notice(incident_id=written, rule=replace(MEMBERS, id=written))
    said = message(one, page=PAGE)
    assert alert_page(said, one) == f"{PAGE}/alert?id={quoted}"
    assert rule_page(said, one) == f"{PAGE}/rule?id={quoted}"


@given(st.text(), st.text())
def test_a_link_is_a_web_address_of_visible_ascii_or_there_is_none(page: str, incident_id: str) -> None:
    one = notice(incident_id=incident_id)
    for base in (page, f"{PAGE}/{page}"):
        link = alert_page(message(one, page=base), one)
        assert link is None or (link.isascii() and link.isprintable() and " " not in link and "://" in link)
    assert alert_page(message(one, page=PAGE), one) is not None


@pytest.mark.parametrize("stored_nowhere", [{"test": True}, {"unstored": True}])
def test_what_is_stored_nowhere_has_no_page_of_its_own(stored_nowhere: dict[str, bool]) -> None:
    said = message(page=PAGE, **stored_nowhere)
    assert alert_page(said, said.news[0]) is None
    assert news(said).page == f"{PAGE}/"
    assert [entry.page for entry in news(said).entries] == [None]


# ---- which of them a message has ------------------------------------------------------------------------------------

ANA, BEN = (member_day(f"{name}@example.com", 3_000) for name in ("ana", "ben"))
BEN_OVER = replace(BEN, reason=Reason.RESOLVED, ended_at=BEN.started_at)
LONG = "https://example.com/" + "x" * 1_960


@pytest.mark.parametrize(
    ("said", "path"),
    [
        (message(), f"alert?id={INCIDENT}"),
        (message(notice(Reason.RESOLVED)), f"alert?id={INCIDENT}"),
        (message(blind()), "alert?id=inc_0d4e"),
        (message(ANA, BEN), "rule?id=member-day"),
        (message(BEN_OVER, ANA), "rule?id=member-day"),
        (message(BEN_OVER, BEN_OVER), ""),
        (message(frozen("credit_usage 1h"), frozen("query_volume 1d")), ""),
        (greeting(), ""),
    ],
)
def test_a_message_links_to_where_most_of_it_is_to_be_seen(said: Message, path: str) -> None:
    assert news(said).page is None
    assert news(replace(said, page=PAGE)).page == f"{PAGE}/{path}"


def test_where_an_alerts_link_is_too_long_the_front_page_is_there() -> None:
    assert news(message(page=LONG)).page == f"{LONG}/"


def test_each_of_several_is_linked_and_as_it_now_stands_too() -> None:
    said = message(*(member_day(f"{name}@example.com", 3_000) for name in "abcde"), page=PAGE)
    for words in (news(said), standing(said)):
        assert [entry.page for entry in words.entries] == [f"{PAGE}/alert?id=inc_{name}" for name in "abcde"]
