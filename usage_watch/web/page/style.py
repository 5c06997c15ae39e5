"""How the page looks: one sheet of style, whose colours are those of the charts."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from usage_watch.core.chart import style_sheet

ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0072b2"/>'
    '<path d="M6 21l5-6 5 3 5-10 5 7" fill="none" stroke="#fff" stroke-width="3" stroke-linecap="round" '
    'stroke-linejoin="round"/></svg>'
)
"""In the browser's tab."""


@cache
def style() -> str:
    """CSS."""
    return style_sheet() + files("usage_watch.web.page").joinpath("page.css").read_text("utf-8")
