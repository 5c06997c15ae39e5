"""The emulator over real HTTP."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from usage_watch.simulator import DEFAULT_KEY, Organization, RecordedRequest, Scenario, SimulatorServer

from .asking import DAY, KEY, START, V1, V2, Asker, breaks_schema, epoch, window

NOW = START + 20 * DAY
SCENARIO = Scenario(seed=11, start_at=START)
ASKED: dict[str, Any] = {"dataset": "credit_usage", **window(0, 7)}


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    with SimulatorServer(SCENARIO, key=KEY, now=lambda: NOW) as server:
        yield server


@pytest.fixture
def client(server: SimulatorServer) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=server.base_url, headers=headers, trust_env=False) as client:
        yield client


def test_it_listens_on_loopback_alone(server: SimulatorServer) -> None:
    assert server.base_url.startswith("http://127.0.0.1:")


def test_an_answer_is_json_and_that_of_the_api(server: SimulatorServer, client: httpx.Client) -> None:
    response = client.get(V1, params=ASKED)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["Date"] == "Sun, 30 Aug 2026 00:00:00 GMT"
    assert response.json() == Asker(server.api).page(V1, NOW, **ASKED)
    assert breaks_schema("UsagePage", response.json()) == []


def test_titles_survive_the_wire(client: httpx.Client) -> None:
    body = client.get(V1, params={"dataset": "spaces", **window(0, 7)}).json()
    titles = {item["category"] for day in body["data"] for item in day["by_categories"]["Space"]}
    assert "Roadmap\nBcc: everybody@example.com" in titles


def test_an_email_with_a_plus_has_to_be_encoded(server: SimulatorServer, client: httpx.Client) -> None:
    encoded = client.get(V1, params=ASKED | {"user_email": "jose+computer@example.com"})
    text = "&".join(f"{name}={value}" for name, value in ASKED.items())
    raw = client.get(f"{V1}?{text}&user_email=jose+computer@example.com")
    assert encoded.status_code == 200
    assert raw.json()["error"]["type"] == "bad_request"


def test_several_requests_share_a_connection(server: SimulatorServer, client: httpx.Client) -> None:
    sockets = {
        client.get(V1, params=ASKED).extensions["network_stream"].get_extra_info("client_addr") for _ in range(3)
    }
    assert len(sockets) == 1


def test_a_large_answer_waits_for_no_acknowledgement(server: SimulatorServer, client: httpx.Client) -> None:
    assert client.get(V1, params=ASKED).status_code == 200
    (connection,) = server._listener._connections
    assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_requests_are_recorded_without_the_key(server: SimulatorServer, client: httpx.Client) -> None:
    client.get(V1, params=[("dataset", "spaces"), ("page", "")])
    client.get("/nothing")
    client.get(V2, params={"dataset": "credit_usage", "group_by": "user_email", "start_time": epoch(START)})
    assert [(request.path, request.status) for request in server.requests] == [(V1, 400), ("/nothing", 404), (V2, 200)]
    assert server.requests[0] == RecordedRequest("GET", V1, (("dataset", "spaces"), ("page", "")), 400)
    assert KEY not in repr(server.requests)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_refused_and_end_the_connection(
    server: SimulatorServer, client: httpx.Client, method: str
) -> None:
    response = client.request(method, V1, content=b"GET / HTTP/1.1\r\n\r\n")
    assert response.status_code == 405
    assert response.headers["Allow"] == "GET"
    assert response.headers["Connection"] == "close"
    assert client.get(V1, params=ASKED).status_code == 200
    assert len(server.requests) == 2


def test_head_is_refused_without_a_body(server: SimulatorServer) -> None:
    with connect(server) as client, client.makefile("rb") as answer:
        client.sendall(f"HEAD {V1} HTTP/1.1\r\n\r\n".encode())
        whole = answer.read()
    assert whole.startswith(b"HTTP/1.1 405 ")
    assert whole.endswith(b"\r\n\r\n")
    assert whole.count(b"\r\n\r\n") == 1


def test_the_time_may_move_between_requests() -> None:
    time = iter([START + DAY, START + 2 * DAY])
    with SimulatorServer(replace(SCENARIO, lag=None), now=lambda: next(time)) as server:
        days = [get(server).json()["data"] for _ in range(2)]
    assert [len(found) for found in days] == [1, 2]


def get(server: SimulatorServer, key: str = DEFAULT_KEY) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}", "Connection": "close"}
    params: dict[str, Any] = {"dataset": "credit_usage", "start_time": epoch(START)}
    return httpx.get(server.base_url + V1, params=params, headers=headers, trust_env=False)


def test_the_real_time_is_the_default() -> None:
    start_at = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=3)
    with SimulatorServer(Scenario(seed=1, start_at=start_at, lag=None)) as server:
        url = f"{server.base_url}{V1}?dataset=credit_usage&start_time={epoch(start_at)}"
        days = httpx.get(url, headers={"Authorization": f"Bearer {DEFAULT_KEY}"}, trust_env=False).json()["data"]
    assert days[0]["start_time"] == epoch(start_at)
    assert len(days) in (3, 4)


def test_the_api_may_be_replaced_while_it_is_served(server: SimulatorServer) -> None:
    assert get(server, KEY).status_code == 200
    server.api = replace(server.api, key="another")
    assert get(server, KEY).status_code == 401
    server.api = replace(server.api, key=KEY, enabled=False)
    assert get(server, KEY).json()["error"]["type"] == "feature_disabled"


def test_options_reach_the_api() -> None:
    organization = Organization.from_seed(5)
    with SimulatorServer(SCENARIO, organization=organization, now=lambda: NOW, old_shape="Model") as old:
        assert "categories" not in get(old).json()
        assert old.api.usage.organization is organization
    with SimulatorServer(SCENARIO, now=lambda: NOW, enabled=False) as off:
        assert get(off).status_code == 404


def test_a_given_port_is_used_and_free_again_afterwards() -> None:
    with SimulatorServer(SCENARIO, now=lambda: NOW) as first:
        port = int(first.base_url.rpartition(":")[2])
        assert get(first).status_code == 200
    with SimulatorServer(SCENARIO, now=lambda: NOW, port=port) as second:
        assert second.base_url == first.base_url
        assert get(second).status_code == 200


def test_closing_does_not_wait_for_clients_that_keep_their_connection() -> None:
    with SimulatorServer(SCENARIO, key=KEY, now=lambda: NOW) as server:
        silent = connect(server)
        assert get(server, KEY).status_code == 200
    with silent:
        assert silent.recv(1) == b""


def connect(server: SimulatorServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(server.base_url.rpartition(":")[2])), timeout=5)


def test_a_client_that_hangs_up_leaves_no_noise(capfd: pytest.CaptureFixture[str]) -> None:
    with SimulatorServer(SCENARIO, now=lambda: NOW) as server:
        with connect(server) as client:
            client.sendall(b"GET / HT")
            # Linger of zero: closing resets the connection.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        assert get(server).status_code == 200
    assert capfd.readouterr().err == ""


def test_a_request_that_is_no_http_is_refused_quietly(
    server: SimulatorServer, capfd: pytest.CaptureFixture[str]
) -> None:
    with connect(server) as client:
        client.sendall(b"nonsense\r\n\r\n")
        assert b"400" in client.recv(1_000)
    assert capfd.readouterr().err == ""


def test_a_fault_of_the_emulator_is_loud(capfd: pytest.CaptureFixture[str]) -> None:
    def broken() -> datetime:
        raise RuntimeError("the clock broke")

    with SimulatorServer(SCENARIO, now=broken) as server, pytest.raises(httpx.RemoteProtocolError):
        get(server)
    assert "the clock broke" in capfd.readouterr().err
