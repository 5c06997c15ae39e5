"""HTML as text: whatever comes from outside is cleaned and escaped here, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from urllib.parse import urlencode

from usage_watch.core.plain import plain

LONGEST = 2_000
"""Characters of one text."""
_EMPTY = frozenset({"link", "meta", "br", "hr"})
"""Elements that have no inside."""


class Html(str):
    """Text that is markup already: not escaped again."""

    __slots__ = ()


Inside = str | None | Iterable["Inside"]
"""Text, markup, several of them, or nothing."""


def el(name: str, /, *inside: Inside, **attributes: str | int | bool | None) -> Html:
    """An element. Attributes: `class_` for `class`, `_` for `-`; those that are None or False are left out."""
    said = "".join(
        _attribute(key, value) for key, value in attributes.items() if value is not None and value is not False
    )
    if name in _EMPTY:
        return Html(f"<{name}{said}>")
    return Html(f"<{name}{said}>{join(*inside)}</{name}>")


def join(*inside: Inside) -> Html:
    """One after the other; text is escaped."""
    return Html("".join(map(_written, inside)))


def _written(inside: Inside) -> str:
    if inside is None:
        return ""
    if isinstance(inside, Html):
        return inside
    if isinstance(inside, str):
        # A blank at its edge stands between it and what is beside it.
        left, right = (" " if edge.isspace() else "" for edge in (inside[:1], inside[1:][-1:]))
        return f"{left}{escape(plain(inside, LONGEST))}{right}"
    return "".join(map(_written, inside))


def _attribute(key: str, value: str | int | bool) -> str:
    name = key.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(plain(str(value), LONGEST))}"'


def link(page: str, words: Inside, **asked: str) -> Html:
    """To another page of ours; relative, so that it holds behind a proxy that adds to the path."""
    return el("a", words, href=f"{page}?{urlencode(asked)}" if asked else page)
