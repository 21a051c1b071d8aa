"""The perceptron on physical descriptors: it learns, stays invariant, and survives a file."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from glasslib import GlassError
from glasslib.baselines import Perceptron
from glasslib.evaluation import evaluate
from glasslib.features import PhysicalOptions
from glasslib.predictor import PerceptronPredictor, SE3Predictor
from glasslib.testing import assert_periodic, assert_permutation_equivariant
from glasslib.training import TrainingOptions
from tests.conftest import make_glass

DESCRIPTORS = PhysicalOptions(lengths=(0.5, 1.0), cutoff=2.2)


def learnable(seed: int):
    """Configurations whose propensity is a function, not a linear one, of the surroundings' energy."""
    glass = make_glass(seed=seed, n_times=1)
    steps = glass.inherent_positions[:, None] - glass.inherent_positions
    steps -= glass.box * np.round(steps / glass.box)
    weights = np.exp(-np.linalg.norm(steps, axis=-1))
    energies = np.average(weights * 0 + glass.inherent_energies, axis=1, weights=weights)
    return glass.replace(propensity=np.exp(2 * (energies + 6))[None], propensity_halves=None)


def predictor(**training):
    options = {"epochs": 3, "learning_rate": 0.03, "weight_decay": 0.01, **training}
    return PerceptronPredictor(DESCRIPTORS, training=TrainingOptions(**options))


@pytest.fixture(scope="module")
def trained():
    return predictor(epochs=60).fit([learnable(seed) for seed in range(6)], progress=False)


def data_of(x: torch.Tensor, types: torch.Tensor) -> Data:
    return Data(scalars=x, types=types, num_nodes=len(x))


def test_it_learns_what_is_there_and_generalises(trained):
    assert evaluate(trained, [learnable(seed) for seed in (10, 11)]).mean[0] > 0.9


def test_saved_and_loaded_it_predicts_the_same(trained, tmp_path):
    glass = learnable(3)
    trained.save(tmp_path / "saved.pt")
    loaded = PerceptronPredictor.load(tmp_path / "saved.pt")
    np.testing.assert_array_equal(loaded.predict(glass), trained.predict(glass))
    assert loaded.descriptors == DESCRIPTORS
    assert loaded.describe() == trained.describe()
    assert loaded.training_options == trained.training_options
    with pytest.raises(GlassError, match="expected the format"):
        SE3Predictor.load(tmp_path / "saved.pt")


def test_labels_and_origin_do_not_matter(trained):
    glass = learnable(4)
    assert_permutation_equivariant(trained.predict, glass, tolerance=1e-5)
    assert_periodic(trained.predict, glass, tolerance=1e-5)


def test_seeds_repeat_and_differ():
    glasses = [learnable(seed) for seed in range(3)]
    first, again, other = (
        predictor(seed=seed).fit(glasses, progress=False).predict(glasses[0]) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-4


def test_a_run_can_go_on_in_its_directory(tmp_path):
    """What describes the run is JSON: the second fit finds it finished and changes nothing."""
    glasses = [learnable(seed) for seed in range(3)]
    first = predictor().fit(glasses, directory=tmp_path, progress=False)
    second = predictor().fit(glasses, directory=tmp_path, progress=False)
    np.testing.assert_array_equal(first.predict(glasses[0]), second.predict(glasses[0]))


def test_sizes_are_counted():
    """Ten descriptors and two types into 2, 10 and 10 units, and two times out of them."""
    network = Perceptron(10, n_times=2)
    weights = (12 * 2 + 2) + (2 * 10 + 10) + (10 * 10 + 10) + (10 * 2 + 2)
    assert sum(p.numel() for p in network.parameters()) == weights
    assert network(data_of(torch.randn(7, 10), torch.zeros(7, dtype=torch.long))).shape == (7, 2)
    linear = Perceptron(10, widths=())
    assert sum(p.numel() for p in linear.parameters()) == 13


def test_units_of_the_descriptors_do_not_matter():
    """Standardised by type, so another unit and origin give the same; a constant is not blown up."""
    torch.manual_seed(0)
    types = torch.arange(200) % 2
    x = torch.randn(200, 4)
    x[:, 3] = torch.where(types == 0, 1000.0, 1000.0 + 1e-4)  # constant but for the last digit
    x[::3, 3] = 1000.0
    y = torch.rand(200, 1)
    other = x * torch.tensor([100.0, 1e-3, 7.0, 1.0]) + torch.tensor([[3.0], [-4.0]])[types]
    network = Perceptron(4).eval()
    network.normalize(x, types, y)
    before = network(data_of(x, types))
    standard = (x - network.center[types]) / network.scale[types]
    for number in (0, 1):
        assert standard[types == number, :3].mean(0).abs().max() < 1e-5
        assert standard[types == number, :3].std(0, correction=0) == pytest.approx(torch.ones(3), abs=1e-5)
    assert standard[:, 3].abs().max() < 1e-3
    network.normalize(other, types, y)
    torch.testing.assert_close(network(data_of(other, types)), before, rtol=1e-3, atol=1e-3)


def test_a_type_that_is_missing_in_training_leaves_its_scales_alone():
    network = Perceptron(3)
    network.normalize(torch.randn(20, 3) + 9, torch.zeros(20, dtype=torch.long), torch.rand(20, 1))
    assert (network.center[1] == 0).all()
    assert (network.scale[1] == 1).all()
    assert (network.center[0] > 5).all()


def test_dropout_acts_in_training_only_and_spares_the_bottleneck():
    torch.manual_seed(0)
    network = Perceptron(3, dropout=0.5)
    assert sum(isinstance(layer, torch.nn.Dropout) for layer in network.layers) == 2
    data = data_of(torch.randn(20, 3), torch.zeros(20, dtype=torch.long))
    assert not torch.equal(network(data), network(data))
    network.eval()
    assert torch.equal(network(data), network(data))


@pytest.mark.parametrize("bad", [{"widths": (0,)}, {"dropout": 1.0}, {"n_descriptors": 0}])
def test_bad_sizes_are_refused(bad):
    with pytest.raises(GlassError):
        Perceptron(**{"n_descriptors": 3, **bad})


def test_without_propensity_there_is_no_y(glass):
    bare = glass.replace(propensity=None, propensity_halves=None, times=None)
    assert "y" not in predictor().prepare(bare)
    data = predictor().prepare(glass)
    assert (data.scalars.shape, data.y.shape) == ((120, len(DESCRIPTORS.names)), (120, 2))
