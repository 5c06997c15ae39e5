"""What became of the rules file when it was read again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """The file stands as it cannot be used; the rules of before hold."""

    since: datetime
    """When it was first read so."""
    why: str
    """The newest refusal: a fault a line."""
    times: int
    """How often it was read so."""
