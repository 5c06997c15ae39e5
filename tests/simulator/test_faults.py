"""Every fault on a real socket."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from email.utils import parsedate_to_datetime
from io import BytesIO
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from usage_watch.simulator import FaultKind, Outage, Scenario, SimulatorServer
from usage_watch.simulator.reply import BOMB_BYTES

from .asking import DAY, KEY, START, V1, V2, breaks_schema, window

NOW = START + 20 * DAY
ASKED: dict[str, Any] = {"dataset": "credit_usage", **window(0, 5), "limit": 2}


@contextmanager
def served(*faults: Outage, now: datetime = NOW) -> Iterator[tuple[SimulatorServer, httpx.Client]]:
    headers = {"Authorization": f"Bearer {KEY}"}
    with (
        SimulatorServer(Scenario(seed=11, start_at=START, faults=faults), key=KEY, now=lambda: now) as server,
        httpx.Client(base_url=server.base_url, headers=headers, trust_env=False) as client,
    ):
        yield server, client


def always(kind: FaultKind) -> Outage:
    return Outage(START, kind)


def once(kind: FaultKind) -> Outage:
    return Outage(START, kind, times=1)


def raw(server: SimulatorServer) -> socket.socket:
    """A connection on which the usual question was asked."""
    connection = socket.create_connection(("127.0.0.1", int(server.base_url.rpartition(":")[2])), timeout=5)
    question = f"GET {V1}?{urlencode(ASKED)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {KEY}\r\n\r\n"
    connection.sendall(question.encode())
    return connection


def received(connection: socket.socket) -> tuple[bytes, bytes, bool]:
    """Headers, body, and whether the connection ended with a reset."""
    whole = b""
    try:
        while piece := connection.recv(65_536):
            whole += piece
    except ConnectionResetError:
        return *whole.split(b"\r\n\r\n", 1), True  # type: ignore[return-value]
    return *whole.split(b"\r\n\r\n", 1), False  # type: ignore[return-value]


STATUSES = {
    FaultKind.THROTTLED: (429, "request_rate_limit_exceeded"),
    FaultKind.THROTTLED_SECOND: (429, "request_rate_limit_exceeded"),
    FaultKind.THROTTLED_FRACTION: (429, "request_rate_limit_exceeded"),
    FaultKind.THROTTLED_DATE: (429, "request_rate_limit_exceeded"),
    FaultKind.STATUS_500: (500, "internal_error"),
    FaultKind.STATUS_503: (503, "internal_error"),
    FaultKind.UNAUTHORIZED: (401, "unauthorized"),
    FaultKind.FEATURE_DISABLED: (404, "feature_disabled"),
}


@pytest.mark.parametrize("kind", STATUSES)
def test_a_refusal_has_its_status_and_the_shape_of_an_error(kind: FaultKind) -> None:
    with served(always(kind)) as (server, client):
        response = client.get(V1, params=ASKED)
    status, name = STATUSES[kind]
    assert (response.status_code, response.json()["error"]["type"]) == (status, name)
    assert response.json()["error"]["code"] == status
    assert breaks_schema("Error", response.json()) == []
    assert [(request.status, request.fault) for request in server.requests] == [(status, kind)]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (FaultKind.THROTTLED, None),
        (FaultKind.THROTTLED_SECOND, "1"),
        (FaultKind.THROTTLED_FRACTION, "1.5"),
        (FaultKind.STATUS_503, None),
    ],
)
def test_a_throttled_answer_says_when_to_come_back_in_its_way(kind: FaultKind, expected: str | None) -> None:
    with served(always(kind)) as (_, client):
        assert client.get(V1, params=ASKED).headers.get("Retry-After") == expected


def test_a_date_to_come_back_at_is_one_of_the_simulation() -> None:
    with served(always(FaultKind.THROTTLED_DATE)) as (_, client):
        headers = client.get(V1, params=ASKED).headers
    wait = parsedate_to_datetime(headers["Retry-After"]) - parsedate_to_datetime(headers["Date"])
    assert wait.total_seconds() == 90


@pytest.mark.parametrize(
    ("kind", "status"), [(FaultKind.HTML, 200), (FaultKind.STATUS_502, 502), (FaultKind.STATUS_504, 504)]
)
def test_a_page_for_people_has_its_status(kind: FaultKind, status: int) -> None:
    with served(always(kind)) as (_, client):
        response = client.get(V1, params=ASKED)
    assert response.status_code == status
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.text.startswith("<!DOCTYPE html>")


def test_a_redirect_leads_to_another_host() -> None:
    with served(always(FaultKind.REDIRECT)) as (_, client):
        response = client.get(V1, params=ASKED)
    assert response.status_code == 302
    assert httpx.URL(response.headers["Location"]).host == "elsewhere.invalid"


def right_body() -> bytes:
    with served() as (_, client):
        return client.get(V1, params=ASKED).content


@pytest.mark.parametrize("kind", [FaultKind.RESET_BEFORE_BODY, FaultKind.RESET_IN_BODY])
def test_a_reset_comes_after_headers_that_promise_the_whole(kind: FaultKind) -> None:
    whole = right_body()
    with served(always(kind)) as (server, _), raw(server) as connection:
        headers, body, was_reset = received(connection)
    assert was_reset
    assert f"Content-Length: {len(whole)}".encode() in headers
    assert body == (whole[: len(whole) // 2] if kind is FaultKind.RESET_IN_BODY else b"")
    assert [(request.status, request.fault) for request in server.requests] == [(200, kind)]


def test_a_cut_body_ends_in_order_and_too_early() -> None:
    whole = right_body()
    with served(always(FaultKind.CUT_BODY)) as (server, client), raw(server) as connection:
        headers, body, was_reset = received(connection)
        with pytest.raises(httpx.RemoteProtocolError, match="complete message body"):
            client.get(V1, params=ASKED)
    assert not was_reset
    assert f"Content-Length: {len(whole)}".encode() in headers
    assert body == whole[: len(whole) // 2]


def test_truncated_json_is_whole_by_its_length_and_the_connection_goes_on() -> None:
    whole = right_body()
    with served(once(FaultKind.TRUNCATED_JSON)) as (_, client):
        half, after = client.get(V1, params=ASKED), client.get(V1, params=ASKED)
    assert half.status_code == 200
    assert half.content == whole[: len(whole) // 2]
    assert after.content == whole
    with pytest.raises(json.JSONDecodeError):
        half.json()


def test_a_dripping_server_goes_on_for_as_long_as_anybody_reads(capfd: pytest.CaptureFixture[str]) -> None:
    whole = right_body()
    with served(always(FaultKind.DRIP)) as (server, _):
        with raw(server) as connection:
            seen = b""
            while not seen.endswith(b" " * 5):
                seen += connection.recv(65_536)
        headers, body = seen.split(b"\r\n\r\n", 1)
        assert b"Content-Length" not in headers
        assert body.rstrip() == whole[: len(whole) // 2].rstrip()
    assert capfd.readouterr().err == ""


def test_closing_ends_a_drip() -> None:
    with served(always(FaultKind.DRIP)) as (server, _):
        connection = raw(server)
        assert connection.recv(1) == b"H"
    with connection:
        while connection.recv(65_536):
            pass


def test_200_mb_come_in_200_kb() -> None:
    whole = right_body()
    with served(always(FaultKind.GZIP_BOMB)) as (_, client):
        with client.stream("GET", V1, params=ASKED) as response:
            packed = b"".join(response.iter_raw())
        with client.stream("GET", V1, params=ASKED) as response:
            again = b"".join(response.iter_raw())
    assert response.headers["Content-Encoding"] == "gzip"
    assert len(packed) == int(response.headers["Content-Length"]) < 256_000
    assert again == packed
    with gzip.open(BytesIO(packed)) as unpacked:
        assert all(unpacked.read(1 << 20).isspace() for _ in range(BOMB_BYTES >> 20))
        assert unpacked.read() == whole


@pytest.mark.parametrize(("path", "asked"), [(V1, ASKED), (V2, ASKED | {"group_by": "user_email", "limit": 10})])
@pytest.mark.parametrize(("kind", "distinct"), [(FaultKind.ENDLESS_CURSOR, 6), (FaultKind.REPEATED_CURSOR, 1)])
def test_a_cursor_leads_to_the_same_page_for_ever(
    path: str, asked: dict[str, Any], kind: FaultKind, distinct: int
) -> None:
    with served(Outage(START, kind, after=1)) as (server, client):
        first = client.get(path, params=asked).json()
        true = page = client.get(path, params=asked | {"page": first["next_page"]}).json()
        cursors = [page["next_page"]]
        for _ in range(5):
            page = client.get(path, params=asked | {"page": cursors[-1]}).json()
            cursors.append(page["next_page"])
            assert (page["data"], page["has_more"]) == (true["data"], True)
    assert true["data"] != first["data"]
    assert len(set(cursors)) == distinct
    assert [request.fault for request in server.requests] == [None] + [kind] * 6


@pytest.mark.parametrize("kind", [FaultKind.ENDLESS_CURSOR, FaultKind.REPEATED_CURSOR])
def test_when_the_fault_is_over_its_cursor_leads_on_to_the_end(kind: FaultKind) -> None:
    with served(Outage(START, kind, times=2)) as (_, client):
        starts, page = [], {"has_more": True, "next_page": None}
        while page["has_more"]:
            cursor = {"page": page["next_page"]} if page["next_page"] else {}
            page = client.get(V1, params=ASKED | cursor).json()
            starts.append([bucket["start_time"] for bucket in page["data"]])
    assert starts[0] == starts[1] == starts[2]
    days = [start for page_starts in starts[2:] for start in page_starts]
    assert len(days) == len(set(days)) == 5


def test_more_is_promised_without_saying_where() -> None:
    with served(always(FaultKind.MISSING_CURSOR)) as (_, client):
        page = client.get(V1, params=ASKED | {"limit": 31}).json()
    assert (page["has_more"], page["next_page"], len(page["data"])) == (True, None, 5)


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        (FaultKind.WRONG_TYPE, lambda page: isinstance(page["data"][1]["count"], str)),
        (FaultKind.NEGATIVE_COUNT, lambda page: page["data"][1]["count"] < 0),
        (FaultKind.HUGE_COUNT, lambda page: page["data"][1]["count"] == 9_223_372_036_854_775_808),
        (FaultKind.HUGE_FLOAT, lambda page: page["data"][1]["count"] == 1e30),
        (FaultKind.OFF_GRID_BUCKET, lambda page: page["data"][1]["start_time"] % 3_600 == 1_800),
        (FaultKind.FUTURE_BUCKET, lambda page: page["data"][-1]["start_time"] > NOW.timestamp()),
        (FaultKind.OTHER_AXIS, lambda page: page["categories"] == ["New Model", "New Credit Source"]),
        (FaultKind.OLD_SHAPE, lambda page: "by_category" in page["data"][0]),
    ],
)
def test_a_right_answer_made_wrong_is_sent_as_any_other(kind: FaultKind, shown: Any) -> None:
    with served(once(kind)) as (server, client):
        spoilt, after = (client.get(V1, params=ASKED) for _ in range(2))
    assert spoilt.status_code == 200
    assert spoilt.headers["Content-Type"] == "application/json"
    assert shown(spoilt.json())
    assert not shown(after.json())
    assert [request.fault for request in server.requests] == [kind, None]


@pytest.mark.parametrize("kind", list(FaultKind))
def test_after_any_fault_the_next_request_gets_its_right_answer(
    kind: FaultKind, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = right_body()
    with served(Outage(START, kind, after=1, times=1)) as (server, client):
        assert client.get(V1, params=ASKED).content == whole
        try:
            with client.stream("GET", V1, params=ASKED) as response:
                next(response.iter_raw(), b"")
        except httpx.TransportError:
            pass
        assert client.get(V1, params=ASKED).content == whole
    assert [request.fault for request in server.requests] == [None, kind, None]
    assert capfd.readouterr().err == ""


def test_an_outage_goes_by_the_time_of_the_simulation_and_the_dataset() -> None:
    clock = [NOW]
    outage = Outage(NOW, FaultKind.STATUS_503, NOW + DAY, dataset="skills")
    scenario = Scenario(seed=11, start_at=START, faults=(outage,))
    with SimulatorServer(scenario, key=KEY, now=lambda: clock[0]) as server:

        def status(dataset: str) -> int:
            headers = {"Authorization": f"Bearer {KEY}", "Connection": "close"}
            params = ASKED | {"dataset": dataset}
            return httpx.get(server.base_url + V1, params=params, headers=headers, trust_env=False).status_code

        assert (status("skills"), status("spaces")) == (503, 200)
        clock[0] = NOW + DAY
        assert status("skills") == 200


def test_equal_scenarios_give_equal_answers_faults_among_them() -> None:
    faults = (
        Outage(START, FaultKind.THROTTLED_DATE, every=3),
        Outage(START, FaultKind.TRUNCATED_JSON, every=2, times=2),
        Outage(START, FaultKind.HUGE_COUNT, after=2),
    )

    def story() -> list[tuple[int, bytes]]:
        with served(*faults) as (_, client):
            responses = [client.get(V1, params=ASKED) for _ in range(12)]
        assert len({response.content for response in responses}) == 4
        return [(response.status_code, response.content) for response in responses]

    assert story() == story()


def test_other_methods_meet_no_outage() -> None:
    with served(once(FaultKind.STATUS_503)) as (_, client):
        assert client.post(V1).status_code == 405
        assert client.get(V1, params=ASKED).status_code == 503


def test_two_at_once_share_the_counts() -> None:
    with served(Outage(START, FaultKind.CUT_BODY, every=2)) as (server, _):
        connections = [raw(server) for _ in range(8)]
        deadline = time.monotonic() + 10
        while len(server.requests) < 8 and time.monotonic() < deadline:
            time.sleep(0.01)
        for connection in connections:
            connection.close()
    assert [request.fault for request in server.requests].count(FaultKind.CUT_BODY) == 4
