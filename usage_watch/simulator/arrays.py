"""The arrays that the simulator counts in, and the grid of its time."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

HOUR = 3600
"""Seconds."""
DAY = 24 * HOUR
"""Seconds."""
