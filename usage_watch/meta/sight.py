"""What the watcher can see of itself: what it is judged by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from usage_watch.core.feedstate import FeedState, Gap, LargeRevision, Poll
from usage_watch.core.rulesfile import Refused
from usage_watch.core.targetstate import TargetState


@dataclass(frozen=True, slots=True)
class Sight:
    """Stored facts about the watcher; none of them is its configuration."""

    polls: Sequence[Poll] = ()
    """Outcomes of the last days, and of as long as something of the watcher's own is open; oldest first."""
    feeds: Sequence[FeedState] = ()
    """The feeds that the rules need, as the last poll left them."""
    gaps: Sequence[Gap] = ()
    """What was never fetched and is given up for lost."""
    revisions: Sequence[LargeRevision] = ()
    """Those of the last two days, oldest first."""
    targets: Sequence[TargetState] = ()
    """How it goes with each channel of the rules file."""
    late_since: Mapping[str, datetime] = field(default_factory=dict)
    """Channels whose messages were late already when it was last looked, and since when: see `meta.late_since`."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """By rule id, how many series its `max_series` leaves out."""
    unworded: Mapping[str, str] = field(default_factory=dict)
    """By rule id, why its title or text cannot be filled; those that can be are left out."""
    unread_bands: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By dataset, the duration bands of lately whose names nobody can read, of those that rules ask for."""
    refused: Refused | None = None
    """Since when the rules file cannot be used as it was read last; None where it can."""
