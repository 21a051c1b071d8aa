"""The plainest command, on configurations small enough for a test."""

from __future__ import annotations

import json

import pytest

from glasslib import GlassError, train
from glasslib.predictor import SE3Predictor
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
    scores = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert scores["constant"]["mean"] == [0.0]
    assert f"{scores['SE(3) network']['mean'][0]:.3f}" in printed
    assert SE3Predictor.load(tmp_path / "run" / "model.pt").predict(learnable(0)).shape == (1, 120)


def test_called_twice_it_does_not_train_twice(small_data, tmp_path):
    arguments = [*SMALL, "--output", str(tmp_path / "run")]
    assert train.main(arguments) == 0
    before = (tmp_path / "run" / "best.ckpt").stat().st_mtime_ns
    scores = (tmp_path / "run" / "scores.json").read_text()
    assert train.main(arguments) == 0
    assert (tmp_path / "run" / "best.ckpt").stat().st_mtime_ns == before
    assert (tmp_path / "run" / "scores.json").read_text() == scores


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
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
    options = train._parser().parse_args(["--data", "nothing", "--output", str(tmp_path)])
    with pytest.raises(GlassError):
        train.run(options)
