"""The constant and the straight line."""

from __future__ import annotations

import numpy as np
import pytest

from glasslib import GlassError
from glasslib.baselines import ConstantPredictor, EnergyPredictor
from tests.conftest import make_glass


def test_constant_is_the_mean_of_each_type():
    glasses = [make_glass(seed=0), make_glass(seed=1)]
    predicted = ConstantPredictor().fit(glasses).predict(glasses[0])
    for name in "AB":
        mask = glasses[0].is_type(name)
        expected = np.concatenate([g.propensity[:, g.is_type(name)] for g in glasses], 1).mean(1)
        np.testing.assert_allclose(predicted[:, mask], np.broadcast_to(expected[:, None], (2, mask.sum())))


def test_energy_finds_a_line_that_is_there(glass):
    slope = np.where(glass.types == 0, 0.05, -0.02)
    truth = np.stack([2 + slope * glass.inherent_energies, 3 + 2 * slope * glass.inherent_energies])
    glass = glass.replace(propensity=truth)
    np.testing.assert_allclose(EnergyPredictor().fit([glass]).predict(glass), truth, atol=1e-12)


@pytest.mark.parametrize("predictor", [ConstantPredictor, EnergyPredictor])
def test_errors_say_what_to_do(glass, predictor):
    with pytest.raises(GlassError, match="call fit"):
        predictor().predict(glass)
    with pytest.raises(GlassError, match="no configurations"):
        predictor().fit([])
    with pytest.raises(GlassError, match="propensity: is missing"):
        predictor().fit([glass.replace(propensity=None)])


def test_energy_needs_the_inherent_structure(glass):
    with pytest.raises(GlassError, match=r"inherent_energies: is missing.*inherent_structure"):
        EnergyPredictor().fit([glass.replace(inherent_energies=None)])
