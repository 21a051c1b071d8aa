"""Several processes train as one does, and half precision as single does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from glasslib import GlassError
from glasslib.baselines import InteractionNetwork
from glasslib.equivariant import NetworkOptions, SE3Network, neighborhoods
from glasslib.equivariant.averaging import NeighborAverage
from glasslib.graph import GraphOptions, build_graph
from glasslib.predictor import InteractionPredictor, SE3Predictor
from glasslib.training import TrainingOptions
from tests.conftest import make_glass
from tests.test_training import learnable

ROOT = Path(__file__).parents[1]

# Seven configurations, of which three are for validation: four to train on, and an odd number that two
# devices cannot share out evenly.
GLASSES = 7
PREDICTORS = ("se3", "bapst")

# Lightning starts the second process by running the script again.
SCRIPT = """
import sys
from tests.test_training_distributed import train
if __name__ == "__main__":
    train(sys.argv[1], devices=2, batch_size=1)
"""


def make(name: str, batch_size: int):
    training = TrainingOptions(
        epochs=3, learning_rate=0.05, weight_decay=0.01, validation=0.4, batch_size=batch_size
    )
    if name == "bapst":  # has weights that nothing is asked of; its axes are drawn at random, though
        return InteractionPredictor("bapst", "inherent", training)
    network = NetworkOptions(
        hidden="4x0e + 2x1o", n_layers=2, n_radial=4, l_max=1, n_averages=1, width=8, dropout=0.0
    )
    return SE3Predictor(GraphOptions(cutoff=1.8, averaging_cutoff=2.2), network, training)


def train(directory: str | Path, *, devices: int, batch_size: int) -> None:
    glasses = [learnable(seed) for seed in range(GLASSES)]
    for name in PREDICTORS:
        make(name, batch_size).fit(
            glasses,
            directory=Path(directory) / name,
            progress=False,
            accelerator="cpu",
            devices=devices,
        )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """History and last checkpoint: of one process with batches of two, of two with batches of one."""
    folder = tmp_path_factory.mktemp("runs")
    script = folder / "script.py"
    script.write_text(SCRIPT)
    distributed = {"LOCAL_RANK", "NODE_RANK", "RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"}
    environment = {name: value for name, value in os.environ.items() if name not in distributed}
    environment |= {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", str(script), str(folder / "two")]
    ended = subprocess.run(command, env=environment, cwd=folder, timeout=300, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    train(folder / "one", devices=1, batch_size=2)
    return folder


def history(folder: Path) -> list[dict[str, float]]:
    return json.loads((folder / "history.json").read_text())


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "last.ckpt", weights_only=True)["state_dict"]


def test_two_processes_make_the_steps_of_one_with_twice_the_batch(runs):
    one, two = weights(runs / "one" / "se3"), weights(runs / "two" / "se3")
    torch.manual_seed(0)
    untrained = make("se3", 1).make_network(1).state_dict()
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(two[name], value, rtol=1e-4, atol=1e-5)
    name = "layers.1.convolution.weights.0"
    assert (one[f"network.{name}"] - untrained[name]).abs().max() > 0.1  # six steps of up to 0.05


def test_they_write_the_same_history(runs):
    one, two = history(runs / "one" / "se3"), history(runs / "two" / "se3")
    assert len(one) == len(two) == 3
    for first, second in zip(one, two, strict=True):
        assert first == pytest.approx(second, rel=1e-5)
    assert one[-1]["loss"] < one[0]["loss"] - 0.005


def test_weights_that_get_no_gradient_do_not_hold_them_up(runs):
    assert len(history(runs / "two" / "bapst")) == 3
    assert weights(runs / "two" / "bapst").keys() == weights(runs / "one" / "bapst").keys()


@pytest.mark.parametrize("name", ["se3", "botan", "bapst"])
def test_half_precision_learns_alike_and_is_half_precision(name):
    glasses = [learnable(seed) for seed in range(3)]
    losses = []
    for precision in ("32-true", "bf16-mixed"):
        predictor = (
            make("se3", 1)
            if name == "se3"
            else InteractionPredictor(name, training=TrainingOptions(epochs=3, learning_rate=1e-3))
        )
        predictor.fit(glasses, progress=False, accelerator="cpu", precision=precision)
        losses.append([epoch["loss"] for epoch in predictor.history])
        assert predictor.predict(glasses[0]).shape == (1, 120)
    assert losses[0] == pytest.approx(losses[1], rel=2e-3)
    assert losses[0] != losses[1]


@pytest.mark.parametrize("structure", ["inherent", "both", "plain"])
def test_gradients_in_half_precision_are_those_in_single(structure):
    glass = make_glass()
    graph = build_graph(glass, GraphOptions("both", cutoff=1.8, averaging_cutoff=2.2))
    torch.manual_seed(0)
    network = InteractionNetwork("botan", 2).eval()
    if structure != "plain":
        thermal = int(structure == "both")
        network = SE3Network(
            NetworkOptions(
                n_scalars=4, n_times=2, hidden="6x0e + 4x1o", n_layers=2, n_thermal_layers=thermal, cutoff=1.8
            )
        ).eval()
    gradients = []
    for enabled in (False, True):
        network.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            network(graph).square().mean().backward()
        of_weights = [p.grad.flatten() for p in network.parameters() if p.grad is not None]
        gradients.append(torch.cat(of_weights))
    single, half = gradients
    assert half.dtype == torch.float32
    assert 0 < (single - half).norm() / single.norm() < 0.05


def test_averages_and_convolutions_take_half_precision_features(glass):
    graph = build_graph(glass, GraphOptions(cutoff=1.8, averaging_cutoff=2.2))
    average = NeighborAverage(graph.average_index, graph.average_weight, len(glass))
    network = SE3Network(NetworkOptions(hidden="6x0e + 4x1o", cutoff=1.8)).eval()
    around = neighborhoods(graph.edge_index, graph.edge_vector, len(glass), network.basis, l_max=2)
    x = torch.randn(len(glass), 18).bfloat16()
    for function in (average, lambda features: network.layers[1].convolution(features, around)):
        with torch.autocast("cpu", torch.bfloat16):
            found = function(x)
        torch.testing.assert_close(found, function(x.float()), rtol=0, atol=0)


def test_a_precision_that_does_not_serve_is_named(tmp_path):
    with pytest.raises(GlassError, match="precision: expected one of 32-true, bf16-mixed, 16-mixed, got '8'"):
        make("se3", 1).fit([learnable(0), learnable(1)], directory=tmp_path / "run", precision="8")
    assert not (tmp_path / "run").exists()
