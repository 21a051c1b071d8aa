"""Several predictors asked together."""

from __future__ import annotations

import numpy as np
import pytest

from glasslib import GlassError
from glasslib.baselines import ConstantPredictor, EnergyPredictor
from glasslib.evaluation import evaluate
from glasslib.predictor import EnsemblePredictor
from tests.test_training import learnable, predictor


def test_predicts_the_mean_of_its_members():
    glasses = [learnable(seed) for seed in range(3)]
    members = [ConstantPredictor(), EnergyPredictor()]
    ensemble = EnsemblePredictor(members).fit(glasses)
    new = learnable(7)
    want = (members[0].predict(new) + members[1].predict(new)) / 2
    np.testing.assert_allclose(ensemble.predict(new), want, rtol=1e-12)


def test_networks_of_several_seeds_continue_where_they_were(tmp_path):
    glasses = [learnable(seed) for seed in range(4)]
    networks = [predictor(seed=seed, epochs=2) for seed in (0, 1)]
    first = EnsemblePredictor(networks).fit(glasses, directory=tmp_path, progress=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["member-0", "member-1"]
    again = EnsemblePredictor([predictor(seed=seed, epochs=2) for seed in (0, 1)])
    before = (tmp_path / "member-1" / "best.ckpt").stat().st_mtime_ns
    again.fit(glasses, directory=tmp_path, progress=False)
    assert (tmp_path / "member-1" / "best.ckpt").stat().st_mtime_ns == before
    np.testing.assert_array_equal(again.predict(learnable(9)), first.predict(learnable(9)))


def test_correlates_better_than_its_members_where_their_errors_differ():
    """Two predictors that see the truth through independent noise."""

    class Noisy:
        def __init__(self, seed):
            self.rng = np.random.default_rng(seed)

        def fit(self, glasses):
            return self

        def predict(self, glass):
            return glass.propensity + glass.propensity.std() * self.rng.normal(size=glass.propensity.shape)

    glasses = [learnable(seed) for seed in range(4)]
    alone = [evaluate(Noisy(seed), glasses).mean[0] for seed in (0, 1)]
    together = evaluate(EnsemblePredictor([Noisy(0), Noisy(1)]), glasses).mean[0]
    assert together > max(alone) + 0.03


def test_an_ensemble_needs_members():
    with pytest.raises(GlassError, match="needs members"):
        EnsemblePredictor([])
