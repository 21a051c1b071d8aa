"""The SE(3)-equivariant network: from a graph to the propensity of every particle."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from e3nn import nn as e3nn_nn
from e3nn import o3
from torch import Tensor, nn
from torch_geometric.data import Data

from glasslib.equivariant.averaging import NeighborAverage
from glasslib.equivariant.basis import GaussianBasis
from glasslib.equivariant.factorised import FactorisedConvolution
from glasslib.equivariant.neighborhoods import Neighborhoods, neighborhoods
from glasslib.glass import TYPE_NAMES
from glasslib.targets import TargetScale


@dataclass(frozen=True)
class NetworkOptions:
    """Size and shape of an :class:`SE3Network`.

    What the paper used beyond "about 50 000 parameters" is not published; these defaults are this
    project's choice, made on validation configurations.

    Parameters
    ----------
    n_scalars, n_vectors :
        Inputs of a particle, as in :class:`glasslib.graph.GraphOptions`.
    n_times :
        Times predicted at once.
    hidden :
        Irreps of the features between layers, scalars first.
    n_layers, l_max, n_radial :
        Convolutions, highest degree of the spherical harmonics, radial functions.
    n_thermal_layers :
        Convolutions over neighbours in the thermal structure that come before these, where the graph
        holds both structures.
    cutoff :
        Of the radial functions, in sigma_AA; the cutoff of the graph.
    n_neighbors :
        Typical number of neighbours within the cutoff.
    norms :
        Whether norms of l > 0 features go to the read-out beside the scalars.
    n_averages :
        How often scalars are averaged over neighbours before the read-out.
    width :
        Channels of that stage and of the decoder.
    dropout :
        Probability, in that stage and the decoder.
    """

    n_scalars: int = 3
    n_vectors: int = 1
    n_times: int = 1
    hidden: str = "32x0e + 16x1o + 8x2e"
    n_layers: int = 3
    n_thermal_layers: int = 0
    l_max: int = 2
    n_radial: int = 8
    cutoff: float = 2.0
    n_neighbors: float = 40.0
    norms: bool = True
    n_averages: int = 4
    width: int = 32
    dropout: float = 0.2


class SE3Network(nn.Module):
    """Rotation-equivariant graph network that predicts propensity.

    Convolution, gate and residual link, several times; then the invariants of each particle (its
    scalars and the norms of its l > 0 features), averaged over neighbours several times; then one
    decoder per particle type for all times at once. In the spirit of Pezzicoli, Charpiat and
    Landes, SciPost Phys. 16, 136 (2024).

    Predictions are invariant under rotations, reflections, translations and relabelling.

    Parameters
    ----------
    options :
        Size and shape.
    motion_weight :
        Weight in the loss of what else the end points tell (:mod:`glasslib.motion`).
    """

    scalar_mean: Tensor
    scalar_std: Tensor

    def __init__(self, options: NetworkOptions | None = None, motion_weight: float = 0.0) -> None:
        super().__init__()
        self.options = options = options or NetworkOptions()
        self.motion_weight = motion_weight
        inputs = o3.Irreps(f"{options.n_scalars}x0e + {options.n_vectors}x1o").remove_zero_multiplicities()
        hidden = o3.Irreps(options.hidden)
        # set from the training data by `normalize`, saved with the weights
        self.register_buffer("scalar_mean", torch.zeros(options.n_scalars))
        self.register_buffer("scalar_std", torch.ones(options.n_scalars))
        self.targets = TargetScale(options.n_times)

        self.basis = GaussianBasis(options.n_radial, options.cutoff)
        self.layers = nn.ModuleList()
        for number in range(options.n_thermal_layers + options.n_layers):
            self.layers.append(Layer(hidden if number else inputs, hidden, options))
        self.invariants = o3.Norm(hidden)
        width = options.width
        n_invariants = hidden.num_irreps if options.norms else hidden.count("0e")
        self.embed = nn.Sequential(nn.Linear(n_invariants, width), nn.SiLU())
        self.stages = nn.ModuleList(
            nn.Sequential(
                nn.Dropout(options.dropout),
                nn.Linear(2 * width, width),
                nn.SiLU(),
                nn.Linear(width, width),
            )
            for _ in range(options.n_averages)
        )
        self.decoders = nn.ModuleList(
            nn.Sequential(
                nn.Dropout(options.dropout),
                nn.Linear(width, width),
                nn.SiLU(),
                nn.Linear(width, options.n_times),
            )
            for _ in TYPE_NAMES
        )

    def normalize(self, scalars: Tensor, types: Tensor, y: Tensor) -> None:
        """Take means and scales from training data.

        Parameters
        ----------
        scalars : (n, n_scalars)
            Scalar inputs of all training particles; the leading one-hot of the type is left alone.
        types : (n,)
            Their types.
        y : (n, n_times)
            Their propensities, in sigma_AA.
        """
        n_types = len(TYPE_NAMES)
        if scalars.shape[1] > n_types:
            self.scalar_mean[n_types:] = scalars[:, n_types:].mean(0)
            self.scalar_std[n_types:] = scalars[:, n_types:].std(0).clamp(min=1e-6)
        self.targets.measure(y, types)

    def features(self, data: Data) -> Tensor:
        """Equivariant features of every particle, ``(n_particles, hidden.dim)``."""
        n, thermal = len(data.types), self.options.n_thermal_layers
        basis, l_max = self.basis, self.options.l_max
        around = [neighborhoods(data.edge_index, data.edge_vector, n, basis, l_max)] * len(self.layers)
        if thermal:
            first = neighborhoods(data.thermal_index, data.thermal_vector, n, basis, l_max)
            around[:thermal] = [first] * thermal
        scalars = (data.scalars - self.scalar_mean) / self.scalar_std
        features = torch.cat([scalars, data.vectors.reshape(n, -1)], dim=1)
        for layer, seen in zip(self.layers, around, strict=True):
            features = layer(features, seen)
        return features

    def representation(self, data: Data) -> Tensor:
        """Invariants of every particle before the decoder, ``(n_particles, width)``."""
        return self.averaged(self.features(data), data)

    def averaged(self, hidden: Tensor, data: Data) -> Tensor:
        """From :meth:`features` to :meth:`representation`."""
        n_scalar = o3.Irreps(self.options.hidden).count("0e")
        known = hidden[:, :n_scalar]
        if self.options.norms:
            known = torch.cat([known, self.invariants(hidden)[:, n_scalar:]], dim=1)
        x: Tensor = self.embed(known)
        if len(self.stages):
            average = NeighborAverage(data.average_index, data.average_weight, len(data.types))
            for stage in self.stages:
                x = x + stage(torch.cat([x, average(x)], dim=1))
        return x

    def forward(self, data: Data) -> Tensor:
        """Propensity of every particle, ``(n_particles, n_times)``, in sigma_AA."""
        return self.decoded(self.representation(data), data)

    def decoded(self, x: Tensor, data: Data) -> Tensor:
        """From :meth:`representation` to the propensity."""
        outputs = torch.stack([decoder(x) for decoder in self.decoders])
        index = data.types.view(1, -1, 1).expand(1, -1, self.options.n_times)
        out = outputs.gather(0, index).squeeze(0)
        return self.targets.restore(out, data.types)


class Layer(nn.Module):
    """Convolution plus self-interaction, gate, and a residual link where the irreps agree."""

    def __init__(self, irreps_in: o3.Irreps, irreps_out: o3.Irreps, options: NetworkOptions) -> None:
        super().__init__()
        scalars = o3.Irreps([entry for entry in irreps_out if entry.ir.l == 0])
        gated = o3.Irreps([entry for entry in irreps_out if entry.ir.l > 0])
        gates = o3.Irreps(f"{gated.num_irreps}x0e").remove_zero_multiplicities()
        self.gate = e3nn_nn.Gate(
            scalars, [torch.nn.functional.silu for _ in scalars], gates, [torch.sigmoid for _ in gates], gated
        )
        self.convolution = FactorisedConvolution(
            irreps_in,
            self.gate.irreps_in,
            l_max=options.l_max,
            n_radial=options.n_radial,
            n_neighbors=options.n_neighbors,
        )
        self.itself = o3.Linear(irreps_in, self.gate.irreps_in)
        self.residual = irreps_in == irreps_out

    def forward(self, features: Tensor, around: Neighborhoods) -> Tensor:
        """Features ``(n_particles, irreps_in.dim)`` to ``(n_particles, irreps_out.dim)``."""
        update: Tensor = self.gate(self.convolution(features, around) + self.itself(features))
        return features + update if self.residual else update
