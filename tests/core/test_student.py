from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usage_watch.core.stats.student import cdf, quantile

TABLE = {
    1: (3.078, 6.314, 12.706, 31.821, 63.657, 318.309),
    2: (1.886, 2.920, 4.303, 6.965, 9.925, 22.327),
    3: (1.638, 2.353, 3.182, 4.541, 5.841, 10.215),
    4: (1.533, 2.132, 2.776, 3.747, 4.604, 7.173),
    5: (1.476, 2.015, 2.571, 3.365, 4.032, 5.893),
    6: (1.440, 1.943, 2.447, 3.143, 3.707, 5.208),
    10: (1.372, 1.812, 2.228, 2.764, 3.169, 4.144),
    30: (1.310, 1.697, 2.042, 2.457, 2.750, 3.385),
    100: (1.290, 1.660, 1.984, 2.364, 2.626, 3.174),
}
"""Critical values at .90, .95, .975, .99, .995 and .999: NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2."""
CHANCES = (0.90, 0.95, 0.975, 0.99, 0.995, 0.999)
DEGREES = st.floats(1, 200)


@pytest.mark.parametrize("nu", TABLE)
def test_quantiles_are_those_of_the_published_table(nu: int) -> None:
    assert [quantile(p, nu) for p in CHANCES] == pytest.approx(TABLE[nu], abs=5.1e-4)


@pytest.mark.parametrize("nu", TABLE)
def test_the_cdf_at_the_published_values_is_the_published_probability(nu: int) -> None:
    assert cdf(np.array(TABLE[nu]), nu) == pytest.approx(CHANCES, abs=1e-4)


X = np.array([-1e100, -40.0, -3.0, -1.0, -1e-9, 0.0, 1e-9, 0.3, 1.0, 2.0, 100.0])


@pytest.mark.parametrize(
    ("nu", "exact"),
    [
        (1, 0.5 + np.arctan(X) / np.pi),
        (2, 0.5 + X / (2 * np.hypot(2**0.5, X))),
        (3, 0.5 + (X / 3**0.5 / (1 + X * X / 3) + np.arctan(X / 3**0.5)) / np.pi),
    ],
    ids=["nu=1", "nu=2", "nu=3"],
)
def test_the_cdf_is_exact_where_it_has_an_elementary_form(nu: int, exact: np.ndarray) -> None:
    assert cdf(X, nu) == pytest.approx(exact, abs=1e-13)


def test_with_many_degrees_of_freedom_it_is_the_normal_distribution() -> None:
    assert quantile(0.975, 1e7) == pytest.approx(1.959964, abs=1e-6)


@settings(deadline=None)
@given(st.floats(0.001, 0.999), DEGREES)
def test_the_quantile_is_the_inverse_of_the_cdf(p: float, nu: float) -> None:
    assert float(cdf(np.array(quantile(p, nu)), nu)) == pytest.approx(p, abs=1e-9)


@settings(deadline=None)
@given(st.lists(st.floats(-1e6, 1e6), min_size=2).map(sorted), DEGREES)
def test_the_cdf_rises_from_0_to_1_and_is_symmetric(x: list[float], nu: float) -> None:
    found = cdf(np.array(x), nu)
    assert (np.diff(found) >= -1e-12).all()
    assert (found >= 0).all()
    assert (found <= 1).all()
    assert found + cdf(-np.array(x), nu) == pytest.approx(1.0, abs=1e-12)


def test_infinities_have_a_probability_nan_has_none_and_shapes_are_kept() -> None:
    found = cdf(np.array([[-np.inf, np.inf, np.nan]]), 3.5)
    assert found.shape == (1, 3)
    assert found[0, :2].tolist() == [0.0, 1.0]
    assert np.isnan(found[0, 2])
    assert cdf(np.array([]), 3.0).shape == (0,)
