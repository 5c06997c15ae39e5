"""What is around each page."""

from __future__ import annotations

from usage_watch.core.units import day_time
from usage_watch.web.page.html import Html, Inside, el, join, link
from usage_watch.web.page.room import Room

_NAME = "usage_watch"
_PLACES = (("./", "Now"), ("alerts", "Alerts"), ("rules", "Rules"), ("history", "History"))


def page(room: Room, title: str, *inside: Inside, here: str = "", heading: Inside = None) -> Html:
    """A whole page; `here` is its place among those that are always in reach, `heading` says more than its title."""
    return document(title, heading or title, *inside, here=here, below=el("footer", el("p", _as_of(room))))


def document(title: str, heading: Inside, *inside: Inside, here: str = "", below: Html | None = None) -> Html:
    """HTML that needs no script; one sheet of style."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", f"{title} · {_NAME}"),
        el("link", rel="stylesheet", href="style.css"),
        el("link", rel="icon", href="icon.svg", type="image/svg+xml"),
    )
    skip = el("a", "Skip to content", href="#main", class_="skip")
    nav = el("nav", el("ul", (el("li", _place(to, name, to == here)) for to, name in _PLACES)), aria_label="Pages")
    main = el("main", el("h1", heading), *inside, id="main")
    return join(Html("<!doctype html>\n"), el("html", head, el("body", skip, nav, main, below), lang="en"), Html("\n"))


def _place(to: str, name: str, is_here: bool) -> Html:
    return el("a", name, href=to, aria_current="page") if is_here else link(to, name)


def _as_of(room: Room) -> str:
    zone = room.reader.zone
    return f"As of {day_time(room.now, zone, room.now)} ({zone.key})."
