from __future__ import annotations

import pytest

from usage_watch.core.addresses import local_host, private_host, web_address


@pytest.mark.parametrize("host", ["localhost", "app.localhost", "127.0.0.1", "127.9.9.9", "::1"])
def test_this_machine_is_local(host: str) -> None:
    assert local_host(host)
    assert private_host(host)


@pytest.mark.parametrize("host", ["10.0.0.5", "172.16.0.1", "192.168.1.1", "fd00::1"])
def test_private_addresses_are_private_but_not_local(host: str) -> None:
    assert private_host(host)
    assert not local_host(host)


@pytest.mark.parametrize("host", ["example.com", "8.8.8.8", "0.0.0.0", "localhost.example.com", "relay", ""])
def test_all_else_is_out_in_the_open(host: str) -> None:
    assert not private_host(host)
    assert not local_host(host)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example.com/x?y=1",
        "https://example.com:8443",
        "http://127.0.0.1:9/x",
        "http://[::1]:80/",
        "http://10.1.2.3/",
    ],
)
def test_a_good_url_stays_as_it_was_written(url: str) -> None:
    assert web_address(url) == url


BAD = {
    "http://example.com/": "plain http",
    "http://relay/": "plain http",
    "ftp://example.com/": "no web address",
    "example.com/x": "no web address",
    "https:///x": "no web address",
    "https://me:pw@example.com/": "user or password",
    "https://me@example.com/": "user or password",
    "https://exa mple.com/": "spaces",
    "https://example.com/\r\nHost: x": "unprintable",
    "https://[::1/": "no URL",
    "https://example.com:99999/": "no URL",
}


@pytest.mark.parametrize(("url", "says"), BAD.items())
def test_a_bad_url_is_refused_in_one_sentence_that_does_not_repeat_it(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says) as refused:
        web_address(url)
    assert "pw" not in str(refused.value)
