"""Numbers that were worked out before: most of what a cycle needs is of days that have not changed since the last.

Nothing but time depends on it. It goes by what the numbers are made of, so that there is nothing to be told when that
changes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from hashlib import blake2b

import numpy as np

from usage_watch.core.series import Floats, Ints

_MOST = 4_000_000
"""Numbers that are kept: two for each of 10,000 budgets on each day of half a year take 30 MB."""


class Memo:
    """What was asked last, up to so many numbers."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._size = 0
        self._kept: OrderedDict[bytes, Floats] = OrderedDict()

    def of(self, key: bytes, make: Callable[[], Floats]) -> Floats:
        """The numbers under a key, made unless they are known; not to be written to."""
        found = self._kept.get(key)
        if found is None:
            found = make()
            self._keep(key, found)
        else:
            self._kept.move_to_end(key)
        return found

    def _keep(self, key: bytes, found: Floats) -> None:
        """It, and of what was asked before as much as there is room for."""
        self._kept[key] = found
        self._size += found.size
        while self._size > self._most and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._size -= oldest.size


MEMO = Memo()


def digest(parts: Iterable[Floats | Ints | bytes]) -> bytes:
    """Equal for equal parts only."""
    made = blake2b(digest_size=16)
    for each in parts:
        held = each if isinstance(each, bytes) else np.ascontiguousarray(each).tobytes()
        made.update(f"{len(held)} ".encode())
        made.update(held)
    return made.digest()
