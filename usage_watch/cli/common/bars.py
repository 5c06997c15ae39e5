"""A bar: how much of a limit is used, beside where an even pace would be."""

from __future__ import annotations

import math
import sys

_DRAWN, _ASCII = ("█", "░"), ("#", ".")
_MARK = "|"


def bar(share: float, mark: float | None, cells: int) -> str:
    """`[██████░░|░]`: `share` of the cells is filled; both are parts of 1, and beyond it the bar is full.

    Less than all is never drawn as full, and the least use is seen.
    """
    used, left = _DRAWN if _can_draw() else _ASCII
    drawn = list(used * _filled(share, cells))
    drawn += left * (cells - len(drawn))
    if mark is not None:
        drawn[min(cells - 1, max(0, int(mark * cells)))] = _MARK
    return f"[{''.join(drawn)}]"


def _filled(share: float, cells: int) -> int:
    if share >= 1 or math.isnan(share):
        return cells
    return min(cells - 1, max(1 if share > 0 else 0, int(share * cells)))


def _can_draw() -> bool:
    try:
        "".join(_DRAWN).encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
