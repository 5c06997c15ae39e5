"""SVG as text: whatever comes from outside is cleaned and escaped here, and numbers are short."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

import numpy as np

from usage_watch.core.chart.look import Look
from usage_watch.core.plain import plain
from usage_watch.core.series import Floats

LABEL, SENTENCE = 60, 300
"""Characters of a text in sight, and of one that is read out or pointed at."""
_NO_XML = dict.fromkeys((0xFFFE, 0xFFFF))
"""The characters besides controls that XML has no place for."""
_IDLE = re.compile(r"\b0\.")
ROUND = 'fill="none" stroke-linejoin="round" stroke-linecap="round"'


def said(text: str, limit: int = LABEL) -> str:
    """Text of whatever origin, as text."""
    return escape(plain(text, limit)).translate(_NO_XML)


def at(value: float) -> str:
    """A coordinate, to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def document(look: Look, title: str, description: str, parts: Iterable[str]) -> str:
    """The whole picture, for screen readers too."""
    size, palette, key = look.size, look.palette, look.key
    place = f'class="{look.css_class}" ' if look.css_class else f'width="{size.width}" height="{size.height}" '
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" {place}viewBox="0 0 {size.width} {size.height}" role="img"'
            f' aria-labelledby="{key}-t {key}-d" font-family="{palette.fonts}" font-size="{size.font}">',
            f'<title id="{key}-t">{said(title, SENTENCE)}</title>',
            f'<desc id="{key}-d">{said(description, SENTENCE)}</desc>',
            f'<rect width="{size.width}" height="{size.height}" rx="6" fill="{palette.ground}"/>',
            *parts,
            "</svg>\n",
        )
    )


def text(x: float, y: float, words: str, fill: str, *, anchor: str = "", size: int = 0, more: str = "") -> str:
    """A line of text; `anchor`: `middle` or `end`, at its beginning where it is empty."""
    attributes = (f' text-anchor="{anchor}"' if anchor else "") + (f' font-size="{size}"' if size else "") + more
    return f'<text x="{at(x)}" y="{at(y)}" fill="{fill}"{attributes}>{said(words)}</text>'


def path(d: str, *, fill: str = "", stroke: str = "", width: float = 0, dashes: str = "", more: str = "") -> str:
    """A path; nothing is filled or stroked that is not asked for."""
    found = f'<path d="{d}"'
    found += f' fill="{fill}"' if fill else ""
    found += f' stroke="{stroke}"' if stroke else ""
    found += f' stroke-width="{width:g}"' if width else ""
    found += f' stroke-dasharray="{dashes}"' if dashes else ""
    return f"{found}{' ' if more else ''}{more}/>"


def dot(x: float, y: float, radius: float, fill: str, ground: str) -> str:
    """A point that stands out from lines."""
    return f'<circle cx="{at(x)}" cy="{at(y)}" r="{radius:g}" fill="{fill}" stroke="{ground}" stroke-width="1.5"/>'


def tip(d: str, words: str, more: str = "") -> str:
    """A shape that says something when it is pointed at."""
    return f'<path d="{d}"{" " if more else ""}{more}><title>{said(words, SENTENCE)}</title></path>'


def box(left: float, top: float, right: float, bottom: float) -> str:
    """The path of a rectangle."""
    return f"M{at(left)} {at(top)}H{at(right)}V{at(bottom)}H{at(left)}z"


def trace(xs: Floats, ys: Floats) -> str:
    """The path through points, each as far from the one before as they are on a grid of tenths: short, and no drift."""
    grid = np.rint(10 * np.column_stack([xs, ys])).astype(np.int64)
    first, steps = grid[0] / 10, (np.diff(grid, axis=0) / 10).tolist() or [[0, 0]]
    return f"M{first[0]:g} {first[1]:g}l" + _short(steps)


def _short(steps: Sequence[Sequence[float]]) -> str:
    """`.4-12.3 .4 1`: without what a reader of paths does not need."""
    written = " ".join([f"{x:g} {y:g}" for x, y in steps])
    return _IDLE.sub(".", written).replace(" -", "-")
