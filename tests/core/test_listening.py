from __future__ import annotations

import pytest

from usage_watch.core.listening import DEFAULT, reached_at, split_listen


@pytest.mark.parametrize(
    ("written", "host", "port"),
    [
        (DEFAULT, "127.0.0.1", 8321),
        ("localhost:1", "127.0.0.1", 1),
        ("0.0.0.0:0", "0.0.0.0", 0),
        ("[::1]:65535", "::1", 65_535),
        ("[0:0::1]:08", "::1", 8),
    ],
)
def test_an_address_and_a_port(written: str, host: str, port: int) -> None:
    assert split_listen(written) == (host, port)


@pytest.mark.parametrize(
    "written",
    [
        *("", "8321", "127.0.0.1", ":8321", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:9999999"),
        *("127.1:80", "usage.example.com:80", "[localhost]:80", "http://127.0.0.1:80", "127.0.0.1:-1", "127.0.0.1:٣"),
    ],
)
def test_anything_else_is_told_how_to_be_written(written: str) -> None:
    with pytest.raises(ValueError, match=r"^write an address and a port, such as 127\.0\.0\.1:8321$"):
        split_listen(written)


@pytest.mark.parametrize("written", ["::1:80", "[127.0.0.1]:80"])
def test_brackets_are_for_the_new_internet(written: str) -> None:
    with pytest.raises(ValueError, match="in brackets"):
        split_listen(written)


@pytest.mark.parametrize(
    ("host", "at"), [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("10.0.0.5", "10.0.0.5")]
)
def test_what_listens_everywhere_is_reached_here(host: str, at: str) -> None:
    assert reached_at(host) == at
