"""Linear classifiers against Fisher's formula, greedy search, and sums over neighbours; the command."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from glasslib import GlassError
from glasslib.companions.body_order import (
    Extremes,
    Labelled,
    accuracy,
    discriminant,
    extremes,
    few_features,
    learning_curve,
    load,
    pair_weights,
)
from glasslib.companions.body_order import __main__ as command
from glasslib.companions.body_order import study as module
from glasslib.companions.body_order.study import study
from glasslib.features import Shells, radial_densities
from glasslib.linear import Part
from glasslib.neighbors import neighbor_pairs
from glasslib.simulate import shear
from tests.conftest import make_glass


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
    assert accuracy(np.zeros(10), chosen) == 0
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


def greedy(x, y, n):
    """Orthogonal matching pursuit as it is told: standardise, take what correlates best, fit again."""
    z = (x - x.mean(0)) / x.std(0)
    taken, rest = [], y - y.mean()
    for _ in range(n):
        taken.append(int(np.abs(z.T @ rest).argmax()))
        weights = np.linalg.lstsq(z[:, taken], y - y.mean(), rcond=None)[0]
        rest = y - y.mean() - z[:, taken] @ weights
    return taken, weights


def noisy(n: int, seed: int, n_features: int = 30) -> Part:
    """Correlated features, three of which count."""
    rng = np.random.default_rng(seed)
    sign = np.repeat([-1.0, 1.0], n)
    x = rng.normal(size=(2 * n, n_features)) @ (np.eye(n_features) + 0.2 * rng.random((n_features,) * 2))
    x[:, [4, 11, 23]] += sign[:, None] * [1.0, -0.7, 0.5]
    return Part(x, sign[:, None])


def test_few_features_are_those_of_a_greedy_search():
    parts = [noisy(150, seed) for seed in range(3)]
    x, y = np.concatenate([p.x for p in parts]), np.concatenate([p.y[:, 0] for p in parts])
    for count, fit in zip((1, 2, 3, 7), few_features(parts, (1, 2, 3, 7)), strict=True):
        taken, weights = greedy(x, y, count)
        assert set(np.flatnonzero(fit.weights[:, 0])) == set(taken)
        np.testing.assert_allclose(fit.weights[taken, 0], weights, rtol=1e-6)
        np.testing.assert_allclose(fit.predict(x).mean(), 0, atol=1e-9)
    assert set(greedy(x, y, 3)[0]) == {4, 11, 23}


def test_all_features_are_least_squares():
    parts = [noisy(60, seed, n_features=6 + 18) for seed in range(2)]
    (fit,) = few_features(parts, [24])
    x, y = np.concatenate([p.x for p in parts]), np.concatenate([p.y[:, 0] for p in parts])
    whole = np.column_stack([x, np.ones(len(x))])
    expected = whole @ np.linalg.lstsq(whole, y, rcond=None)[0]
    np.testing.assert_allclose(fit.predict(x)[:, 0], expected, atol=1e-8)


def test_features_that_depend_on_others_are_not_taken():
    """A feature that is there twice, and one that does not vary."""
    part = noisy(100, 0, n_features=24)
    double = Part(np.column_stack([part.x, part.x[:, 4], np.ones(200)]), part.y)
    for count in (5, 26):
        (fit,) = few_features([double], [count])
        (plain,) = few_features([part], [min(count, 24)])
        np.testing.assert_allclose(fit.predict(double.x), plain.predict(part.x), atol=1e-7)


@pytest.mark.parametrize("counts", [[], [0], [4], [1, 5]])
def test_counts_are_checked(counts):
    with pytest.raises(GlassError, match="counts"):
        few_features([clouds(5, 0)], counts)


def test_a_learning_curve_counts_its_features_on_those_set_aside():
    """Accuracies are those of the fits, one by one; the tests choose nothing."""
    groups = []
    for seed in range(4):
        part = noisy(100, seed)
        values = part.y[:, 0] + 0.1 * np.random.default_rng(seed).random(200)
        groups.append(Labelled.of(part.x, values, 0.25))
    fitted, aside, tests = groups[:2], groups[2:3], groups[3:]
    curve = learning_curve(fitted, aside, tests, (1, 2, 3, 20))
    fits = few_features([each.part for each in fitted], (1, 2, 3, 20))
    for found, (x, chosen) in ((curve.aside, aside[0]), (curve.tests, tests[0])):
        expected = [accuracy(fit.predict(x)[:, 0], chosen) for fit in fits]
        np.testing.assert_allclose(found, [expected], atol=1e-12)
    assert curve.best == curve.aside[0].argmax()
    upside_down = [Labelled(x, Extremes(chosen.particles, -chosen.signs)) for x, chosen in tests]
    again = learning_curve(fitted, aside, upside_down, (1, 2, 3, 20))
    assert again.best == curve.best
    np.testing.assert_allclose(again.tests, 1 - curve.tests, atol=1e-12)
    with pytest.raises(GlassError, match="set aside"):
        learning_curve(fitted, [], tests, (1, 2))
    with pytest.raises(GlassError, match=r"x: expected \(4, n_features\)"):
        Labelled.of(np.zeros((3, 2)), np.arange(4.0), 0.5)


SMALL = {2: ([Shells(0.9, 1.2, 0.15)], 0), 3: ([Shells(0.9, 1.2, 0.15)], 1)}


@pytest.fixture
def target(glasses):
    """Active by the number of neighbours, which two bodies know; measured again with noise."""
    values = [
        radial_densities(g.positions, g.types, g.box, [Shells(1.0, 1.0, 0.15)]).sum((1, 2)) for g in glasses
    ]
    noise = np.random.default_rng(0).normal(size=len(glasses[0]))
    again = [(value, value + 0.1 * noise) for value in values[4:]]
    return module.Target("crowd", values[:4], [[value, -value] for value in values[4:]], again)


@pytest.fixture
def glasses():
    return [make_glass(seed=seed) for seed in range(6)]


def test_the_study_learns_what_is_there(glasses, target):
    """A crowd is a sum of two-body features, whose opposite is wrong wherever the thing itself is right."""
    steps: list[float] = []
    found = study(
        glasses[:4],
        glasses[4:],
        [target],
        structures=["thermal"],
        bases=SMALL,
        counts=(1, 2, 4, 99),
        fraction=0.2,
        splits=2,
        progress=steps.append,
    )
    assert len(steps) == 6 + 4
    for row in found.curves:
        tests = np.array(row["tests"])
        assert tests.shape == (4, 3)
        np.testing.assert_allclose(tests[::2] + tests[1::2], 1, atol=1e-3)
    (best,) = found.rows(body_order=2, split=1)
    assert best["tests"][0][-1] > 0.9
    assert best["n_features"] == 6
    assert len(set(best["first"])) == len(best["first"]) == 4
    assert all(name.startswith("2-body") for name in best["first"])
    assert all(0.8 < value <= 1 for value in found.again["crowd"])
    with pytest.raises(GlassError, match="no curve"):
        found.rows(body_order=5)


def test_the_study_takes_nothing_from_the_tests(glasses, target):
    options = {"structures": ["thermal"], "bases": SMALL, "counts": (1, 3), "fraction": 0.2, "splits": 1}
    first = study(glasses[:4], glasses[4:], [target], **options)
    other = target._replace(test=[[values[::-1]] * 2 for (values, _) in target.test])
    again = study(glasses[:4], glasses[4:], [other], **options)
    for before, after in zip(first.curves, again.curves, strict=True):
        assert before["tests"] != after["tests"]
        for key in ("aside", "best", "first"):
            assert before[key] == after[key]
    with pytest.raises(GlassError, match="targets"):
        study(glasses[:3], glasses[4:], [target], **options)


def test_targets_are_what_they_say(glasses):
    found = module.mobile(glasses[:4], glasses[4:], 2.0)
    np.testing.assert_array_equal(found.train[1], glasses[1].propensity[1])
    np.testing.assert_array_equal(found.test[0][0], glasses[4].propensity[1])
    np.testing.assert_array_equal(found.again[1], glasses[5].propensity_halves[:, 1])
    sheared = [run for _, run in shear.shipped("test")]
    found = module.rearranging(sheared[:1], sheared, 0.02)
    assert len(found.test) == len(found.again) == 4
    np.testing.assert_array_equal(found.test[3][1], sheared[3].at(0.02)[1])


def test_the_command_writes_what_can_be_read(glasses, target, tmp_path, monkeypatch):
    monkeypatch.setattr(
        command.catalog, "load", lambda _, split, **__: glasses[: 4 if split == "train" else 2]
    )
    monkeypatch.setattr(command.shear, "shipped", lambda _: [])
    monkeypatch.setattr(command, "TIMES", (1.0,))
    monkeypatch.setattr(command, "rearranging", lambda *_: target)
    monkeypatch.setattr(command, "study", lambda *a, **k: study(*a, **k, bases=SMALL, counts=(1, 2)))
    path = tmp_path / "new" / "curves.json"
    assert command.main(["--out", str(path), "--splits", "1", "--quiet"]) == 0
    found = load(path)
    assert {row["target"] for row in found.curves} == {"t = 1", "crowd"}
    assert found.about["command"].endswith("--splits 1")
    assert len(found.rows(target="crowd", structure="inherent")) == 2
    for damage in ("", "{}", '{"curves": [], "again": {}, "about": {}}'):
        path.write_text(damage)
        with pytest.raises(GlassError):
            load(path)


def test_what_ships_is_of_the_command_and_complete():
    found = load()
    assert found.about["command"] == "python -m glasslib.companions.body_order --splits 3"
    assert set(found.again) == {"t = 0.52", "t = 16.5", "strain = 0.02"}
    assert len(found.curves) == 3 * 3 * 2 * 3
    for row in found.curves:
        assert 0 <= np.min(row["tests"]) < np.max(row["tests"]) <= 1
        assert row["best"] == np.argmax(row["aside"])
