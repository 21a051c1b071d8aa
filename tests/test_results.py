"""Every number of the course: what makes it, whether it is there, and that what is cut off goes on."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from glasslib import results, train
from glasslib.evaluation import Score, evaluate, load_scores
from glasslib.predictor import SE3Predictor
from glasslib.results import RUNS, Run, __main__, folder, levers, studies
from glasslib.results import transfer as transfer_study
from glasslib.results.runs import LEVERS
from tests.test_train_command import SMALL
from tests.test_training import learnable
from tests.trouble import limited_files


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Two quick runs and a study of them, in place of the real ones."""

    def load(name, split, temperature, limit, progress):
        seeds = range(4) if split == "train" else range(10, 12)
        return [known(learnable(seed)) for seed in seeds][:limit]

    def known(glass):
        halves = np.stack([glass.propensity] * 2)
        return glass.replace(temperature=0.64, times=[16.5], propensity_halves=halves)

    monkeypatch.setattr(train, "load", load)
    options = tuple(word for word in SMALL if word != "--quiet")
    runs = {
        name: Run(name, ("se3", *options, "--seed", name[-1]), 1.0, (0.64,))
        for name in ("one/se3-seed0", "one/se3-seed1")
    }
    study = studies.Study("both", "what both say", tuple(runs), 1.0, studies._ensembles)
    for module in (__main__, studies):
        monkeypatch.setattr(module, "RUNS", runs)
        monkeypatch.setattr(module, "STUDIES", {"both": study})
    monkeypatch.setattr(studies, "_TOGETHER", ())
    return ["--out", str(tmp_path / "out"), "--runs", str(tmp_path / "runs"), "--quiet"]


def test_what_is_missing_is_made_and_then_left_alone(small, tmp_path, capsys):
    assert __main__.main(["list", *small]) == 0
    assert "3 of 3 to make" in capsys.readouterr().out
    assert __main__.main(["make", *small]) == 0
    scores = load_scores(tmp_path / "out" / "one" / "se3-seed0.json")
    model = SE3Predictor.load(tmp_path / "runs" / "one" / "se3-seed0" / "model.pt")
    tests = train.load("botan", "test", None, None, False)
    name = "SE(3) network of 4x0e + 2x1o, inherent"
    np.testing.assert_allclose(scores[name].mean, evaluate(model, tests).mean)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.json")}
    capsys.readouterr()
    assert __main__.main(["make", *small]) == 0
    assert "0 of 3 to make" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.json")} == before


def test_a_study_makes_the_models_that_it_needs(small, tmp_path):
    assert __main__.main(["make", "both", *small]) == 0
    scores = load_scores(tmp_path / "out" / "both.json")
    models = [SE3Predictor.load(tmp_path / "runs" / "one" / f"se3-seed{k}" / "model.pt") for k in (0, 1)]
    (glass, _) = train.load("botan", "test", None, None, False)
    both = np.mean([model.predict(glass)[0] for model in models], axis=0)
    mask = glass.is_type("A")
    expected = np.corrcoef(both[mask], glass.propensity[0, mask])[0, 1]
    assert scores["SE(3) network, mean of 2"].each[0, 0] == pytest.approx(expected, abs=1e-6)
    assert not (tmp_path / "out" / "one").exists()  # models only


def test_a_model_is_asked_at_every_temperature(small, tmp_path):
    (run, _) = studies.RUNS.values()
    run.make(tmp_path / "runs", progress=False)
    asked = studies.Asked.of(run, tmp_path / "runs")
    scores = studies._temperatures({run.name: asked}, tmp_path, progress=False)
    assert len(scores) == 2 * len(studies.TESTS)
    own = load_scores(tmp_path / "runs" / run.name / "scores.json")[asked.label]
    at_home = scores[f"{asked.label}; trained at 0.64; tested at 0.64"]
    np.testing.assert_allclose(at_home.each, own.each, atol=1e-12)  # r does not notice the unit


def test_a_folder_of_results_is_read_as_one():
    paths = [path.relative_to(folder()).with_suffix("") for path in folder().glob("temperatures/**/*.json")]
    assert len(paths) > 1
    together = results.read("temperatures")
    for path in paths:
        for name, score in results.read(path.as_posix()).items():
            np.testing.assert_array_equal(together[name].each, score.each)


def test_a_shipped_checkpoint_of_the_same_command_is_not_trained_again(tmp_path):
    run = RUNS["kob-andersen-T0.64/se3-seed0"]
    assert run.checkpoint() == "se3-T0.64"
    asked = studies.Asked.of(run, tmp_path)  # an empty folder
    np.testing.assert_array_equal(asked.times, asked.predictor.times)
    assert asked.times[asked.row_at_tau()] == 16.5
    assert RUNS["kob-andersen-T0.56/se3-seed0"].checkpoint() is None


def test_scores_of_another_command_are_made_anew(small, tmp_path, capsys):
    assert __main__.main(["make", "one/se3-seed0", *small]) == 0
    path = tmp_path / "out" / "one" / "se3-seed0.json"
    noted = json.loads(path.read_text())
    path.write_text(json.dumps({**noted, "command": noted["command"] + " --epochs 3"}))
    capsys.readouterr()
    assert __main__.main(["list", "one/se3-seed0", *small]) == 0
    assert "1 of 1 to make" in capsys.readouterr().out


def test_a_full_disk_is_told_in_a_line_and_then_it_goes_on(small, tmp_path, capsys):
    name = "one/se3-seed0"
    with limited_files(tmp_path) as disk, disk.with_room_for(10_000):
        assert __main__.main(["make", name, *small]) == 2
    (told,) = capsys.readouterr().err.splitlines()
    assert told.startswith("glasslib.results: ")
    assert "cannot be written: File too large" in told
    assert not list((tmp_path / "out").rglob("*.*"))
    assert __main__.main(["make", name, *small]) == 0
    assert load_scores(tmp_path / "out" / f"{name}.json")


def test_an_unknown_name_is_told(capsys):
    assert __main__.main(["list", "nonsense"]) == 2
    assert "there is no result 'nonsense'" in capsys.readouterr().err


@pytest.mark.parametrize("name", RUNS)
def test_every_command_is_understood(name):
    run = RUNS[name]
    words = shlex.split(run.command)
    assert words[:3] == ["python", "-m", "glasslib.train"]
    options = train.parser().parse_args(words[3:])
    train.make_predictor(options)
    assert train.label(options)


def test_every_shipped_score_belongs_to_a_run_or_a_study():
    known = {*RUNS, *studies.STUDIES}
    for path in sorted(folder().rglob("*.json")):
        if path.parent.name == "order-parameter":
            continue  # its own command and format
        name = path.relative_to(folder()).with_suffix("").as_posix()
        assert name in known
        assert all(isinstance(value, Score) for value in load_scores(path).values())


def test_every_lever_was_pulled_and_can_be_compared():
    found = levers()
    assert set(found) == set(LEVERS)
    for seeds in found.values():
        assert set(seeds) <= set(found["none"])
        assert all(0 < r < 1 for r in seeds.values())


def test_three_ways_to_another_state_point(small, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer_study, "SIZES", (1, 4))
    monkeypatch.setattr(transfer_study, "STEPS", {"fine-tuned": 4, "from scratch": 4})
    (run, _) = studies.RUNS.values()
    run.make(tmp_path / "runs", progress=False)
    backbone = tmp_path / "runs" / run.name
    scores = transfer_study.transfer(backbone, tmp_path / "fits", progress=False)
    assert len(scores) == 3 * 3  # one draw of all four
    again = transfer_study.transfer(backbone, tmp_path / "fits", progress=False)
    for name, value in scores.items():
        np.testing.assert_array_equal(value.each, again[name].each)


def test_the_table_in_the_readme_is_what_the_files_say():
    page = Path(__file__).parents[1] / "tools" / "results_page.py"
    assert subprocess.run([sys.executable, page, "--check"], check=False).returncode == 0
