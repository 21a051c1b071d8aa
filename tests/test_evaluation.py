"""Scores against scipy and against ensembles whose ceiling is known."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from glasslib import GlassError
from glasslib.evaluation import bootstrap_interval, ceiling, common_times, evaluate, pearson, score, table
from tests.conftest import make_glass


def test_pearson_is_scipys():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(2, 50))
    assert pearson(x, y) == pytest.approx(scipy.stats.pearsonr(x, y).statistic, abs=1e-14)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e9])
def test_a_constant_correlates_with_nothing(constant):
    assert pearson(np.full(100, constant), np.arange(100.0)) == 0


@pytest.mark.parametrize(
    "bad", [(np.ones(3), np.ones(4)), (np.ones((2, 2)), np.ones((2, 2))), ([1.0], [1.0])]
)
def test_pearson_refuses_what_it_cannot_correlate(bad):
    with pytest.raises(GlassError, match="cannot correlate"):
        pearson(*bad)


def test_mean_and_pooled_differ_when_configurations_do():
    glasses = [make_glass(seed=seed) for seed in range(3)]
    # the second configuration moves more: pooled rewards knowing that, mean does not
    glasses[1] = glasses[1].replace(propensity=glasses[1].propensity + 1)
    rng = np.random.default_rng(0)
    guesses = [g.propensity + 0.1 * rng.random(g.propensity.shape) for g in glasses]
    found = score(guesses, glasses)
    masks = [g.is_type("A") for g in glasses]
    for t in range(2):
        each = [
            scipy.stats.pearsonr(p[t, m], g.propensity[t, m])[0]
            for p, g, m in zip(guesses, glasses, masks, strict=True)
        ]
        np.testing.assert_allclose(found.each[:, t], each)
        assert found.mean[t] == pytest.approx(np.mean(each))
        pooled = scipy.stats.pearsonr(
            np.concatenate([p[t, m] for p, m in zip(guesses, masks, strict=True)]),
            np.concatenate([g.propensity[t, m] for g, m in zip(glasses, masks, strict=True)]),
        )[0]
        assert found.pooled[t] == pytest.approx(pooled)
        assert found.pooled[t] > found.mean[t] + 0.1
        assert found.interval[0, t] <= found.mean[t] <= found.interval[1, t]


def test_only_particles_of_the_type_count(glass):
    spoiled = glass.propensity.copy()
    spoiled[:, glass.is_type("B")] = 99
    assert score([spoiled], [glass]).mean == pytest.approx([1, 1])
    assert score([spoiled], [glass], particle_type="B").mean == pytest.approx([0, 0])


def test_the_ceiling_is_what_the_exact_propensity_reaches():
    """Replicas with known spread: the true field must score what the halves predict."""
    rng = np.random.default_rng(1)
    n, n_replicas = 20_000, 8
    truth = 1 + 0.1 * rng.normal(size=n)
    replicas = truth + 0.2 * rng.normal(size=(n_replicas, n))
    halves = replicas.reshape(2, n_replicas // 2, n).mean(1)[:, None].clip(0)
    glass = make_glass(n=n, box=(30, 30, 30), n_times=1)
    glass = glass.replace(
        types=np.zeros(n, int), propensity=replicas.mean(0)[None].clip(0), propensity_halves=halves
    )
    reached = score([truth[None]], [glass]).mean[0]
    assert ceiling([glass]).mean[0] == pytest.approx(reached, abs=0.01)
    assert reached == pytest.approx((0.01 / (0.01 + 0.04 / 8)) ** 0.5, abs=0.01)


def test_the_ceiling_needs_the_halves(glass):
    with pytest.raises(GlassError, match="propensity_halves: is missing"):
        ceiling([glass.replace(propensity_halves=None)])


def test_the_bootstrap_interval_covers_the_mean_about_as_often_as_it_says():
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(300):
        low, high = bootstrap_interval(rng.normal(size=(30, 1)), 500, seed=int(rng.integers(2**31)))
        hits += bool(low[0] <= 0 <= high[0])
    assert 0.88 < hits / 300 < 0.98


def test_differing_times_are_refused(glass):
    other = make_glass(n_times=1)
    with pytest.raises(GlassError, match="at_times"):
        common_times([glass, other])
    assert common_times([glass.at_times([1.0]), other]) == [1.0]
    with pytest.raises(GlassError, match="no configurations"):
        common_times([])


def test_a_prediction_of_the_wrong_shape_is_refused(glass):
    with pytest.raises(GlassError, match=r"made-up-0: expected a prediction of shape \(2, 120\)"):
        score([glass.propensity[:1]], [glass])


def test_table_has_a_row_per_predictor_and_time(glass):
    class Oracle:
        def fit(self, glasses):
            return self

        def predict(self, glass):
            return glass.propensity

    text = table({"oracle": evaluate(Oracle(), [glass])}).splitlines()
    assert len(text) == 3
    assert text[1].split() == ["oracle", "1", "1.000", "1.000", "to", "1.000", "1.000"]


def test_the_ceiling_of_nothing_is_refused():
    with pytest.raises(GlassError, match="no configurations"):
        ceiling([])
