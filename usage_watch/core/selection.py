"""Which series of a feed a rule looks at: `where` narrows, `for_each` splits."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from usage_watch.core.series import FeedHistory, Flags, Ints, SeriesKey

MEMBER = "member"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which values of an axis count: any of the patterns, or none of them."""

    patterns: tuple[str, ...]
    """`*` stands for any run of characters; nothing else is special."""
    negated: bool = False

    @property
    def said(self) -> str:
        """In words: `claude-opus-*`, `a or b`, `all but promo`."""
        return ("all but " if self.negated else "") + " or ".join(self.patterns)

    def takes(self, value: str) -> bool:
        """Whether usage under this value counts."""
        return any(_pattern(pattern).fullmatch(value) for pattern in self.patterns) != self.negated


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(piece) for piece in text.split("*")), re.DOTALL)


@dataclass(frozen=True, slots=True)
class Selection:
    """A rule's `where` and `for_each`, resolved."""

    axis: str | None = None
    """The one axis that is narrowed or split; None for totals."""
    choice: Choice | None = None
    """Which of its categories count; None for all."""
    member: str | None = None
    """One member's usage only."""
    for_each: str | None = None
    """The axis again, or `member`; None for one series in all."""


@dataclass(frozen=True, slots=True)
class Selected:
    """One series of a rule, cut out of a feed. Arrays have the shape of the feed's grid."""

    labels: Mapping[str, str]
    counts: Ints
    known: Flags
    """Where the source has answered it."""
    totals: Ints
    """The dataset's total for the same members: what shares are of."""


def select(history: FeedHistory, selection: Selection) -> list[Selected]:
    """Cut the series of a rule out of a feed, in the order of their labels.

    Without `for_each` there is exactly one, even where history holds nothing of it: nothing is zero, once fetched.
    Labels spell an axis as the source does, so that another spelling in the rule is no other series.
    """
    axis = _label_in(history, selection.axis)
    known = history.known(axis)
    counts = _grouped(history, axis, selection, _by(selection.for_each))
    if selection.for_each == MEMBER:
        totals = _grouped(history, None, selection, _by(MEMBER))
        nothing = _nothing(history)
        return [Selected({MEMBER: who}, counts.get(who, nothing), known, totals[who]) for who in sorted(totals)]
    total = _grouped(history, None, selection, _by(None)).get("", _nothing(history))
    if selection.for_each is None:
        return [Selected({}, counts.get("", _nothing(history)), known, total)]
    label = axis or selection.for_each
    return [Selected({label: category}, counts[category], known, total) for category in sorted(counts)]


def relevant(history: FeedHistory, selection: Selection) -> FeedHistory:
    """Of a feed all that `select` looks at: the totals, and what a selection takes of its axis."""
    axis = _label_in(history, selection.axis)
    taken = (key for key in history.counts if key.axis in (None, axis) and _takes(selection, key))
    return replace(
        history,
        axes={label: known for label, known in history.axes.items() if label == axis},
        counts={key: history.counts[key] for key in taken},
    )


def fold_label(label: str) -> str:
    """How two spellings of an axis are compared: `credit_source` is `Credit Source`."""
    return label.replace("_", " ").casefold()


def _label_in(history: FeedHistory, axis: str | None) -> str | None:
    """The axis as the source writes it."""
    if axis is None:
        return None
    return next((label for label in history.axes if fold_label(label) == fold_label(axis)), axis)


def _by(for_each: str | None) -> Callable[[SeriesKey], str]:
    """What one series of a rule is made of: a member's usage, a category's, or all."""
    if for_each is None:
        return lambda _: ""
    if for_each == MEMBER:
        return lambda key: key.member or ""
    return lambda key: key.category or ""


def _grouped(
    history: FeedHistory, axis: str | None, selection: Selection, by: Callable[[SeriesKey], str]
) -> dict[str, Ints]:
    """Sums of the counts that a selection takes, by label."""
    sums: dict[str, Ints] = {}
    for key, counts in history.counts.items():
        if key.axis == axis and _takes(selection, key):
            label = by(key)
            sums[label] = sums[label] + counts if label in sums else counts
    return sums


def _takes(selection: Selection, key: SeriesKey) -> bool:
    if selection.member is not None and (key.member or "").casefold() != selection.member.casefold():
        return False
    return key.category is None or selection.choice is None or selection.choice.takes(key.category)


def _nothing(history: FeedHistory) -> Ints:
    return np.zeros(len(history.starts), dtype=np.int64)
