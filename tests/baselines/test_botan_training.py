"""BOTAN learns bonds: its loss, its score, its pre-training, and what it refuses."""

from __future__ import annotations

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
from torch_geometric.data import Batch

import glasslib.predictor.network
from glasslib import GlassError
from glasslib.baselines import InteractionNetwork
from glasslib.evaluation import pearson
from glasslib.glass import minimum_image
from glasslib.graph import GraphOptions, bond_stretching, build_graph
from glasslib.predictor import InteractionPredictor
from glasslib.predictor.interaction import TRAINING
from glasslib.targets import N_BOND_KINDS, TargetScale, bond_kinds, scored_bonds
from glasslib.training import PropensityModule, TrainingOptions
from tests.conftest import make_glass


@pytest.fixture(autouse=True)
def one_thread():
    """Sums of several threads end in different last bits, and these tests compare to the last one."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def moving(seed: int):
    """Everyone flees the crowd, so that both propensity and bonds are functions of the structure."""
    glass = make_glass(seed=seed, n_times=1)
    vectors = minimum_image(glass.positions[:, None] - glass.positions, glass.box)
    weight = np.exp(-4 * (vectors**2).sum(-1))
    push = (vectors * weight[..., None]).sum(1)
    ends = glass.positions + np.stack([push, 1.1 * push])[None]
    propensity = 1.05 * np.linalg.norm(push, axis=1)
    return glass.replace(end_positions=ends, propensity=propensity[None], propensity_halves=None)


def predictor(epochs=3, **options):
    training = TrainingOptions(epochs=epochs, learning_rate=5e-3, weight_decay=0.0)
    return InteractionPredictor("botan", "thermal", training, **options)


@pytest.mark.parametrize("weight", [0.0, 0.4])
def test_the_loss_is_that_of_particles_and_of_all_bonds_by_weight(weight):
    glasses = [moving(seed) for seed in range(3)]
    graphs = [
        build_graph(glass, GraphOptions("thermal", 1.5, averaging_cutoff=0), bonds=True) for glass in glasses
    ]
    torch.manual_seed(0)
    network = InteractionNetwork(node_weight=weight).eval()
    network.normalize(*(torch.cat([getattr(g, name) for g in graphs]) for name in ("scalars", "types", "y")))
    module = PropensityModule(network, graphs, graphs[:1], TrainingOptions(offset_weight=1.0))

    # units by kind, from all training bonds
    kinds = torch.cat([g.types[g.edge_index[0]] + g.types[g.edge_index[1]] for g in graphs])
    truths = torch.cat([g.bond_y for g in graphs])
    for kind in range(3):
        torch.testing.assert_close(network.bonds.mean[kind], truths[kinds == kind].mean(0))
        torch.testing.assert_close(network.bonds.std[kind], truths[kinds == kind].std(0))

    batch = Batch.from_data_list(graphs[:2])
    nodes, edges = network.nodes_and_edges(batch)
    is_a = batch.types == 0
    node_loss = ((nodes - batch.y)[is_a] / network.targets.std[0]).square().mean()
    kinds = batch.types[batch.edge_index[0]] + batch.types[batch.edge_index[1]]
    bond_loss = ((edges - batch.bond_y) / network.bonds.std[kinds]).square().mean()
    torch.testing.assert_close(
        module._total(*module._compared(batch)), weight * node_loss + (1 - weight) * bond_loss
    )


def test_the_score_counts_short_bonds_between_a_particles():
    glasses = [moving(seed) for seed in range(2)]
    trained = predictor(1, node_weight=0.4).fit(glasses, progress=False)
    found = trained.score_bonds(glasses)
    everything = []
    for each, glass in zip(found.each, glasses, strict=True):
        pairs, guess = trained.predict_bonds(glass)
        length, truth = bond_stretching(glass, pairs)
        chosen = (length < 1.35) & (glass.types[pairs] == 0).all(0)
        assert 100 < chosen.sum() < len(length)
        assert each[0] == pytest.approx(pearson(guess[0, chosen], truth[0, chosen]), abs=1e-5)
        everything.append((guess[0, chosen], truth[0, chosen]))
    assert found.pooled[0] == pytest.approx(pearson(*np.concatenate(everything, axis=1)), abs=1e-5)
    assert found.mean[0] == pytest.approx(found.each[:, 0].mean())


def test_kinds_of_bonds():
    types = torch.tensor([0, 0, 1, 1])
    kinds = bond_kinds(types, torch.tensor([[0, 0, 2, 2], [1, 2, 0, 3]]))
    assert kinds.tolist() == [0, 1, 1, 2]
    scale = TargetScale(2, N_BOND_KINDS)
    y = torch.randn(40, 2, generator=torch.Generator().manual_seed(0))
    scale.measure(y, torch.arange(40) % 3)
    z = scale.standardize(y, torch.arange(40) % 3)
    torch.testing.assert_close(z[::3].std(0), torch.ones(2))
    torch.testing.assert_close(scale.restore(z, torch.arange(40) % 3), y)


def test_scored_bonds_are_short_in_the_thermal_structure():
    glass = moving(0)
    data = build_graph(glass, GraphOptions("inherent", 1.5, averaging_cutoff=0), bonds=True)
    j, i = data.edge_index.numpy()
    thermal = np.linalg.norm(minimum_image(glass.positions[j] - glass.positions[i], glass.box), axis=1)
    expected = (thermal < 1.35) & (glass.types[j] == 0) & (glass.types[i] == 0)
    np.testing.assert_array_equal(scored_bonds(data), expected)
    inherent = (data.edge_vector.norm(dim=1).numpy() < 1.35) & (glass.types[j] == 0) & (glass.types[i] == 0)
    assert (expected != inherent).any()


def test_it_learns_bonds_and_particles_and_starts_from_bonds(tmp_path):
    glasses = [moving(seed) for seed in range(5)]
    trained = predictor(30, node_weight=0.4, pretraining_epochs=30)
    trained.fit(glasses[:4], directory=tmp_path, progress=False)
    before = [epoch["validation_bond_r"] for epoch in trained.pretraining_history]
    assert len(before) == 30
    assert before == [epoch["validation_r"] for epoch in trained.pretraining_history]
    assert max(before) > before[0] + 0.05
    assert max(before) > 0.6
    assert trained.history[0]["validation_bond_r"] > before[0] + 0.05
    particles = {"epoch", "loss", "validation_loss", "validation_r"}
    assert set(trained.history[0]) == particles | {"validation_bond_r"}
    assert trained.score_bonds(glasses[4:]).mean[0] > 0.6

    trained.save(tmp_path / "model.pt")
    loaded = InteractionPredictor.load(tmp_path / "model.pt")
    pairs, stretching = trained.predict_bonds(glasses[4])
    np.testing.assert_array_equal(loaded.predict_bonds(glasses[4])[1], stretching)
    assert pairs.shape == (2, stretching.shape[1])
    assert (loaded.node_weight, loaded.pretraining_epochs) == (0.4, 30)
    # end points are not needed to predict
    bare = glasses[4].replace(end_positions=None)
    np.testing.assert_array_equal(loaded.predict(bare), trained.predict(glasses[4]))


def test_the_second_training_sets_out_from_the_weights_of_the_first(monkeypatch):
    glasses = [moving(seed) for seed in range(3)]
    starts, fit = [], glasslib.predictor.network.fit

    def spy(network, graphs, options, **arguments):
        starts.append({name: value.clone() for name, value in network.state_dict().items()})
        return fit(network, graphs, options, **arguments)

    monkeypatch.setattr("glasslib.predictor.network.fit", spy)
    both = predictor(1, node_weight=0.4, pretraining_epochs=2).fit(glasses, progress=False)
    alone = predictor(2, node_weight=0.0).fit(glasses, progress=False)
    assert len(starts) == 3
    for name, value in alone.network.state_dict().items():
        assert torch.equal(starts[1][name], value), name
    # they served once: another network of the same predictor is a fresh one
    assert not torch.equal(both.make_network(1).state_dict()["decode.1.bias"], starts[1]["decode.1.bias"])


SCRIPT = """
import sys
import torch
torch.set_num_threads(1)
from tests.baselines.test_botan_training import moving, predictor
trained = predictor(8, node_weight=0.4, pretraining_epochs=8)
trained.fit([moving(s) for s in range(4)], directory=sys.argv[1], progress=False)
trained.save(sys.argv[1] + "/model.pt")
"""


@pytest.mark.slow
def test_killed_in_either_training_it_ends_like_an_unbroken_run(tmp_path):
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}

    def start(directory: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-W", "ignore", "-c", SCRIPT, str(directory)]
        return subprocess.Popen(command, env=environment, cwd=root)

    def kill_once(directory: Path, there: Path) -> None:
        run = start(directory)
        deadline = time.monotonic() + 400
        while not there.exists() and run.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        run.send_signal(signal.SIGKILL)
        assert run.wait() == -signal.SIGKILL, "it finished before it could be killed"

    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    assert start(unbroken).wait(400) == 0
    kill_once(broken, broken / "pretraining" / "last.ckpt")
    assert not (broken / "run.json").exists()
    kill_once(broken, broken / "last.ckpt")
    assert not (broken / "model.pt").exists()
    assert start(broken).wait(400) == 0
    states = [InteractionPredictor.load(run / "model.pt").network.state_dict() for run in (unbroken, broken)]
    for name, values in states[0].items():
        assert torch.equal(values, states[1][name]), name
    for name in ("history.json", "pretraining/history.json"):
        histories = [json.loads((run / name).read_text()) for run in (unbroken, broken)]
        assert len(histories[0]) == 8
        assert histories[0] == histories[1]


def test_what_makes_no_sense_is_refused():
    glasses = [moving(seed) for seed in range(2)]
    bare = [glass.replace(end_positions=None) for glass in glasses]
    for options in ({"node_weight": 0.4}, {"pretraining_epochs": 2}):
        with pytest.raises(GlassError, match="made-up-0: end_positions: is missing"):
            predictor(1, **options).fit(bare, progress=False)
    with pytest.raises(GlassError, match="node_weight: expected 0 to 1"):
        predictor(node_weight=1.2)
    with pytest.raises(GlassError, match="pretraining_epochs: expected 0 or more"):
        predictor(pretraining_epochs=-1)
    for options in ({"node_weight": 0.4}, {"pretraining_epochs": 2}):
        with pytest.raises(GlassError, match="only BOTAN's network learns bonds"):
            InteractionPredictor("bapst", **options)
    with pytest.raises(GlassError, match="was trained on bonds alone"):
        predictor(1, node_weight=0.0).fit(glasses, progress=False).predict(glasses[0])
    particles = predictor(1).fit(bare, progress=False)
    assert set(particles.history[0]) == {"epoch", "loss", "validation_loss", "validation_r"}
    with pytest.raises(GlassError, match="was trained on particles alone"):
        particles.predict_bonds(glasses[0])


def test_defaults_are_near_the_published_ones():
    assert InteractionPredictor().training_options is TRAINING
    assert (TRAINING.weight_decay, TRAINING.clip) == (0.0, 1.0)
