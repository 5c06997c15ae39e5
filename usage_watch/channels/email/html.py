"""The HTML part of a mail: small, without scripts and pictures from elsewhere, readable on light and dark ground. Pure.

Colours are set for accents and notes alone, of a tone that both grounds carry; all else keeps the reader's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from usage_watch.core.chart import HEIGHT, WIDTH
from usage_watch.core.entry import Entry
from usage_watch.core.message import Fact
from usage_watch.core.units import number
from usage_watch.core.wording import Words

_ACCENTS = {"🔴": "#d1242f", "🟠": "#d4730c", "🔵": "#3b82d6", "✅": "#2da44e", "↩️": "#8957e5", "⚪": "#8a8f98"}
_NOTE = "color:#717882"
_FONT = "font:15px/1.5 -apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_CODE = "font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace"


def html(words: Words, status: str, picture: str | None = None) -> str:
    """The whole page; everything that was not written here is escaped. `picture`: the Content-ID of a chart."""
    return "\n".join(_page(words, status, picture)) + "\n"


def _page(words: Words, status: str, picture: str | None) -> Iterator[str]:
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    yield '<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">'
    yield f"<title>{escape(words.title)}</title></head>"
    yield f'<body style="margin:0;padding:16px;{_FONT}"><div style="max-width:600px;margin:0 auto">'
    if status:
        accent = _ACCENTS[words.entries[0].mark]
        yield f'<div style="font-weight:700;letter-spacing:.06em;color:{accent}">{status}</div>'
    if len(words.entries) == 1:
        yield from _one(words, picture)
    else:
        yield from _several(words)
    yield f'<div style="margin-top:12px">{_table(_go_on(words))}</div>'
    yield f'<p style="margin:20px 0 0;font-size:12px;{_NOTE}">{escape(" · ".join(words.footer))}</p>'
    yield "</div></body></html>"


def _one(words: Words, picture: str | None) -> Iterator[str]:
    entry = words.entries[0]
    yield _banner(entry, f'<div style="font-size:19px;line-height:1.35;font-weight:600">{escape(words.title)}</div>')
    if entry.trend is None or picture is None:
        yield _table(_rows(entry.labels + entry.standing + entry.rows))
    else:
        yield _table(_rows(entry.labels + entry.standing + entry.reasons))
        yield _image(picture, f"{entry.trend.name}: {entry.trend.value}")
    if entry.text:
        yield _paragraph(entry.text)


def _several(words: Words) -> Iterator[str]:
    yield f'<div style="margin:8px 0 16px;font-size:19px;line-height:1.35;font-weight:600">{escape(words.title)}</div>'
    for entry in words.entries:
        brackets = escape(entry.brackets())
        aside = f' <span style="{_NOTE}">{brackets}</span>' if brackets else ""
        headline = _headline(entry)
        rows = _table(_rows(entry.reasons)) if entry.reasons else ""
        said = _paragraph(entry.text) if entry.text else ""
        yield _banner(entry, f"<div><b>{escape(entry.mark)} {headline}</b>{aside}</div>{rows}{said}")
    if words.more:
        yield f"<p>and {number(words.more)} more</p>"


def _headline(entry: Entry) -> str:
    said = escape(entry.headline)
    return said if entry.page is None else f'<a href="{escape(entry.page)}" style="color:inherit">{said}</a>'


def _banner(entry: Entry, content: str) -> str:
    edge = f"border-left:4px solid {_ACCENTS[entry.mark]}"
    return f'<div style="margin:8px 0 16px;padding:2px 0 2px 14px;{edge}">{content}</div>'


def _paragraph(text: str) -> str:
    return f'<p style="margin:8px 0">{escape(text)}</p>'


def _image(cid: str, instead: str) -> str:
    """`instead` is what is read where pictures are not shown."""
    style = "display:block;margin-top:14px;width:100%;max-width:600px;height:auto;border-radius:6px"
    return f'<img src="cid:{escape(cid)}" width="{WIDTH}" height="{HEIGHT}" alt="{escape(instead)}" style="{style}">'


def _rows(facts: Iterable[Fact]) -> Iterator[tuple[str, str]]:
    return ((fact.name, escape(fact.value)) for fact in facts)


def _go_on(words: Words) -> Iterator[tuple[str, str]]:
    for name, link in (("What to do", words.runbook), ("Page", words.page)):
        if link is not None:
            yield name, f'<a href="{escape(link)}">{escape(link)}</a>'
    yield "Look closer", f'<code style="{_CODE}">{escape(words.command)}</code>'


def _table(rows: Iterable[tuple[str, str]]) -> str:
    """Rows of a name, escaped here, and a value, which is HTML already."""
    label = f"padding:3px 18px 3px 0;vertical-align:top;white-space:nowrap;{_NOTE}"
    cells = "\n".join(
        f'<tr><td width="135" style="{label}">{escape(name)}</td>'
        f'<td style="padding:3px 0;vertical-align:top">{value}</td></tr>'
        for name, value in rows
    )
    style = f"border-collapse:collapse;{_FONT}"
    return f'<table role="presentation" cellspacing="0" cellpadding="0" style="{style}">\n{cells}\n</table>'
