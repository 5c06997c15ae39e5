"""Forecasts that were made before: most of those that a cycle needs are of days that have not changed since the last.

Nothing but time depends on it. It goes by what the numbers are, so that there is nothing to be told when they change.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

import numpy as np

from usage_watch.core.series import Floats, Ints
from usage_watch.core.stats.forecast import Forecast, Rest, forecast

_MOST = 400_000
"""Budgets, each on one day, that are kept; one takes about a hundred bytes."""


class Memo:
    """What was asked last, up to so many budgets on so many days."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._size = 0
        self._kept: OrderedDict[bytes, Forecast] = OrderedDict()

    def forecast(self, history: Floats, weekdays: Ints, rest: Rest, spent: Floats, limits: Floats) -> Forecast:
        """As `core.stats.forecast.forecast`, which it asks unless it knows."""
        key = _key(history, weekdays, rest.weekdays, rest.shares, spent, limits)
        found = self._kept.get(key)
        if found is None:
            found = forecast(history, weekdays, rest, spent, limits)
            self._keep(key, found)
        else:
            self._kept.move_to_end(key)
        return found

    def _keep(self, key: bytes, found: Forecast) -> None:
        """It, and of what was asked before as much as there is room for."""
        self._kept[key] = found
        self._size += len(found.median)
        while self._size > self._most and len(self._kept) > 1:
            _, oldest = self._kept.popitem(last=False)
            self._size -= len(oldest.median)


MEMO = Memo()


def _key(*arrays: Floats | Ints) -> bytes:
    digest = blake2b(digest_size=16)
    for each in arrays:
        digest.update(repr(each.shape).encode())
        digest.update(np.ascontiguousarray(each).tobytes())
    return digest.digest()
