"""Task durations: from the names of bands to seconds, and from counts by band to a mean, quantiles and shares.

How the source spells its bands is not documented. A name is read where it says one thing only; all else is unknown,
and never guessed. Within a band tasks are taken to be spread evenly, as Prometheus' `histogram_quantile` does; those of
an open band stand at its lower edge, so that what they raise is a lower bound. Bands may overlap (a source that changes
its bands has both for a while): each task is spread over its own band. Where they leave a gap, nothing lies in it.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np

from usage_watch.core.series import Floats

# Names

_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_SPELLED: Final = {
    "ms": "milliseconds?|msecs?|ms",
    "s": "seconds?|secs?|s",
    "m": "minutes?|mins?|m",
    "h": "hours?|hrs?|h",
    "d": "days?|d",
}
_NUMBER: Final = r"[0-9]{1,9}(?:\.[0-9]{1,6})?"
_UNIT: Final = "|".join(_SPELLED.values())
_PART: Final = re.compile(rf"({_NUMBER}) ?({_UNIT})(?![a-z])")
_TIME: Final = rf"{_NUMBER} ?(?:{_UNIT})(?![a-z])(?: ?{_NUMBER} ?(?:{_UNIT})(?![a-z]))*"
_EITHER: Final = rf"{_TIME}|{_NUMBER}"
_ENDLESS: Final = "∞|infinity|inf"

_WORDS: Final = (
    (r"\b(less|shorter) than or equal to\b|\b(no|not) (more|longer) than\b|\bat most\b|\bup to\b", "<="),
    (r"\b(greater|more|longer) than or equal to\b|\b(no|not) less than\b|\bat least\b", ">="),
    (r"\b(less|shorter|fewer|faster) than\b|\bunder\b|\bbelow\b", "<"),
    (r"\b(more|greater|longer) than\b|\bover\b|\babove\b", ">"),
    (r"\b(an?|one)\b", "1"),
    (r"[‐‑‒–—―−~〜]|\b(to|until|through)\b|\.\.+|…", "-"),
)
"""Words and signs that mean the same, but for those that follow a time: they are read before these."""
_AND_MORE: Final = re.compile(r"(?<=[a-z0-9]) ?(?:(?:or|and) (?:more|longer|above|over|up|greater)|plus)$")
_AND_LESS: Final = re.compile(r"(?<=[a-z0-9]) ?(?:or|and) (?:less|fewer|shorter|under|below)$")
_BETWEEN: Final = re.compile(r"between (.+) and (.+)")
_INTERVAL: Final = re.compile(r"[\[(] ?([^,;]+?) ?[,;] ?([^,;]+?) ?[\])]( ?[a-z]*)")
_IN_BRACKETS: Final = re.compile(r"[^()0-9]*\(([^()]+)\)")
"""`Short (under 1 min)`: a name, and what it means."""
_BUT: Final = re.compile(r"\b(?:not|no|non|except|excluding|without|but|other)\b")

_RANGE: Final = re.compile(
    rf"(?:from )?(?:>=? ?)?({_EITHER}) ?(?:-|and (?=<)|, ?(?=<)) ?(?:<=? ?)?({_EITHER}|{_ENDLESS})"
)
_UPPER: Final = re.compile(rf"<=? ?({_TIME})")
_LOWER: Final = re.compile(rf"(?:>=? ?|from )({_TIME})|({_TIME}) ?\+|({_NUMBER}) ?\+ ?({_UNIT})")
_LONGEST: Final = 120
"""Characters of a name that are read: members do not type them, but nobody knows who does."""


@dataclass(frozen=True, slots=True, order=True)
class Band:
    """Tasks that took this long, in seconds."""

    low: float
    high: float
    """Infinity where it is open; the same as `low` where nothing under its name is to be counted."""

    @property
    def is_open(self) -> bool:
        """Whether it has no upper edge."""
        return math.isinf(self.high)


def band_of(label: str, named: Mapping[str, tuple[float, float]]) -> Band | None:
    """The band that a category stands for: as the rules file names it, else as it says itself; None if neither does."""
    given = next((edges for name, edges in named.items() if same_name(name, label)), None)
    return parse_band(label) if given is None else Band(*given)


def same_name(name: str, label: str) -> bool:
    """Whether a category is meant by a name in the rules file: in any case, and however it is spaced."""
    return _folded(name) == _folded(label)


def _folded(label: str) -> str:
    return " ".join(label.split()).casefold()


@lru_cache(maxsize=1024)
def parse_band(label: str) -> Band | None:
    """`< 1 min`, `1-5 min`, `15m – 1h`, `30 seconds to 2 minutes`, `1h+`, `over an hour`; None for all else."""
    if len(label) > _LONGEST:
        return None
    text = _folded(unicodedata.normalize("NFKC", label))
    inner = None if _BUT.search(text) else _IN_BRACKETS.fullmatch(text)
    return _read(text) or (_read(inner.group(1).strip()) if inner else None)


def _read(text: str) -> Band | None:
    text = _AND_LESS.sub("<", _AND_MORE.sub("+", text))
    text = f"<{text[:-1]}" if text.endswith("<") else text
    text = _INTERVAL.sub(r"\1\3 - \2\3", _BETWEEN.sub(r"\1 - \2", text))
    text = text.replace("≤", "<=").replace("⩽", "<=").replace("≥", ">=").replace("⩾", ">=")
    for words, sign in _WORDS:
        text = re.sub(words, sign, text)
    edges = _edges(" ".join(text.split()))
    return Band(*edges) if edges is not None and 0 <= edges[0] < edges[1] else None


def _edges(text: str) -> tuple[float, float] | None:
    if upper := _UPPER.fullmatch(text):
        return 0.0, _time(upper.group(1))
    if lower := _LOWER.fullmatch(text):
        before, after, count, unit = lower.groups()
        return _time(before or after or f"{count}{unit}"), math.inf
    if both := _RANGE.fullmatch(text):
        low, high = both.groups()
        # `1-5 min`: the side that names no unit has that of the other.
        return _time(low, high), math.inf if re.fullmatch(_ENDLESS, high) else _time(high, low)
    return None


def _time(text: str, beside: str = "") -> float:
    """Seconds; of a bare number in the unit of the time `beside` it. NaN for what is no time."""
    parts = _PART.findall(text) or _borrowed(text, beside)
    sizes = [_size(unit) for _, unit in parts]
    if not parts or sizes != sorted(set(sizes), reverse=True):
        return math.nan  # `30 min 1 h`, and `1-5`
    return sum(float(count) * size for (count, _), size in zip(parts, sizes, strict=True))


def _borrowed(number: str, beside: str) -> list[tuple[str, str]]:
    units = [unit for _, unit in _PART.findall(beside)]
    return [(number, unit) for unit in units] if len(units) == 1 else []


def _size(unit: str) -> float:
    """Of a unit in seconds."""
    return next(_SECONDS[name] for name, spelled in _SPELLED.items() if re.fullmatch(spelled, unit))


# Figures


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic of each window. Both arrays have shape (n,)."""

    values: Floats
    """NaN where there is no task."""
    variances: Floats
    """What chance does to it, with so few tasks; infinite where there is none."""


def mean(bands: Sequence[Band], counts: Floats) -> Estimate:
    """Seconds that a task took on average. `counts`: tasks by band and window, shape (bands, n)."""
    low, high = _ends(bands)
    total = counts.sum(axis=0)
    values = _per_task((low + high) / 2 @ counts, total)
    squares = _per_task((low**2 + low * high + high**2) / 3 @ counts, total)
    return Estimate(values, _of_chance(squares - values**2, total))


def share_over(bands: Sequence[Band], counts: Floats, limit: float) -> Estimate:
    """Percent of the tasks that took longer than `limit` seconds; of the band that holds it, a linear part.

    `counts`: shape (bands, n).
    """
    parts = [_part_over(band, limit) for band in bands]
    return share(np.array(parts) @ counts, counts.sum(axis=0))


def share(over: Floats, total: Floats) -> Estimate:
    """Percent of `total` that `over` is. Shapes (n,)."""
    # Two more tasks, one of each kind: or five of five would leave nothing to chance.
    smooth = (over + 1) / (total + 2)
    return Estimate(_per_task(100 * over, total), _of_chance(100**2 * smooth * (1 - smooth), total))


def quantile(bands: Sequence[Band], counts: Floats, percent: float) -> Estimate:
    """Seconds that `percent` of the tasks took at most. `counts`: shape (bands, n)."""
    low, high, tasks = _cells(bands, counts)
    total = tasks.sum(axis=0)
    share = percent / 100
    # One standard deviation of the rank to each side, and how far that moves the quantile: no density is needed.
    reach = np.sqrt(share * (1 - share) * total)
    values = _at_rank(low, high, tasks, percent * total / 100)
    less = _at_rank(low, high, tasks, np.maximum(percent * total / 100 - reach, 0))
    more = _at_rank(low, high, tasks, np.minimum(percent * total / 100 + reach, total))
    far = np.maximum(values - less, more - values)
    return Estimate(values, np.where(total > 0, far**2, np.inf))


def open_from(bands: Sequence[Band], counts: Floats) -> Floats:
    """Where the lowest open band that holds tasks begins, in seconds; infinity where none does. Shape (n,)."""
    edges = [np.where(row > 0, band.low, np.inf) for band, row in zip(bands, counts, strict=True) if band.is_open]
    lowest: Floats = np.min([np.full(counts.shape[1], np.inf), *edges], axis=0)
    return lowest


def _ends(bands: Sequence[Band]) -> tuple[Floats, Floats]:
    """Lower and upper edges; an open band ends where it begins."""
    low = np.array([band.low for band in bands], dtype=np.float64)
    return low, np.array([band.low if band.is_open else band.high for band in bands], dtype=np.float64)


def _part_over(band: Band, limit: float) -> float:
    if band.is_open:
        return float(band.low >= limit)
    return min(max((band.high - limit) / (band.high - band.low), 0.0), 1.0)


def _per_task(sums: Floats, total: Floats) -> Floats:
    values: Floats = np.divide(sums, total, out=np.full(len(total), np.nan), where=total > 0)
    return values


def _of_chance(spread: Floats, total: Floats) -> Floats:
    values: Floats = np.divide(np.maximum(spread, 0), total, out=np.full(len(total), np.inf), where=total > 0)
    return values


def _cells(bands: Sequence[Band], counts: Floats) -> tuple[Floats, Floats, Floats]:
    """The bands cut at all their edges, in order: lower and upper ends, shape (cells,), and tasks, shape (cells, n)."""
    low, high = _ends(bands)
    edges = np.unique([low, high])
    begins = np.concatenate([edges, edges[:-1]])
    ends = np.concatenate([edges, edges[1:]])
    order = np.lexsort([ends, begins])
    begins, ends = begins[order], ends[order]
    width = np.where(high > low, high - low, 1)
    inside = (begins[:, None] >= low) & (ends[:, None] <= high) & ((ends > begins)[:, None] == (high > low))
    parts = inside * np.where(high > low, (ends - begins)[:, None] / width, 1)
    return begins, ends, parts @ counts


def _at_rank(low: Floats, high: Floats, tasks: Floats, ranks: Floats) -> Floats:
    """For each window how long the task of a rank took, which may lie between two. `tasks`: shape (cells, n)."""
    if not len(tasks):
        return np.full(len(ranks), np.nan)
    reached = np.cumsum(tasks, axis=0)
    total = reached[-1]
    # Where bands overlap, sums of fractions may miss a whole rank by a hair.
    cell = np.argmax((reached >= ranks - 1e-9 * total) & (tasks > 0), axis=0)
    window = np.arange(len(ranks))
    held = tasks[cell, window]
    into = np.divide(ranks - (reached[cell, window] - held), held, out=np.zeros(len(ranks)), where=held > 0)
    values = low[cell] + (high - low)[cell] * np.clip(into, 0, 1)
    return np.where(total > 0, values, np.nan)
