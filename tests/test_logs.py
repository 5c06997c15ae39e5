from __future__ import annotations

import io
import logging
import sys
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.listening import listening
from usage_watch import logs

LOGGER = logging.getLogger("usage_watch")


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    with listening():
        yield


def logged(verbose: bool = False, **fields: object) -> str:
    """One warning, as it is written, without its time."""
    screen, sys.stderr = sys.stderr, io.StringIO()
    try:
        logs.start(verbose)
        logs.warning("poll.failed", **fields)
        return sys.stderr.getvalue().partition(" ")[2]
    finally:
        sys.stderr = screen


def test_an_event_is_a_line_of_time_level_name_and_fields(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start(verbose=False)
    before = datetime.now(UTC).replace(microsecond=0)
    logs.event("cycle.done", polled=2, next_at=datetime(2026, 11, 22, 12, tzinfo=UTC), error=None)
    time, _, rest = capsys.readouterr().err.partition(" ")
    assert rest == "info cycle.done polled=2 next_at=2026-11-22T12:00:00+00:00 error=None\n"
    assert before <= datetime.strptime(time, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC) <= datetime.now(UTC)


def test_an_event_without_fields_has_nothing_behind_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start(verbose=False)
    logs.event("daemon.stopped")
    assert capsys.readouterr().err.endswith("info daemon.stopped\n")


def test_a_warning_says_so() -> None:
    assert logged() == "warning poll.failed\n"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("credit_usage", "credit_usage"),
        ("credit_usage 1h", '"credit_usage 1h"'),
        ("", '""'),
        ('say "no"', r'"say \"no\""'),
        ("a=b", '"a=b"'),
        ("über", '"über"'),
        ("2026-11-22T12:00:00+00:00", "2026-11-22T12:00:00+00:00"),
        ("https://x.example/a", "https://x.example/a"),
        ("one\nwarning forged=1", '"one warning forged=1"'),
        ("\x1b[31mred\x07", '"[31mred"'),
        ("\u202eevil", "evil"),
        ("\ud800", '""'),
        ("x" * 600, '"' + "x" * 499 + '…"'),
        (ValueError("it broke"), '"it broke"'),
        (1.5, "1.5"),
    ],
)
def test_a_value_is_bare_or_quoted_and_never_more_than_one(value: object, written: str) -> None:
    assert logged(error=value) == f"warning poll.failed error={written}\n"


@given(st.text(max_size=40))
def test_no_text_forges_a_line_or_a_field(text: str) -> None:
    line = logged(error=text, after=1)
    assert line.startswith("warning poll.failed error=")
    assert line.endswith(" after=1\n")
    assert not {unicodedata.category(char) for char in line[:-1]} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    value = line.removeprefix("warning poll.failed error=").removesuffix(" after=1\n")
    assert " " not in value or (value.startswith('"') and value.endswith('"'))


@pytest.mark.parametrize(("verbose", "names"), [(False, ["one"]), (True, ["one", "two"])])
def test_details_are_logged_only_where_somebody_wants_them(
    capsys: pytest.CaptureFixture[str], verbose: bool, names: list[str]
) -> None:
    logs.start(verbose)
    logs.event("one")
    logs.event("two", level=logging.DEBUG)
    assert [line.split()[-1] for line in capsys.readouterr().err.splitlines()] == names


def test_started_twice_each_event_is_written_once(capsys: pytest.CaptureFixture[str]) -> None:
    logs.start(verbose=False)
    logs.start(verbose=False)
    logs.event("once")
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not LOGGER.propagate, "nobody else's handler writes it again"
