"""A message's words as lines of text: for a terminal or a text mail."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from usage_watch.core.entry import Entry
from usage_watch.core.message import Fact
from usage_watch.core.units import number
from usage_watch.core.wording import EXPLAINED, Words

_PAGE = "Page"


def text_lines(words: Words) -> tuple[str, ...]:
    """The whole message for a terminal or a text mail; an empty string is an empty line."""
    if not words.entries:
        page = [] if words.page is None else [f"Page: {words.page}"]
        return (words.line, " · ".join((*page, f"Look closer: {words.command}", *words.footer)))
    first = words.entries[0]
    shown = _one(first) if len(words.entries) == 1 else _list(words)
    go_on = (("What to do", words.runbook), (_PAGE, words.page), ("Look closer", words.command))
    rows = [Fact(name, value) for name, value in go_on if value is not None]
    return (words.line, "", *shown, "", *_table(rows), "", " · ".join(words.footer))


def _one(entry: Entry) -> Iterator[str]:
    yield from _table(entry.labels + entry.standing + entry.rows)
    if entry.text:
        yield from ("", entry.text)


def _list(words: Words) -> Iterator[str]:
    for place, entry in enumerate(words.entries):
        yield entry.line()
        # A link takes a line here: what is only named is found by way of the message's own.
        page = [] if entry.page is None or place >= EXPLAINED else [Fact(_PAGE, entry.page)]
        yield from (f"   {row}" for row in _table((*entry.reasons, *page)))
        if entry.text:
            yield f"   {entry.text}"
    if words.more:
        yield f"and {number(words.more)} more"


def _table(rows: Sequence[Fact]) -> Iterator[str]:
    width = max((len(row.name) for row in rows), default=0)
    return (f"{row.name:{width}}  {row.value}" for row in rows)
