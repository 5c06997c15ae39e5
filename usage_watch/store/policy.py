"""How long things are kept: what the rules file says of it, and what the rules need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from usage_watch.core.series import Feed


@dataclass(frozen=True, slots=True)
class Policy:
    """How long things are kept, and what is needed still."""

    keep: timedelta
    keep_members: timedelta
    """Of usage by member."""
    needed: Mapping[Feed, datetime]
    """From when on rules look at each feed."""
    polled: frozenset[Feed]
    """What the source is asked for."""
    backfill_from: datetime
    """Where history shall begin."""
    alerts_from: datetime
    """What ended before is looked at by no cycle."""
