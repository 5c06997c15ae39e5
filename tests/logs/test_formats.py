"""What one event looks like, and that no text breaks out of it."""

from __future__ import annotations

import json
import logging
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from usage_watch.core.plain import plain
from usage_watch.logs.formats import LONGEST, Said, as_json, as_logfmt

AT = datetime(2026, 11, 22, 14, 12, 3, 456_000, UTC)
BERLIN = timezone(timedelta(hours=1))


class Colour(StrEnum):
    RED = "red"


class Silent:
    def __str__(self) -> str:
        return "\x1b[2J"


def said(level: int = logging.WARNING, /, **fields: object) -> Said:
    record = logging.LogRecord("usage_watch", level, "", 0, "feed.failed", None, None)
    record.created = AT.timestamp()
    record.__dict__["fields"] = fields
    return Said.of(record)


def test_logfmt_is_time_level_name_and_fields() -> None:
    line = as_logfmt(said(feed="credit_usage 1h", failures=3), journal=False)
    assert line == '2026-11-22T14:12:03Z warning feed.failed feed="credit_usage 1h" failures=3'
    assert as_logfmt(said(), journal=False) == "2026-11-22T14:12:03Z warning feed.failed"


def test_the_journal_has_its_own_time_and_is_told_the_priority() -> None:
    assert as_logfmt(said(failures=3), journal=True) == "<4>warning feed.failed failures=3"
    assert as_json(said(), journal=True).startswith('<4>{"time":')


@pytest.mark.parametrize(
    ("level", "head"),
    [
        (logging.DEBUG, "<7>debug "),
        (logging.INFO, "<6>info "),
        (logging.WARNING, "<4>warning "),
        (logging.ERROR, "<3>error "),
    ],
)
def test_each_level_has_a_priority(level: int, head: str) -> None:
    assert as_logfmt(said(level), journal=True).startswith(head)


def test_json_is_an_object_a_line_with_types() -> None:
    fields: dict[str, Any] = {"feed": "über", "failures": 3, "seconds": 1.5, "until": AT, "well": False, "none": None}
    line = as_json(said(**fields), journal=False)
    assert line.isascii()
    assert json.loads(line) == {
        "time": "2026-11-22T14:12:03.456Z",
        "level": "warning",
        "event": "feed.failed",
        "feed": "über",
        "failures": 3,
        "seconds": 1.5,
        "until": "2026-11-22T14:12:03.456000Z",
        "well": False,
    }


@pytest.mark.parametrize(
    ("value", "word", "data"),
    [
        ("credit_usage", "credit_usage", "credit_usage"),
        ("ops,pager", "ops,pager", "ops,pager"),
        ("", '""', ""),
        ('say "no"', r'"say \"no\""', 'say "no"'),
        ("a\\b", r'"a\\b"', "a\\b"),
        ("a=b", '"a=b"', "a=b"),
        ("über", '"über"', "über"),
        ("https://x.example/a", "https://x.example/a", "https://x.example/a"),
        ("one\nwarning forged=1", '"one warning forged=1"', "one warning forged=1"),
        ("\x1b[31mred\x07", '"[31mred"', "[31mred"),
        ("\u202eevil", "evil", "evil"),
        ("\ud800", '""', ""),
        ("a\u2028b\x85c\x00", '"a b c"', "a b c"),
        ("x" * 600, '"' + "x" * 499 + '…"', "x" * 499 + "…"),
        (ValueError("it broke"), '"it broke"', "it broke"),
        (Colour.RED, "red", "red"),
        (Path("/a/b"), "/a/b", "/a/b"),
        (Silent(), '"[2J"', "[2J"),
        (True, "true", True),
        (7, "7", 7),
        (1.5, "1.5", 1.5),
        (3.0, "3", 3),
        (timedelta(minutes=1), "60", 60),
        (timedelta(seconds=0.25), "0.25", 0.25),
        (datetime(2026, 11, 22, 13, tzinfo=BERLIN), "2026-11-22T12:00:00Z", "2026-11-22T12:00:00Z"),
    ],
)
def test_a_value_in_either_format(value: object, word: str, data: object) -> None:
    assert as_logfmt(said(it=value), journal=True) == f"<4>warning feed.failed it={word}"
    found = json.loads(as_json(said(it=value), journal=False))["it"]
    assert (type(found), found) == (type(data), data)


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), -float("inf")])
def test_what_is_nothing_is_left_out(value: object) -> None:
    assert as_logfmt(said(it=value), journal=True) == "<4>warning feed.failed"
    assert "it" not in json.loads(as_json(said(it=value), journal=False))


# ---- breaking out ----------------------------------------------------------------------------------------------------

_FIELD = re.compile(r' ([a-z_]+)=("(?:[^"\\]|\\.)*"|[^ "=]+)')


def read_logfmt(line: str) -> tuple[list[str], dict[str, Any]]:
    """The words before the first field, and the fields; an error where anything else is there."""
    first = _FIELD.search(line)
    assert first is not None
    found, at = {}, first.start()
    while at < len(line):
        field = _FIELD.match(line, at)
        assert field is not None, line[at:]
        assert field[1] not in found
        found[field[1]] = json.loads(field[2]) if field[2][0] == '"' else field[2]
        at = field.end()
    return line[: first.start()].split(" "), found


def read_json(line: str) -> tuple[list[str], dict[str, Any]]:
    def twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    assert line.isascii()
    found = json.loads(line, object_pairs_hook=twice)
    return [found.pop("time"), found.pop("level"), found.pop("event")], found


def as_the_journal_reads(text: str) -> tuple[int, str]:
    """One entry: its priority and its line."""
    (line,) = text.split("\n")
    prefix = re.match(r"<([0-9]+)>", line)
    assert prefix is not None
    return int(prefix[1]), line[prefix.end() :]


NASTY = st.text(
    st.sampled_from('ab =",:{}<>0\\\n\r\t\0\x1b\x85\u2028\u202e\u200bé…\ud800😀') | st.characters(), max_size=40
)


@given(NASTY)
@example("<0>panic")
@example("x\n<0>kernel: panic")
@example('" after=2 forged="')
@example('","level":"info","forged":"')
@example("\u2028<0>\x00{}")
@example("\\")
@pytest.mark.parametrize(("form", "read"), [(as_logfmt, read_logfmt), (as_json, read_json)])
def test_no_text_forges_a_line_a_field_or_a_priority(
    form: Callable[[Said, bool], str], read: Callable[[str], tuple[list[str], dict[str, Any]]], text: str
) -> None:
    event = said(error=text, after=1)
    written = form(event, False)
    assert not {unicodedata.category(char) for char in written} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    head, fields = read(written)
    assert head[1:] == ["warning", "feed.failed"]
    assert {name: str(value) for name, value in fields.items()} == {"error": plain(text, LONGEST), "after": "1"}
    priority, line = as_the_journal_reads(form(event, True))
    assert priority == 4
    assert line.startswith(("warning feed.failed ", '{"time":"'))
