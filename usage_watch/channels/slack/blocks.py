"""Slack's layout of a message. Pure. No text from outside stands where Slack would read markup in it.

Where such text goes, Slack parses nothing: headers and footers are `plain_text`, lists are `rich_text`. What is mrkdwn
is escaped and says only words of our own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from usage_watch.channels.variants import least
from usage_watch.core.entry import Entry
from usage_watch.core.message import Fact
from usage_watch.core.plain import plain
from usage_watch.core.units import number
from usage_watch.core.wording import Words

Json = dict[str, Any]

_TEXT, _HEADER, _FIELD, _FIELDS = 3_900, 150, 2_000, 10
"""Slack's limits: characters of the top-level text (under 4,000), of a header and of a field; fields of a section."""
_ALL_TEXT = 12_000
"""Characters over all blocks; from about 13,200 on Slack refuses the message."""
_LISTED = 300
"""Characters of one headline among several."""
_EXPLAINED = (3, 1, 0)
"""How many of several incidents come with reasons: the first of these that fits."""

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escaped(text: str, limit: int) -> str:
    """Text for mrkdwn, where `&`, `<` and `>` are control characters; cut between entities, never inside one."""
    whole = "".join(_ENTITIES.get(c, c) for c in text)
    if len(whole) <= limit:
        return whole
    room, kept = limit - 1, ""
    for character in text:
        piece = _ENTITIES.get(character, character)
        if len(kept) + len(piece) > room:
            break
        kept += piece
    return kept + "…"


def fallback_text(words: Words) -> str:
    """The top-level text: what a notification shows."""
    return escaped(words.line, _TEXT)


def least_text(words: Words) -> str:
    """All that there is of a message without blocks."""
    return escaped(least(words), _TEXT)


def blocks(words: Words, chart: Json | None = None) -> list[Json]:
    """The message as it stands in the channel; where there is no room for all that are named, more are counted."""
    if not words.entries:
        return [_rich([_greeting(words)])]
    fitting = _fitting(words, chart)
    half = len(words.entries) // 2
    if fitting is not None or half < 2:
        return fitting or _layout(_unlinked(words), 0, chart)
    return blocks(replace(words, entries=words.entries[:half], more=words.more + len(words.entries) - half))


def _fitting(words: Words, chart: Json | None) -> list[Json] | None:
    """The most telling layout that Slack takes: each alert's own link goes first, for the message has one."""
    links = sum(len(entry.page or "") for entry in words.entries)
    linked, bare = _layout(words, _EXPLAINED[0], chart), _unlinked(words)
    if text_size(linked) + links <= _ALL_TEXT:
        return linked
    layouts = (_layout(bare, explained, chart) for explained in _EXPLAINED)
    return next((layout for layout in layouts if text_size(layout) <= _ALL_TEXT), None)


def _unlinked(words: Words) -> Words:
    return replace(words, entries=tuple(replace(entry, page=None) for entry in words.entries))


def text_size(part: object) -> int:
    """Characters of all texts in a block or a list of them."""
    if isinstance(part, list):
        return sum(text_size(each) for each in part)
    if isinstance(part, dict):
        return sum(
            len(each) if name == "text" and isinstance(each, str) else text_size(each) for name, each in part.items()
        )
    return 0


def _layout(words: Words, explained: int, chart: Json | None) -> list[Json]:
    header = {"type": "header", "text": _plain_text(words.title, _HEADER)}
    body = _one(words, chart) if len(words.entries) == 1 else [_rich(list(_several(words, explained)))]
    footer = {"type": "context", "elements": [_plain_text(" · ".join(words.footer), _FIELD)]}
    return [header, *body, _rich([_go_on(words)]), footer]


def _greeting(words: Words) -> Json:
    rest = [*_page(words, " · "), *_look_closer(words), _text(f" · {' · '.join(words.footer)}")]
    return _section([_text(f"{words.title}\n"), *rest])


def _one(words: Words, chart: Json | None) -> Iterator[Json]:
    entry = words.entries[0]
    if len(words.title) > _HEADER:
        yield _rich([_section([_text(words.title, bold=True)])])
    yield {"type": "section", "fields": [_field(fact) for fact in entry.standing[:_FIELDS]]}
    rows = entry.labels + (entry.rows if chart is None else entry.reasons)
    said = [_section([_text(entry.text)])] if entry.text else []
    if rows or said:
        yield _rich([*([_bullets(rows)] if rows else []), *said])
    if chart is not None:
        yield chart


def _several(words: Words, explained: int) -> Iterator[Json]:
    for index, entry in enumerate(words.entries):
        yield _bullet_list([_headline(entry)])
        if index < explained and entry.reasons:
            yield _bullets(entry.reasons, indent=1)
        if index < explained and entry.text:
            yield _section([_text(entry.text)])
    if words.more:
        yield _section([_text(f"and {number(words.more)} more")])


def _headline(entry: Entry) -> Json:
    parts = [_text(f"{entry.mark} "), _text(plain(entry.headline, _LISTED), bold=True)]
    if brackets := entry.brackets():
        parts.append(_text(f" {brackets}"))
    if entry.page is not None:
        parts += [_text(" "), _link(entry.page, "open")]
    return _section(parts)


def _go_on(words: Words) -> Json:
    parts = [*_page(words, "\n"), *_look_closer(words)]
    if words.runbook is not None:
        parts = [_text("What to do: "), _link(words.runbook, "runbook"), _text("\n"), *parts]
    return _section(parts)


def _page(words: Words, after: str) -> list[Json]:
    return [] if words.page is None else [_text("Page: "), _link(words.page, "open"), _text(after)]


def _look_closer(words: Words) -> list[Json]:
    return [_text("Look closer: "), {"type": "text", "text": words.command, "style": {"code": True}}]


def _field(fact: Fact) -> Json:
    return {"type": "mrkdwn", "text": escaped(f"*{fact.name}*\n{fact.value}", _FIELD), "verbatim": True}


def _plain_text(text: str, limit: int) -> Json:
    return {"type": "plain_text", "text": plain(text, limit), "emoji": False}


def _rich(elements: list[Json]) -> Json:
    return {"type": "rich_text", "elements": elements}


def _section(elements: list[Json]) -> Json:
    return {"type": "rich_text_section", "elements": elements}


def _bullets(facts: Iterable[Fact], indent: int = 0) -> Json:
    return _bullet_list([_section([_text(f"{fact.name}: ", bold=True), _text(fact.value)]) for fact in facts], indent)


def _bullet_list(sections: list[Json], indent: int = 0) -> Json:
    return {"type": "rich_text_list", "style": "bullet", "indent": indent, "elements": sections}


def _link(url: str, text: str) -> Json:
    return {"type": "link", "url": url, "text": text}


def _text(text: str, *, bold: bool = False) -> Json:
    return {"type": "text", "text": text, "style": {"bold": True}} if bold else {"type": "text", "text": text}
