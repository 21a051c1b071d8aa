"""The plain graph networks that came first: Bapst et al.'s, and BOTAN."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn
from torch_geometric.data import Data
from torch_geometric.utils import scatter

from glasslib.errors import GlassError
from glasslib.targets import TargetScale

#: Message-passing steps with shared weights, and the width of every layer, of both.
STEPS, WIDTH = 7, 64


class InteractionNetwork(nn.Module):
    """Interaction network on relative vectors; not equivariant.

    Nodes know their type, edges the vector between their particles. Both are encoded; seven steps
    with shared weights update each edge from itself and its particles, and each particle from
    itself and the sum of its edges; decoders read the result. Every multilayer perceptron has two
    layers of 64 with ReLU.

    ``"bapst"`` is that of Bapst et al., Nature Physics 16, 448 (2020): every update also sees the
    encoded inputs of all its arguments, and nodes and edges have decoders of their own (70 721
    weights as published; the last layer of the edges' decoder is missing, since edges are not asked).
    ``"botan"`` is that of Shiba et al., J. Chem. Phys. 158, 084503 (2023): updates see the encoded
    input of what they update only, and one decoder serves nodes and edges (54 209 weights as
    published).

    While it trains, axes are permuted and reflected at random, in the place of the symmetry that it lacks.

    Parameters
    ----------
    kind :
        ``"botan"`` or ``"bapst"``.
    n_times :
        Times predicted at once.
    """

    def __init__(self, kind: Literal["botan", "bapst"] = "botan", n_times: int = 1) -> None:
        super().__init__()
        if kind not in ("botan", "bapst"):
            raise GlassError(f"expected 'botan' or 'bapst', got {kind!r}", field="kind")
        self.kind = kind
        self.encode_nodes, self.encode_edges = _perceptron(1), _perceptron(3)
        edge_inputs, node_inputs = (4, 3) if kind == "botan" else (6, 3)
        self.update_edges = _perceptron(edge_inputs * WIDTH)
        self.update_nodes = _perceptron(node_inputs * WIDTH)
        self.decode = nn.Sequential(_perceptron(WIDTH), nn.Linear(WIDTH, n_times))
        if kind == "bapst":
            self.decode_edges = _perceptron(WIDTH)
        self.targets = TargetScale(n_times)

    def normalize(self, scalars: Tensor, types: Tensor, y: Tensor) -> None:
        """Take the scale of the propensities ``(n, n_times)`` from training data; scalars are not used."""
        self.targets.measure(y, types)

    def encoded(self, data: Data) -> tuple[Tensor, Tensor]:
        """What the network makes of particles ``(n_particles, 64)`` and of edges ``(n_edges, 64)``."""
        j, i = data.edge_index
        nodes_0 = self.encode_nodes(data.types.to(data.edge_vector.dtype).unsqueeze(1))
        edges_0 = self.encode_edges(self._augmented(data.edge_vector))
        nodes, edges = nodes_0, edges_0
        for _ in range(STEPS):
            ends = (nodes, nodes_0) if self.kind == "bapst" else (nodes,)
            seen = [edges, edges_0, *(end[j] for end in ends), *(end[i] for end in ends)]
            edges = self.update_edges(torch.cat(seen, dim=1))
            received = scatter(edges, i, dim_size=len(nodes))
            nodes = self.update_nodes(torch.cat([nodes, nodes_0, received], dim=1))
        return nodes, edges

    def forward(self, data: Data) -> Tensor:
        """Propensity of every particle, ``(n_particles, n_times)``, in sigma_AA."""
        return self.targets.restore(self.decode(self.encoded(data)[0]), data.types)

    def nodes_and_edges(self, data: Data) -> tuple[Tensor, Tensor]:
        """Propensity of every particle, stretching of every edge: ``(n_particles or n_edges, n_times)``."""
        if self.kind != "botan":
            raise GlassError("only BOTAN's network predicts edges", field="kind")
        nodes, edges = self.encoded(data)
        return self.targets.restore(self.decode(nodes), data.types), self.decode(edges)

    def _augmented(self, vectors: Tensor) -> Tensor:
        if not self.training:
            return vectors
        signs = 2 * torch.randint(2, (3,), device=vectors.device) - 1
        return vectors[:, torch.randperm(3, device=vectors.device)] * signs


def _perceptron(n_inputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_inputs, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU())
