"""What is drawn of a series: up to 24 points that end with the bucket that evidence speaks of.

They are chosen by that bucket alone, never by the newest: so evidence is equal at each cycle until a number changes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

import numpy as np

from usage_watch.core.message import Drawn, Line, Severity
from usage_watch.core.series import Flags, Floats
from usage_watch.core.units import from_epoch

POINTS: Final = 24
"""Values in one picture: a day of hours, or the weeks before a day."""
_DIGITS = 4
"""Behind the point: far more than can be seen, and few enough to be stored."""

Limits = Iterable[tuple[Severity, float]]
"""A rule's levels, the lowest first."""


def drawn(
    what: str,
    until: int,
    width: int,
    values: Floats,
    limits: Limits = (),
    *,
    stride: int = 1,
    usual: tuple[Floats, Floats] | None = None,
) -> Drawn | None:
    """Every `stride`-th value, counted back from the last; None where fewer than two of them are known.

    `values`: one a bucket of `width` seconds, of which the last ends at `until` (epoch seconds); NaN where unknown.
    `usual`: its lower and its upper end, of the same shape.
    """
    said = _picked(values, stride)
    unknown = next((place for place, value in enumerate(said) if value is not None), 0)
    said = said[unknown:]
    if sum(value is not None for value in said) < 2:
        return None
    low, high = ((), ()) if usual is None else (_picked(each, stride)[unknown:] for each in usual)
    return Drawn(what, from_epoch(until), stride * width, said, _lines(limits), low, high)


def stride_over(buckets: int) -> int:
    """Every how many buckets a point stands where so many shall fit into a picture."""
    return max(1, math.ceil(buckets / POINTS))


def where_known(values: Floats, known: Flags) -> Floats:
    """The values, NaN where they are not known."""
    return np.where(known, values, np.nan)


def _picked(values: Floats, stride: int) -> tuple[float | None, ...]:
    """Oldest first; NaN becomes None."""
    newest_first = values[::-1][: POINTS * stride : stride].tolist()
    return tuple(round(each, _DIGITS) if math.isfinite(each) else None for each in reversed(newest_first))


def _lines(limits: Limits) -> tuple[Line, ...]:
    """Of each severity where it begins: a budget may have a hundred levels."""
    begins: dict[Severity, float] = {}
    for severity, limit in limits:
        begins.setdefault(severity, round(float(limit), _DIGITS))
    return tuple(Line(severity, limit) for severity, limit in begins.items())
