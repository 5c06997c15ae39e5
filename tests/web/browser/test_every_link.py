from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urldefrag, urlsplit

import httpx
import pytest

from tests.web.browser.crawl import Found, sample

PATHS = {"/", "/alerts", "/alert", "/rules", "/rule", "/history"}


def test_every_link_leads_somewhere(found: Mapping[str, Found]) -> None:
    assert {url: each.status for url, each in found.items() if each.status != 200} == {}


def test_every_kind_of_page_is_linked(found: Mapping[str, Found]) -> None:
    assert {urlsplit(url).path for url, each in found.items() if each.is_page} == PATHS


def test_every_place_on_a_page_that_is_linked_is_there(found: Mapping[str, Found]) -> None:
    linked = {link for each in found.values() for link in each.links if "#" in link}
    assert linked
    gone = [link for link in linked if urldefrag(link).fragment not in found[urldefrag(link).url].ids]
    assert gone == []


def test_a_name_of_an_element_stands_once_on_a_page(found: Mapping[str, Found]) -> None:
    assert {url: each.ids for url, each in found.items() if len(set(each.ids)) != len(each.ids)} == {}


def test_no_address_of_a_member_stands_in_a_link(found: Mapping[str, Found]) -> None:
    # Links are kept in the logs of proxies and in browsers' memories.
    assert [link for each in found.values() for link in each.links if "@" in link or "%40" in link] == []


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_pages_are_only_read(found: Mapping[str, Found], method: str) -> None:
    with httpx.Client(trust_env=False) as client:
        statuses = {client.request(method, url).status_code for url in sample(found, 2)}
    assert statuses == {405}


def test_a_head_is_that_of_its_page(found: Mapping[str, Found]) -> None:
    with httpx.Client(trust_env=False) as client:
        for url in sample(found, 2):
            head, page = client.head(url), client.get(url)
            assert head.content == b""
            assert _but_date(head) == _but_date(page)


def _but_date(answer: httpx.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "date"}
