"""Linear classifiers against scipy, Fisher's formula, and sums over neighbours."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from glasslib import GlassError
from glasslib.companions.body_order import Extremes, accuracy, discriminant, extremes, pair_weights
from glasslib.features import Shells, radial_densities
from glasslib.linear import Part
from glasslib.neighbors import neighbor_pairs


def clouds(n: int, seed: int, shift=(1.0, -0.5, 0.0)) -> Part:
    """Two correlated normal clouds of three features, as many points in each."""
    rng = np.random.default_rng(seed)
    mixing = np.array([[1, 0.6, 0], [0, 1, 0.3], [0, 0, 2]])
    sign = np.repeat([-1.0, 1.0], n)
    return Part(rng.normal(size=(2 * n, 3)) @ mixing + sign[:, None] * np.array(shift) / 2, sign[:, None])


@settings(max_examples=30)
@given(
    arrays(float, st.integers(2, 60), elements=st.floats(-5, 5)),
    st.floats(0.01, 0.5),
)
def test_extremes_are_the_smallest_and_the_largest(values, fraction):
    n = round(fraction * len(values))
    if not 1 <= n <= len(values) // 2:
        with pytest.raises(GlassError, match="fraction"):
            extremes(values, fraction)
        return
    index, sign = extremes(values, fraction)
    assert len(set(index)) == 2 * n
    ordered = np.sort(values)
    np.testing.assert_array_equal(np.sort(values[index[sign < 0]]), ordered[:n])
    np.testing.assert_array_equal(np.sort(values[index[sign > 0]]), ordered[-n:])


@pytest.mark.parametrize("fraction", [0.0, -0.1, 0.6, float("nan"), 0.001])
def test_fractions_are_checked(fraction):
    with pytest.raises(GlassError, match="fraction: expected between"):
        extremes(np.arange(100.0), fraction)
    with pytest.raises(GlassError, match="values: expected finite numbers"):
        extremes(np.array([1.0, np.nan]), 0.5)


def test_the_weights_are_fishers():
    """S^-1 (m+ - m-), worked out from the classes, points the same way where the penalty is small."""
    parts = [clouds(200, seed) for seed in range(4)]
    fit = discriminant(parts[:3], parts[3:], alphas=[1e-9])
    x, sign = np.concatenate([p.x for p in parts]), np.concatenate([p.y[:, 0] for p in parts])
    groups = [x[sign > 0], x[sign < 0]]
    within = sum(np.cov(group.T, bias=True) for group in groups)
    fisher = np.linalg.solve(within, groups[0].mean(0) - groups[1].mean(0))
    found = fit.weights[:, 0] / fit.scale
    np.testing.assert_allclose(found / np.linalg.norm(found), fisher / np.linalg.norm(fisher), atol=1e-6)


def test_the_penalty_is_chosen_on_what_was_set_aside():
    """Hundreds of features of noise and one that counts: little penalty learns the noise by heart."""
    rng = np.random.default_rng(5)
    parts = []
    for _ in range(4):
        sign = np.repeat([-1.0, 1.0], 60)
        x = rng.normal(size=(120, 201))
        x[:, 0] += sign
        parts.append(Part(x, sign[:, None]))
    tried = (1e-6, 1e-3, 1.0, 1e3)
    chosen = discriminant(parts[:2], parts[2:3], alphas=tried)
    assert chosen.alphas[0] >= 1.0
    tests = [
        np.mean(np.sign(discriminant(parts[:2], parts[2:3], alphas=[a]).predict(parts[3].x)) == parts[3].y)
        for a in tried
    ]
    assert tests[tried.index(chosen.alphas[0])] > tests[0] + 0.02


@pytest.mark.parametrize(
    ("fitted", "aside"),
    [
        ([], [clouds(5, 0)]),
        ([clouds(5, 0)], []),
        ([clouds(5, 0)], [Part(np.zeros((4, 2)), np.zeros((4, 1)))]),
        ([Part(np.zeros((4, 2)), np.zeros(4))], [clouds(5, 0)]),
    ],
)
def test_parts_are_checked(fitted, aside):
    with pytest.raises(GlassError, match="expected"):
        discriminant(fitted, aside)


def test_accuracy_counts_from_the_median():
    chosen = Extremes(np.array([0, 1, 8, 9]), np.array([-1.0, -1.0, 1.0, 1.0]))
    rising = np.arange(10.0)
    assert accuracy(rising, chosen) == 1
    assert accuracy(-rising, chosen) == 0
    assert accuracy(rising + 100, chosen) == 1
    rising[[1, 8]] = rising[[8, 1]]
    assert accuracy(rising, chosen) == 0.5
    with pytest.raises(GlassError, match="one for each particle"):
        accuracy(rising[:5], chosen)


def test_a_two_body_classifier_is_a_sum_over_neighbours(glass):
    """The same numbers, one neighbour after the other."""
    shells = [Shells(0.9, 1.2, 0.15)]
    x = radial_densities(glass.positions, glass.types, glass.box, shells).reshape(len(glass), -1)
    x = x.astype(float)
    sign = np.where(np.arange(len(glass)) % 2, 1.0, -1.0)[:, None]
    fit = discriminant([Part(x[:60], sign[:60])], [Part(x[60:], sign[60:])])
    (j, i), vectors = neighbor_pairs(glass.positions, glass.box, shells[0].cutoff)
    u = pair_weights(fit, shells, np.linalg.norm(vectors, axis=1))[glass.types[j], np.arange(len(i))]
    found = np.bincount(i, u, len(glass))
    difference = fit.predict(x)[:, 0] - found
    np.testing.assert_allclose(difference, difference[0], atol=1e-6)
    assert found.std() > 1e-2
    with pytest.raises(GlassError, match="expected 4 weights of one target, got"):
        pair_weights(fit, [Shells(0.9, 1.2, 0.3)], [1.0])
