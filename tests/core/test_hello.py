"""The first line that a channel of people hears: to whom, when, and in which words."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.channels.samples import PAGE
from tests.core.builders import at
from usage_watch.core.compose import Form
from usage_watch.core.hello import Watch, greetings, hello_id
from usage_watch.core.message import Hello, Message
from usage_watch.core.privacy import Members
from usage_watch.core.promise import Post, Target
from usage_watch.core.wording import news, standing
from usage_watch.core.wordlines import text_lines

TARGETS = {"ops": Target(people=True, edits=True), "finance": Target(people=True), "pager": Target(people=False)}
FORM = Form(TARGETS, ZoneInfo("Europe/Berlin"))
NOW = at(12)
ALL = frozenset(TARGETS)


def greeted(
    hearers: Mapping[str, Collection[str]],
    own: Collection[str] = (),
    judged: Collection[str] = ("a",),
    strangers: Collection[str] = ALL,
) -> list[Post]:
    return list(greetings(strangers, Watch(hearers, own, judged, at(11)), FORM, NOW))


# ---- to whom, and when ----------------------------------------------------------------------------------------------


def test_each_channel_of_people_that_hears_anything_is_greeted_and_no_machine() -> None:
    ops, finance = greeted({"a": ["ops", "pager"], "b": ["ops"]}, own=["finance", "pager"], judged=["a", "b"])
    assert (ops.target, ops.message.hello) == ("ops", Hello(rules=2, heard=2, unread=0))
    assert (finance.target, finance.message.hello) == ("finance", Hello(rules=2, heard=0, unread=0))
    for post in (ops, finance):
        assert (post.message.news, post.message.standing, post.keys) == ((), (), ())
        assert (post.message.decided_at, post.message.data_until) == (NOW, at(11))


@pytest.mark.parametrize(("page", "shown"), [(PAGE, PAGE), (f"{PAGE}/ana@example.com", None)])
def test_a_greeting_knows_where_the_page_is_as_far_as_it_may(page: str, shown: str | None) -> None:
    watch = Watch({"a": ["ops", "quiet"]}, (), ["a"], at(11))
    form = replace(FORM, page=page, targets={**TARGETS, "quiet": Target(people=True, members=Members.HIDDEN)})
    ops, quiet = greetings({"ops", "quiet"}, watch, form, NOW)
    assert (ops.message.page, quiet.message.page) == (page, shown)


def test_who_hears_nothing_is_not_greeted() -> None:
    assert [post.target for post in greeted({"a": ["ops"]})] == ["ops"]


def test_who_was_greeted_is_not_again() -> None:
    assert [post.target for post in greeted({"a": ["ops", "finance"]}, strangers={"finance", "gone"})] == ["finance"]


def test_nobody_is_greeted_before_a_rule_has_judged_anything() -> None:
    assert greeted({"a": ["ops"]}, judged=[]) == []
    assert [post.message.hello for post in greeted({"a": ["ops"], "b": []})] == [Hello(rules=2, heard=1, unread=1)]


def test_a_greeting_has_one_id_for_ever_and_each_channel_its_own() -> None:
    once, again = greeted({"a": ["ops"]})[0], greeted({"b": ["ops"], "c": ["ops"]}, judged=["b"])[0]
    assert once.id == again.id == hello_id("ops") != hello_id("finance")
    assert once.conversation.id == again.conversation.id == "cnv_" + once.id.removeprefix("ntf_")
    assert (once.conversation.subject, again.conversation.subject) == (
        "usage-watch: watching 1 rule",
        "usage-watch: watching 2 rules",
    )


# ---- in which words -------------------------------------------------------------------------------------------------


def message(hello: Hello) -> Message:
    return Message((), (), NOW, "Europe/Berlin", at(11), hello=hello)


@pytest.mark.parametrize(
    ("hello", "line"),
    [
        (
            Hello(6, 6, 0),
            "👋 usage-watch watches 6 rules and tells you here; data until 12:00 (Europe/Berlin)",
        ),
        (
            Hello(1, 1, 0),
            "👋 usage-watch watches 1 rule and tells you here; data until 12:00 (Europe/Berlin)",
        ),
        (
            Hello(6, 2, 1),
            "👋 usage-watch watches 6 rules and tells you here of 2 of them; "
            "data until 12:00 (Europe/Berlin), nothing read yet for 1 rule",
        ),
        (
            Hello(6, 0, 0),
            "👋 usage-watch watches 6 rules and tells you here of its own troubles; data until 12:00 (Europe/Berlin)",
        ),
    ],
)
def test_it_says_in_a_line_what_is_watched_and_how_far(hello: Hello, line: str) -> None:
    words = news(message(hello))
    assert (words.line, words.title, words.entries, words.more) == (line, line, (), 0)
    assert standing(message(hello)) == words


def test_where_no_usage_was_seen_it_says_so() -> None:
    line = news(replace(message(Hello(2, 2, 1)), data_until=None)).line
    assert line == "👋 usage-watch watches 2 rules and tells you here; no usage seen yet, nothing read yet for 1 rule"


def test_said_late_it_names_the_day() -> None:
    late = replace(message(Hello(2, 2, 0)), said_at=NOW + timedelta(days=1))
    assert "data until Mon 2 Nov 12:00 (Europe/Berlin)" in news(late).line


def test_below_the_line_stands_how_to_go_on() -> None:
    words = news(message(Hello(2, 2, 0)))
    assert text_lines(words) == (
        words.line,
        "Look closer: usage-watch status · for quiet: usage-watch silence --help",
    )
