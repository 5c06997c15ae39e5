"""The `store:` section of the rules file."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from usage_watch.core.units import Duration, format_duration

SHORTEST = timedelta(days=90)
"""The source reaches back so far, and revises it: what is younger would only be read again."""


class StoreSettings(BaseModel):
    """Where everything is kept, and for how long."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path = Field(
        default=Path("usage-watch.db"),
        description="The database file; its directory must exist and be writable.",
    )
    keep: Duration = Field("2y", validate_default=True)
    """How long usage and alerts are kept, 90d or longer; at least as long as the rules look back."""
    keep_members: Duration | None = None
    """How long usage by member is kept, 90d or longer; as `keep` by default. What rules judge by stays as long as they
    look back."""

    @field_validator("keep", "keep_members")
    @classmethod
    def _long_enough(cls, written: timedelta | None) -> timedelta | None:
        if written is not None and written < SHORTEST:
            raise ValueError(
                f"write {format_duration(SHORTEST)} or more: the source reaches back so far, and revises it"
            )
        return written

    @model_validator(mode="after")
    def _members_no_longer(self) -> StoreSettings:
        if self.members > self.keep:
            raise ValueError("needs a `keep_members` that is no longer than `keep`")
        return self

    @property
    def members(self) -> timedelta:
        """How long usage by member is kept."""
        return self.keep if self.keep_members is None else self.keep_members
