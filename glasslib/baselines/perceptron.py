"""A small multilayer perceptron on descriptors of one particle: no graph, no messages."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from glasslib.errors import GlassError
from glasslib.glass import TYPE_NAMES
from glasslib.targets import TargetScale


class Perceptron(nn.Module):
    """From the descriptors of a particle to its propensity, through a bottleneck.

    Descriptors are standardised by the particle's type and joined by the type itself (one-hot). The first
    layer is narrow: whatever is predicted, at all times, is a function of a few combinations of them. In
    the spirit of GlassMLP (Jung, Biroli and Berthier, Phys. Rev. Lett. 130, 238202 (2023)), which also goes
    through a bottleneck; widths, activation (ELU) and one network for both types are this project's choice,
    made on validation configurations. So is the loss: it is that of :func:`glasslib.training.fit`, as for
    every network here.

    Parameters
    ----------
    n_descriptors :
        Descriptors of a particle.
    widths :
        Of the hidden layers, the bottleneck first; none: a linear model.
    dropout :
        Share of the values left out in training, after each hidden layer but the bottleneck.
    n_times :
        Times predicted at once.
    """

    center: Tensor
    scale: Tensor

    def __init__(
        self,
        n_descriptors: int,
        widths: Sequence[int] = (2, 10, 10),
        dropout: float = 0.0,
        n_times: int = 1,
    ) -> None:
        super().__init__()
        if n_descriptors < 1 or any(width < 1 for width in widths):
            raise GlassError(
                f"expected positive sizes, got {n_descriptors} and {tuple(widths)}", field="widths"
            )
        if not 0 <= dropout < 1:
            raise GlassError(f"expected 0 to 1 (not 1 itself), got {dropout}", field="dropout")
        self.register_buffer("center", torch.zeros(len(TYPE_NAMES), n_descriptors))
        self.register_buffer("scale", torch.ones(len(TYPE_NAMES), n_descriptors))
        sizes = [n_descriptors + len(TYPE_NAMES), *widths]
        hidden: list[nn.Module] = []
        for number, (before, after) in enumerate(pairwise(sizes)):
            hidden += [nn.Linear(before, after), nn.ELU()]
            if number and dropout:
                hidden.append(nn.Dropout(dropout))
        self.layers = nn.Sequential(*hidden, nn.Linear(sizes[-1], n_times))
        self.targets = TargetScale(n_times)

    def normalize(self, scalars: Tensor, types: Tensor, y: Tensor) -> None:
        """Take the scales of descriptors and of propensities from training data.

        Parameters
        ----------
        scalars : (n, n_descriptors)
            Descriptors of all training particles.
        types : (n,)
            Their types.
        y : (n, n_times)
            Their propensities, in sigma_AA.
        """
        for number in range(len(TYPE_NAMES)):
            chosen = scalars[types == number].double()  # in single precision a large mean costs digits
            if len(chosen):
                mean, spread = chosen.mean(0), chosen.std(0, correction=0)
                varies = spread > 1e-6 * mean.abs().clamp(min=1)
                self.center[number] = mean
                self.scale[number] = torch.where(varies, spread, 1)
        self.targets.measure(y, types)

    def forward(self, data: Data) -> Tensor:
        """Propensity of every particle, ``(n_particles, n_times)``, in sigma_AA, from ``data.scalars``."""
        standard = (data.scalars - self.center[data.types]) / self.scale[data.types]
        kind = nn.functional.one_hot(data.types, len(TYPE_NAMES)).to(standard.dtype)
        return self.targets.restore(self.layers(torch.cat([standard, kind], dim=1)), data.types)
