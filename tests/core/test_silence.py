"""Silences and acknowledgements: what they are about, and how matchers are written."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.builders import at, evidence
from usage_watch.core.hold import holding
from usage_watch.core.incident import Incident
from usage_watch.core.message import RuleName, Severity
from usage_watch.core.silence import Ack, Matcher, Operator, Silence, parse_matcher

INCIDENT = Incident(
    id="inc_1",
    fingerprint="f",
    rule=RuleName("hourly-credits", "budget", "Hourly credits"),
    labels={"Credit Source": "paid, mostly"},
    part="levels",
    period_at=None,
    started_at=at(0),
    ended_at=None,
    rank=2,
    severity=Severity.WARNING,
    evidence=evidence(),
    sequence=1,
    history=False,
    closed=None,
    committed_at=at(1),
)


def silence(*written: str, from_hour: float = 0, until_hour: float = 2, expired_at: datetime | None = None) -> Silence:
    matchers = tuple(map(parse_matcher, written or ("rule=hourly-credits",)))
    return Silence("sil_1", matchers, at(from_hour), at(until_hour), "ana", "load test", at(0), expired_at)


# What a matcher is about


@pytest.mark.parametrize(
    ("written", "holds"),
    [
        ("rule=hourly-credits", True),
        ("rule=hourly", False),
        ("rule!=hourly", True),
        ("rule!=hourly-credits", False),
        ("rule=~hourly", False),
        ("rule=~hourly.*", True),
        ("rule=~.*", True),
        ("rule!~hourly", True),
        ("rule!~(hourly|daily)-.*", False),
        ("kind=budget", True),
        ("part=levels", True),
        ("severity=warning", True),
        ("severity=~info|warning", True),
        ("dataset=credit_usage", True),
        ("Credit Source='paid, mostly'", True),
        ("credit_source=~paid.*", True),
        ("CREDIT SOURCE=~paid.*", True),
        ("Model=", True),
        ("Model!=opus", True),
        ("Model=~.+", False),
        ("Rule=hourly-credits", False),
    ],
)
def test_a_matcher_reads_one_thing_of_an_incident(written: str, holds: bool) -> None:
    assert parse_matcher(written).matches(INCIDENT) is holds


def test_what_no_part_speaks_of_has_the_empty_part() -> None:
    whole = replace(INCIDENT, part=None)
    assert parse_matcher("part=").matches(whole)
    assert not parse_matcher("part=levels").matches(whole)


def test_any_text_is_any_text_over_several_lines_too() -> None:
    assert parse_matcher("Model=~.*").takes("two\nlines")
    assert not parse_matcher("Model=~.*s").takes("two\nlines\n")


def test_a_silence_is_about_what_all_of_its_matchers_hold_for() -> None:
    assert silence("rule=~hourly.*", "severity=warning").covers(INCIDENT)
    assert not silence("rule=~hourly.*", "severity=critical").covers(INCIDENT)


# How it is written


@pytest.mark.parametrize(
    ("written", "matcher"),
    [
        ("rule=a", Matcher("rule", Operator.IS, "a")),
        (" Credit Source  !=  paid ", Matcher("Credit Source", Operator.IS_NOT, "paid")),
        ("Model=~claude-(opus|sonnet)-.*", Matcher("Model", Operator.LIKE, "claude-(opus|sonnet)-.*")),
        (r"member!~.*@example\.com", Matcher("member", Operator.UNLIKE, r".*@example\.com")),
        ("Model=", Matcher("Model", Operator.IS, "")),
        ('Model=""', Matcher("Model", Operator.IS, "")),
        ("Model=a=b!=c", Matcher("Model", Operator.IS, "a=b!=c")),
        ('Model="=a"', Matcher("Model", Operator.IS, "=a")),
        ("Space='  ana'' s '", Matcher("Space", Operator.IS, "  ana'' s ")),
        (r'Space="the \"big\" one\"', Matcher("Space", Operator.IS, 'the "big" one\\')),
        (r"Space='it\'s'", Matcher("Space", Operator.IS, "it's")),
        (r"Space=~'\d'", Matcher("Space", Operator.LIKE, r"\d")),
        ("Model=~" + "(" * 150 + ")" * 150, Matcher("Model", Operator.LIKE, "(" * 150 + ")" * 150)),
        ("Space=two words", Matcher("Space", Operator.IS, "two words")),
        (r"Space=~[(*)+]\)+(x)?", Matcher("Space", Operator.LIKE, r"[(*)+]\)+(x)?")),
    ],
)
def test_a_matcher_is_name_operator_and_value(written: str, matcher: Matcher) -> None:
    assert parse_matcher(written) == matcher


@pytest.mark.parametrize(
    "written", ["", " ", "=", "rule", "=a", " =a", "!=a", "rule~a", "rule~=a", "rule!a", '"rule"=a', "it's=a", "a! =b"]
)
def test_what_is_no_matcher_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(ValueError, match="is no matcher: write a name, one of = != =~ !~ and a value, such as rule="):
        parse_matcher(written)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("rule==a", "is no matcher: .* with a value that begins with = in quotes"),
        ("rule=~~a", "a value that begins with ~ in quotes"),
        ("rule=!a", "a value that begins with ! in quotes"),
        ('rule="a', "begins its value with a quote and does not end so: close it"),
        ("rule='", "begins its value with a quote"),
        ("rule='a\"", "begins its value with a quote"),
        ("Model=" + "x" * 301, "at most 300 characters"),
        ("Model=~(", r"'\(' is no regular expression \(missing \), unterminated subpattern at position 0\): mend it"),
        ("Model!~*", "nothing to repeat"),
        ("Model=~a{99999999999999999999}", "is no regular expression"),
        (r"Model=~'\d\'", "bad escape"),
        ("Model=~[[]a", "Possible nested set"),
        ("Model=~a(?i)", "global flags"),
        ("Model=~(a+)+b", "repeats a group, which may take for ever"),
        ("Model=~(a|a)*b", "repeats a group"),
        ("Model=~(a){2,}", "repeats a group"),
    ],
)
def test_what_would_not_mean_what_it_says_is_refused(written: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as refused:
        parse_matcher(written)
    assert re.fullmatch(r"[^\n]{1,300}\.", str(refused.value)), "one sentence"


@pytest.mark.parametrize(
    ("matcher", "written"),
    [
        (Matcher("Model", Operator.LIKE, "claude-.*"), "Model=~claude-.*"),
        (Matcher("Credit Source", Operator.IS, "paid"), "Credit Source=paid"),
        (Matcher("Space", Operator.IS_NOT, "two words"), 'Space!="two words"'),
        (Matcher("Space", Operator.IS, 'a"b'), r'Space="a\"b"'),
        (Matcher("Space", Operator.IS, ""), 'Space=""'),
        (Matcher("Space", Operator.IS, "!a"), 'Space="!a"'),
    ],
)
def test_a_matcher_is_shown_as_it_may_be_written(matcher: Matcher, written: str) -> None:
    assert str(matcher) == written


NAMES = st.text(st.characters(exclude_characters="=!~\"'"), min_size=1).filter(lambda name: name == name.strip())
HOSTILE = st.text(st.sampled_from("\\\"'=~! ,\n\x1b\x00\u202e\ud800a.*")) | st.text(st.characters(), max_size=60)


@given(NAMES, st.sampled_from(Operator), HOSTILE)
def test_whatever_is_written_is_read_back(name: str, operator: Operator, value: str) -> None:
    matcher = Matcher(name, operator, value)
    if operator in (Operator.LIKE, Operator.UNLIKE):
        matcher = replace(matcher, value=re.escape(value))
    assert parse_matcher(str(matcher)) == matcher
    assert matcher.takes(value) is (operator in (Operator.IS, Operator.LIKE))


@given(HOSTILE | st.text(st.sampled_from("()[]{}*+?|^$\\.a,=~!1")))
def test_whatever_is_written_is_read_or_refused_in_one_sentence(value: str) -> None:
    said = ""
    try:
        matcher = parse_matcher(f"Model{value}")
    except ValueError as error:
        said = str(error)
    if said:
        assert re.fullmatch(r"[^\n\x00-\x1f]{1,400}\.", said)
    else:
        assert parse_matcher(str(matcher)) == matcher
        assert isinstance(matcher.takes("a" * 8), bool)


# When a silence is in force


@pytest.mark.parametrize(("hour", "holds"), [(-0.1, False), (0, True), (1.9, True), (2, False)])
def test_a_silence_is_in_force_from_its_start_up_to_its_end(hour: float, holds: bool) -> None:
    assert silence().in_force(at(hour)) is holds


@pytest.mark.parametrize(
    ("expired_hour", "ends_hour"),
    [(-1, 0), (0, 0), (1, 1), (2, 2), (3, 2), (None, 2)],
)
def test_a_silence_that_was_ended_by_hand_ends_then(expired_hour: int | None, ends_hour: int) -> None:
    one = silence(expired_at=None if expired_hour is None else at(expired_hour))
    assert one.ends_at == at(ends_hour)
    assert not one.in_force(one.ends_at)


def test_of_several_silences_the_longest_holds() -> None:
    short, long = silence(until_hour=2), replace(silence(until_hour=5), id="sil_2")
    other, later = silence("rule=another", until_hour=9), silence(from_hour=3, until_hour=9)
    assert holding([short, long, other, later], INCIDENT, at(1)) is long
    assert holding([short, other], INCIDENT, at(2)) is None
    assert holding([short], replace(INCIDENT, ended_at=at(1)), at(1)) is short, "that it came and went is news, too"


# Acknowledgements

ACK = Ack("inc_1", 2, at(2), "ana")


@given(st.integers(1, 4), st.none() | st.integers(-3, 3), st.booleans())
def test_an_acknowledgement_stands_until_a_higher_level_or_the_end(rank: int, over: int | None, is_open: bool) -> None:
    incident = replace(INCIDENT, rank=rank, ended_at=None if is_open else at(3))
    over_at = None if over is None else ACK.at + timedelta(hours=over)
    assert ACK.stands(incident, over_at) is (is_open and rank <= 2 and (over is None or over <= 0))
