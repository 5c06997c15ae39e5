"""Counts against what is usual for their hour of the week."""

from usage_watch.core.stats.seasonal.deviance import Singles
from usage_watch.core.stats.seasonal.fold import News, Seasonal, Usage, days_of, replay
from usage_watch.core.stats.seasonal.judged import CAME, LOW, USUAL, Basis, Cause, Finding, Judged
from usage_watch.core.stats.seasonal.noise import DOWN, UP
from usage_watch.core.stats.seasonal.season import Season, as_weekend, season_of

__all__ = [
    "CAME",
    "DOWN",
    "LOW",
    "UP",
    "USUAL",
    "Basis",
    "Cause",
    "Finding",
    "Judged",
    "News",
    "Season",
    "Seasonal",
    "Singles",
    "Usage",
    "as_weekend",
    "days_of",
    "replay",
    "season_of",
]
