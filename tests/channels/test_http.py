from __future__ import annotations

from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_watch.channels.base import Verdict
from usage_watch.channels.http import http_attempt, http_verdict, parse_retry_after

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)

CONFIGURATION = {401, 403, 404, 410}
SERVER = {408, 425}


def expected(status: int) -> Verdict:
    """The table of alerts.md, section 4, written out once more."""
    if status in CONFIGURATION or status // 100 in (1, 3):
        return Verdict.CONFIGURATION
    if status in SERVER or status // 100 == 5:
        return Verdict.SERVER
    if status == 429:
        return Verdict.THROTTLED
    return Verdict.SENT if status // 100 == 2 else Verdict.REJECTED


@pytest.mark.parametrize("status", list(HTTPStatus))
def test_every_status_has_its_class(status: HTTPStatus) -> None:
    assert http_verdict(status) is expected(status)


@settings(deadline=None)
@given(st.integers(100, 599))
def test_unknown_statuses_go_with_their_hundred(status: int) -> None:
    assert http_verdict(status) is expected(status)


DETAILS = {
    204: "",
    101: "The receiver answered 101: that is no answer to a message; check the URL.",
    301: "The receiver answered 301: redirects are never followed; write the final URL.",
    400: "The receiver answered 400: it refuses this message.",
    401: "The receiver answered 401: access is refused; check the URL and the secret.",
    404: "The receiver answered 404: nobody listens there (any more); check the URL.",
    410: "The receiver answered 410: nobody listens there (any more); check the URL.",
    429: "The receiver answered 429: it asks for fewer messages.",
    503: "The receiver answered 503: a fault on its side.",
}


@pytest.mark.parametrize(("status", "detail"), DETAILS.items())
def test_the_detail_says_what_to_do(status: int, detail: str) -> None:
    assert http_attempt("The receiver", status, retry_after=None, now=NOW).detail == detail


WAITS = {
    "7": 7.0,
    " 7 ": 7.0,
    "1.5": 1.5,
    "0": 0.0,
    "999999999": 999_999_999.0,
    "Sun, 22 Nov 2026 14:00:30 GMT": 30.0,
    "Sun, 22 Nov 2026 13:00:00 GMT": 0.0,
    "Sun, 22 Nov 2026 14:00:30 -0000": 30.0,
    "Sun, 22 Nov 2026 15:00:30 +0100": 30.0,
    "soon": None,
    "": None,
    "-1": None,
    "1e3": None,
    "nan": None,
    "1_000": None,
    "٣": None,
    "99999999999999999999": None,
    "Sun, 99 Nov 2026 14:00:30 GMT": None,
}


@pytest.mark.parametrize(("header", "seconds"), WAITS.items())
def test_retry_after_is_seconds_fractions_or_a_date(header: str, seconds: float | None) -> None:
    assert parse_retry_after(header, NOW) == (None if seconds is None else timedelta(seconds=seconds))


@settings(deadline=None)
@given(st.text(max_size=40))
def test_no_retry_after_is_too_strange_to_read(header: str) -> None:
    wait = parse_retry_after(header, NOW)
    assert wait is None or wait >= timedelta(0)


@pytest.mark.parametrize(("status", "waits"), [(429, True), (503, True), (200, False), (400, False), (403, False)])
def test_only_those_who_may_be_asked_again_are_waited_for(status: int, waits: bool) -> None:
    attempt = http_attempt("The receiver", status, retry_after="7", now=NOW)
    assert (attempt.retry_after == timedelta(seconds=7)) is waits
