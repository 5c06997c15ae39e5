"""One world, visited once; the tests judge what was seen."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from html import escape

import pytest

from tests.web.browser.chromium import PROGRAM, Visit, chromium, visits
from tests.web.browser.crawl import Found, crawl, sample
from tests.web.browser.world import PLACES, hostile, living

_OF_EACH_KIND = 4


@pytest.fixture(scope="package")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a living daemon's page."""
    with living(tmp_path_factory.mktemp("living")) as url:
        yield url


@pytest.fixture(scope="package")
def found(site: str) -> Mapping[str, Found]:
    """Each page that there is, by its address."""
    return crawl(site)


@pytest.fixture(scope="package")
def seen(found: Mapping[str, Found]) -> Sequence[Visit]:
    """Pages of each kind as Chromium shows them, on each screen."""
    if not PROGRAM.exists():
        why_not = f"needs Debian's Chromium ({PROGRAM})"
        (pytest.fail if os.environ.get("CI_DEBIAN") == "1" else pytest.skip)(why_not)
    # Closed before the first test: its driver runs a loop in this thread, which is in the way of others.
    with chromium() as browser:
        return visits(browser, list(dict.fromkeys([*sample(found, _OF_EACH_KIND), *_hostile(found)])))


def _hostile(found: Mapping[str, Found]) -> Iterator[str]:
    """A page that shows it, of each place where hostile text comes from."""
    for place in PLACES:
        yield from [url for url, each in found.items() if escape(hostile(place)[:30]) in each.html][:1]
