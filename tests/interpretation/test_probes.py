"""Probes find what is there and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from glasslib import GlassError
from glasslib.features import features
from glasslib.interpretation import explained, fit_readout, kind_of, layer_features, probe, r_squared
from glasslib.interpretation import probes as module
from glasslib.interpretation.readout import Part
from glasslib.testing import relabel


def parts(n, inputs, targets, seed, noise=0.0):
    rng = np.random.default_rng(seed)
    sizes = 10.0 ** (np.arange(inputs) % 5 - 2)
    x = sizes * (rng.normal(size=(n, inputs)) + 3)
    weights = np.random.default_rng(99).normal(size=(inputs, targets)) / sizes[:, None]
    return Part(x, x @ weights + noise * rng.normal(size=(n, targets)))


def test_a_readout_is_least_squares_where_nothing_is_noisy():
    train, aside = parts(200, 6, 3, 0), parts(100, 6, 3, 1)
    read = fit_readout([train], aside)
    np.testing.assert_allclose(read.predict(train.x), train.y, rtol=1e-5)
    assert (r_squared(read.predict(train.x), train.y) > 1 - 1e-10).all()


def test_the_penalty_is_the_textbook_one():
    """Against the normal equations with the penalty as extra rows."""
    train, aside = parts(50, 4, 2, 1, noise=1.0), parts(30, 4, 2, 1, noise=1.0)
    read = fit_readout([train], aside, [0.3])
    x, y = (np.concatenate(arrays) for arrays in zip(train, aside, strict=True))
    z = (x - x.mean(0)) / x.std(0)
    rows = np.concatenate([z, np.sqrt(0.3 * len(z)) * np.eye(4)])
    weights, *_ = np.linalg.lstsq(rows, np.concatenate([y - y.mean(0), np.zeros((4, 2))]), rcond=None)
    np.testing.assert_allclose(read.predict(x), y.mean(0) + z @ weights, rtol=1e-9)


def test_noise_gets_the_strongest_penalty_and_signal_the_weakest():
    rng = np.random.default_rng(2)
    x, noise = rng.normal(size=(3, 60, 30)), rng.normal(size=(3, 60, 1))
    every = [Part(a, np.concatenate([a[:, :1], b], axis=1)) for a, b in zip(x, noise, strict=True)]
    read = fit_readout(every[:1], every[1], [1e-6, 1e3])
    np.testing.assert_array_equal(read.alphas, [1e-6, 1e3])
    assert r_squared(read.predict(every[2].x), every[2].y)[0] > 0.999


def test_what_does_not_vary_is_neither_used_nor_explained():
    part = parts(50, 3, 2, 3)
    part.x[:, 1] = 7.0
    part.y[:, 1] = 2.0
    read = fit_readout([part], part)
    assert (read.weights[1] == 0).all()
    scores = r_squared(read.predict(part.x), part.y)
    assert np.isnan(scores[1])
    assert np.isfinite(read.predict(part.x)).all()


def test_r_squared_by_hand():
    truth = np.array([[1.0, 1], [2, 2], [3, 3]])
    guess = np.array([[1.0, 2], [2, 2], [3, 2]])
    np.testing.assert_allclose(r_squared(guess, truth), [1, 0])
    np.testing.assert_allclose(r_squared(guess + 1, truth), [1 - 3 / 2, 1 - 5 / 2 + 0.0])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("radial A r=1.05", ("radial", 0)),
        ("q6 r=1.3 generation 2", ("q6", 2)),
        ("thermal energy generation 1", ("energy", 1)),
        ("inherent displacement", ("displacement", 0)),
    ],
)
def test_kinds_of_features(name, kind):
    assert kind_of(name) == kind


def test_a_probe_reads_what_the_network_was_given(predictor, glasses, options):
    """Energy and displacement are inputs, so every bit of them is there; angles are not."""
    found = probe(predictor, glasses[:3], glasses[3:], options)
    assert found.layers[0] == "input"
    assert found.particles.shape == found.configurations.shape == (7, len(found.names))
    for values in (found.by_kind("particles"), found.by_kind()):
        assert values["energy", 0][0] > 1 - 1e-8
        assert values["displacement", 0][0] > 1 - 1e-8
        assert abs(values["q2", 0][0]) < 0.2
    # one layer sums over neighbours, with random radial functions: counts can be read, inputs alone have none
    radial = found.by_kind()["radial", 0]
    assert radial[0] < 0.1 < radial[1]


def test_a_linear_function_of_the_invariants_is_read_exactly(predictor, glasses, options, monkeypatch):
    """A made-up expert feature that is linear in what layer 2 has."""
    weights = np.random.default_rng(0).normal(size=13)

    def made_up(glass, _):
        table = features(glass, options)
        values = layer_features(predictor, glass)["layer 2"].values @ weights
        values = np.stack([values, np.random.default_rng(len(glass)).normal(size=len(glass))], axis=1)
        return type(table)(values, ["linear", "noise"])

    monkeypatch.setattr(module, "features", made_up)
    found = probe(predictor, glasses[:3], glasses[3:], options)
    row = found.layers.index("layer 2")
    assert found.particles[row, 0] > 1 - 1e-6
    assert found.configurations[row, 0] > 1 - 1e-6
    assert found.configurations[0, 0] < 0.9
    assert found.configurations[row, 1] < 0.05


def test_chosen_features_only_and_labels_do_not_matter(predictor, glasses, options):
    names = ["q2 r=1", "radial B r=1.1 generation 1"]
    found = probe(predictor, glasses[:3], glasses[3:], options, names=names)
    assert found.names == names
    assert list(found.by_kind()) == [("q2", 0), ("radial", 1)]
    order = np.random.default_rng(0).permutation(120)
    again = probe(predictor, glasses[:3], [relabel(g, order) for g in glasses[3:]], options, names=names)
    np.testing.assert_allclose(again.configurations, found.configurations, atol=1e-6)
    with pytest.raises(GlassError, match="no feature"):
        probe(predictor, glasses[:3], glasses[3:], options, names=["q17"])


def test_what_is_held_out_is_not_fitted(predictor, glasses, options, monkeypatch):
    """No particle is in a fit and in a score."""
    fitted, scored = [], []
    fit, score = module.fit_readout, module.r_squared

    def watched_fit(some, aside):
        fitted.append(np.concatenate([part.y for part in (*some, aside)]))
        return fit(some, aside)

    def watched_score(guess, truth):
        scored.append(truth)
        return score(guess, truth)

    monkeypatch.setattr(module, "fit_readout", watched_fit)
    monkeypatch.setattr(module, "r_squared", watched_score)
    probe(predictor, glasses[:3], glasses[3:], options, names=["energy"], held_out=0.25)
    energies = [g.inherent_energies[g.is_type("A")].astype(np.float32) for g in glasses]
    for k, fit_values in enumerate(fitted):
        particles, configurations = scored[2 * k], scored[2 * k + 1]
        assert len(fit_values) + len(particles) == sum(len(e) for e in energies[:3])
        assert set(particles.ravel()).isdisjoint(fit_values.ravel())
        np.testing.assert_array_equal(configurations.ravel(), np.concatenate(energies[3:]))


def test_a_prediction_that_is_linear_in_features_is_explained(predictor, glasses, options, monkeypatch):
    """By generation 1, where it comes from, and not by generation 0."""

    def predicted(_, glass):
        table = features(glass, options)
        column = table.column("energy generation 1").astype(float)
        return np.stack([column, 2 * column + 1], axis=1)

    monkeypatch.setattr(module, "_predicted", predicted)
    found = explained(predictor, glasses[:3], glasses[3:], options)
    assert found.generations == [0, 1]
    np.testing.assert_array_equal(found.times, [1, 2])
    assert (found.r_squared[1] > 0.99).all()
    assert (found.r_squared[0] < 0.9).all()


def test_what_is_left_is_compared_with_the_truth(predictor, glasses, options, monkeypatch):
    """A prediction that knows the truth, which features (of other noise) do not."""
    truth = {glass.source: glass.propensity.T for glass in glasses}
    monkeypatch.setattr(module, "_predicted", lambda _, glass: truth[glass.source])
    found = explained(predictor, glasses[:3], glasses[3:], options)
    assert (found.r_squared < 0.3).all()
    assert (found.rest > 0.8).all()
    without = [glass.replace(propensity=None, propensity_halves=None) for glass in glasses]
    found = explained(predictor, without[:3], without[3:], options)
    assert np.isnan(found.rest).all()


def test_the_prediction_explained_is_the_predictors(predictor, glasses):
    out = module._predicted(predictor, glasses[0])
    predictor.network.float()
    np.testing.assert_allclose(out.T, predictor.predict(glasses[0]), atol=1e-5)
    assert out.dtype == np.float64


def test_too_few_configurations_are_refused(predictor, glasses, options):
    for train, test in ((glasses[:1], glasses[1:]), (glasses, [])):
        with pytest.raises(GlassError, match="held out"):
            probe(predictor, train, test, options)
        with pytest.raises(GlassError, match="held out"):
            explained(predictor, train, test, options)
    with pytest.raises(GlassError, match="held_out"):
        probe(predictor, glasses[:2], glasses[2:], options, held_out=1.0)
