from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from enum import Enum, StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from usage_watch.cli.common.printing import count, json_text, jsonable, rfc3339


class _Colour(Enum):
    RED = "red"


class _State(StrEnum):
    SENT = "sent"


@dataclass(frozen=True, slots=True)
class _Point:
    at: datetime
    state: _State


AT = datetime(2026, 11, 22, 14, 0, 0, 999_999, UTC)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (AT, "2026-11-22T14:00:00Z"),
        (AT.astimezone(timezone(timedelta(hours=5, minutes=30))), "2026-11-22T14:00:00Z"),
        (_Colour.RED, "red"),
        ({_State.SENT: [AT]}, {"sent": ["2026-11-22T14:00:00Z"]}),
        (_Point(AT, _State.SENT), {"at": "2026-11-22T14:00:00Z", "state": "sent"}),
        ((1304.0, 0.5, float("inf"), float("nan"), -0.0), [1304, 0.5, None, None, 0]),
        ((None, True, 7, "x"), [None, True, 7, "x"]),
    ],
)
def test_data_is_what_json_knows(value: Any, shown: Any) -> None:
    assert json.loads(json_text(value)) == shown


def test_what_json_does_not_know_is_a_fault_and_never_a_repr() -> None:
    with pytest.raises(TypeError):
        json_text({"what": object()})


def test_times_are_in_utc_and_in_whole_seconds() -> None:
    assert rfc3339(AT) == "2026-11-22T14:00:00Z"


@given(st.text())
def test_every_text_comes_back_and_no_terminal_obeys_it(text: str) -> None:
    written = json_text({"text": text})
    assert json.loads(written) == {"text": text}
    assert not any(c in written for c in "\x1b\x9b\u202e\u200b\x85\u2028")
    written.encode()


def test_what_people_read_stays_readable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="utf-8"))
    assert json_text("Müller 日本") == '"Müller 日本"'


def test_another_encoding_gets_plain_ascii(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding="latin-1"))
    assert json_text("Müller 日本") == '"M\\u00fcller \\u65e5\\u672c"'


def test_plain_values_are_left_alone() -> None:
    assert jsonable("x") == "x"


@pytest.mark.parametrize(("number", "said"), [(0, "0 rules"), (1, "1 rule"), (2_000, "2,000 rules")])
def test_counts_agree_with_their_noun(number: int, said: str) -> None:
    assert count(number, "rule") == said
