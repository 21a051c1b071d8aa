"""What one network has learned, used at another state point: a frozen backbone and a fresh decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from glasslib.baselines import Perceptron
from glasslib.equivariant import SE3Network
from glasslib.errors import GlassError
from glasslib.glass import Glass
from glasslib.predictor.network import NetworkPredictor
from glasslib.predictor.se3 import SE3Predictor
from glasslib.targets import TargetScale
from glasslib.training import TrainingOptions

#: The representations are computed once, so that an epoch takes milliseconds, as that of a perceptron.
TRAINING = TrainingOptions(epochs=100, patience=100, learning_rate=5e-3)


class TransferPredictor(NetworkPredictor):
    """A trained SE(3) network that stays as it is, with a fresh decoder for other temperatures and times.

    Every particle is described by what the network knew of it before its own decoder
    (:meth:`glasslib.equivariant.SE3Network.representation`); a small perceptron goes from there to the
    propensity. Whatever is to be learned of a particle can take the propensity's place.

    Parameters
    ----------
    backbone :
        A trained predictor.
    widths, dropout :
        Of the decoder's hidden layers; no width: a linear decoder.
    training :
        How the decoder is trained; by default :data:`TRAINING`.

    Examples
    --------
    >>> from glasslib import checkpoints
    >>> backbone = checkpoints.load("se3-T0.64")
    >>> colder = TransferPredictor(backbone).fit(train_at_another_temperature)  # doctest: +SKIP
    """

    FORMAT: ClassVar[str] = "glasslib transfer 1"

    def __init__(
        self,
        backbone: SE3Predictor,
        widths: Sequence[int] = (32,),
        dropout: float = 0.2,
        training: TrainingOptions | None = None,
    ) -> None:
        super().__init__(training or TRAINING)
        if not isinstance(backbone, SE3Predictor):
            raise GlassError(f"expected an SE3Predictor, got {type(backbone).__name__}", field="backbone")
        self.backbone, self.widths, self.dropout = backbone, tuple(widths), dropout

    def describe(self) -> dict[str, Any]:
        """What is shown to which network, JSON-like."""
        return {"backbone": self.backbone.describe(), "widths": list(self.widths), "dropout": self.dropout}

    @classmethod
    def from_description(cls, description: dict[str, Any], training: TrainingOptions) -> Self:
        """The predictor that :meth:`describe` described; its backbone gets its weights with the decoder's."""
        backbone = SE3Predictor.from_description(description["backbone"], TrainingOptions())
        backbone.network = backbone.make_network(backbone.network_options.n_times)
        return cls(backbone, description["widths"], description["dropout"], training)

    def prepare(self, glass: Glass) -> Data:
        """What the backbone knows of every particle: ``scalars`` (n_particles, width), ``types``, ``y``."""
        backbone = self.backbone.trained()
        graph = self.backbone.prepare(glass).to(next(backbone.parameters()).device)
        with torch.no_grad():
            known = backbone.eval().representation(graph).cpu()
        data = Data(scalars=known, types=graph.types.cpu(), num_nodes=len(glass))
        if glass.propensity is not None:
            data.y = torch.tensor(glass.propensity.T, dtype=torch.float32)
        return data

    def make_network(self, n_times: int) -> Transferred:
        """The backbone with an untrained decoder."""
        width = self.backbone.network_options.width
        return Transferred(self.backbone.trained(), Perceptron(width, self.widths, self.dropout, n_times))


class Transferred(nn.Module):
    """A backbone that is kept with its decoder, but not trained.

    Parameters
    ----------
    backbone :
        Has made the representations.
    decoder :
        Reads them.
    """

    def __init__(self, backbone: SE3Network, decoder: Perceptron) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False)
        self.decoder = decoder

    @property
    def targets(self) -> TargetScale:
        """Mean and spread of the propensity."""
        return self.decoder.targets

    def normalize(self, scalars: Tensor, types: Tensor, y: Tensor) -> None:
        """See :meth:`glasslib.baselines.Perceptron.normalize`."""
        self.decoder.normalize(scalars, types, y)

    def forward(self, data: Data) -> Tensor:
        """Propensity of every particle, ``(n_particles, n_times)``, from its representation."""
        propensity: Tensor = self.decoder(data)
        return propensity
