"""What was learned at one state point, used at another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.data import Data

from glasslib import GlassError, checkpoints
from glasslib.evaluation import evaluate
from glasslib.predictor import InteractionPredictor, PerceptronPredictor, SE3Predictor, TransferPredictor
from glasslib.testing import assert_equivariant
from glasslib.training import TrainingOptions
from tests.test_training import NETWORK, learnable, predictor


@pytest.fixture(scope="module")
def source() -> SE3Predictor:
    """Trained where the particles in crowded places are slow."""
    return predictor(epochs=20, learning_rate=0.05).fit(
        [learnable(seed) for seed in range(6)], progress=False
    )


def other_times(seed: int):
    """The same liquid at two later times, when crowded places are the fast ones."""
    glass = learnable(seed)
    slow = glass.propensity[0]
    return glass.replace(times=(2.0, 5.0), propensity=np.stack([1.5 - slow, 2 - slow**2]))


def adapted(source: SE3Predictor, n: int, **options) -> TransferPredictor:
    training = TrainingOptions(epochs=60, learning_rate=0.02, validation=0.0)
    return TransferPredictor(source, training=training, **options).fit(
        [other_times(seed) for seed in range(20, 20 + n)], progress=False
    )


def test_one_configuration_fits_a_fresh_decoder(source):
    score = evaluate(adapted(source, 1, dropout=0.0), [other_times(seed) for seed in (30, 31)])
    assert (score.mean > 0.85).all()


def test_the_backbone_stays_as_it_is(source):
    before = {name: value.clone() for name, value in source.network.state_dict().items()}
    prediction = source.predict(learnable(0))
    adapted(source, 2)
    for name, value in source.network.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    np.testing.assert_array_equal(source.predict(learnable(0)), prediction)


def test_files_hold_backbone_and_decoder(source, tmp_path: Path):
    trained = adapted(source, 2)
    trained.save(tmp_path / "model.pt")
    again = checkpoints.load(tmp_path / "model.pt")
    assert isinstance(again, TransferPredictor)
    np.testing.assert_array_equal(again.predict(other_times(0)), trained.predict(other_times(0)))


def test_predictions_turn_with_nothing(source):
    trained = adapted(source, 2).trained().eval()

    def propensity(graph: Data) -> torch.Tensor:
        return trained(Data(scalars=trained.backbone.representation(graph), types=graph.types))

    assert_equivariant(propensity, source.prepare(other_times(0)))


def test_fine_tuning_begins_where_the_other_ended(source):
    glasses = [learnable(seed) for seed in range(6)]  # the same: so that their scales are the same
    options = {"epochs": 1, "learning_rate": 1e-9}
    tuned = predictor(**options).fit(glasses, start=source, progress=False)
    np.testing.assert_allclose(tuned.predict(glasses[0]), source.predict(glasses[0]), atol=1e-4)
    fresh = predictor(**options).fit(glasses, progress=False)
    assert np.abs(fresh.predict(glasses[0]) - source.predict(glasses[0])).max() > 0.01


def test_fine_tuning_at_other_times_keeps_all_but_the_last_layer(source):
    glasses = [other_times(seed) for seed in range(3)]
    tuned = predictor(epochs=1, learning_rate=1e-9).fit(glasses, start=source, progress=False)
    assert tuned.predict(glasses[0]).shape == (2, len(glasses[0]))
    own, theirs = tuned.network.state_dict(), source.network.state_dict()
    same = [name for name in own if own[name].shape == theirs[name].shape and "weight" in name]
    assert len(same) > 5
    for name in same:
        torch.testing.assert_close(own[name], theirs[name], rtol=0, atol=1e-6)


def test_another_shape_is_refused(source):
    glasses = [learnable(seed) for seed in range(2)]
    with pytest.raises(GlassError, match=r"start.*another kind or size"):
        InteractionPredictor("bapst", "inherent").fit(glasses, start=source, progress=False)
    wider = SE3Predictor(source.graph_options, type(NETWORK)(**{**NETWORK.__dict__, "width": 12}))
    with pytest.raises(GlassError, match=r"start.*another kind or size"):
        wider.fit(glasses, start=source, progress=False)


def test_only_an_equivariant_backbone_has_a_representation():
    with pytest.raises(GlassError, match="expected an SE3Predictor, got PerceptronPredictor"):
        TransferPredictor(PerceptronPredictor())
