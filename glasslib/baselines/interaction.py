"""The plain graph networks that came first: Bapst et al.'s, and BOTAN."""

from __future__ import annotations

from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch_geometric.data import Data

from glasslib.errors import GlassError
from glasslib.targets import N_BOND_KINDS, TargetScale, bond_kinds

#: Message-passing steps with shared weights, and the width of every layer, of both.
STEPS, WIDTH = 7, 64

#: Their edges are worked on together, on a CPU; quickest of 64 to 1024 particles.
PARTICLES_AT_ONCE = 512


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
    node_weight :
        Share of the particles in the loss; the rest is that of the bonds. BOTAN's was trained with
        0.4, Bapst et al.'s knows only 1.
    """

    def __init__(
        self, kind: Literal["botan", "bapst"] = "botan", n_times: int = 1, node_weight: float = 1.0
    ) -> None:
        super().__init__()
        if kind not in ("botan", "bapst"):
            raise GlassError(f"expected 'botan' or 'bapst', got {kind!r}", field="kind")
        if not 0 <= node_weight <= 1:
            raise GlassError(f"expected 0 to 1, got {node_weight}", field="node_weight")
        if kind == "bapst" and node_weight < 1:
            raise GlassError("only BOTAN's network learns bonds", field="node_weight")
        self.kind, self.node_weight = kind, node_weight
        self.encode_nodes, self.encode_edges = _perceptron(1), _perceptron(3)
        edge_inputs, node_inputs = (4, 3) if kind == "botan" else (6, 3)
        self.update_edges = _perceptron(edge_inputs * WIDTH)
        self.update_nodes = _perceptron(node_inputs * WIDTH)
        self.decode = nn.Sequential(_perceptron(WIDTH), nn.Linear(WIDTH, n_times))
        if kind == "bapst":
            # never asked, and several devices would wait for its gradients
            self.decode_edges = _perceptron(WIDTH).requires_grad_(False)
        else:
            self.bonds = TargetScale(n_times, N_BOND_KINDS)
        self.targets = TargetScale(n_times)

    def normalize(self, scalars: Tensor, types: Tensor, y: Tensor) -> None:
        """Take the scale of the propensities ``(n, n_times)`` from training data; scalars are not used."""
        self.targets.measure(y, types)

    def encoded(self, data: Data) -> tuple[Tensor, list[Tensor]]:
        """What the network makes of particles ``(n_particles, 64)``, and of edges, 64 numbers each, in parts.

        The first layer of ``update_edges`` acts on edge, edge_0, node_j, node_i one after the other
        (Bapst: node_j, node_0_j, node_i, node_0_i). Here its columns act on each of them apart:
        on a particle's features once instead of on every edge's copy, and on what never changes
        before the first step. The numbers are the same.
        """
        nodes_0 = self.encode_nodes(data.types.to(data.edge_vector.dtype).unsqueeze(1))
        parts = _parts(data.edge_index, len(nodes_0))
        vectors = self._augmented(data.edge_vector).split([len(part.i) for part in parts])
        edges_0 = [self.encode_edges(vector) for vector in vectors]

        first = self.update_edges.get_parameter("0.weight")
        of_edge, of_edge_0, *of_ends = first.split(WIDTH, dim=1)
        of_j, of_i = of_ends[:: len(of_ends) // 2]
        bias = self.update_edges.get_parameter("0.bias")
        fixed = [functional.linear(edge_0, of_edge_0, bias) for edge_0 in edges_0]
        if self.kind == "bapst":
            at_j, at_i = nodes_0 @ of_ends[1].T, nodes_0 @ of_ends[3].T
            fixed = [rest + sum(part.ends(at_j, at_i)) for rest, part in zip(fixed, parts, strict=True)]

        nodes, edges = nodes_0, edges_0
        for _ in range(STEPS):
            at_j, at_i = nodes @ of_j.T, nodes @ of_i.T
            edges = [
                self._updated(torch.addmm(rest, edge, of_edge.T), *part.ends(at_j, at_i))
                for rest, edge, part in zip(fixed, edges, parts, strict=True)
            ]
            received = torch.cat([part.sum(edge) for part, edge in zip(parts, edges, strict=True)])
            nodes = self.update_nodes(torch.cat([nodes, nodes_0, received], dim=1))
        return nodes, edges

    def _updated(self, hidden: Tensor, at_j: Tensor, at_i: Tensor) -> Tensor:
        """The rest of ``update_edges``, in place: fresh memory costs as much as arithmetic."""
        hidden += at_j
        hidden += at_i
        weight, bias = (self.update_edges.get_parameter(f"2.{name}") for name in ("weight", "bias"))
        return functional.linear(hidden.relu_(), weight, bias).relu_()

    def forward(self, data: Data) -> Tensor:
        """Propensity of every particle, ``(n_particles, n_times)``, in sigma_AA."""
        return self.targets.restore(self.decode(self.encoded(data)[0]), data.types)

    def nodes_and_edges(self, data: Data) -> tuple[Tensor, Tensor]:
        """Propensity of every particle, stretching of every bond: ``(n_particles or n_edges, n_times)``."""
        if self.kind != "botan":
            raise GlassError("only BOTAN's network predicts edges", field="kind")
        nodes, edges = self.encoded(data)
        stretching = torch.cat([self.decode(edge) for edge in edges])
        return (
            self.targets.restore(self.decode(nodes), data.types),
            self.bonds.restore(stretching, bond_kinds(data.types, data.edge_index)),
        )

    def _augmented(self, vectors: Tensor) -> Tensor:
        if not self.training:
            return vectors
        signs = 2 * torch.randint(2, (3,), device=vectors.device) - 1
        return vectors[:, torch.randperm(3, device=vectors.device)] * signs


class _Part(NamedTuple):
    """The edges of some particles, few enough to stay in the processor's cache."""

    j: Tensor
    i: Tensor
    first: int
    n_particles: int

    def ends(self, at_j: Tensor, at_i: Tensor) -> tuple[Tensor, Tensor]:
        """For every edge what its two particles have."""
        return at_j.index_select(0, self.j), at_i.index_select(0, self.i)

    def sum(self, edges: Tensor) -> Tensor:
        """Sum over the edges of each particle; what is in half precision is summed in single."""
        edges = edges.to(torch.promote_types(edges.dtype, torch.float32))
        nothing = edges.new_zeros(self.n_particles, edges.shape[1])
        return nothing.index_add(0, self.i - self.first, edges)


def _parts(edge_index: Tensor, n_particles: int) -> list[_Part]:
    j, i = edge_index
    if (i[1:] < i[:-1]).any():
        raise GlassError("expected edges sorted by centre, as build_graph makes them", field="edge_index")
    size = PARTICLES_AT_ONCE if i.device.type == "cpu" else n_particles
    lengths = torch.bincount(i, minlength=n_particles).split(size)
    edges = [int(part.sum()) for part in lengths]
    ends = zip(j.split(edges), i.split(edges), range(0, n_particles, size), lengths, strict=True)
    return [_Part(j, i, first, len(own)) for j, i, first, own in ends]


def _perceptron(n_inputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(n_inputs, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU())
