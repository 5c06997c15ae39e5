from __future__ import annotations

import ast
import inspect
import string
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.channels.samples import HOUR, NOON, blind, delivery, member_day, message, notice
from usage_watch.channels.webhook.body import webhook_body
from usage_watch.config.shapes import describe
from usage_watch.core import template
from usage_watch.core.message import Message, Notice, Reason
from usage_watch.core.money import Price
from usage_watch.core.template import FIELDS, Style, faults, styled
from usage_watch.core.wording import news
from usage_watch.core.wordlines import text_lines
from usage_watch.rules import Rule

ANA = member_day("ana@example.com", 21_400)
ROOT = Path(__file__).parent.parent.parent


def titled(one: Notice, title: str) -> Notice:
    return replace(one, rule=replace(one.rule, title=title))


def worded(one: Notice, text: str | None = None) -> Notice:
    """The notice of a message in its rule's words; nothing of them may fail."""
    said = styled(message(one), Style(text), lambda rule_id, error: pytest.fail(f"{rule_id}: {error!r}"))
    assert said.standing == said.news
    return said.news[0]


FILLED = {
    "rule": "member-day",
    "severity": "critical",
    "series": "ana@example.com",
    "member": "ana@example.com",
    "dataset": "credit_usage",
    "value": "21,400",
    "unit": "credits",
    "amount": "214 USD",
    "limit": "20,000",
    "window": "1 d",
    "since": "Sun 22 Nov",
    "summary": "21,400 credits in 1 d, over the critical limit of 20,000",
}


def test_every_field_is_filled_as_messages_write_it() -> None:
    assert tuple(FILLED) == FIELDS
    at_a_price = replace(ANA, price=Price(10, "USD"))
    assert worded(at_a_price, "|".join(f"${name}" for name in FIELDS)).text == "|".join(FILLED.values())


TEXTS = [
    ("$value $unit against $limit. Ask $member.", ANA, "21,400 credits against 20,000. Ask ana@example.com."),
    ("$$5 and ${value}x", ANA, "$5 and 21,400x"),
    ("no field", ANA, "no field"),
    ("since $since", notice(), "since 13:00"),
    ("$series|$member|", notice(labels={"b": "2", "a": "1"}), "1, 2||"),
    ("$value $unit, $limit", notice(evidence=replace(notice().evidence, unit="%", value=63.4, limit=60)), "63 %, 60"),
    ("$value $unit", notice(evidence=replace(notice().evidence, value=1)), "1 credit"),
    ("$series", notice(), None),
    ("$value $unit, $amount", notice(), "12,345 credits,"),
    ("$series", notice(labels={"Model": "$value $$"}), "$value $$"),
]


@pytest.mark.parametrize(("text", "one", "said"), TEXTS)
def test_a_text_is_filled(text: str, one: Notice, said: str | None) -> None:
    assert worded(one, text).text == said


def test_a_title_is_filled_and_the_id_stands_where_it_comes_out_empty() -> None:
    assert worded(titled(ANA, "Credits of $series")).rule.title == "Credits of ana@example.com"
    assert worded(titled(notice(), "$member")).rule.title == "hourly-credits"


@pytest.mark.parametrize("reason", Reason)
def test_a_text_is_said_while_it_goes_on_and_once_where_it_was_never_told(reason: Reason) -> None:
    said = worded(notice(reason), "$value").text
    ended_known = reason in (Reason.RESOLVED, Reason.RETRACTED, Reason.CLOSED)
    assert said == (None if ended_known else "12,345")


def test_a_correction_of_what_is_over_says_no_text() -> None:
    assert worded(notice(Reason.UPDATED, ended_at=NOON + HOUR), "$value").text is None


def test_what_the_watcher_says_of_itself_is_left_alone() -> None:
    own = titled(blind(), "costs $5")
    assert worded(own, "$value") == own


BAD = [("$nothing", KeyError), ("$5", ValueError), ("$", ValueError)]


@pytest.mark.parametrize(("written", "kind"), BAD)
def test_what_cannot_be_filled_is_left_out_and_said(written: str, kind: type[Exception]) -> None:
    heard: list[tuple[str, type[Exception]]] = []
    style = Style(written, 7)
    said = styled(message(titled(ANA, written)), style, lambda rule, error: heard.append((rule, type(error))))
    assert [(each.rule.title, each.text) for each in (*said.news, *said.standing)] == [("member-day", None)] * 2
    assert set(heard) == {("member-day", kind)}
    assert said.named == 7


FAULTS = [
    ("Credits of $series", []),
    ("$$5 ${value}", []),
    ("$serie", ["names `$serie`, which is not known here; did you mean `$series`?"]),
    ("${Value}", ["names `$Value`, which is not known here; did you mean `$value`?"]),
    ("100 $", ["has a `$` that begins no name; write `$$` for a dollar"]),
    ("$5 ${", ["has a `$` that begins no name; write `$$` for a dollar"] * 2),
    ("$q", [f"names `$q`, which is not known here; known are {', '.join(f'${name}' for name in FIELDS)}"]),
]


@pytest.mark.parametrize(("written", "said"), FAULTS)
def test_each_fault_of_a_template_is_named(written: str, said: list[str]) -> None:
    assert list(faults(written)) == said


@given(st.text(alphabet="$ {}aelmuv5é", max_size=12) | st.sampled_from([f"${name}" for name in FIELDS]))
def test_what_has_no_fault_can_be_filled(written: str) -> None:
    if not any(faults(written)):
        values = dict.fromkeys(FIELDS, "")
        assert isinstance(string.Template(written).substitute(values), str)
        worded(ANA, written)


def test_the_fields_are_told_wherever_one_would_look() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    module = ast.get_docstring(ast.parse(inspect.getsource(template))) or ""
    for name in FIELDS:
        assert f"`${name}`" in describe(Rule, "text")
        assert f"| `${name}` |" in readme
        assert f"| `${name}` |" in module


# ---- where it is said -----------------------------------------------------------------------------------------------

SAID = "Ask ana@example.com."


def with_text(*news: Notice) -> Message:
    return message(*(replace(each, text=SAID) for each in news))


def test_a_paragraph_follows_the_facts_of_its_incident() -> None:
    lines = text_lines(news(with_text(ANA)))
    assert lines[lines.index(SAID) - 1] == ""
    assert lines.index(SAID) < next(n for n, line in enumerate(lines) if line.startswith("Look closer"))


def test_of_several_the_first_three_say_their_text() -> None:
    words = news(with_text(*(member_day(f"m{n}@example.com", 3_000 + n) for n in range(5))))
    assert [bool(entry.text) for entry in words.entries] == [True] * 3 + [False] * 2
    assert text_lines(words).count(f"   {SAID}") == 3


def test_a_webhook_gets_it_as_a_fact() -> None:
    body = webhook_body(delivery(with_text(ANA)))
    assert b'{"name":"Text","value":"Ask ana@example.com."}' in body
    assert b'"Text"' not in webhook_body(delivery(with_text(ANA), minimal=True))


def test_a_rule_is_called_by_its_id_where_its_title_is_of_one_of_several() -> None:
    several = [titled(member_day(f"{name}@example.com", 3_000), f"Credits of {name}") for name in ("ana", "ben")]
    assert news(message(*several)).title == "🟠 2 alerts of member-day"
    assert news(message(several[0])).title.endswith("(Credits of ana)")


def test_as_many_are_named_as_the_message_says() -> None:
    many = message(*(member_day(f"m{n}@example.com", 3_000 + n) for n in range(9)), named=2)
    words = news(many)
    assert (len(words.entries), words.more) == (2, 7)
