"""Counts against what is usual for their hour of the week."""

from usage_watch.core.stats.seasonal.fold import News, Seasonal, Usage, replay
from usage_watch.core.stats.seasonal.judged import Basis, Cause, Finding, Judged
from usage_watch.core.stats.seasonal.noise import DOWN, UP
from usage_watch.core.stats.seasonal.season import Season, as_weekend, season_of

__all__ = [
    "DOWN",
    "UP",
    "Basis",
    "Cause",
    "Finding",
    "Judged",
    "News",
    "Season",
    "Seasonal",
    "Usage",
    "as_weekend",
    "replay",
    "season_of",
]
