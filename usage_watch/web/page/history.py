"""History."""

from __future__ import annotations

from usage_watch.web.page.html import Html
from usage_watch.web.page.room import Room
from usage_watch.web.page.shell import page


def view(room: Room) -> Html:
    """The page."""
    return page(room, "History")
