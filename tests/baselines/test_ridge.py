"""Ridge regression on expert features: exact where it can be, and honest in choosing its penalty."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from glasslib import GlassError
from glasslib.baselines import RidgePredictor
from glasslib.evaluation import evaluate
from glasslib.features import FeatureOptions, Shells, features
from tests.conftest import make_glass

OPTIONS = FeatureOptions(
    radial=(Shells(0.8, 1.6, 0.1),), angular=(), l_max=2, generations=1, averaging_cutoff=2.0
)


def solvable(seed: int, noise: float = 0.0):
    """A glass whose propensity is linear in two of its features, differently for either type."""
    glass = make_glass(seed=seed)
    table = features(glass, OPTIONS)
    x = np.stack([table.column("radial A r=1"), table.column("energy generation 1")])
    slopes = np.where(glass.types == 0, 0.1, -0.05)
    rng = np.random.default_rng(seed)
    y = np.stack([2 + slopes * x[0], 3 + 2 * slopes * x[1]]) + noise * rng.random((2, len(glass)))
    return glass.replace(propensity=y, propensity_halves=None)


def test_finds_a_linear_law_that_is_there():
    predictor = RidgePredictor(OPTIONS, alphas=[1e-9]).fit([solvable(seed) for seed in range(8)])
    new = solvable(20)
    np.testing.assert_allclose(predictor.predict(new), new.propensity, atol=1e-3)


def test_equals_the_normal_equations():
    """Solved for one type and one time with numpy, standardised features and all."""
    glasses = [solvable(seed, noise=0.3) for seed in range(4)]
    alpha = 0.03
    predictor = RidgePredictor(OPTIONS, alphas=[alpha]).fit(glasses)
    x = np.concatenate([features(g, OPTIONS).values[g.is_type("A")] for g in glasses]).astype(float)
    y = np.concatenate([g.propensity[0, g.is_type("A")] for g in glasses])
    z = (x - x.mean(0)) / x.std(0)
    w = np.linalg.solve(z.T @ z + alpha * len(z) * np.eye(z.shape[1]), z.T @ (y - y.mean()))
    np.testing.assert_allclose(predictor.fits["A"].weights[:, 0], w, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(predictor.fits["A"].offset[0], y.mean())
    assert len(predictor.names) == len(w)


def test_the_penalty_is_large_where_there_is_nothing_to_learn():
    clear = RidgePredictor(OPTIONS).fit([solvable(seed) for seed in range(6)])
    noisy = RidgePredictor(OPTIONS).fit([solvable(seed, noise=2.0) for seed in range(6)])
    assert clear.fits["A"].alphas.max() < noisy.fits["A"].alphas.max()


def test_the_test_configurations_are_never_asked():
    """The same fit, whatever is to be predicted afterwards."""
    glasses = [solvable(seed, noise=0.5) for seed in range(4)]
    first, second = (RidgePredictor(OPTIONS).fit(glasses) for _ in range(2))
    first.predict(solvable(30))
    np.testing.assert_array_equal(first.fits["B"].weights, second.fits["B"].weights)


def test_has_the_face_of_a_predictor():
    glasses = [solvable(seed, noise=0.01) for seed in range(4)]
    score = evaluate(RidgePredictor(OPTIONS).fit(glasses[:3]), glasses[3:])
    assert (score.mean > 0.5).all()


def test_a_feature_that_never_varies_does_no_harm():
    options = replace(OPTIONS, radial=(Shells(0.1, 1.6, 0.1),))
    predictor = RidgePredictor(options).fit([solvable(seed) for seed in range(3)])
    assert np.isfinite(predictor.predict(solvable(9))).all()


def test_errors_say_what_to_do(glass):
    with pytest.raises(GlassError, match="before predict"):
        RidgePredictor().predict(glass)
    with pytest.raises(GlassError, match="at least two"):
        RidgePredictor(OPTIONS).fit([glass])
    with pytest.raises(GlassError, match="propensity"):
        RidgePredictor(OPTIONS).fit([glass, glass.replace(propensity=None, propensity_halves=None)])
    with pytest.raises(GlassError, match="times"):
        RidgePredictor(OPTIONS).fit([glass, make_glass(seed=1, n_times=3)])
    with pytest.raises(GlassError, match="positive"):
        RidgePredictor(OPTIONS, alphas=[0.0])


def test_a_saved_model_predicts_the_same(tmp_path):
    predictor = RidgePredictor(OPTIONS).fit([solvable(seed) for seed in range(4)])
    predictor.save(tmp_path / "model.npz")
    again = RidgePredictor.load(tmp_path / "model.npz")
    assert (again.options, again.names) == (predictor.options, predictor.names)
    np.testing.assert_array_equal(again.predict(solvable(9)), predictor.predict(solvable(9)))


def test_files_that_hold_no_model_are_named(tmp_path):
    path = tmp_path / "model.npz"
    with pytest.raises(GlassError, match="before save"):
        RidgePredictor().save(path)
    np.savez(path, card=np.array('{"format": "another"}'))
    with pytest.raises(GlassError, match="glasslib ridge 1"):
        RidgePredictor.load(path)
    whole = path.read_bytes()
    for content in (b"", b"text", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(GlassError, match=r"model.npz.*is not a readable model"):
            RidgePredictor.load(path)
    with pytest.raises(GlassError, match=r"nothing\.npz"):
        RidgePredictor.load(tmp_path / "nothing.npz")
