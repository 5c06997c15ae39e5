"""Pages as Debian's Chromium shows them: what it complains of, how wide they get, what axe finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

PROGRAM = Path("/usr/bin/chromium")
_AXE = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]},
    "resultTypes": ["violations"],
}
_MADE = "document.querySelectorAll('img, script, iframe, object, embed, [onerror], [onload], [style]').length"


@dataclass(frozen=True)
class Screen:
    """What a page is looked at on."""

    width: int
    height: int = 800
    scheme: Literal["light", "dark"] = "light"
    scale: float = 1


SCREENS: Mapping[str, Screen] = {
    "phone": Screen(360),
    "desk, dark": Screen(1280, scheme="dark"),
}


@dataclass
class Visit:
    """How it went, on one screen."""

    url: str
    screen: str
    complaints: list[str] = field(default_factory=list)
    """Of the console: errors, and what the policy forbids."""
    failed: list[str] = field(default_factory=list)
    """Requests without a good answer."""
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    text: str = ""
    """All that is on the page, seen or not."""
    made: int = 0
    """Elements and attributes that no page of ours has."""
    scroll_width: int = 0
    violations: Sequence[str] = ()

    def __str__(self) -> str:
        return f"{self.url} ({self.screen})"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Headless. Only one at a time: its driver runs a loop in this thread."""
    with sync_playwright() as driver:
        # As root, in a container, it has no sandbox; what it opens is ours.
        browser = driver.chromium.launch(executable_path=PROGRAM, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def opened(browser: Browser, screen: Screen) -> Iterator[Page]:
    """A page with a memory of its own."""
    context = browser.new_context(
        viewport={"width": screen.width, "height": screen.height},
        color_scheme=screen.scheme,
        device_scale_factor=screen.scale,
        reduced_motion="reduce",
    )
    try:
        yield context.new_page()
    finally:
        context.close()


def visits(browser: Browser, urls: Sequence[str]) -> list[Visit]:
    """Each page on each screen."""
    found = []
    for name, screen in SCREENS.items():
        with opened(browser, screen) as page:
            listener = _Listener(page)
            found += [listener.visit(url, name) for url in urls]
    return found


class _Listener:
    """Hears all that happens on a page while it is visited."""

    def __init__(self, page: Page) -> None:
        self._page, self._axe = page, Axe()
        self._now = Visit("", "")
        page.on("console", lambda said: self._now.complaints.append(said.text) if said.type != "log" else None)
        page.on("pageerror", lambda error: self._now.complaints.append(str(error)))
        page.on("request", lambda request: self._now.requests.append(request.url))
        page.on("requestfailed", lambda request: self._now.failed.append(request.url))
        page.on("response", lambda answer: None if answer.ok else self._now.failed.append(answer.url))
        page.on("dialog", self._dismiss)

    def _dismiss(self, dialog: object) -> None:
        self._now.dialogs.append(str(dialog))
        dialog.dismiss()  # type: ignore[attr-defined]

    def visit(self, url: str, screen: str) -> Visit:
        """Load it, and look."""
        self._now = visit = Visit(url, screen)
        self._page.goto(url)
        visit.text = self._page.evaluate("document.body.textContent")
        visit.made = self._page.evaluate(_MADE)
        visit.scroll_width = self._page.evaluate("document.documentElement.scrollWidth")
        answer = self._axe.run(self._page, options=_AXE).response
        visit.violations = [_violation(each) for each in answer["violations"]]
        return visit


def _violation(found: Mapping[str, object]) -> str:
    nodes = found["nodes"]
    assert isinstance(nodes, list)
    where = "; ".join(str(node["target"]) for node in nodes[:3])
    return f"{found['id']}: {found['help']} ({len(nodes)} times: {where})"
