"""What receivers heard, and what of it is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

TARGETS = ("ops", "finance", "pager")
MAILED = {"reminder": "follow-up", "escalated": "follow-up"}
"""Reasons that a mail does not name."""
HELLO = "hello"
"""In place of a reason: the first line that people hear, which is about no rule."""
Expected = Mapping[tuple[str, str], Sequence[str]]
"""The reasons that are to come, in their order, by target and rule; what is not named is to stay silent."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One message that a receiver took."""

    target: str
    rule: str
    reason: str
    id: str
    """As the receiver knows it: the same on every copy."""
    incident: str | None
    """Where the receiver is told."""
    at: datetime
    """On the daemon's clock."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was wrong with all that was heard in one round."""

    lost: int = 0
    """Messages that were to come, and did not."""
    surplus: int = 0
    """Messages that were not to come: other news, or a copy that nothing excuses."""
    misplaced: int = 0
    """Messages that came in another order, or at another time, than they were to."""
    copies: int = 0
    """Excused ones: of what was on its way when the daemon died, one each, with the same id."""
    words: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        return not (self.lost or self.surplus or self.misplaced)


def everywhere(rule: str, *reasons: str, but: str = "") -> dict[tuple[str, str], Sequence[str]]:
    """The same news for every target (but one)."""
    in_mail = [MAILED.get(reason, reason) for reason in reasons]
    return {(target, rule): in_mail if target == "finance" else reasons for target in TARGETS if target != but}


def judge(heard: Sequence[Heard], expected: Expected, excused: Collection[str] = ()) -> Verdict:
    """Weigh what was heard in one round; a second copy of an id in `excused` is no fault, a third is."""
    found: dict[tuple[str, str], dict[str, str]] = {key: {} for key in expected}
    for each in heard:
        found.setdefault((each.target, each.rule), {}).setdefault(each.id, each.reason)
    times = Counter((each.target, each.id) for each in heard)
    forgiven = {key for key in times if key[1] in excused and times[key] > 1}
    repeated = sum(times.values()) - len(times) - len(forgiven)
    wrong = [_compared(key, list(ids.values()), expected.get(key, ())) for key, ids in found.items()]
    words = [word for each in wrong for word in each.words]
    if repeated:
        words.append(
            "repeated: " + ", ".join(sorted(f"{target} {id} x{n}" for (target, id), n in times.items() if n > 1))
        )
    return Verdict(
        lost=sum(each.lost for each in wrong),
        surplus=sum(each.surplus for each in wrong) + repeated,
        misplaced=sum(each.misplaced for each in wrong),
        copies=len(forgiven),
        words=tuple(words),
    )


def _compared(key: tuple[str, str], found: Sequence[str], expected: Sequence[str]) -> Verdict:
    if list(found) == list(expected):
        return Verdict()
    lost = (Counter(expected) - Counter(found)).total()
    surplus = (Counter(found) - Counter(expected)).total()
    said = f"{key[0]} heard of {key[1]}: {', '.join(found) or 'nothing'}; not {', '.join(expected) or 'nothing'}"
    return Verdict(lost, surplus, misplaced=0 if lost or surplus else 1, words=(said,))
