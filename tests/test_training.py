"""Training: it learns, it resumes exactly after a kill, it refuses what it should."""

from __future__ import annotations

import copy
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from glasslib import GlassError
from glasslib.equivariant import NetworkOptions
from glasslib.evaluation import evaluate
from glasslib.graph import GraphOptions, build_graph
from glasslib.predictor import InteractionPredictor, SE3Predictor
from glasslib.testing import assert_equivariant
from glasslib.training import PropensityModule, TrainingOptions, split
from glasslib.training.module import Compared
from tests.conftest import make_glass

GRAPH = GraphOptions(cutoff=1.8, averaging_cutoff=0)
NETWORK = NetworkOptions(
    hidden="8x0e + 4x1o", n_layers=2, n_radial=5, l_max=1, n_averages=0, width=8, dropout=0.1
)


def learnable(seed: int):
    """Configurations whose propensity is a function of the structure: its crowding."""
    glass = make_glass(seed=seed, n_times=1)
    vectors = glass.inherent_positions[:, None] - glass.inherent_positions
    vectors -= glass.box * np.round(vectors / glass.box)
    crowding = np.exp(-(np.linalg.norm(vectors, axis=-1) ** 2)).sum(1)
    return glass.replace(propensity=np.exp(-crowding / 4)[None], propensity_halves=None)


def predictor(**training):
    options = TrainingOptions(**{"epochs": 4, "learning_rate": 0.02, "weight_decay": 0.01, **training})
    return SE3Predictor(GRAPH, NETWORK, options)


def test_it_learns_what_is_there_and_generalises():
    glasses = [learnable(seed) for seed in range(8)]
    trained = predictor(epochs=30, learning_rate=0.05).fit(glasses[:6], progress=False)
    assert evaluate(trained, glasses[6:]).mean[0] > 0.9


def test_seeds_repeat_and_differ():
    glasses = [learnable(seed) for seed in range(3)]
    first, again, other = (
        predictor(seed=seed, epochs=2).fit(glasses, progress=False).predict(glasses[0]) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-4


def test_the_weights_kept_are_those_of_the_best_epoch(tmp_path):
    glasses = [learnable(seed) for seed in range(4)]
    trained = predictor(epochs=6, learning_rate=0.1).fit(glasses, directory=tmp_path, progress=False)
    best = max(epoch["validation_r"] for epoch in trained.history)
    _, held_out = split(4, 0.2, 0)
    score = evaluate(trained, [glasses[i] for i in held_out])
    assert score.mean[0] == pytest.approx(best, abs=1e-5)
    assert json.loads((tmp_path / "history.json").read_text()) == trained.history


def test_a_copy_that_averages_weights_does_not_copy_graphs():
    graphs = [build_graph(learnable(seed), GRAPH) for seed in range(2)]
    module = PropensityModule(torch.nn.Linear(2, 2), graphs[:1], graphs[1:], TrainingOptions())
    copied = copy.deepcopy(module)
    assert copied.graphs is module.graphs
    assert copied.validation is module.validation
    assert copied.network.weight is not module.network.weight


@pytest.mark.parametrize("weight", [0.0, 0.1, 1.0])
def test_the_loss_counts_the_offset_of_each_configuration_by_its_weight(weight):
    rng = np.random.default_rng(0)
    prediction, truth = torch.tensor(rng.normal(size=(2, 30, 3)))
    graph = torch.tensor([0] * 10 + [1] * 20)
    module = PropensityModule(torch.nn.Identity(), [], [], TrainingOptions(offset_weight=weight))
    expected = 0.0
    for error in (prediction - truth)[:10], (prediction - truth)[10:]:
        offset = error.mean(0)
        expected += ((error - offset) ** 2).sum() + weight * len(error) * (offset**2).sum()
    torch.testing.assert_close(module._loss(prediction, truth, graph), expected / prediction.numel())
    if weight == 1:
        torch.testing.assert_close(expected / prediction.numel(), ((prediction - truth) ** 2).mean())


def test_it_stops_early_when_nothing_gets_better_and_stays_stopped(tmp_path):
    glasses = [
        learnable(seed).replace(propensity=np.random.default_rng(seed).random((1, 120))) for seed in range(3)
    ]
    options = {"epochs": 200, "patience": 2, "learning_rate": 1e-5}
    trained = predictor(**options).fit(glasses, directory=tmp_path, progress=False)
    assert len(trained.history) < 60
    again = predictor(**options).fit(glasses, directory=tmp_path, progress=False)
    assert again.history == trained.history
    np.testing.assert_array_equal(again.predict(glasses[0]), trained.predict(glasses[0]))


SCRIPT = """
import sys
import torch
torch.set_num_threads(1)
from tests.test_training import learnable, predictor
trained = predictor(epochs=12).fit([learnable(s) for s in range(4)], directory=sys.argv[1], progress=False)
trained.save(sys.argv[1] + "/model.pt")
"""


def test_killed_and_continued_ends_like_an_unbroken_run(tmp_path):
    def start(directory: Path) -> subprocess.Popen[bytes]:
        root = Path(__file__).parents[1]
        environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(directory)]
        return subprocess.Popen(command, env=environment, cwd=root)

    unbroken = start(tmp_path / "unbroken")
    broken = start(tmp_path / "broken")
    last = tmp_path / "broken" / "last.ckpt"
    deadline = time.monotonic() + 240
    while not last.exists() and broken.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    broken.send_signal(signal.SIGKILL)
    assert broken.wait() == -signal.SIGKILL, "it finished before it could be killed"
    assert not (tmp_path / "broken" / "model.pt").exists()
    assert start(tmp_path / "broken").wait(240) == 0
    assert unbroken.wait(240) == 0

    states = [
        SE3Predictor.load(tmp_path / name / "model.pt").network.state_dict()
        for name in ("unbroken", "broken")
    ]
    for name, values in states[0].items():
        assert torch.equal(values, states[1][name]), name
    histories = [(tmp_path / name / "history.json").read_text() for name in ("unbroken", "broken")]
    assert histories[0] == histories[1]


def failing_in_step(number, monkeypatch):
    """Let the step of that number fail, counted over all trainings from now on; the steps made so far."""
    step, steps = PropensityModule.training_step, []

    def failing(module, *batch):
        steps.append(1)
        if len(steps) == number:
            raise RuntimeError("out of memory")
        return step(module, *batch)

    monkeypatch.setattr(PropensityModule, "training_step", failing)
    return steps


def test_no_finished_epoch_is_lost_when_it_fails(tmp_path, monkeypatch):
    glasses = [learnable(seed) for seed in range(4)]
    steps = failing_in_step(10, monkeypatch)  # of three an epoch
    monkeypatch.setattr(Compared, "r", lambda _: -len(steps))  # from epoch to epoch it gets worse
    with pytest.raises(RuntimeError, match="out of memory"):
        predictor(epochs=5).fit(glasses, directory=tmp_path, progress=False)
    continued = predictor(epochs=5).fit(glasses, directory=tmp_path, progress=False)
    assert len(steps) == 10 + 2 * 3, "the three finished epochs are not made again"
    assert [epoch["epoch"] for epoch in continued.history] == [0, 1, 2, 3, 4]
    assert torch.load(tmp_path / "best.ckpt", weights_only=True)["epoch"] == 0


def test_averaged_weights_take_the_place_of_the_last_and_a_run_that_goes_on_keeps_them(tmp_path, monkeypatch):
    glasses = [learnable(seed) for seed in range(4)]

    def fitted(name, **options):
        trained = predictor(epochs=3, **options)
        return trained.fit(glasses, directory=tmp_path / name, progress=False)

    averaged, plain = fitted("averaged", weight_averaging=0.9), fitted("plain")
    assert averaged.history[-1]["loss"] == plain.history[-1]["loss"], "the steps are the same"
    score = evaluate(averaged, [glasses[i] for i in split(4, 0.2, 0)[1]])
    best = max(epoch["validation_r"] for epoch in averaged.history)
    assert score.mean[0] == pytest.approx(best, abs=1e-5)

    failing_in_step(5, monkeypatch)
    with pytest.raises(RuntimeError, match="out of memory"):
        fitted("broken", weight_averaging=0.9)
    continued = fitted("broken", weight_averaging=0.9)
    assert continued.history == averaged.history
    said = [each.predict(glasses[0]) for each in (plain, averaged, continued)]
    np.testing.assert_array_equal(said[2], said[1])
    assert np.abs(said[1] - said[0]).max() > 1e-3


def test_another_run_in_the_same_directory_is_refused_and_nothing_is_lost(tmp_path):
    glasses = [learnable(seed) for seed in range(2)]
    predictor(epochs=1).fit(glasses, directory=tmp_path, progress=False)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(GlassError, match=r"run.json: holds a run with other options.*Choose another"):
        predictor(epochs=2).fit(glasses, directory=tmp_path, progress=False)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_one_configuration_cannot_be_split():
    with pytest.raises(GlassError, match="at least two"):
        predictor().fit([learnable(0)], progress=False)


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(GlassError, match=r"file/run: cannot be made: Not a directory"):
        predictor().fit([learnable(0), learnable(1)], directory=tmp_path / "file" / "run", progress=False)


@pytest.mark.parametrize(
    "bad",
    [
        {"epochs": 0},
        {"validation": 1.0},
        {"particle_type": "C"},
        {"learning_rate": -1.0},
        {"patience": 0},
        {"offset_weight": 2.0},
        {"seed": -1},
    ],
)
def test_bad_options_are_named(bad):
    with pytest.raises(GlassError, match=next(iter(bad))):
        TrainingOptions(**bad)


@pytest.mark.parametrize(
    ("n", "fraction", "expected"), [(10, 0.2, 2), (2, 0.9, 1), (3, 0.01, 1), (400, 0.1, 40)]
)
def test_split_holds_out_whole_configurations(n, fraction, expected):
    chosen, held_out = split(n, fraction, seed=3)
    assert len(held_out) == expected
    assert sorted(chosen + held_out) == list(range(n))


class TestCheckpoints:
    @pytest.fixture
    def trained(self):
        return predictor(epochs=1).fit([learnable(0), learnable(1)], progress=False)

    def test_a_saved_network_predicts_the_same(self, trained, tmp_path):
        trained.save(tmp_path / "model.pt")
        again = SE3Predictor.load(tmp_path / "model.pt")
        glass = learnable(5)
        np.testing.assert_array_equal(again.predict(glass), trained.predict(glass))
        assert again.times == trained.times
        assert again.n_parameters == trained.n_parameters
        assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]

    def test_damage_is_named(self, trained, tmp_path):
        path = tmp_path / "model.pt"
        trained.save(path)
        whole = path.read_bytes()
        for damaged in (b"", b"not a checkpoint", whole[: len(whole) // 2]):
            path.write_bytes(damaged)
            with pytest.raises(GlassError, match=r"model.pt: is not a readable checkpoint"):
                SE3Predictor.load(path)
        with pytest.raises(GlassError, match="nowhere"):
            SE3Predictor.load(tmp_path / "nowhere.pt")

    def test_a_checkpoint_that_would_run_code_does_not(self, tmp_path):
        class Evil:
            def __reduce__(self):
                return (os.mkdir, (str(tmp_path / "ran"),))

        torch.save({"format": Evil()}, tmp_path / "model.pt")
        with pytest.raises(GlassError, match="not a readable checkpoint"):
            SE3Predictor.load(tmp_path / "model.pt")
        assert not (tmp_path / "ran").exists()

    def test_a_trained_network_is_still_invariant(self, trained):
        data = build_graph(learnable(3), GRAPH, dtype=torch.float64)
        assert_equivariant(trained.network.double(), data)

    def test_prediction_before_training_is_refused(self):
        with pytest.raises(GlassError, match="call fit"):
            predictor().predict(learnable(0))


@pytest.mark.parametrize(("structure", "n_thermal"), [("both", 0), ("inherent", 1)])
def test_layers_without_the_structure_they_would_see_are_refused(structure, n_thermal):
    with pytest.raises(GlassError, match="n_thermal_layers: expected layers over the thermal structure if"):
        SE3Predictor(GraphOptions(structure), NetworkOptions(n_thermal_layers=n_thermal))


@pytest.mark.parametrize("kind", ["botan", "bapst"])
def test_plain_graph_networks_learn_by_the_same_loop(kind, tmp_path):
    glasses = [learnable(seed) for seed in range(11)]
    # seed 0 leaves the starting plateau of "bapst" only after these 40 epochs
    training = TrainingOptions(epochs=40, learning_rate=5e-3, weight_decay=0.0, seed=1)
    trained = InteractionPredictor(kind, "inherent", training).fit(glasses[:8], progress=False)
    assert evaluate(trained, glasses[8:]).mean[0] > 0.9
    trained.save(tmp_path / "model.pt")
    loaded = InteractionPredictor.load(tmp_path / "model.pt")
    np.testing.assert_array_equal(loaded.predict(glasses[0]), trained.predict(glasses[0]))
    with pytest.raises(GlassError, match="expected the format 'glasslib SE3 2'"):
        SE3Predictor.load(tmp_path / "model.pt")
