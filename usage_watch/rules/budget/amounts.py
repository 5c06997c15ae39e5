"""What a budget may use, as users write it: one amount, or one for each series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, field_validator

from usage_watch.rules.common import Strict

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False, strict=True)]


class Amounts(Strict):
    """A limit for each series of `for_each`."""

    default: Amount
    """What each of them may use in a period, in the dataset's unit."""
    overrides: dict[str, Amount] = Field(default_factory=dict)
    """Those with another limit: `{ana@example.com: 20_000}`."""

    @field_validator("overrides")
    @classmethod
    def _each_once(cls, overrides: dict[str, float]) -> dict[str, float]:
        folded = [name.casefold() for name in overrides]
        twice = next((name for name in overrides if folded.count(name.casefold()) > 1), None)
        if twice is not None:
            raise ValueError(f"names {twice} twice, in small and in large letters: keep one of them")
        return overrides

    def of(self, labels: Mapping[str, str]) -> float:
        """The limit of one series. People are the same in small letters and in large ones."""
        folded = {name.casefold(): amount for name, amount in self.overrides.items()}
        return next((folded[value.casefold()] for value in labels.values() if value.casefold() in folded), self.default)
