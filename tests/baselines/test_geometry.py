"""What an encoder of edges knows of distances and directions before it is trained, and after."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

import glasslib.training.loop
from glasslib import GlassError
from glasslib.baselines import InteractionNetwork
from glasslib.baselines.geometry import N_DIRECTED_SHELLS, N_SHELLS, described, learn_geometry
from glasslib.predictor import InteractionPredictor
from glasslib.training import TrainingOptions
from tests.baselines.test_botan_training import moving

CUTOFF = 2.0


def vectors(n: int, seed: int) -> torch.Tensor:
    """Uniform in a shell from 0.8 to the cutoff."""
    draw = np.random.default_rng(seed)
    directions = draw.normal(size=(n, 3))
    lengths = draw.uniform(0.8**3, CUTOFF**3, n) ** (1 / 3)
    return torch.tensor(directions * (lengths / np.linalg.norm(directions, axis=1))[:, None]).float()


def unexplained(encoder: torch.nn.Module, asked) -> float:
    """By scikit-learn's line through the outputs, on vectors that neither has seen."""
    from sklearn.linear_model import Ridge

    sides = [
        (encoder(v).detach().double().numpy(), asked(v.double().numpy()))
        for v in (vectors(4000, 1), vectors(2000, 2))
    ]
    fit = Ridge(1e-6).fit(*sides[0])
    return 1 - fit.score(*sides[1])


def shell(v):
    """How much a pair belongs to a narrow shell at 1.4, in numpy."""
    return np.exp(-0.5 * ((np.linalg.norm(v, axis=1) - 1.4) / 0.07) ** 2)


def first_shell_along_xy(v):
    length = np.linalg.norm(v, axis=1)
    return np.exp(-0.5 * ((length - 1.1) / 0.2) ** 2) * v[:, 0] * v[:, 1] / length**2


def test_it_learns_distances_and_directions_that_a_random_encoder_does_not_know():
    torch.manual_seed(0)
    encoder = InteractionNetwork().encode_edges
    before = [unexplained(encoder, asked) for asked in (shell, first_shell_along_xy)]
    left = learn_geometry(encoder, vectors(20_000, 0), CUTOFF, 400, progress=False)
    after = [unexplained(encoder, asked) for asked in (shell, first_shell_along_xy)]
    assert after[0] < 0.3
    assert before[0] > 0.9
    assert after[1] < 0.2 < before[1]
    assert 0.1 < left < 0.45


def test_the_same_seed_gives_the_same_weights():
    def learned(seed):
        torch.manual_seed(0)
        encoder = InteractionNetwork().encode_edges
        learn_geometry(encoder, vectors(500, 0), CUTOFF, 3, seed=seed, progress=False)
        return encoder[2].weight

    assert torch.equal(learned(0), learned(0))
    assert not torch.equal(learned(0), learned(1))


def test_what_is_asked_for_is_shells_and_what_turns_with_the_vectors():
    v = vectors(200, 0).double()
    turned = v @ torch.tensor(Rotation.random(random_state=0).as_matrix()).T
    one, other = described(v, CUTOFF), described(turned, CUTOFF)
    assert one.shape == (200, N_SHELLS + N_DIRECTED_SHELLS * (3 + 5))
    torch.testing.assert_close(one[:, :N_SHELLS], other[:, :N_SHELLS], rtol=0, atol=1e-12)
    directed = [x[:, N_SHELLS:].reshape(200, N_DIRECTED_SHELLS, 8) for x in (one, other)]
    assert (directed[0] - directed[1]).abs().max() > 0.1
    for degree in (slice(0, 3), slice(3, 8)):
        norms = [x[..., degree].norm(dim=-1) for x in directed]
        torch.testing.assert_close(*norms, rtol=0, atol=1e-12)


@pytest.fixture
def begun(monkeypatch):
    """Encoders of edges as the first epoch finds them."""
    found, module = [], glasslib.training.loop.PropensityModule

    def spy(network, *arguments):
        found.append(network.encode_edges[0].weight.detach().clone())
        return module(network, *arguments)

    monkeypatch.setattr("glasslib.training.loop.PropensityModule", spy)
    return found


def test_training_begins_with_it_once(begun, tmp_path):
    glasses = [moving(seed) for seed in range(3)]
    training = TrainingOptions(epochs=1, optimizer="muon")

    def fitted(kind, steps, **more):
        start = more.pop("start", None)
        predictor = InteractionPredictor(kind, training=training, geometry_steps=steps, **more)
        return predictor.fit(glasses, start=start, progress=False)

    plain = fitted("bapst", 0)
    known = fitted("bapst", 2)
    lengths = [weight.norm(dim=1) for weight in begun]
    assert (lengths[0] - 1).abs().max() > 0.1
    assert (lengths[1] - 1).abs().max() < 0.05  # unit vectors, and two steps
    known.save(tmp_path / "model.pt")
    loaded = InteractionPredictor.load(tmp_path / "model.pt")
    assert loaded.geometry_steps == 2
    np.testing.assert_array_equal(loaded.predict(glasses[0]), known.predict(glasses[0]))

    begun.clear()
    fitted("bapst", 2, start=plain)
    assert torch.equal(begun[0], plain.network.encode_edges[0].weight)

    begun.clear()
    both = fitted("botan", 2, node_weight=0.4, pretraining_epochs=1)
    assert len(begun) == 2
    assert (begun[0].norm(dim=1) - 1).abs().max() < 0.05
    assert not torch.equal(begun[0], begun[1])  # what the bonds made of it
    assert both.geometry_steps == 2


@pytest.mark.parametrize("left", ["last.ckpt", "history.json"])
def test_a_run_that_goes_on_or_is_finished_does_not_begin_again(left, tmp_path, monkeypatch):
    glasses, training = [moving(seed) for seed in range(3)], TrainingOptions(epochs=1)

    def fitted():
        predictor = InteractionPredictor("bapst", training=training, geometry_steps=2)
        return predictor.fit(glasses, directory=tmp_path, progress=False).predict(glasses[0])

    before = fitted()
    if left == "last.ckpt":
        (tmp_path / "history.json").unlink()
    monkeypatch.setattr("glasslib.predictor.interaction.learn_geometry", None)
    np.testing.assert_array_equal(fitted(), before)


def test_a_negative_number_of_steps_is_refused():
    with pytest.raises(GlassError, match="geometry_steps: expected 0 or more, got -1"):
        InteractionPredictor(geometry_steps=-1)
