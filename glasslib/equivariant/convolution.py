r"""The equivariant convolution, as one reads it.

Features of a particle are irreps of O(3) in e3nn's layout. The convolution is

.. math::
    f_{l_3 c'}(i) = \frac{1}{\sqrt{\bar n}} \sum_j \sum_{l_1 l_2 c k} W^{l_1 l_2 l_3}_{k c c'} \,
    \phi_k(r_{ij}) \; \mathrm{CG}^{l_1 l_2 l_3}\!\left(Y_{l_1}(\hat r_{ij}),\, h_{l_2 c}(j)\right).

:mod:`glasslib.equivariant.factorised` has the same convolution, fast.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import torch
from e3nn import o3
from torch import Tensor, nn

from glasslib.equivariant.neighborhoods import Block, Neighborhoods


class Path(NamedTuple):
    """Harmonics of degree l1 times one entry of the input irreps, to one entry of the output irreps."""

    l1: int
    entry: int
    out: int
    rows: slice
    """Its part of the output's weights, (n_radial * channels in) rows."""


class Convolution(nn.Module):
    """Equivariant convolution over neighbours with a learned radial kernel, pair by pair.

    Maps features ``(n_particles, irreps_in.dim)`` to ``(n_particles, irreps_out.dim)``. Equivariant
    under rotations and reflections; every path ``(l1, l2) -> l3`` that parity and the triangle rule
    allow is there, with full mixing of channels. Equals ``e3nn.o3.TensorProduct`` with ``uvw``
    paths, ``component`` and ``element`` normalisation, and weights linear in the radial functions.

    This form is for reading and checking; :class:`FactorisedConvolution` takes the same weights and
    gives the same numbers in a fraction of the time and memory.

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

    Notes
    -----
    Weights: one matrix ``(sum over paths of n_radial * channels in, channels out)`` per entry of
    ``irreps_out``, drawn from a unit normal and scaled by ``1 / sqrt(rows)``.
    """

    def __init__(
        self,
        irreps_in: o3.Irreps | str,
        irreps_out: o3.Irreps | str,
        *,
        l_max: int,
        n_radial: int,
        n_neighbors: float,
    ) -> None:
        super().__init__()
        self.irreps_in = o3.Irreps(irreps_in)
        self.irreps_out = o3.Irreps(irreps_out)
        self.l_max = l_max
        self.n_radial = n_radial
        self.scale = 1 / math.sqrt(n_neighbors)
        self.paths: list[Path] = []
        rows = [0] * len(self.irreps_out)
        for l1 in range(l_max + 1):
            for entry, (mul, ir) in enumerate(self.irreps_in):
                products = list(o3.Irrep(l1, (-1) ** l1) * ir)
                for out, (_, ir_out) in enumerate(self.irreps_out):
                    if ir_out in products:
                        end = rows[out] + n_radial * mul
                        self.paths.append(Path(l1, entry, out, slice(rows[out], end)))
                        rows[out] = end
        self.weights = nn.ParameterList(
            nn.Parameter(torch.randn(n, mul)) for n, (mul, _) in zip(rows, self.irreps_out, strict=True)
        )

    def scaled_weights(self) -> list[Tensor]:
        """The weights, such that outputs are of order one for inputs of order one."""
        return [weight / math.sqrt(max(len(weight), 1)) for weight in self.weights]

    def forward(self, features: Tensor, around: Neighborhoods) -> Tensor:
        """Features ``(n_particles, irreps_in.dim)`` to ``(n_particles, irreps_out.dim)``."""
        weights = self.scaled_weights()
        sums = [self._sum_over_neighbors(features, block, weights) for block in around]
        return torch.cat(sums)[around.place] * self.scale

    def _sum_over_neighbors(self, features: Tensor, block: Block, weights: list[Tensor]) -> Tensor:
        h = features[block.neighbors]  # (i, j, irreps_in.dim)
        outputs = [h.new_zeros(len(h), mul, ir.dim) for mul, ir in self.irreps_out]
        for l1, entry, out, rows in self.paths:
            mul, ir = self.irreps_in[entry]
            y = block.harmonics[..., l1**2 : (l1 + 1) ** 2]
            h_l2 = h[..., self.irreps_in.slices()[entry]].unflatten(2, (mul, ir.dim))
            cg = clebsch_gordan(l1, ir.l, self.irreps_out[out].ir.l, h.dtype, h.device)
            coupled = torch.einsum("abm,ija,ijcb->ijcm", cg, y, h_l2)
            kernel = torch.einsum(
                "ijk,kcd->ijcd", block.radial, weights[out][rows].unflatten(0, (self.n_radial, mul))
            )
            outputs[out] = outputs[out] + torch.einsum("ijcd,ijcm->idm", kernel, coupled)
        return torch.cat([output.flatten(1) for output in outputs], dim=1)


@lru_cache(maxsize=256)
def clebsch_gordan(l1: int, l2: int, l3: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Clebsch-Gordan coefficients ``(2 l1 + 1, 2 l2 + 1, 2 l3 + 1)`` in ``component`` normalisation."""
    table: Tensor = o3.wigner_3j(l1, l2, l3, dtype=torch.float64) * math.sqrt(2 * l3 + 1)
    return table.to(device, dtype)
