"""The classifier against its optimality conditions and known answers; Arrhenius fits against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from glasslib import GlassError
from glasslib.companions import softness

TEMPERATURES = np.array([0.45, 0.5, 0.56, 0.64, 0.75])


def two_clouds(n: int, n_features: int, shift: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    active = np.arange(n) % 2 == 0
    x = rng.normal(size=(n, n_features))
    x[active, 0] += shift
    return x, active


@settings(max_examples=20, deadline=None)
@given(
    n=st.integers(4, 60),
    n_features=st.integers(1, 8),
    shift=st.floats(-3, 3),
    c=st.sampled_from([0.01, 1.0, 10.0]),
    seed=st.integers(0, 99),
)
def test_the_classifier_is_optimal(n, n_features, shift, c, seed):
    """By duality: a = 2 c max(0, 1 - y f) is feasible for the dual, which agrees only at the optimum."""
    x, active = two_clouds(n, n_features, shift, seed)
    y = np.where(active, 1.0, -1.0)
    plane = softness.separate(x, active, c)
    short = np.maximum(0, 1 - y * (x @ plane.weights + plane.offset))
    primal = plane.weights @ plane.weights / 2 + c * short @ short
    a = 2 * c * short
    assert abs(a @ y) < 1e-4 * a.sum()  # the dual's constraint
    w = (a * y) @ x
    dual = a.sum() - w @ w / 2 - a @ a / (4 * c)
    assert dual <= primal * (1 + 1e-4)
    assert primal - dual < 1e-4 * primal


def test_the_classifier_finds_the_direction_and_the_best_accuracy():
    """Two normal clouds of one shape: the best line is known, and so is the share that it gets right."""
    x, active = two_clouds(40_000, 3, 1.5, 0)
    mix = np.array([[1.0, 0.3, 0.0], [0.0, 0.8, 0.2], [0.1, 0.0, 1.5]])
    plane = softness.separate(x @ mix, active)
    best = np.linalg.inv(mix)[:, 0]
    cosine = plane.weights @ best / np.linalg.norm(plane.weights) / np.linalg.norm(best)
    assert cosine > 0.999
    assert plane.accuracy(x @ mix, active) == pytest.approx(norm.cdf(0.75), abs=0.01)


def test_softness_is_a_distance():
    plane = softness.Hyperplane(np.array([3.0, 4.0]), -5.0)
    np.testing.assert_allclose(plane.softness([[3.0, 4.0], [0.6, 0.8], [0.0, 0.0]]), [4, 0, -1], atol=1e-12)
    assert plane.accuracy([[3, 4], [0, 0], [0, 0], [3, 4]], [True, True, False, False]) == 0.5
    assert plane.accuracy([[3, 4], [0, 0], [0, 0]], [True, False, False]) == 1


@pytest.mark.parametrize(
    ("x", "active", "c", "problem"),
    [
        (np.zeros((4, 2)), [True, False], 1, "expected features"),
        (np.full((2, 2), np.nan), [True, False], 1, "NaN"),
        (np.zeros((2, 2)), [True, True], 1, "both kinds"),
        (np.zeros((2, 2)), [True, False], 0, "positive"),
    ],
)
def test_what_cannot_be_separated_is_refused(x, active, c, problem):
    with pytest.raises(GlassError, match=problem):
        softness.separate(x, active, c)


@given(n=st.integers(1, 200), n_bins=st.integers(1, 20), seed=st.integers(0, 9))
def test_bins(n, n_bins, seed):
    values = np.random.default_rng(seed).normal(size=n)
    if n_bins > n:
        with pytest.raises(GlassError):
            softness.equal_bins(values, n_bins)
        return
    bins = softness.equal_bins(values, n_bins)
    assert (np.diff(bins[values.argsort()]) >= 0).all()
    size = np.bincount(bins, minlength=n_bins)
    assert size.max() - size.min() <= 1
    expected = [values[bins == k].mean() for k in range(n_bins)]
    np.testing.assert_allclose(softness.bin_means(values, bins), expected, atol=1e-12)
    both = softness.bin_means(np.stack([values, 2 * values]), bins)
    np.testing.assert_allclose(both[1], 2 * np.array(expected), atol=1e-12)


def test_one_barrier_gives_that_barrier():
    barrier, prefactor = np.array([1.0, 2.5]), np.array([0.3, 2.0])
    fit = softness.arrhenius(prefactor * np.exp(-barrier / TEMPERATURES[:, None]), TEMPERATURES)
    np.testing.assert_allclose(fit.barrier, barrier)
    np.testing.assert_allclose(fit.log_prefactor, np.log(prefactor), atol=1e-12)
    np.testing.assert_allclose(fit.r_squared, 1)


def test_the_slope_is_the_mean_barrier_of_those_that_cross():
    """Tolman's theorem, for a spread of barriers that is not normal; and the closed form for one that is."""
    rng = np.random.default_rng(0)
    barriers = 1 + rng.gamma(2.0, 0.4, size=100_000)
    near = 0.5 * np.array([0.999, 1, 1.001])
    weights = np.exp(-barriers / near[:, None])
    slope = softness.arrhenius(weights.mean(1, keepdims=True), near).barrier[0]
    assert slope == pytest.approx((weights[1] @ barriers) / weights[1].sum(), rel=1e-5)
    assert slope < barriers.mean() - 0.3

    mean, spread = 3.0, 0.5
    probability = np.exp(-mean / TEMPERATURES + spread**2 / TEMPERATURES**2 / 2)
    fit = softness.arrhenius(probability[:, None], TEMPERATURES)
    u = 1 / TEMPERATURES
    steepest, flattest = mean - spread**2 * u.min(), mean - spread**2 * u.max()
    assert flattest < fit.barrier[0] < steepest
    assert fit.r_squared[0] > 0.998  # straight, and wrong by half


def test_arrhenius_refuses():
    with pytest.raises(GlassError, match="positive numbers"):
        softness.arrhenius([[0.1], [0.0]], [0.5, 0.6])
    with pytest.raises(GlassError, match="n_temperatures"):
        softness.arrhenius([[0.1], [0.2]], [0.5, 0.6, 0.7])
    with pytest.raises(GlassError, match="n_temperatures"):
        softness.arrhenius([[0.1]], [0.5])


def test_the_spread_of_rates_without_chance():
    """Known spreads come back from few replicas; equal rates have none; halves say the same by covariance."""
    rng = np.random.default_rng(1)
    bins = np.arange(400_000) % 2
    rates = 0.05 * np.exp(np.array([0.0, 0.4])[bins] * rng.normal(size=len(bins)))
    halves = rng.binomial(6, rates, size=(2, len(bins)))
    found = softness.rate_spread(halves.sum(0), 12, bins)
    np.testing.assert_allclose(found, [0, 0.4], atol=0.05)
    first, second = halves[:, bins == 1] / 6
    covariance = np.cov(first, second)[0, 1]
    by_halves = np.sqrt(np.log1p(covariance / (first.mean() * second.mean())))
    assert found[1] == pytest.approx(by_halves, abs=0.02)
    assert softness.rate_spread(np.zeros(4), 3, [0, 0, 1, 1]).tolist() == [0, 0]
    with pytest.raises(GlassError, match="counts"):
        softness.rate_spread([3, 1], 2, [0, 0])


def test_correlation_at_fixed_softness():
    """Against the partial correlation of three normal variables."""
    rng = np.random.default_rng(2)
    mix = np.array([[1, 0, 0], [0.8, 0.6, 0], [0.5, 0.4, 0.7]])
    z, a, b = mix @ rng.normal(size=(3, 50_000))
    r = np.corrcoef([z, a, b])
    expected = (r[1, 2] - r[0, 1] * r[0, 2]) / np.sqrt((1 - r[0, 1] ** 2) * (1 - r[0, 2] ** 2))
    bins = softness.equal_bins(z, 500)
    found = (softness.within_bins(a, bins) * softness.within_bins(b, bins)).mean()
    assert found == pytest.approx(expected, abs=0.01)
    assert expected > 0.4
    assert not softness.within_bins(bins, bins).any()  # a function of the bin leaves nothing
    with pytest.raises(GlassError, match="one shape"):
        softness.within_bins(a[:5], bins)
