"""Messages and evidence come back from the disk as they went."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.store.store_samples import EVIDENCE, incident, post
from usage_watch.core.message import (
    Contributor,
    Drawn,
    Evidence,
    Fact,
    Line,
    Message,
    Notice,
    Reason,
    RuleName,
    Severity,
)
from usage_watch.store import jsontext

ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45))])
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=ZONES)  # noqa: DTZ001
TEXTS = st.text(max_size=20)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.lists(st.none() | FLOATS, max_size=3).map(tuple)
LINES = st.lists(st.builds(Line, st.sampled_from(Severity), FLOATS), max_size=2).map(tuple)
EVIDENCES = st.builds(
    Evidence,
    TEXTS,
    TEXTS,
    TEXTS,
    FLOATS,
    FLOATS,
    st.none() | FLOATS,
    TIMES,
    TIMES,
    TEXTS,
    st.lists(st.builds(Fact, TEXTS, TEXTS), max_size=2).map(tuple),
    st.lists(st.builds(Contributor, TEXTS, TEXTS, FLOATS, FLOATS), max_size=2).map(tuple),
    st.none() | TEXTS,
    st.none() | st.builds(Drawn, TEXTS, TIMES, st.integers(0, 10**6), VALUES, LINES, VALUES, VALUES),
    st.none() | FLOATS,
    st.none() | TEXTS,
)
NOTICES = st.builds(
    Notice,
    reason=st.sampled_from(Reason),
    severity=st.sampled_from(Severity),
    rule=st.builds(RuleName, TEXTS, TEXTS, TEXTS, st.none() | TEXTS),
    incident_id=TEXTS,
    sequence=st.integers(0, 1000),
    labels=st.dictionaries(TEXTS, TEXTS, max_size=2),
    part=st.none() | TEXTS,
    period_at=st.none() | TIMES,
    started_at=TIMES,
    ended_at=st.none() | TIMES,
    evidence=EVIDENCES,
    note=st.none() | TEXTS,
    looks_over=st.booleans(),
)
SOME = st.lists(NOTICES, max_size=2).map(tuple)
MESSAGES = st.builds(Message, SOME, SOME, TIMES, TEXTS, st.none() | TIMES, st.booleans())


def same_kinds(left: object, right: object) -> bool:
    """Whether two equal values have equal types all the way down; a time's zone may be named differently."""
    if isinstance(left, datetime) and isinstance(right, datetime):
        return left.utcoffset() == right.utcoffset()
    if type(left) is not type(right):
        return False
    if is_dataclass(left):
        return all(same_kinds(getattr(left, one.name), getattr(right, one.name)) for one in fields(left))
    if isinstance(left, tuple) and isinstance(right, tuple):
        return all(map(same_kinds, left, right))
    return True


@given(MESSAGES)
def test_a_message_comes_back_exactly(message: Message) -> None:
    back = jsontext.MESSAGE.load(jsontext.MESSAGE.dump(message))
    assert back == message
    assert same_kinds(back, message)


def test_the_sample_comes_back_exactly() -> None:
    message = post(1, incident()).message
    back = jsontext.MESSAGE.load(jsontext.MESSAGE.dump(message))
    assert back == message
    assert back.news[0].severity is Severity.CRITICAL
    assert back.news[0].evidence.facts == EVIDENCE.facts


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "spoil",
    [lambda number: replace(EVIDENCE, value=number), lambda number: replace(EVIDENCE, score=number)],
)
def test_a_number_that_is_none_is_refused_before_it_is_stored(
    number: float, spoil: Callable[[float], Evidence]
) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        jsontext.EVIDENCE.dump(spoil(number))


def test_evidence_of_a_version_that_drew_nothing_is_read() -> None:
    written = json.loads(jsontext.EVIDENCE.dump(EVIDENCE))
    del written["series"]
    assert jsontext.EVIDENCE.load(json.dumps(written)) == EVIDENCE


def test_a_message_of_a_version_that_linked_to_no_page_is_read() -> None:
    message = post(1, incident()).message
    written = json.loads(jsontext.MESSAGE.dump(replace(message, page="https://usage.example.com")))
    assert jsontext.MESSAGE.load(json.dumps(written)).page == "https://usage.example.com"
    del written["page"]
    assert jsontext.MESSAGE.load(json.dumps(written)) == message
