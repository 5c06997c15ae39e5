"""How one bucket of a feed aged: what its polls showed, judged on the feed's total. Times in epoch seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Aging:
    """What is remembered of a bucket's polls."""

    first_seen_at: int
    seen_at: int
    """When it was last fetched, with whatever value."""
    nonzero_at: int | None
    """When the feed's total was first seen to be more than zero."""
    zero_gap: int | None
    """Seconds from the last poll that saw zero to `nonzero_at`; None where none did."""
    changed_at: int
    """When a known value last changed; at first, when it was first seen."""
    unchanged_polls: int
    """Since then."""
    axes: Mapping[str, int]
    """Since when each axis is known."""

    def known_since(self, axis: str | None) -> int | None:
        """Since when the total (None) or an axis is known; None where it is not."""
        return self.first_seen_at if axis is None else self.axes.get(axis)


def seen_first(used: bool, axes: Mapping[str, int], at: int) -> Aging:
    """A bucket that was fetched for the first time; `used`: its total is more than zero."""
    return Aging(at, at, at if used else None, None, at, 0, axes)


def seen_again(old: Aging, used: bool, changed: bool, axes: Mapping[str, int], at: int) -> Aging:
    """The same bucket, fetched again; `changed`: something that was known of it is different now."""
    first_use = used and old.nonzero_at is None
    return replace(
        old,
        seen_at=at,
        nonzero_at=at if first_use else old.nonzero_at,
        zero_gap=at - old.seen_at if first_use else old.zero_gap,
        changed_at=at if changed else old.changed_at,
        # A poll that is read again after a crash is the same poll.
        unchanged_polls=0 if changed else old.unchanged_polls + (at > old.seen_at),
        axes={**axes, **old.axes},
    )
