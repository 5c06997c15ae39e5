from __future__ import annotations

import pytest

from usage_watch import yamlfile
from usage_watch.config import read
from usage_watch.config.web import WebSettings


def settings(written: str) -> WebSettings:
    found = read(yamlfile.parse(f"web: {written}".encode(), "rules.yaml")).web
    assert isinstance(found, WebSettings)
    return found


def test_left_out_it_is_served_to_this_machine_alone() -> None:
    found = read(yamlfile.parse(b"{}", "rules.yaml")).web
    assert isinstance(found, WebSettings)
    assert (found.address, found.local, found.hosts) == (("127.0.0.1", 8321), True, frozenset())


@pytest.mark.parametrize(
    ("written", "address", "local", "hosts"),
    [
        ("{listen: '[::1]:1'}", ("::1", 1), True, set()),
        ("{public_url: 'https://Usage.example.com/x'}", ("127.0.0.1", 8321), True, {"usage.example.com"}),
        (
            "{listen: 0.0.0.0:8321, allowed_hosts: [Usage, 10.0.0.5, 'fe80::1']}",
            ("0.0.0.0", 8321),
            False,
            {"usage", "10.0.0.5", "fe80::1"},
        ),
    ],
)
def test_what_is_written_is_what_is_served(
    written: str, address: tuple[str, int], local: bool, hosts: set[str]
) -> None:
    found = settings(written)
    assert (found.address, found.local, found.hosts) == (address, local, hosts)


def test_off_is_off() -> None:
    assert read(yamlfile.parse(b"web: off", "rules.yaml")).web == "off"


@pytest.mark.parametrize(
    ("written", "page"),
    [
        ("{}", None),
        ("web: off", None),
        ("web: {listen: '[::1]:1'}", None),
        ("web: {public_url: https://example.com/usage/}", "https://example.com/usage/"),
    ],
)
def test_messages_link_to_the_address_that_is_written_and_to_no_other(written: str, page: str | None) -> None:
    assert read(yamlfile.parse(written.encode(), "rules.yaml")).page == page
