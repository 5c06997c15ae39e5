from __future__ import annotations

import socket
import threading
from contextlib import ExitStack
from http.client import HTTPConnection

import pytest

from tests.fakes.alertmanager import eventually
from tests.listening import listening
from tests.web.talking import EVIL, LONG, PAGES, connect, get, parsed, read_all, say, serving
from usage_watch.errors import MachineError
from usage_watch.web.hosts import Hosts
from usage_watch.web.server import HEAD_BYTES, LINE_BYTES, MOST_CONNECTIONS, WebServer


@pytest.fixture(scope="module")
def server() -> WebServer:  # type: ignore[misc]
    with serving() as running:
        yield running


def test_a_page_is_served_whole_and_guarded(server: WebServer) -> None:
    said = get(server)
    assert (said.status, said.body) == (200, b"all\n")
    assert said.headers["content-length"] == "4"
    assert said.headers["content-type"] == "text/plain; charset=utf-8"
    assert said.headers["x-content-type-options"] == "nosniff"
    assert said.headers["content-security-policy"].startswith("default-src 'none';")
    assert said.headers["cache-control"] == "no-store"


def test_nothing_says_what_serves_it(server: WebServer) -> None:
    for sent in (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", b"rubbish\r\n\r\n", b"POST / HTTP/1.1\r\n\r\n"):
        said = say(server, sent)
        assert "server" not in said.headers
        assert b"ython" not in said.raw


def test_a_page_may_have_another_policy(server: WebServer) -> None:
    assert get(server, "/own").headers["content-security-policy"] == "default-src 'self'"


def test_head_is_get_without_the_body(server: WebServer) -> None:
    got, headed = get(server), get(server, method="HEAD")
    assert (headed.status, headed.body) == (200, b"")
    assert headed.headers["content-length"] == got.headers["content-length"]


def test_a_page_learns_the_query_and_only_that(server: WebServer) -> None:
    assert get(server, "/query?a=1&b=%20").body == b"a=1&b=%20\n"
    assert get(server, "/query?").body == b"\n"


def test_a_connection_takes_one_request_after_another(server: WebServer) -> None:
    client = HTTPConnection(*server.url.removeprefix("http://").split(":"), timeout=LONG)  # type: ignore[arg-type]
    sockets = set()
    for _ in range(3):
        client.request("GET", "/")
        assert client.getresponse().read() == b"all\n"
        sockets.add(client.sock)
    client.close()
    assert len(sockets) == 1


def test_requests_that_come_at_once_are_answered_in_order(server: WebServer) -> None:
    one = b"GET /query?%d HTTP/1.1\r\nHost: localhost\r\n\r\n"
    said = say(server, one % 1 + one % 2)
    assert said.raw.count(b"HTTP/1.1 200 OK") == 2
    assert said.raw.index(b"\r\n\r\n1\n") < said.raw.index(b"\r\n\r\n2\n")


def test_head_and_body_leave_in_one_packet(server: WebServer) -> None:
    with connect(server) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(65_536).endswith(b"\r\n\r\nall\n")


def test_a_large_page_waits_for_no_acknowledgement(server: WebServer) -> None:
    with connect(server) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(65_536)
        (theirs,) = (each for each in server._listener._connections if each.getpeername() == client.getsockname())
        assert theirs.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "get", "X" * 30])
def test_other_methods_are_refused_with_those_allowed(server: WebServer, method: str) -> None:
    said = get(server, method=method)
    assert (said.status, said.headers["allow"], said.headers["connection"]) == (405, "GET, HEAD", "close")


def test_a_page_that_is_not_there_names_those_that_are(server: WebServer) -> None:
    said = get(server, f"/{EVIL}")
    assert (said.status, said.body) == (404, b"There is no such page; there are /, /query, /fails, /long, /own.\n")


def test_paths_are_taken_literally(server: WebServer) -> None:
    for path in ("//", "/./", "/x/../", "/%2e", "/query/", "/Query"):
        assert get(server, path).status in (200, 404)
        assert get(server, path).status == (200 if path == "//" else 404)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", 400),
        (b"GET http://localhost/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET /\r\n\r\n", 400),
        (b"GET / HTTP/1.1 " + EVIL.encode() + b"\r\n\r\n", 400),
        (b"GET / HTTP/9\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
        (EVIL.encode() + b"\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /" + b"x" * LINE_BYTES + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * HEAD_BYTES + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: 1\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: %d\r\n" % (10**100) * 98 + b"\r\n", 200),
    ],
)
def test_a_head_that_is_none_is_refused_in_words_of_our_own(server: WebServer, sent: bytes, status: int) -> None:
    said = say(server, sent)
    assert said.status == status
    assert EVIL.encode() not in said.raw
    assert said.raw.count(b"HTTP/1.1 ") == 1


def test_the_oldest_http_is_spoken_by_balancers_that_know_no_host(server: WebServer) -> None:
    said = say(server, b"GET / HTTP/1.0\r\n\r\n")
    assert (said.status, said.body, said.headers["connection"]) == (200, b"all\n", "close")


def test_nothing_said_is_nothing_answered(server: WebServer) -> None:
    with connect(server) as client:
        client.shutdown(socket.SHUT_WR)
        assert read_all(client) == b""


@pytest.mark.parametrize(
    "more",
    ["Content-Length: 44\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length: 0, 44\r\n"],
)
def test_a_body_is_never_read_as_the_next_request(server: WebServer, more: str) -> None:
    hidden = "GET /query?smuggled HTTP/1.1\r\nHost: localhost"
    said = say(server, f"GET / HTTP/1.1\r\nHost: localhost\r\n{more}\r\n{hidden}\r\n\r\n".encode())
    assert said.raw.count(b"HTTP/1.1 ") == 1
    assert said.headers["connection"] == "close"


def test_nobody_is_asked_to_go_on_with_a_body(server: WebServer) -> None:
    said = get(server, method="POST", more="Expect: 100-continue\r\nContent-Length: 5\r\n")
    assert (said.status, said.raw.count(b"HTTP/1.1 ")) == (405, 1)


# By which name


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8321", "127.0.0.1:1", "[::1]:8321", "localhost.", "a.localhost"]
)
def test_this_machine_may_always_ask(server: WebServer, host: str) -> None:
    assert get(server, host=host).status == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "10.0.0.5", "localhost.evil.example", "localhost@evil.example", "", "[::1", "a b", EVIL]
)
def test_another_name_is_refused_and_not_repeated(server: WebServer, host: str) -> None:
    said = get(server, host=host)
    assert said.status == 421
    assert b"allowed_hosts" in said.body
    assert EVIL.encode() not in said.raw


def test_names_that_were_allowed_may_ask() -> None:
    with serving(hosts=Hosts(frozenset({"usage.example.com"}))) as server:
        assert get(server, host="usage.Example.com:443").status == 200
        assert get(server, host="10.0.0.5:8321").status == 421
    with serving(hosts=Hosts(frozenset({"usage.example.com"}), addresses=True)) as server:
        assert get(server, host="10.0.0.5:8321").status == 200, "as kubelet and Prometheus ask"
        assert get(server, host="evil.example").status == 421


# What goes wrong


def test_a_page_that_fails_is_a_500_and_the_log_names_the_page_alone(server: WebServer) -> None:
    with listening() as heard:
        said = get(server, f"/fails?{EVIL}")
    assert (said.status, said.body) == (500, b"Internal Server Error.\n")
    said = [{name: value for name, value in fields.items() if name != "at"} for fields in heard.fields]
    assert said == [{"where": "web", "error": "ZeroDivisionError", "page": "/fails"}]


def test_nothing_that_was_sent_is_ever_logged(server: WebServer, capfd: pytest.CaptureFixture[str]) -> None:
    with listening() as heard:
        get(server, f"/{EVIL}", host=EVIL, more=f"X: {EVIL}\r\n")
        say(server, EVIL.encode())
        say(server, b"GET / HTTP/1.1\r\n" + EVIL.encode())
        get(server, method=EVIL.upper())
    assert heard.records == []
    assert capfd.readouterr() == ("", "")


def test_a_client_that_goes_away_is_no_error(capfd: pytest.CaptureFixture[str]) -> None:
    with listening() as heard, serving() as server:
        with connect(server) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.sendall(b"GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(10) == b"HTTP/1.1 2"
        assert get(server).status == 200
    assert heard.records == []
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: local"])
def test_who_is_silent_too_long_is_hung_up_on(sent: bytes) -> None:
    with serving(seconds=0.05) as server, connect(server) as client:
        client.sendall(sent)
        assert read_all(client) == b""


def test_who_drips_is_hung_up_on(capfd: pytest.CaptureFixture[str]) -> None:
    over = threading.Event()
    with serving(seconds=0.3) as server, connect(server) as client:

        def drip() -> None:
            try:
                client.sendall(b"GET / HTTP/1.1\r\n")
                while not over.wait(0.02):
                    client.sendall(b"X: 1\r\n" if not over.wait(0.02) else b"")
            except OSError:
                over.set()

        thread = threading.Thread(target=drip)
        thread.start()
        assert b"HTTP/1.1 2" not in read_all(client)
        over.set()
        thread.join()
    assert capfd.readouterr() == ("", "")


def test_who_does_not_read_the_answer_is_hung_up_on() -> None:
    with serving(seconds=0.3) as server:
        before = threading.active_count()
        with connect(server) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(b"GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(9) == b"HTTP/1.1 "
            assert eventually(lambda: threading.active_count() == before)


def test_the_oldest_idle_connections_make_room_for_new_ones() -> None:
    before = threading.active_count()
    with serving() as server, ExitStack() as opened:
        idle = [opened.enter_context(connect(server)) for _ in range(MOST_CONNECTIONS * 2)]
        assert get(server).status == 200
        assert threading.active_count() - before <= 2 * MOST_CONNECTIONS + 1
        assert read_all(idle[0]) == b"", "it was hung up on"


def test_while_all_are_busy_a_new_one_is_turned_away() -> None:
    go_on, waiting = threading.Event(), threading.Semaphore(0)

    def slow(asked: object) -> object:
        waiting.release()
        go_on.wait(LONG)
        return PAGES["/"](asked)  # type: ignore[arg-type]

    with serving({"/": slow}) as server, ExitStack() as opened:  # type: ignore[dict-item]
        busy = [opened.enter_context(connect(server)) for _ in range(MOST_CONNECTIONS)]
        for client in busy:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        for _ in busy:
            assert waiting.acquire(timeout=LONG)
        with connect(server) as late:
            assert read_all(late) == b""
        go_on.set()
        assert {parsed(read_all(client)).status for client in busy} == {200}


# Beginning and end


def test_it_ends_at_once_though_clients_stay() -> None:
    before = threading.active_count()
    with ExitStack() as opened:
        with serving() as server:
            clients = [opened.enter_context(connect(server)) for _ in range(5)]
            clients[0].sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert clients[0].recv(9) == b"HTTP/1.1 "
        for client in clients[1:]:
            assert read_all(client) == b""
        assert threading.active_count() == before


def test_a_port_that_is_taken_is_said_in_one_sentence() -> None:
    with serving() as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(MachineError) as refused, WebServer("127.0.0.1", port, Hosts(), PAGES):
            pass
    assert str(refused.value) == (
        f"cannot listen on 127.0.0.1 port {port}: another program does; stop that, or write another `listen` "
        "(or `web: off`) in the rules file."
    )


def test_a_port_can_be_had_again_at_once() -> None:
    with serving() as server:
        port = int(server.url.rpartition(":")[2])
        assert get(server).status == 200
    with WebServer("127.0.0.1", port, Hosts(), PAGES) as again:
        assert get(again).status == 200


def test_an_address_of_another_machine_is_said_to_be_one() -> None:
    with (
        pytest.raises(MachineError, match="it is no address of this machine; write another"),
        WebServer("203.0.113.9", 0, Hosts(), PAGES),
    ):
        pass


def _speaks_six() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not _speaks_six(), reason="this machine has no ::1")
def test_the_new_internet_is_spoken_too() -> None:
    with WebServer("::1", 0, Hosts(), PAGES) as server:
        assert server.url.startswith("http://[::1]:")
        with socket.create_connection(("::1", int(server.url.rpartition(":")[2])), timeout=LONG) as client:
            client.sendall(b"GET / HTTP/1.0\r\nHost: [::1]\r\n\r\n")
            assert parsed(read_all(client)).status == 200
