"""Numbers that were worked out before: most of what a cycle needs is of days that have not changed since the last.

Nothing but time depends on it. It goes by what the numbers are made of, so that there is nothing to be told when that
changes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from hashlib import blake2b

import numpy as np

from usage_watch.core.series import Floats, Ints

_ROUNDS = 8
"""What was not asked for while all else was, so many times over, is of days that are gone."""
_MOST = 4_000_000
"""Numbers that are kept: two for each of 10,000 budgets on each day of half a year take 30 MB."""


class Memo:
    """What was asked lately, up to so many numbers."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._size = self._asked = 0
        self._kept: OrderedDict[bytes, tuple[Floats, int]] = OrderedDict()
        """With the number of the question that it last answered; the oldest first."""

    def of(self, key: bytes, make: Callable[[], Floats]) -> Floats:
        """The numbers under a key, made unless they are known; not to be written to."""
        self._asked += 1
        known = self._kept.pop(key, None)
        found = make() if known is None else known[0]
        self._kept[key] = found, self._asked
        self._size += found.size if known is None else 0
        while len(self._kept) > 1 and (self._size > self._most or self._is_stale()):
            _, (oldest, _) = self._kept.popitem(last=False)
            self._size -= oldest.size
        return found

    def _is_stale(self) -> bool:
        """Whether the oldest is of no use any more: else a process that runs for years would fill up with them."""
        _, asked = next(iter(self._kept.values()))
        return self._asked - asked > _ROUNDS * len(self._kept)


_MEMO: ContextVar[Memo] = ContextVar("forecasts", default=Memo())  # noqa: B039  that of the cycles


def remembered(key: bytes, make: Callable[[], Floats]) -> Floats:
    """By the memo that is used here."""
    return _MEMO.get().of(key, make)


def apart(most: int) -> None:
    """From here on in this context another memo is used, of at most so many numbers: a memo is one thread's."""
    _MEMO.set(Memo(most))


def digest(parts: Iterable[Floats | Ints | bytes]) -> bytes:
    """Equal for equal parts only."""
    made = blake2b(digest_size=16)
    for each in parts:
        held = each if isinstance(each, bytes) else np.ascontiguousarray(each).tobytes()
        made.update(f"{len(held)} ".encode())
        made.update(held)
    return made.digest()
