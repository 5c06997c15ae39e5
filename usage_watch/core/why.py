"""Why usage is not as usual, in one sentence: who or what it comes from, or that it is everybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from usage_watch.core.message import Contributor
from usage_watch.core.selection import MEMBER, Selection
from usage_watch.core.series import FeedHistory
from usage_watch.core.stats.axes import ALL, Comparison, Newness, compare, splits, total
from usage_watch.core.stats.contributors import FEW, stand_out, surprise
from usage_watch.core.units import number, percent, quantity

UNATTRIBUTED = "(unattributed)"
"""The row of what no category of an axis accounts for."""

_AS_USUAL = 0.05
"""Share of the usual by which a total may differ and be called as usual."""
_NAMED = 3
"""Names in the sentence."""
_SEVERAL = 3
"""Of fewer it cannot be told whether few of them stand out."""
_NEARLY_ALL = 0.9
"""Share of all rises (or falls)."""
_LONG = 60
"""Characters of a name that is no address in the sentence."""


@dataclass(frozen=True, slots=True)
class Why:
    """What a change comes from."""

    sentence: str
    """`+18,400 credits against the usual (+62 %): 71 % ana@example.com (new member)`. Names stand in it unclean and
    whole, so that a channel which may not name members can find them."""
    axis: str | None
    """The axis on which a few stand out; None where none do."""
    contributors: tuple[Contributor, ...]
    """The largest of each axis: of that axis first, and largest first."""
    broad: tuple[int, int] | None
    """How many of how many moved the same way, where it is broad-based; None elsewhere."""
    table: tuple[Comparison, ...]
    """Every axis."""


@dataclass(frozen=True, slots=True)
class _Found:
    """Those who stand out on one axis."""

    comparison: Comparison
    rows: tuple[int, ...]
    surprise: float


def explain(
    history: FeedHistory,
    from_at: datetime,
    until_at: datetime,
    *,
    unit: str,
    rising: bool,
    selection: Selection = ALL,
    members: FeedHistory | None = None,
) -> Why | None:
    """Why a selection's usage from `from_at` to `until_at` is above (or below) that of the four weeks before.

    `history` is split by each of its axes; `members` are the same dataset's days of each member, where `history` is of
    days too. None where what is usual is not known.
    """
    whole = total(history, from_at, until_at, selection)
    if whole is None:
        return None
    feeds = [(history, axis) for axis in splits(history, selection)]
    if members is not None and selection.member is None and MEMBER in splits(members, selection):
        feeds.append((members, MEMBER))
    found = (compare(feed, axis, from_at, until_at, selection, history) for feed, axis in feeds)
    # That all that is selected by one category is of that category explains nothing.
    table = [each for each in found if each is not None and (len(each.names) > 1 or selection.axis is None)]
    return why(table, *whole, unit=unit, rising=rising)


def why(table: Sequence[Comparison], actual: float, expected: float, *, unit: str, rising: bool) -> Why:
    """Explain a total, in `unit`, by all of its axes; `rising` where it is told for being too high."""
    found = _choose(table, rising)
    broad = None
    said = _against(actual, expected, unit)
    is_told = (actual >= expected) == rising
    if found is not None:
        said += (": " if is_told else ", in spite of ") + _named(found, rising, is_told)
    elif table and is_told and not _as_usual(actual, expected):
        widest = max(table, key=lambda each: (each.axis == MEMBER, len(each.names), each.axis))
        moved, there = _moved(widest, rising)
        if there >= _SEVERAL:
            broad = (moved, there)
            who = "broad-based" if 2 * moved >= there else "none stands out"
            said += f": {who}, {moved} of {quantity(there, _plural(widest.axis))} {'up' if rising else 'down'}"
        else:
            said += _nearly_all(widest, rising)
    axis = None if found is None else found.comparison.axis
    return Why(said, axis, _contributors(table, axis, rising), broad, tuple(table))


def _choose(table: Sequence[Comparison], rising: bool) -> _Found | None:
    """The axis whose few are the most surprising."""
    found = []
    for each in table:
        rows = stand_out(each.parts, each.variances, rising)
        if rows:
            found.append(_Found(each, rows, float(surprise(each.parts)[list(rows)].sum())))
    return max(found, key=lambda each: each.surprise, default=None)


# In words


def _against(actual: float, expected: float, unit: str) -> str:
    change = actual - expected
    said = f"{_signed(change)} {quantity(abs(change), unit).partition(' ')[2]}"
    if _as_usual(actual, expected):
        return f"about as usual ({said})"
    if expected <= 0:
        return f"{said}, none in the 4 weeks before"
    return f"{said} against the usual ({'+' if change > 0 else ''}{percent(change / expected)})"


def _as_usual(actual: float, expected: float) -> bool:
    return abs(actual - expected) <= _AS_USUAL * max(expected, 0.0)


def _named(found: _Found, rising: bool, by_share: bool) -> str:
    comparison = found.comparison
    shares, change = comparison.parts.shares(rising), comparison.parts.change
    said = []
    for row in found.rows[:_NAMED]:
        name = _short(comparison.names[row]) + _news(comparison, row)
        said.append(f"{percent(float(shares[row]))} {name}" if by_share else f"{name} {_signed(float(change[row]))}")
    more = len(found.rows) - len(said)
    return ", ".join(said) + (f" and {more} more" if more else "")


def _nearly_all(comparison: Comparison, rising: bool) -> str:
    """Whoever it nearly all comes from, and was not most of it before; where there are too few to stand out among."""
    parts, shares = comparison.parts, comparison.parts.shares(rising)[:-1]
    largest = int(np.argmax(shares))
    if shares[largest] < _NEARLY_ALL or parts.expected[largest] > parts.expected.sum() / 2:
        return ""
    return ": " + _named(_Found(comparison, (largest,), 0.0), rising, by_share=True)


def _news(comparison: Comparison, row: int) -> str:
    newness = comparison.newness[row]
    if newness is None:
        return ""
    if newness is Newness.BACK:
        return " (none in the 4 weeks before)"
    if comparison.axis == MEMBER and comparison.lasts <= timedelta(days=1):
        return " (first day of this member)"
    return f" (new {comparison.axis.lower()})"


def _short(name: str) -> str:
    """A name that fits into a sentence; where it may hold an address, a cut could leave half of one."""
    return name if len(name) <= _LONG or "@" in name else name[: _LONG - 1].rstrip() + "…"


def _plural(axis: str) -> str:
    word = axis.lower()
    return f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"


def _signed(change: float) -> str:
    return f"+{number(change)}" if change > 0 else number(change)


# In rows


def _moved(comparison: Comparison, rising: bool) -> tuple[int, int]:
    parts = comparison.parts
    there = (parts.actual[:-1] > 0) | (parts.expected[:-1] > 0)
    moved = (parts.change[:-1] > 0) if rising else (parts.change[:-1] < 0)
    return int((there & moved).sum()), int(there.sum())


def _contributors(table: Sequence[Comparison], axis: str | None, rising: bool) -> tuple[Contributor, ...]:
    ordered = sorted(table, key=lambda each: each.axis != axis)
    return tuple(contributor for each in ordered for contributor in _largest(each, rising))


def _largest(comparison: Comparison, rising: bool) -> list[Contributor]:
    change, shares = comparison.parts.change, comparison.parts.shares(rising)
    names = (*comparison.names, UNATTRIBUTED)
    order = np.argsort(-shares, kind="stable")[:FEW].tolist()
    return [Contributor(comparison.axis, names[i], float(change[i]), float(shares[i])) for i in order if shares[i] > 0]
