"""Slack's layout of a message. Pure. No text from outside stands where Slack would read markup in it.

Where such text goes, Slack parses nothing: headers and footers are `plain_text`, lists are `rich_text`. What is mrkdwn
is escaped and says only words of our own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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


def blocks(words: Words) -> list[Json]:
    """The message as it stands in the channel."""
    layouts = (_layout(words, explained) for explained in _EXPLAINED)
    return next((layout for layout in layouts if text_size(layout) <= _ALL_TEXT), _layout(words, 0))


def text_size(part: object) -> int:
    """Characters of all texts in a block or a list of them."""
    if isinstance(part, list):
        return sum(text_size(each) for each in part)
    if isinstance(part, dict):
        return sum(
            len(each) if name == "text" and isinstance(each, str) else text_size(each) for name, each in part.items()
        )
    return 0


def _layout(words: Words, explained: int) -> list[Json]:
    header = {"type": "header", "text": _plain_text(words.title, _HEADER)}
    body = _one(words) if len(words.entries) == 1 else [_rich(list(_several(words, explained)))]
    footer = {"type": "context", "elements": [_plain_text(" · ".join(words.footer), _FIELD)]}
    return [header, *body, _rich([_go_on(words)]), footer]


def _one(words: Words) -> Iterator[Json]:
    entry = words.entries[0]
    if len(words.title) > _HEADER:
        yield _rich([_section([_text(words.title, bold=True)])])
    yield {"type": "section", "fields": [_field(fact) for fact in entry.standing[:_FIELDS]]}
    rows = entry.labels + entry.reasons
    if rows:
        yield _rich([_bullets(rows)])


def _several(words: Words, explained: int) -> Iterator[Json]:
    for index, entry in enumerate(words.entries):
        yield _bullet_list([_headline(entry)])
        if index < explained and entry.reasons:
            yield _bullets(entry.reasons, indent=1)
    if words.more:
        yield _section([_text(f"and {number(words.more)} more")])


def _headline(entry: Entry) -> Json:
    parts = [_text(f"{entry.mark} "), _text(plain(entry.headline, _LISTED), bold=True)]
    if brackets := entry.brackets():
        parts.append(_text(f" {brackets}"))
    return _section(parts)


def _go_on(words: Words) -> Json:
    parts = [_text("Look closer: "), {"type": "text", "text": words.command, "style": {"code": True}}]
    if words.runbook is not None:
        link = {"type": "link", "url": words.runbook, "text": "runbook"}
        parts = [_text("What to do: "), link, _text("\n"), *parts]
    return _section(parts)


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


def _text(text: str, *, bold: bool = False) -> Json:
    return {"type": "text", "text": text, "style": {"bold": True}} if bold else {"type": "text", "text": text}
