"""Reduced units: times over tau_alpha, propensities over their mean."""

from __future__ import annotations

import numpy as np
import pytest

from glasslib import GlassError
from glasslib.evaluation import common_times, score
from glasslib.reduced import FRACTIONS, reduced
from tests.conftest import make_glass


def at(temperature: float, times: tuple[float, ...], seed: int = 0):
    return make_glass(seed=seed, n_times=len(times)).replace(times=times, temperature=temperature)


HOT = (0.52, 1.65, 5.2, 16.5, 52.0)
COLD = (6.86, 21.7, 68.6, 217.0)


def test_times_of_different_temperatures_become_common_ones():
    glasses = reduced([at(0.64, HOT), at(0.50, COLD)])
    np.testing.assert_allclose(common_times(glasses), FRACTIONS)


def test_each_type_and_time_has_mean_one_over_the_configurations_of_a_temperature():
    glasses = reduced([at(0.64, HOT, 0), at(0.64, HOT, 1), at(0.50, COLD, 2)], [0.1, 1.0])
    for same in (glasses[:2], glasses[2:]):
        for name in "AB":
            values = np.concatenate([glass.propensity[:, glass.is_type(name)] for glass in same], axis=1)
            np.testing.assert_allclose(values.mean(1), 1.0)
    assert glasses[0].propensity.mean() != pytest.approx(1.0, abs=1e-6)  # but not each configuration


def test_correlations_are_those_of_the_units_before():
    before = [at(0.64, HOT, seed).at_times([1.65, 16.5]) for seed in range(2)]
    after = reduced(before, [0.1, 1.0])
    rng = np.random.default_rng(0)
    guesses = [glass.propensity + rng.normal(size=(2, len(glass))) for glass in before]
    own, reduced_ones = (score(guesses, glasses) for glasses in (before, after))
    np.testing.assert_allclose(own.mean, reduced_ones.mean)
    np.testing.assert_allclose(own.pooled, reduced_ones.pooled)


def test_halves_average_to_the_whole():
    glass = at(0.64, HOT)
    halves = np.stack([glass.propensity * 0.9, glass.propensity * 1.1])
    (after,) = reduced([glass.replace(propensity_halves=halves)], [1.0])
    np.testing.assert_allclose(after.propensity_halves.mean(0), after.propensity)


def test_it_says_what_is_missing():
    with pytest.raises(GlassError, match=r"no data near 1 tau_alpha = 16\.5; the times are 0\.52, 1\.65"):
        reduced([at(0.64, HOT[:2])], [1.0])
    with pytest.raises(GlassError, match="temperature"):
        reduced([at(0.64, HOT).replace(temperature=None)])
    with pytest.raises(GlassError, match="propensity"):
        reduced([at(0.64, HOT).replace(propensity=None, propensity_halves=None)])
