"""The perceptron on physical descriptors as a predictor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Self

import torch
from torch_geometric.data import Data

from glasslib.baselines import Perceptron
from glasslib.features import PhysicalOptions, physical_descriptors
from glasslib.glass import Glass
from glasslib.predictor.network import NetworkPredictor
from glasslib.training import TrainingOptions

#: An epoch takes milliseconds, so there are many.
TRAINING = TrainingOptions(epochs=200, patience=100, learning_rate=1e-2)


class PerceptronPredictor(NetworkPredictor):
    """A small perceptron on physical descriptors, trained on configurations and asked about others.

    In the spirit of GlassMLP (Jung, Biroli and Berthier, Phys. Rev. Lett. 130, 238202 (2023)); see
    :func:`glasslib.features.physical_descriptors` and :class:`glasslib.baselines.Perceptron` for what comes
    from there and what is this project's choice.

    Parameters
    ----------
    descriptors :
        What it is shown.
    widths, dropout :
        Of the network.
    training :
        How it is trained; by default :data:`TRAINING`.

    Examples
    --------
    >>> predictor = PerceptronPredictor().fit(train_glasses)  # doctest: +SKIP
    >>> predictor.predict(glass).shape  # doctest: +SKIP
    (1, 4096)
    """

    FORMAT = "glasslib perceptron 1"

    def __init__(
        self,
        descriptors: PhysicalOptions | None = None,
        widths: Sequence[int] = (2, 10, 10),
        dropout: float = 0.0,
        training: TrainingOptions | None = None,
    ) -> None:
        super().__init__(training or TRAINING)
        self.descriptors = descriptors or PhysicalOptions()
        self.widths, self.dropout = tuple(widths), dropout

    def describe(self) -> dict[str, Any]:
        """What is shown to which network, JSON-like."""
        shown = {**asdict(self.descriptors), "lengths": list(self.descriptors.lengths)}
        return {"descriptors": shown, "widths": list(self.widths), "dropout": self.dropout}

    @classmethod
    def from_description(cls, description: dict[str, Any], training: TrainingOptions) -> Self:
        """The predictor, untrained, that :meth:`describe` described."""
        shown = PhysicalOptions(**description["descriptors"])
        return cls(shown, description["widths"], description["dropout"], training)

    def prepare(self, glass: Glass) -> Data:
        """The descriptors of a configuration: ``scalars`` (n_particles, n), ``types``, ``y`` where known."""
        data = Data(
            scalars=torch.from_numpy(physical_descriptors(glass, self.descriptors).values),
            types=torch.tensor(glass.types, dtype=torch.int64),
            num_nodes=len(glass),
        )
        if glass.propensity is not None:
            data.y = torch.tensor(glass.propensity.T, dtype=torch.float32)
        return data

    def make_network(self, n_times: int) -> Perceptron:
        """An untrained network."""
        return Perceptron(len(self.descriptors.names), self.widths, self.dropout, n_times)
