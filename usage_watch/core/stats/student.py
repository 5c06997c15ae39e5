"""Student's t distribution: its CDF and quantile, without scipy.

The CDF is a regularized incomplete beta function (Abramowitz & Stegun 26.7.1; DLMF 8.17), found by its continued
fraction (DLMF 8.17.22) with the modified Lentz method as in Numerical Recipes, 3rd edition, section 6.4. The quantile
is found by Newton's method on the CDF.
"""

from __future__ import annotations

from functools import lru_cache
from math import exp, lgamma, log, log1p, pi

import numpy as np

from usage_watch.core.series import Floats

_CLOSE = 1e-13
"""How near to 1 a factor of the continued fraction must be for it to have converged."""


def cdf(x: Floats, nu: float) -> Floats:
    """The probability of a value of at most `x`, for `nu` >= 1 degrees of freedom.

    Any shape; infinities are allowed, and NaN stays NaN.
    """
    with np.errstate(over="ignore"):
        squares = np.square(np.asarray(x, dtype=np.float64))
    # The two sides of I_z(a, b) = 1 - I_(1-z)(b, a): each fraction converges fast where it is used.
    near = squares < 3 * nu / (nu + 2)
    inner, outer = squares[near], squares[~near]
    tail = np.empty(squares.shape)
    tail[near] = 0.5 - 0.5 * _beta(inner / (nu + inner), 0.5, nu / 2)
    tail[~near] = 0.5 * _beta(nu / (nu + outer), nu / 2, 0.5)
    return np.where(np.asarray(x) > 0, 1 - tail, tail)


@lru_cache(maxsize=256)
def quantile(p: float, nu: float) -> float:
    """The value that is not passed with probability `p`, 0 < p < 1, for `nu` >= 1 degrees of freedom."""
    if p < 0.5:
        return -quantile(1 - p, nu)
    peak = exp(lgamma((nu + 1) / 2) - lgamma(nu / 2)) / (nu * pi) ** 0.5
    x, step = 0.0, 1.0
    # Right of 0 the CDF is concave: a step from the left falls short of the root and never passes it.
    while step > 1e-12 * (1 + x):
        density = peak * exp(-(nu + 1) / 2 * log1p(x * x / nu))
        step = (p - float(cdf(np.array(x), nu))) / density
        x += step
    return x


def _beta(z: Floats, a: float, b: float) -> Floats:
    """The regularized incomplete beta function I_z(a, b), for z up to (a + 1) / (a + b + 2)."""
    scale = lgamma(a + b) - lgamma(a) - lgamma(b) - log(a)
    with np.errstate(divide="ignore"):
        power: Floats = np.exp(scale + a * np.log(z) + b * np.log1p(-z))
    return power / _fraction(z, a, b)


def _fraction(z: Floats, a: float, b: float) -> Floats:
    """1 + d1/(1 + d2/(1 + …)), DLMF 8.17.22; in the range of z given above no denominator vanishes."""
    value, upper, lower = np.ones_like(z), np.ones_like(z), np.zeros_like(z)
    change, index = np.full_like(z, np.inf), 0
    while (np.abs(change - 1) > _CLOSE).any():
        index += 1
        m = index // 2
        if index % 2:
            term = -(a + m) * (a + b + m) / ((a + 2 * m) * (a + 2 * m + 1)) * z
        else:
            term = m * (b - m) / ((a + 2 * m - 1) * (a + 2 * m)) * z
        lower = 1 / (1 + term * lower)
        upper = 1 + term / upper
        change = upper * lower
        value = value * change
    return value
