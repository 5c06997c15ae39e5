from __future__ import annotations

import gzip
import json
import logging
import socket
import ssl
import traceback
import tracemalloc
import zlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.fakes.analytics_faults import AnalyticsFaults, Answer, Drip, Raw, Step, api_error, gzip_bomb, redirect
from tests.fakes.analytics_pages import bucket, page
from usage_watch.core.series import DAY, EACH_MEMBER, HOUR, Feed, Reading
from usage_watch.errors import SecretError, SourceError
from usage_watch.source.body import PIECE, read_body
from usage_watch.source.client import AnalyticsClient
from usage_watch.source.errors import AnalyticsError, Fault, clean, retry_after_of

KEY = "ana-lytics-key-of-the-organization"
NOW = datetime(2026, 11, 22, 12, 34, 56, tzinfo=UTC)
START = datetime(2026, 11, 20, tzinfo=UTC)
HOURS = Feed("credit_usage", HOUR)
PAGE = json.dumps(page([bucket(int(START.timestamp()), HOUR, 7)])).encode()
OK = Answer(PAGE)
SOON = 0.4
"""Seconds: long enough for any answer that comes at all."""
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def ask(url: str, *, feed: Feed = HOURS, key: str = KEY, **options: Any) -> list[Reading]:
    with AnalyticsClient(url, lambda: key, **{"deadline": 5.0, **options}) as source:
        return list(source.fetch(feed, START, NOW, NOW))


def fault(*steps: Step, **options: Any) -> AnalyticsError:
    with AnalyticsFaults(steps) as server, pytest.raises(AnalyticsError) as caught:
        ask(server.url, **options)
    assert len(server.seen) == 1
    return caught.value


LONG = "The \x1b[1mquestion\x07 was\r\n<b>wrong</b>\u202e " + "x" * 500


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (api_error(400, "bad_request"), Fault.BAD_REQUEST),
        (api_error(400, "invalid_request"), Fault.REFUSED),
        (api_error(400, "unauthorized"), Fault.BAD_REQUEST),
        (Answer(b"<html>", 400), Fault.BAD_REQUEST),
        (Answer([], 400), Fault.BAD_REQUEST),
        (Answer({"error": "invalid_request"}, 400), Fault.BAD_REQUEST),
        (Answer({"error": {"type": ["invalid_request"], "message": 7}}, 400), Fault.BAD_REQUEST),
        (api_error(401, "unauthorized"), Fault.UNAUTHORIZED),
        (api_error(401, "feature_disabled"), Fault.UNAUTHORIZED),
        (api_error(403, "forbidden"), Fault.BAD_REQUEST),
        (api_error(404, "feature_disabled"), Fault.FEATURE_DISABLED),
        (Answer(b"not found", 404), Fault.FEATURE_DISABLED),
        (api_error(405, "bad_request"), Fault.BAD_REQUEST),
        (Answer(b"", 408), Fault.SERVER),
        (Answer(b"", 425), Fault.SERVER),
        (api_error(429, "request_rate_limit_exceeded"), Fault.THROTTLED),
        (api_error(429, "unauthorized"), Fault.THROTTLED),
        (api_error(500, "invalid_request"), Fault.SERVER),
        (Answer(b"<html>bad gateway</html>", 502), Fault.SERVER),
        (Answer(b"", 503), Fault.SERVER),
        (Answer(b"", 504), Fault.SERVER),
        (Answer(b"", 599), Fault.SERVER),
        (Answer(b"", 204), Fault.BROKEN),
        (Answer(PAGE, 201), Fault.BROKEN),
        (Answer(b"", 304), Fault.BROKEN),
    ],
)
def test_the_status_decides_what_an_error_is(step: Answer, kind: Fault) -> None:
    error = fault(step)
    assert error.fault is kind
    assert error.retry_after is None
    assert error.body == b""
    assert isinstance(error, SourceError)
    assert error.exit_code == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 302])
def test_an_error_is_one_short_line_that_says_what_to_do_and_quotes_the_api_cleaned(status: int) -> None:
    text = str(fault(api_error(status, "x", LONG)))
    assert text.isprintable()
    assert str(status) in text
    assert "(it said: The [1mquestion was <b>wrong</b> xxx" in text
    assert "x" * 201 not in text
    assert len(text) < 600


def test_a_refused_key_is_told_with_what_revokes_one() -> None:
    text = str(fault(api_error(401, "unauthorized")))
    assert "making another key or switching the feature off" in text
    assert "`source.api_key`" in text


def test_a_refusal_names_the_feed() -> None:
    feed = Feed("query_volume", DAY, "gone@example.com")
    assert "query_volume 1d gone@example.com" in str(fault(api_error(400, "invalid_request"), feed=feed))


@pytest.mark.parametrize(
    "step",
    [
        Answer(b"x" * 50, 401, cut=20),
        Answer(b"x" * 5000, 401),
        Answer(b"no gzip", 401, {"Content-Encoding": "gzip"}),
        Answer(b"", 401, {"Content-Encoding": "br"}),
        Drip(b"HTTP/1.1 401 No\r\nContent-Length: 99\r\n\r\n", b"."),
    ],
    ids=["cut", "too big", "damaged", "odd packing", "dripping"],
)
def test_the_status_counts_even_where_the_body_of_the_error_is_unusable(step: Step) -> None:
    assert fault(step, max_bytes=1000, deadline=SOON).fault is Fault.UNAUTHORIZED


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 1.5 ", 1.5),
        ("0", 0.0),
        ("86401", 86400.0),
        ("9" * 400, 86400.0),
        ("Sun, 22 Nov 2026 12:36:56 GMT", 120.0),
        ("Sun, 22 Nov 2026 12:36:56 -0000", 120.0),
        ("Sun, 22 Nov 2026 12:00:00 GMT", 0.0),
        ("Sun, 22 Nov 2099 12:00:00 GMT", 86400.0),
        ("Sun, 99 Nov 2026 12:00:00 GMT", None),
        ("Fri, 22 Nov 99999999999 12:00:00 GMT", None),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("1_0", None),
        ("1e3", None),
        ("٧", None),
        ("soon", None),
        ("7, 9", None),
        ("", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_a_date_and_garbage_is_none(value: str, seconds: float | None) -> None:
    found = retry_after_of({"retry-after": value}, NOW)
    assert found == (None if seconds is None else timedelta(seconds=seconds))


@pytest.mark.parametrize(("date", "minutes"), [("Sun, 22 Nov 2026 13:00:00 GMT", 10), ("garbage", 35)])
def test_a_retry_after_date_is_read_against_the_answers_own_clock(date: str, minutes: int) -> None:
    headers = {"retry-after": "Sun, 22 Nov 2026 13:10:00 GMT", "date": date}
    found = retry_after_of(headers, datetime(2026, 11, 22, 12, 35, tzinfo=UTC))
    assert found == timedelta(minutes=minutes)


def test_a_throttled_answer_carries_how_long_to_wait() -> None:
    until = format_datetime(NOW + timedelta(seconds=90), usegmt=True)
    for value in ("90", until):
        error = fault(Answer(b"", 429, {"Retry-After": value}))
        assert error.retry_after == timedelta(seconds=90)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_never_followed(status: int) -> None:
    with AnalyticsFaults([OK]) as elsewhere:
        error = fault(redirect(f"{elsewhere.url}/v1/analytics/computer/usage", status))
        assert elsewhere.seen == []
    assert error.fault is Fault.BROKEN
    assert "redirect" in str(error)


@pytest.mark.parametrize(
    ("step", "kind", "what"),
    [
        (Raw(), Fault.BROKEN, "cut off"),
        (Raw(reset=True), Fault.UNREACHABLE, "reset"),
        (Raw(HEAD + b"Content-Length: 99\r\n\r\n{", reset=True), Fault.UNREACHABLE, "reset"),
        (Raw(b"SSH-2.0-OpenSSH_9.2\r\n"), Fault.BROKEN, "cut off, or is no HTTP"),
        (Answer(PAGE, cut=1), Fault.BROKEN, "cut off"),
        (Answer(PAGE, cut=len(PAGE)), Fault.BROKEN, "cut off"),
        (Raw(HEAD + b"\r\n" + PAGE[:-1]), Fault.BROKEN, "not JSON"),
        (Raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{"), Fault.BROKEN, "cut off"),
        (Answer(b"<html>sign in</html>", headers={"Content-Type": "application/json"}), Fault.BROKEN, "not JSON"),
        (Answer(gzip.compress(PAGE)[:-5], headers={"Content-Encoding": "gzip"}), Fault.BROKEN, "middle of its gzip"),
        (Answer(b"plain", headers={"Content-Encoding": "gzip"}), Fault.BROKEN, "damaged"),
        (Answer(PAGE, headers={"Content-Encoding": "br"}), Fault.BROKEN, "Content-Encoding"),
        (Answer(b" " * 70_000), Fault.BROKEN, "longer than 50000 bytes"),
        (gzip_bomb(70_000, start=PAGE), Fault.BROKEN, "longer than 50000 bytes"),
    ],
)
def test_an_answer_that_never_came_whole_is_a_passing_fault(step: Step, kind: Fault, what: str) -> None:
    error = fault(step, max_bytes=50_000)
    assert (error.fault, error.body) == (kind, b"")
    assert what in str(error)


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (Drip(), Fault.UNREACHABLE),
        (Drip(b"HTTP/1.1 200 OK\r\nX: ", b"."), Fault.UNREACHABLE),
        (Drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), Fault.UNREACHABLE),
        (Drip(HEAD + b"Content-Length: 999999\r\n\r\n", b" "), Fault.BROKEN),
        (Drip(HEAD + b"\r\n", b" "), Fault.BROKEN),
        (Drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"x"), Fault.BROKEN),
        (Drip(HEAD + b"Content-Length: 999999\r\n\r\n"), Fault.BROKEN),
    ],
    ids=["silence", "headers", "100 Continue", "body", "body without length", "chunk extension", "silent body"],
)
def test_a_server_that_drips_is_left_at_the_deadline(step: Drip, kind: Fault) -> None:
    error = fault(step, deadline=SOON)
    assert error.fault is kind
    assert f"{SOON} s" in str(error)


@pytest.mark.parametrize(
    ("step", "kind"),
    [
        (Drip(b"HTTP/1.1 200 OK\r\nX: ", b"."), Fault.UNREACHABLE),
        (Drip(HEAD + b"Content-Length: 999999\r\n\r\n", b" "), Fault.BROKEN),
    ],
    ids=["headers", "body"],
)
def test_a_server_that_drips_through_tls_is_left_as_well(
    step: Drip, kind: Fault, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    context = trusted(monkeypatch, tmp_path)
    with AnalyticsFaults([step], context) as server, pytest.raises(AnalyticsError) as caught:
        ask(server.url, deadline=SOON)
    assert caught.value.fault is kind
    assert f"{SOON} s" in str(caught.value)


def test_an_answer_in_time_leaves_no_deadline_behind() -> None:
    with AnalyticsFaults([OK, Drip(), OK]) as server, AnalyticsClient(server.url, lambda: KEY, deadline=SOON) as source:
        for answered in (True, False, True):
            if answered:
                assert len(list(source.fetch(HOURS, START, NOW, NOW))) == 1
            else:
                with pytest.raises(AnalyticsError):
                    list(source.fetch(HOURS, START, NOW, NOW))


def test_a_bomb_of_200_mb_stops_at_the_cap_with_bounded_memory() -> None:
    bomb = gzip_bomb(200 * 2**20)
    assert len(bomb.body) < 250_000
    with AnalyticsFaults([bomb]) as server, AnalyticsClient(server.url, lambda: KEY, max_bytes=2**20) as source:
        tracemalloc.start()
        try:
            with pytest.raises(AnalyticsError, match="longer than 1048576 bytes"):
                list(source.fetch(HOURS, START, NOW, NOW))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 8 * 2**20


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP", "identity", ""])
def test_packed_answers_are_unpacked(encoding: str) -> None:
    body = gzip.compress(PAGE) if "gzip" in encoding.lower() else PAGE
    with AnalyticsFaults([Answer(body, headers={"Content-Encoding": encoding})]) as server:
        assert len(ask(server.url)) == 1
        assert server.seen[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 77])
@pytest.mark.parametrize("cut", [1, 7, 10**9])
def test_what_was_packed_comes_out_however_it_was_cut(size: int, cut: int) -> None:
    body = bytes(i * i % 251 for i in range(size % 100_000)) or b"\0" * size
    packed = gzip.compress(body)
    chunks = [packed[i : i + cut] for i in range(0, len(packed), cut)]
    assert read_body(chunks, "gzip", 10**6) == body


def test_what_follows_a_whole_gzip_is_passed_over_but_counts_against_the_cap() -> None:
    packed = gzip.compress(PAGE)
    assert read_body([packed + b"tail", b"tail"], "gzip", 1000) == PAGE
    with pytest.raises(ValueError, match="longer than 1000 bytes"):
        read_body([packed, *[b"t" * 100] * 10], "gzip", 1000)


def test_gzip_that_unpacks_to_nothing_is_capped_by_what_came() -> None:
    stream = zlib.compressobj(wbits=31)
    nothing = stream.compress(b"") + stream.flush(zlib.Z_FULL_FLUSH)
    more = (stream.flush(zlib.Z_FULL_FLUSH) or b"\0\0\0\xff\xff" for _ in range(10_000))
    with pytest.raises(ValueError, match="longer than 1000 bytes"):
        read_body((piece for pieces in ([nothing], more) for piece in pieces), "gzip", 1000)


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}",
        f"https://{'a' * 64}.example",
        "https://a..b",
        "https://1.2.3.999",
    ],
)
def test_what_cannot_be_reached_is_named_with_what_to_check(url: str) -> None:
    with pytest.raises(AnalyticsError) as caught:
        ask(url.format(port=closed_port()))
    assert caught.value.fault is Fault.UNREACHABLE
    assert "check this machine's network, DNS and proxy" in str(caught.value)


def trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ssl.SSLContext:
    """A server's TLS whose CA this machine knows."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return context


def test_tls_is_verified(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    context = trusted(monkeypatch, tmp_path)
    with AnalyticsFaults([OK], context) as server:
        assert len(ask(server.url)) == 1
    trusted(monkeypatch, tmp_path)
    with AnalyticsFaults([OK], context) as server:
        with pytest.raises(AnalyticsError, match="CERTIFICATE_VERIFY_FAILED") as caught:
            ask(server.url)
        assert server.seen == []
    assert caught.value.fault is Fault.UNREACHABLE


@pytest.mark.parametrize("key", ["", " ", "pplx key", "key\n", "key\r\nX-Evil: 1", "kéy", "key\0", "\ud800"])
def test_what_cannot_be_a_key_is_not_sent(key: str) -> None:
    with AnalyticsFaults([]) as server, pytest.raises(AnalyticsError) as caught:
        ask(server.url, key=key)
    assert server.seen == []
    assert caught.value.fault is Fault.UNAUTHORIZED
    assert len(key) < 3 or key not in str(caught.value)


def test_a_key_that_cannot_be_read_is_told_as_such() -> None:
    def read() -> str:
        raise SecretError("env KEY is not set")

    with AnalyticsFaults([]) as server, AnalyticsClient(server.url, read) as source:
        with pytest.raises(SecretError):
            list(source.fetch(HOURS, START, NOW, NOW))
        assert source.requests == 0


ECHOES = [
    api_error(401, "unauthorized", f"Bearer {KEY} is unknown"),
    api_error(400, KEY, KEY),
    Answer(KEY.encode(), 500),
    Answer({**page([]), "has_more": KEY}),
    Answer(page([bucket(0, HOUR)], (KEY,))),
    Answer(KEY.encode()),
    Answer(b"", 302, {"Location": f"https://evil.example/{KEY}"}),
    Answer(b"", 429, {"Retry-After": KEY}),
    Answer(PAGE, headers={"Content-Encoding": KEY}),
    Answer(PAGE, cut=3),
    Raw(KEY.encode() + b"\r\n\r\n"),
    Raw(reset=True),
    Drip(),
]


@pytest.mark.parametrize("step", ECHOES)
def test_the_key_stands_in_no_error_traceback_or_log(step: Step, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    error = fault(step, deadline=SOON)
    assert KEY not in str(error)
    assert KEY not in repr(error)
    assert KEY not in "".join(traceback.format_exception(error))
    own = [record for record in caplog.records if not record.name.startswith("httpcore")]
    assert KEY not in "".join(record.getMessage() for record in own)


@pytest.mark.parametrize("step", [OK, api_error(500, "x")])
def test_the_key_that_is_sent_stands_in_no_log_at_all(step: Step, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with AnalyticsFaults([step]) as server, AnalyticsClient(server.url, lambda: KEY) as source:
        with suppress(AnalyticsError):
            list(source.fetch(HOURS, START, NOW, NOW))
        assert KEY not in repr(source) + repr(vars(source)) + repr(vars(source._transport))
    assert caplog.records
    assert KEY not in caplog.text


def test_a_key_too_short_to_be_told_from_text_is_left_in_the_data() -> None:
    with AnalyticsFaults([OK]) as server:
        assert len(ask(server.url, key="count")) == 1


def test_text_from_outside_is_cut_to_one_printable_line() -> None:
    assert clean(" a\n\tb\u2028c\x00\ud800 ") == "a b c"
    assert clean("x" * 300) == "x" * 199 + "…"
    assert clean("x" * 200) == "x" * 200


def test_member_days_fail_as_the_rest_does() -> None:
    feed = Feed("credit_usage", DAY, EACH_MEMBER)
    assert fault(api_error(404, "feature_disabled"), feed=feed).fault is Fault.FEATURE_DISABLED
