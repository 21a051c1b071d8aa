"""The study measures what it says, of unseen configurations, and its command writes it down."""

from __future__ import annotations

import json

import numpy as np
import pytest

from glasslib import GlassError, checkpoints
from glasslib.evaluation import load_scores, pearson
from glasslib.features import FeatureOptions, Shells
from glasslib.order_parameter import OrderParameter, __main__, correlation_length, spatial_correlation
from glasslib.order_parameter import study as module
from glasslib.order_parameter.study import BINS, LEADING, study
from tests.conftest import make_glass


@pytest.fixture
def predictor(predictor):
    predictor.network.float()
    return predictor


@pytest.fixture
def glasses(glasses, monkeypatch):
    """With expert features for which they have room."""
    small = FeatureOptions(radial=(Shells(0.7, 1.8, 0.1),), angular=(), averaging_cutoff=2.2, generations=1)
    monkeypatch.setattr(module, "EXPERT", small)
    return glasses[:4]


@pytest.fixture
def found(predictor, glasses):
    return study(predictor, glasses[:2], glasses[2:], glasses[:2])


def test_the_order_parameter_is_the_order_parameter(predictor, glasses, found):
    """Scores, distribution and length are those of the field itself, computed apart."""
    field = OrderParameter.fit(predictor, glasses[:2])
    values = [field(glass)[glass.is_type("A")] for glass in glasses[2:]]
    truth = [glass.propensity[:, glass.is_type("A")] for glass in glasses[2:]]
    each = [[pearson(x, row) for row in rows] for x, rows in zip(values, truth, strict=True)]
    np.testing.assert_allclose(found.scores[LEADING].each, each, atol=1e-4)
    np.testing.assert_allclose(found.about["distribution"]["means"], [x.mean() for x in values], atol=1e-3)
    assert sum(found.about["distribution"]["counts"]) == sum(len(x) for x in values)
    assert len(found.about["distribution"]["edges"]) == len(BINS)
    length = correlation_length([spatial_correlation(g, field(g)) for g in glasses[2:]])
    if np.isfinite(length.lengths[0]):
        assert found.about["lengths"][LEADING] == pytest.approx(length.lengths[0], rel=0.01)
    else:
        assert found.about["lengths"][LEADING] is None


def test_predictions_and_expert_features_stand_beside_it(predictor, glasses, found):
    predicted = predictor.predict(glasses[2])[1, glasses[2].is_type("A")]
    truth = glasses[2].propensity[0, glasses[2].is_type("A")]
    assert found.scores["prediction, t = 2"].each[0, 0] == pytest.approx(pearson(predicted, truth), abs=1e-5)
    slide = np.linalg.norm(glasses[2].displacement(), axis=1)[glasses[2].is_type("A")]
    assert found.scores["displacement"].each[0, 0] == pytest.approx(pearson(slide, truth), abs=1e-5)
    for name in ("untrained network", "expert features", "averaged noise", "q6", "Voronoi volume"):
        assert len(found.about["with_order_parameter"][name]) == 2
        assert len(found.about["curves"][name]) == len(found.about["r"])


def test_the_propensity_is_measured_on_all_others_too(glasses, found):
    parts = [spatial_correlation(g, *g.propensity_halves) for g in (*glasses[2:], *glasses[:2])]
    curve = type(parts[0]).mean(parts)
    np.testing.assert_allclose(
        found.about["curves"]["propensity, t = 2"], curve.normalized[1, curve.n_pairs > 0], atol=1e-4
    )
    assert len(found.about["propensity"]["means"]) == 4


def test_the_propensity_of_what_is_measured_changes_no_field(predictor, glasses, found):
    other = [glass.replace(propensity=glass.propensity[:, ::-1]) for glass in glasses[2:]]
    again = study(predictor, glasses[:2], other)
    for key in ("shares", "with_order_parameter", "distribution", "alignment"):
        assert again.about[key] == found.about[key]
    assert (again.scores[LEADING].each != found.scores[LEADING].each).any()


def test_it_is_asked_something(predictor, glasses):
    with pytest.raises(GlassError, match="fixed_on"):
        study(predictor, [], glasses)
    with pytest.raises(GlassError, match="no configurations"):
        study(predictor, glasses, [])


@pytest.fixture
def small_data(monkeypatch):
    """Configurations for which a shipped network has room."""
    asked = []

    def load(name, split, temperature, limit, progress):
        asked.append((name, split, temperature, limit))
        seeds = range(2) if split == "train" else range(10, 11)
        return [make_glass(125, (6.2, 6.2, 6.4), seed) for seed in seeds][:limit]

    monkeypatch.setattr(__main__, "load", load)
    return asked


def test_the_command_leaves_out_what_the_network_was_trained_on(small_data, tmp_path, capsys):
    out = tmp_path / "new" / "found.json"
    assert __main__.main(["--fixed-on", "1", "--out", str(out), "--quiet"]) == 0
    assert small_data == [("bundled", "train", 0.64, None), ("bundled", "test", 0.64, None)]
    written = json.loads(out.read_text())
    assert written["command"] == f"python -m glasslib.order_parameter --fixed-on 1 --out {out} --quiet"
    assert written["configurations"] == ["made-up-10"]
    assert written["fixed_on"] == ["made-up-0"]
    assert written["checkpoint"]["sha256"] == checkpoints.card("se3-T0.64").sha256
    score = load_scores(out)[LEADING]
    assert score.each.shape == (1, 2)
    printed = capsys.readouterr().out
    assert "1 configurations (test), fixed on 1 others" in printed
    assert f"{score.mean[0]:.3f}" in printed


def test_the_command_takes_all_of_another_state_point(small_data, tmp_path):
    arguments = ["--data", "bundled", "-T", "0.56", "--fixed-on", "1", "--out", str(tmp_path / "a.json")]
    assert __main__.main([*arguments, "--quiet"]) == 0
    assert ("bundled", "train", 0.64, 1) in small_data
    written = json.loads((tmp_path / "a.json").read_text())
    assert len(written["configurations"]) == 3
    assert written["temperature"] == 0.5


def test_the_command_tells_what_is_wrong(tmp_path, capsys):
    assert __main__.main(["--checkpoint", "nothing", "--out", str(tmp_path / "a.json")]) == 2
    assert "no such checkpoint" in capsys.readouterr().err
    assert not (tmp_path / "a.json").exists()
