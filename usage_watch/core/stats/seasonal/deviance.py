"""How far a count is from what was expected, in standard deviations, also at zero and at small counts.

The signed root of the deviance of a negative binomial count whose variance is `noise * M + spread * M²`. Near M it is
(Y - M) / sd; far from it, and at zero, it keeps to the probabilities, which (Y - M) / sd does not.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from usage_watch.core.series import Floats

Singles = NDArray[np.float32]
Reals = TypeVar("Reals", np.float32, np.float64)

_TINY = 1e-12
_HALVINGS = 60


def deviation(
    came: NDArray[Reals], expected: NDArray[Reals], noise: NDArray[Reals], successes: NDArray[Reals]
) -> NDArray[Reals]:
    """Standard deviations from `expected` (above 0) to `came` (0 or more); arrays that broadcast together.

    `successes`: noise / spread. Dividing everything by the noise makes it a plain negative binomial count.
    """
    ratio = np.maximum(came, _TINY)
    ratio /= expected
    total = came + successes
    mixed = expected + successes
    np.divide(total, mixed, out=mixed)
    np.log(ratio, out=ratio)
    np.log(mixed, out=mixed)
    ratio *= came
    mixed *= total
    ratio -= mixed
    ratio *= 2 / noise
    np.maximum(ratio, 0, out=ratio)
    np.sqrt(ratio, out=ratio)
    z: NDArray[Reals] = np.copysign(ratio, came - expected, out=ratio)
    return z


def edge(expected: Floats, noise: Floats, spread: Floats | float, z: Floats) -> Floats:
    """The count that is `z` standard deviations from `expected`, 0 where none is so low; arrays of one shape."""
    up, successes = z > 0, noise / spread
    near, far = expected.copy(), np.where(up, expected + noise, 0.0)
    while (short := up & (deviation(far, expected, noise, successes) < z)).any():
        far[short] *= 2
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        beyond = np.abs(deviation(middle, expected, noise, successes)) > np.abs(z)
        far, near = np.where(beyond, middle, far), np.where(beyond, near, middle)
    return near
