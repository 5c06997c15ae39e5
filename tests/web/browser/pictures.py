"""Pictures of each kind of page: python -m tests.web.browser.pictures URL FOLDER."""

from __future__ import annotations

import sys
from pathlib import Path
from urllib.parse import urlsplit

from tests.web.browser.chromium import Screen, chromium, opened
from tests.web.browser.crawl import crawl, sample

SCREENS = {
    "phone": Screen(390, 844, scale=2),
    "phone-dark": Screen(390, 844, "dark", scale=2),
    "desk": Screen(1280),
    "desk-dark": Screen(1280, scheme="dark"),
}
_OF_EACH_KIND = 3


def main(url: str, folder: Path) -> None:
    """Whole pages, as high as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    urls = sample(crawl(url.rstrip("/")), _OF_EACH_KIND)
    with chromium() as browser:
        for screen, size in SCREENS.items():
            with opened(browser, size) as page:
                for number, each in enumerate(urls):
                    page.goto(each)
                    name = urlsplit(each).path.strip("/") or "now"
                    page.screenshot(path=folder / f"{number:02}-{name}-{screen}.png", full_page=True)
    print(*(f"{number:02} {each}" for number, each in enumerate(urls)), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
