"""The plainest command, on configurations small enough for a test."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from glasslib import GlassError, train
from glasslib.baselines import RidgePredictor
from glasslib.evaluation import evaluate, load_scores
from glasslib.features import FeatureOptions, Shells
from glasslib.predictor import InteractionPredictor, SE3Predictor
from tests.test_training import learnable

SMALL = [
    *("--cutoff", "1.8", "--averaging-cutoff", "0", "--n-averages", "0", "--n-layers", "1"),
    *("--hidden", "4x0e + 2x1o", "--width", "8", "--epochs", "2", "--quiet"),
]


@pytest.fixture
def small_data(monkeypatch):
    def load(name, split, temperature, limit, progress):
        seeds = range(4) if split == "train" else range(10, 12)
        return [learnable(seed) for seed in seeds][:limit]

    monkeypatch.setattr(train, "load", load)


def test_it_trains_evaluates_and_prints_the_table(small_data, tmp_path, capsys):
    assert train.main([*SMALL, "--output", str(tmp_path / "run"), "--seed", "3"]) == 0
    printed = capsys.readouterr().out
    for words in ("constant", "energy alone", "SE(3) network", "seed 3", "best validation r"):
        assert words in printed
    scores = load_scores(tmp_path / "run" / "scores.json")
    assert scores["constant"].mean == [0.0]
    assert f"{scores['SE(3) network of 4x0e + 2x1o, inherent'].mean[0]:.3f}" in printed
    assert SE3Predictor.load(tmp_path / "run" / "model.pt").predict(learnable(0)).shape == (1, 120)


def test_called_twice_it_does_not_train_twice(small_data, tmp_path):
    arguments = [*SMALL, "--output", str(tmp_path / "run")]
    assert train.main(arguments) == 0
    before = (tmp_path / "run" / "best.ckpt").stat().st_mtime_ns
    scores = (tmp_path / "run" / "scores.json").read_text()
    assert train.main(arguments) == 0
    assert (tmp_path / "run" / "best.ckpt").stat().st_mtime_ns == before
    assert (tmp_path / "run" / "scores.json").read_text() == scores


def test_ridge_by_the_same_command(small_data, tmp_path, monkeypatch):
    small = FeatureOptions(
        radial=(Shells(0.7, 1.6, 0.1),), angular=(), displacement=False, averaging_cutoff=2.0, generations=1
    )
    monkeypatch.setattr(train, "FeatureOptions", lambda **given: replace(small, **given))
    command = ["ridge", "--quiet", "--no-displacement", "--output", str(tmp_path / "run")]
    assert train.main(command) == 0
    scores = load_scores(tmp_path / "run" / "scores.json")
    card = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert card["command"] == f"python -m glasslib.train {' '.join(command)}"
    test = [learnable(seed) for seed in range(10, 12)]
    again = evaluate(RidgePredictor.load(tmp_path / "run" / "model.npz"), test)
    assert again.mean == scores["ridge on expert features, inherent"].mean > 0.2


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ([], "SE(3) network, inherent"),
        (["--structure", "both", "--validation", "0"], "SE(3) network without validation, both"),
        (["--hidden", "4x0e", "--start", "x"], "SE(3) network fine-tuned from x of 4x0e, inherent"),
        (["botan", "--node-weight", "0.4"], "BOTAN with bonds, thermal"),
        (["ridge", "--no-angular"], "ridge on expert features without bond order, inherent"),
        (["transfer", "--start", "runs/hot"], "fresh decoder on hot"),
    ],
)
def test_what_it_is_called_tells_what_was_changed(arguments, name):
    assert train.label(train.parser().parse_args(arguments)) == name


@pytest.mark.parametrize("kind", ["botan", "bapst"])
def test_plain_graph_networks_by_the_same_command(kind, small_data, tmp_path):
    command = [kind, "--quiet", "--epochs", "1", "--output", str(tmp_path / "run")]
    assert train.main([*command, "--geometry-steps", "2", "--optimizer", "muon"]) == 0
    assert f"{train.PREDICTORS[kind]}, thermal" in load_scores(tmp_path / "run" / "scores.json")
    loaded = InteractionPredictor.load(tmp_path / "run" / "model.pt")
    assert (loaded.kind, loaded.geometry_steps, loaded.training_options.optimizer) == (kind, 2, "muon")


def test_half_precision_by_the_same_command(small_data, tmp_path):
    for precision in ("32-true", "bf16-mixed"):
        command = [*SMALL, "--precision", precision, "--output", str(tmp_path / precision)]
        assert train.main(command) == 0
    single, half = (
        json.loads((tmp_path / precision / "history.json").read_text())[-1]["loss"]
        for precision in ("32-true", "bf16-mixed")
    )
    assert single != half == pytest.approx(single, rel=0.01)


def test_scores_that_are_none_are_named(tmp_path):
    path = tmp_path / "scores.json"
    for content in ("", "[]", '{"a": {}}', '{"a": 1}'):
        path.write_text(content)
        with pytest.raises(GlassError, match=r"scores.json.*holds no scores"):
            load_scores(path)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["ridge"], "--cutoff does not apply to ridge"),
        (["bapst", "--node-weight", "0.5"], "does not apply to bapst"),
        (["--geometry-steps", "9"], "--geometry-steps does not apply to se3"),
        (["--optimizer", "sgd"], "optimizer: expected adamw or muon"),
        (["--data", "nothing"], "no data set is called 'nothing'"),
        (["--epochs", "0"], "epochs: expected a positive number"),
        (["--structure", "molten"], "structure: expected"),
        (["--times", "7"], "no data at t = 7"),
    ],
)
def test_errors_are_one_line(arguments, reason, tmp_path, capsys, monkeypatch):
    if arguments[0] != "--data":
        monkeypatch.setattr(train, "load", lambda *_: [learnable(0), learnable(1)])
    assert train.main([*SMALL, *arguments, "--output", str(tmp_path / "run")]) == 2
    message = capsys.readouterr().err
    assert reason in message
    assert message.count("\n") == 1


def test_a_missing_inherent_structure_is_computed(monkeypatch):
    bare = learnable(0).replace(inherent_energies=None)
    whole = learnable(1)
    monkeypatch.setattr(train.catalog, "load", lambda *_, **__: [bare])
    monkeypatch.setattr(train, "inherent_structures", lambda glasses, progress: [whole for _ in glasses])
    assert train.load("botan", "train", None, None, False) == [whole]
    monkeypatch.setattr(train.catalog, "load", lambda *_, **__: [whole])
    monkeypatch.setattr(train, "inherent_structures", lambda *_, **__: pytest.fail("nothing is missing"))
    assert train.load("botan", "train", None, None, False) == [whole]


def test_run_raises_for_callers_from_python(tmp_path):
    options = train.parser().parse_args(["--data", "nothing", "--output", str(tmp_path)])
    with pytest.raises(GlassError):
        train.run(options)


def test_fine_tuning_by_the_same_command(small_data, tmp_path, capsys):
    first, second = (str(tmp_path / name) for name in ("first", "second"))
    assert train.main([*SMALL, "--output", first]) == 0
    assert train.main([*SMALL, "--start", first, "--learning-rate", "1e-9", "--output", second]) == 0
    scores = load_scores(tmp_path / "second" / "scores.json")
    assert "SE(3) network fine-tuned from first of 4x0e + 2x1o, inherent" in scores
    models = [SE3Predictor.load(tmp_path / name / "model.pt") for name in ("first", "second")]
    one, other = (model.predict(learnable(0)) for model in models)
    assert abs(one - other).max() < 1e-4
    third = ["transfer", "--start", first, "--epochs", "2", "--quiet", "--output", str(tmp_path / "third")]
    assert train.main(third) == 0
    assert "fresh decoder on first" in load_scores(tmp_path / "third" / "scores.json")
    capsys.readouterr()
    assert train.main(["transfer", "--quiet"]) == 2
    assert "--start: is needed by transfer" in capsys.readouterr().err
    assert train.main([*SMALL, "--start", "nonsense", "--output", str(tmp_path / "third")]) == 2
    assert "there is no model 'nonsense'" in capsys.readouterr().err
    assert train.main(["ridge", "--start", first]) == 2
    assert "--start does not apply to ridge" in capsys.readouterr().err
    for given in (["--devices", "2"], ["--nodes", "2"], ["--precision", "bf16-mixed"]):
        assert train.main(["ridge", *given]) == 2
        assert f"{given[0]} does not apply to ridge" in capsys.readouterr().err


def test_several_data_sets_in_reduced_units(tmp_path, monkeypatch):
    asked = []

    def load(name, split, temperature, limit, progress):
        asked.append((name, split, temperature))
        times = {0.64: [1.65, 16.5], 0.5: [21.7, 217.0]}[temperature]
        seeds = range(2) if split == "train" else range(10, 11)
        glasses = [learnable(seed) for seed in seeds]
        twice = [np.concatenate([glass.propensity] * 2) for glass in glasses]
        return [
            glass.replace(temperature=temperature, times=times, propensity=both)
            for glass, both in zip(glasses, twice, strict=True)
        ]

    monkeypatch.setattr(train, "load", load)
    data = ["--data", "bundled:0.64", "mine:0.5", "--fractions", "0.1", "1"]
    assert train.main([*SMALL, *data, "--output", str(tmp_path / "run")]) == 0
    assert asked == [(n, s, t) for s in ("train", "test") for n, t in (("bundled", 0.64), ("mine", 0.5))]
    np.testing.assert_allclose(SE3Predictor.load(tmp_path / "run" / "model.pt").times, [0.1, 1.0])
    assert train.main([*SMALL, "--data", "bundled:cold"]) == 2
