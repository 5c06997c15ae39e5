"""What credits cost: amounts beside credits, never in place of them."""

from __future__ import annotations

import re
from dataclasses import dataclass

CREDITS = "credits"
"""The unit that has a price."""

_NUMBER = re.compile(r"(([0-9][0-9,]*(?:[.][0-9]+)?)(?: of [0-9][0-9,.]*)? credits?(?: spent)?)\b( \((?=[0-9]))?")
"""The number that a sentence begins with, as rules word it; and the bracket that opens after it, if one does."""
_CENT = 0.01


@dataclass(frozen=True, slots=True)
class Price:
    """A list price. It is no part of what is judged or remembered: it is applied when something is said."""

    per_1000: float
    """What 1,000 credits cost, more than 0."""
    currency: str
    """ISO 4217, such as `USD`."""

    def worth(self, spent: float) -> float:
        """Of so many credits, as a number."""
        return spent * self.per_1000 / 1000

    def amount(self, spent: float) -> str:
        """Of so many credits: `123.45 USD`, `100 USD`; from a thousand on without cents."""
        worth = self.worth(spent)
        if 0 < worth < _CENT:
            return f"under {_CENT} {self.currency}"
        cents = 2 if abs(worth) < 1000 else 0
        return f"{worth:,.{cents}f}".removesuffix(".00") + f" {self.currency}"

    def beside(self, sentence: str) -> str:
        """The sentence with the amount after the credits that it begins with; as it is, where it begins otherwise.

        `12,345 credits (123.45 USD) in 3 h, …`, `320,000 of 440,000 credits spent (3,200 USD, 73 %), …`
        """
        found = _NUMBER.match(sentence)
        if found is None:
            return sentence
        amount = self.amount(float(found[2].replace(",", "")))
        return f"{found[1]} ({amount}{', ' if found[3] else ')'}{sentence[found.end() :]}"
