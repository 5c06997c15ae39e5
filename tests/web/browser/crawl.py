"""Every page that can be reached by links, as it is sent."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin, urlsplit

import httpx

MOST = 3_000
"""Pages after which links are taken to have no end."""
_PATIENCE_S = 60.0


class _Parsed(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.links: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag in ("a", "link") and found.get("href") is not None:
            self.links.append(urljoin(self.url, found["href"]))
        if found.get("id"):
            self.ids.append(str(found["id"]))


@dataclass(frozen=True)
class Found:
    """What stands at an address."""

    status: int
    content_type: str
    html: str
    links: Sequence[str] = field(default=())
    """Whole addresses, with what stands behind `#`."""
    ids: Sequence[str] = field(default=())

    @property
    def is_page(self) -> bool:
        """Whether people look at it."""
        return self.content_type.startswith("text/html")


def crawl(url: str) -> Mapping[str, Found]:
    """By address, all of that origin that is linked from its first page, directly or not; in order of their finding."""
    found: dict[str, Found] = {}
    waiting = deque([f"{url}/"])
    with httpx.Client(trust_env=False, timeout=_PATIENCE_S) as client:
        while waiting:
            each = waiting.popleft()
            if each in found or not each.startswith(f"{url}/"):
                continue
            assert len(found) < MOST, "links without an end"
            found[each] = _got(client, each)
            waiting.extend(urldefrag(link).url for link in found[each].links)
    return found


def _got(client: httpx.Client, url: str) -> Found:
    answer = client.get(url)
    content_type = answer.headers["Content-Type"]
    if not content_type.startswith("text/html"):
        return Found(answer.status_code, content_type, "")
    parsed = _Parsed(url)
    parsed.feed(answer.text)
    return Found(answer.status_code, content_type, answer.text, parsed.links, parsed.ids)


def sample(found: Mapping[str, Found], most: int) -> Sequence[str]:
    """Of each kind of page so many, spread over all that there are: those of two series differ in little."""
    kinds: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for url, each in found.items():
        if each.is_page:
            parts = urlsplit(url)
            kinds[parts.path, *sorted(pair.partition("=")[0] for pair in parts.query.split("&"))].append(url)
    return [url for urls in kinds.values() for url in _spread(urls, most)]


def _spread(urls: Sequence[str], most: int) -> Sequence[str]:
    if len(urls) <= most:
        return urls
    return [urls[place * (len(urls) - 1) // (most - 1)] for place in range(most)]
