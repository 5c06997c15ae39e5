"""A chart as a picture, where the optional extra `png` is installed: mail programs show no SVG.

Letters come from a font in this folder, a part of DejaVu Sans: without font files resvg leaves all text out silently.
"""

from __future__ import annotations

from pathlib import Path

FONT = Path(__file__).parent / "font" / "DejaVuSans-ascii.ttf"
_FINE = 2
"""Pixels for each of the chart's: screens are fine by now."""


def png(svg: str, *, any_letters: bool = False) -> bytes | None:
    """The picture; None without the extra or its font, and where it cannot be drawn: a mail is whole without it.

    `any_letters`: those that our font has not come from the system's, if it has them; else they are left out.
    """
    try:
        from resvg_py import svg_to_bytes
    except ImportError:
        return None
    if not FONT.is_file():
        return None
    try:
        return bytes(
            svg_to_bytes(svg_string=svg, zoom=_FINE, font_files=[str(FONT)], skip_system_fonts=not any_letters)
        )
    except ValueError:
        return None
