"""Which fault hits a request."""

from __future__ import annotations

from collections.abc import Sequence

from .alterations import ALTERATIONS, Asked, altered
from .api import Answer
from .faultkind import FaultKind
from .scenario import Outage


def pick(
    outages: Sequence[Outage], met: Sequence[int], answer: Answer, asked: Asked
) -> tuple[FaultKind | None, tuple[int, ...]]:
    """The fault that hits a request (None: it gets its right answer), and how many requests each outage has met now.

    met: how many each of them had met before.
    """
    counts = list(met)
    for index, outage in enumerate(outages):
        if not _meets(outage, answer, asked):
            continue
        counts[index] += 1
        if _is_hit(outage, met[index]):
            return outage.kind, tuple(counts)
    return None, tuple(counts)


def _is_hit(outage: Outage, before: int) -> bool:
    """before: how many requests the outage had met before this one."""
    number = before - outage.after
    if number < 0 or number % outage.every != outage.every - 1:
        return False
    return outage.times is None or number // outage.every < outage.times


def _meets(outage: Outage, answer: Answer, asked: Asked) -> bool:
    if asked.now < outage.start_at or (outage.end_at is not None and asked.now >= outage.end_at):
        return False
    if outage.dataset not in (None, asked.dataset):
        return False
    return outage.kind not in ALTERATIONS or _spoils(outage.kind, answer, asked)


def _spoils(kind: FaultKind, answer: Answer, asked: Asked) -> bool:
    return answer.status == 200 and altered(kind, answer.body, asked) != answer.body
