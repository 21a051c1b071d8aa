r"""The equivariant convolution.

Features of a particle are irreps of O(3) in e3nn's layout. The convolution is

.. math::
    f_{l_3 c'}(i) = \frac{1}{\sqrt{\bar n}} \sum_j \sum_{l_1 l_2 c k} W^{l_1 l_2 l_3}_{k c c'} \,
    \phi_k(r_{ij}) \; \mathrm{CG}^{l_1 l_2 l_3}\!\left(Y_{l_1}(\hat r_{ij}),\, h_{l_2 c}(j)\right).

Neither the Clebsch-Gordan coefficients nor the weights depend on the neighbour j, so the sum over
neighbours comes first: one small dense product per particle,

.. math:: A_i[(k, l_1 m_1), (c, l_2 m_2)] = \sum_j \phi_k(r_{ij}) Y_{l_1 m_1}(\hat r_{ij}) h_{c l_2 m_2}(j),

after which coefficients and weights act on particles instead of pairs.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from e3nn import o3
from torch import Tensor, nn


class Neighborhoods(NamedTuple):
    """Neighbours of each particle, padded to a common number, with what the convolution sees of them.

    Attributes
    ----------
    neighbors : (n_particles, n_max)
        Indices; padding repeats particle 0.
    radial : (n_particles, n_max, n_radial)
        Radial functions; zero where padded.
    harmonics : (n_particles, n_max, (l_max + 1)^2)
        Real spherical harmonics, e3nn's order and ``component`` normalisation.
    """

    neighbors: Tensor
    radial: Tensor
    harmonics: Tensor


def neighborhoods(
    edge_index: Tensor, edge_vector: Tensor, n_particles: int, basis: nn.Module, l_max: int
) -> Neighborhoods:
    """Gather edges (sorted by centre) into one padded block per particle.

    Parameters
    ----------
    edge_index : (2, n_edges)
        Rows neighbour j, centre i; sorted by centre.
    edge_vector : (n_edges, 3)
        From i to j.
    n_particles :
        Number of particles.
    basis :
        Maps distances ``(n_edges,)`` to ``(n_edges, n_radial)``.
    l_max :
        Highest degree of the spherical harmonics.
    """
    neighbor, center = edge_index
    degree = torch.bincount(center, minlength=n_particles)
    n_max = int(degree.max()) if len(center) else 0
    first = torch.cumsum(degree, 0) - degree
    slot = center * n_max + torch.arange(len(center), device=center.device) - first[center]

    def padded(values: Tensor) -> Tensor:
        block = values.new_zeros(n_particles * n_max, *values.shape[1:])
        block[slot] = values
        return block.view(n_particles, n_max, *values.shape[1:])

    harmonics = o3.spherical_harmonics(list(range(l_max + 1)), edge_vector, True, "component")
    return Neighborhoods(padded(neighbor), padded(basis(edge_vector.norm(dim=1))), padded(harmonics))


class Convolution(nn.Module):
    """Equivariant convolution over neighbours with a learned radial kernel.

    Maps features ``(n_particles, irreps_in.dim)`` to ``(n_particles, irreps_out.dim)``. Equivariant
    under rotations and reflections; every path ``(l1, l2) -> l3`` that parity and the triangle rule
    allow is there, with full mixing of channels. Equals ``e3nn.o3.TensorProduct`` with ``uvw``
    paths, ``component`` and ``element`` normalisation, and weights linear in the radial functions.

    Parameters
    ----------
    irreps_in, irreps_out :
        Irreps in e3nn's notation, for example ``"32x0e + 16x1o + 8x2e"``.
    l_max :
        Highest degree of the spherical harmonics.
    n_radial :
        Number of radial functions.
    n_neighbors :
        Typical number of neighbours; the sum is divided by its square root.
    chunk :
        Particles handled at once, so that the work stays in the processor's cache.

    Notes
    -----
    Weights: one matrix ``(sum over paths of n_radial * channels in, channels out)`` per entry of
    ``irreps_out``, drawn from a unit normal and scaled by ``1 / sqrt(rows)``.
    """

    channels_last: Tensor

    def __init__(
        self,
        irreps_in: o3.Irreps | str,
        irreps_out: o3.Irreps | str,
        *,
        l_max: int,
        n_radial: int,
        n_neighbors: float,
        chunk: int = 512,
    ) -> None:
        super().__init__()
        self.irreps_in = o3.Irreps(irreps_in)
        self.irreps_out = o3.Irreps(irreps_out)
        self.l_max = l_max
        self.n_radial = n_radial
        self.chunk = chunk
        self.scale = 1 / math.sqrt(n_neighbors)
        # the sum over neighbours wants components outside and channels inside
        order = [
            piece.start + c * ir.dim + m
            for (mul, ir), piece in zip(self.irreps_in, self.irreps_in.slices(), strict=True)
            for m in range(ir.dim)
            for c in range(mul)
        ]
        self.register_buffer("channels_last", torch.tensor(order, dtype=torch.long), persistent=False)
        self.paths = self._paths()
        rows = [0] * len(self.irreps_out)
        for path in self.paths:
            for out in path.outputs:
                rows[out] += n_radial * path.mul
        self.weights = nn.ParameterList(
            nn.Parameter(torch.randn(n, mul)) for n, (mul, _) in zip(rows, self.irreps_out, strict=True)
        )

    def _paths(self) -> list[_Path]:
        """Every pair (harmonics l1, input entry) with the outputs that it reaches."""
        paths = []
        for l1 in range(self.l_max + 1):
            for entry, (mul, ir) in enumerate(self.irreps_in):
                products = list(o3.Irrep(l1, (-1) ** l1) * ir)
                outputs = [out for out, (_, ir_out) in enumerate(self.irreps_out) if ir_out in products]
                if outputs and mul:
                    paths.append(_Path(l1, entry, mul, ir, outputs))
        return paths

    def forward(self, features: Tensor, around: Neighborhoods) -> Tensor:
        """Features ``(n_particles, irreps_in.dim)`` to ``(n_particles, irreps_out.dim)``."""
        features = features[:, self.channels_last]
        pieces = [
            self._convolve(features, neighbors, radial, harmonics)
            for neighbors, radial, harmonics in zip(
                *(block.split(self.chunk) for block in around), strict=True
            )
        ]
        return torch.cat(pieces) * self.scale

    def _convolve(self, features: Tensor, neighbors: Tensor, radial: Tensor, harmonics: Tensor) -> Tensor:
        n, n_max = neighbors.shape
        around = features.index_select(0, neighbors.flatten()).unflatten(0, (n, n_max))
        kernel = (harmonics.unsqueeze(3) * radial.unsqueeze(2)).flatten(2)
        moments = torch.bmm(kernel.transpose(1, 2), around).unflatten(1, (-1, self.n_radial))
        blocks = [
            part.split([mul * ir.dim for mul, ir in self.irreps_in], dim=3)
            for part in moments.split([2 * l1 + 1 for l1 in range(self.l_max + 1)], dim=1)
        ]

        columns: list[list[Tensor]] = [[] for _ in self.irreps_out]
        for path in self.paths:
            block = blocks[path.l1][path.entry].unflatten(3, (path.ir_in.dim, path.mul)).transpose(2, 3)
            degrees = tuple(self.irreps_out[out].ir.l for out in path.outputs)
            coupling = _coupling(path.l1, path.ir_in.l, degrees, block.dtype, block.device)
            coupled = coupling @ block.reshape(n, coupling.shape[1], self.n_radial * path.mul)
            dims = [self.irreps_out[out].ir.dim for out in path.outputs]
            for out, piece in zip(path.outputs, coupled.split(dims, dim=1), strict=True):
                columns[out].append(piece)

        outputs = []
        for (mul, ir), pieces, weight in zip(self.irreps_out, columns, self.weights, strict=True):
            if pieces:
                mixed = torch.cat(pieces, dim=2) @ (weight / math.sqrt(len(weight)))
            else:
                mixed = features.new_zeros(n, ir.dim, mul)
            outputs.append(mixed.transpose(1, 2).reshape(n, -1))
        return torch.cat(outputs, dim=1)


@lru_cache(maxsize=256)
def _coupling(l1: int, l2: int, degrees: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Clebsch-Gordan coefficients to all outputs, ``(sum of 2 l3 + 1, (2 l1 + 1)(2 l2 + 1))``."""
    tables = [o3.wigner_3j(l1, l2, l3, dtype=torch.float64) * math.sqrt(2 * l3 + 1) for l3 in degrees]
    return torch.cat(tables, dim=2).flatten(0, 1).T.contiguous().to(device, dtype)


class _Path(NamedTuple):
    """Harmonics of degree l1 times one entry of the input irreps."""

    l1: int
    entry: int
    mul: int
    ir_in: o3.Irrep
    outputs: list[int]
