"""A message's words as lines of text: for a terminal or a text mail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from usage_watch.core.entry import Entry
from usage_watch.core.message import Fact
from usage_watch.core.units import number
from usage_watch.core.wording import Words


def text_lines(words: Words) -> tuple[str, ...]:
    """The whole message for a terminal or a text mail; an empty string is an empty line."""
    if not words.entries:
        return (words.line, " · ".join((f"Look closer: {words.command}", *words.footer)))
    first = words.entries[0]
    shown = _one(first) if len(words.entries) == 1 else _list(words)
    go_on = [Fact("Look closer", words.command)]
    if words.runbook is not None:
        go_on.insert(0, Fact("What to do", words.runbook))
    return (words.line, "", *shown, "", *_table(go_on), "", " · ".join(words.footer))


def _one(entry: Entry) -> Iterator[str]:
    yield from _table(entry.labels + entry.standing + entry.rows)
    if entry.text:
        yield from ("", entry.text)


def _list(words: Words) -> Iterator[str]:
    for entry in words.entries:
        yield entry.line()
        yield from (f"   {row}" for row in _table(entry.reasons))
        if entry.text:
            yield f"   {entry.text}"
    if words.more:
        yield f"and {number(words.more)} more"


def _table(rows: Sequence[Fact]) -> Iterator[str]:
    width = max((len(row.name) for row in rows), default=0)
    return (f"{row.name:{width}}  {row.value}" for row in rows)
