"""HTML as text: whatever comes from outside is cleaned and escaped here, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape, unescape
from urllib.parse import urlencode

from usage_watch.core.plain import plain
from usage_watch.core.privacy import Veil

LONGEST = 2_000
"""Characters of one text."""
_EMPTY = frozenset({"link", "meta", "br", "hr"})
"""Elements that have no inside."""
_TEXT = re.compile("(?<=>)[^<>]+")


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


def link(page: str, words: Inside, chosen: bool = False, /, **asked: str) -> Html:
    """To another page of ours; relative, so that it holds behind a proxy that adds to the path.

    `chosen`: it is the one of several that is shown now.
    """
    href = f"{page}?{urlencode(asked)}" if asked else page
    return el("a", words, href=href, aria_current="true" if chosen else None)


def pairs(rows: Iterable[tuple[str, Inside]]) -> Html:
    """Names and what they are; what has no name of its own goes on with the one before."""
    return el("dl", ((el("dt", name) if name else None, el("dd", value)) for name, value in rows))


def sentence(words: str) -> Html:
    """What the terminal is told, too: a command in it stands between backticks."""
    return join(el("code", part) if place % 2 else part for place, part in enumerate(words.split("`")))


def veiled(page: str, hide: Veil) -> str:
    """A page of which every text is as members may be named; as text, since an address may be escaped in markup."""
    shown = _TEXT.sub(lambda found: escape(hide(unescape(found[0]))) if "@" in found[0] else found[0], page)
    return hide(shown)
