"""Links to the same page of something else, of which one is where we are."""

from __future__ import annotations

from collections.abc import Iterable

from usage_watch.web.page.html import Html, el


def choices(name: str, links: Iterable[Html]) -> Html:
    """A list of them, with its name for who does not see that it is one."""
    return el("ul", (el("li", each) for each in links), class_="choices", aria_label=name)
