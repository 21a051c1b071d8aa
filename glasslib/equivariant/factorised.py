r"""The equivariant convolution, as one computes it.

Neither the Clebsch-Gordan coefficients nor the weights depend on the neighbour j, so the sum over
neighbours comes first: one small dense product per particle,

.. math:: A_i[(l_1 m_1, k), (l_2 m_2, c)] = \sum_j Y_{l_1 m_1}(\hat r_{ij}) \phi_k(r_{ij}) h_{c l_2 m_2}(j),

after which coefficients and weights act on particles instead of pairs. Positions are inputs, so only
features and weights get gradients; for them it is enough to keep what the weights have seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from glasslib.equivariant.convolution import Convolution, clebsch_gordan
from glasslib.equivariant.neighborhoods import Block, Neighborhoods

#: Matrix libraries are slow at products with fewer columns than this; they get them transposed.
NARROW = 16


class FactorisedConvolution(Convolution):
    """:class:`Convolution` with the sum over neighbours first: the same weights, the same numbers.

    First derivatives only. On a GPU ``torch.set_float32_matmul_precision("high")`` lets it use TF32,
    with relative errors near 1e-3.
    """

    channels_last: Tensor
    channels_first: Tensor

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._coupling = _Coupling(self)
        self.register_buffer("channels_last", _channels_last(self.irreps_in), persistent=False)
        order = torch.argsort(_channels_last(self.irreps_out))
        self.register_buffer("channels_first", order, persistent=False)

    def forward(self, features: Tensor, around: Neighborhoods) -> Tensor:
        """Features ``(n_particles, irreps_in.dim)`` to ``(n_particles, irreps_out.dim)``."""
        if torch.is_grad_enabled():  # then it serves all layers, forward and backward
            for block in around:
                block.keep_kernel()
        weights = self.scaled_weights()
        dtype = torch.promote_types(features.dtype, weights[0].dtype)
        with torch.autocast(features.device.type, enabled=False):  # geometry and sums stay in full precision
            summed: Tensor = _SumNeighborsFirst.apply(  # type: ignore[no-untyped-call]
                features[:, self.channels_last].to(dtype), around, self._coupling, *weights
            )
        return summed[:, self.channels_first] * self.scale


class _SumNeighborsFirst(torch.autograd.Function):
    """All of it; keeps of each block what the weights saw, ``(n, 2 l + 1, rows)`` for each output."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, around: Neighborhoods, coupling: _Coupling, *weights: Tensor
    ) -> Tensor:
        out = features.new_empty(len(around), sum(coupling.out_widths))
        kept = []
        for block in around:
            seen = coupling.gather(features, block)
            mixed = [_mix(x, weight).flatten(1) for x, weight in zip(seen, weights, strict=True)]
            out[block.centers] = torch.cat(mixed, dim=1)
            kept += seen if any(ctx.needs_input_grad) else []
        ctx.around, ctx.coupling, ctx.n_particles = around, coupling, len(features)
        ctx.save_for_backward(*weights, *kept)
        return out

    @staticmethod
    @once_differentiable  # type: ignore[misc]
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        coupling, outputs = ctx.coupling, len(ctx.coupling.out_widths)
        weights, kept = ctx.saved_tensors[:outputs], list(ctx.saved_tensors[outputs:])
        of_weights = [torch.zeros_like(weight) for weight in weights]
        of_features = gradients[0].new_zeros(ctx.n_particles, sum(coupling.in_widths))
        with torch.autocast(of_features.device.type, enabled=False):
            for block in ctx.around:
                of_seen = []
                pieces = gradients[0][block.centers].split(coupling.out_widths, dim=1)
                for piece, weight, total in zip(pieces, weights, of_weights, strict=True):
                    seen = kept.pop(0)
                    piece = piece.reshape(*seen.shape[:2], -1)
                    _add_product(total, seen.flatten(0, 1), piece.flatten(0, 1))
                    of_seen.append(piece @ weight.T)
                of_neighbors = coupling.scatter(of_seen, block)
                of_features.index_add_(0, block.neighbors.flatten(), of_neighbors.flatten(0, 1))
        return of_features, None, None, *of_weights


def _mix(x: Tensor, weight: Tensor) -> Tensor:
    """``x @ weight`` for x ``(n, m, rows)``."""
    mixed: Tensor
    if 0 < weight.shape[1] < NARROW:
        mixed = (weight.T @ x.flatten(0, 1).T).T.unflatten(0, x.shape[:2])
    else:
        mixed = x @ weight
    return mixed


def _add_product(total: Tensor, x: Tensor, y: Tensor) -> None:
    """``total += x.T @ y``."""
    if 0 < y.shape[1] < NARROW:
        total += (y.T @ x).T
    else:
        total.addmm_(x.T, y)


def _channels_last(irreps: Any) -> Tensor:
    """Order that puts channels inside and components outside in every entry of the irreps."""
    order = [
        piece.start + c * ir.dim + m
        for (mul, ir), piece in zip(irreps, irreps.slices(), strict=True)
        for m in range(ir.dim)
        for c in range(mul)
    ]
    return torch.tensor(order, dtype=torch.long)


@dataclass
class _Entry:
    """One entry of the input irreps: what it is coupled to, and where the results go.

    ``products`` are pairs (l1, l3), one after the other in the coupling table; ``routes`` say which
    of their rows become which columns of which output.
    """

    degree: int
    mul: int
    l_max: int
    products: list[tuple[int, int]] = field(default_factory=list)
    routes: list[tuple[int, slice, slice]] = field(default_factory=list)

    @property
    def dim(self) -> int:
        return 2 * self.degree + 1

    def add(self, l1: int, l3: int, out: int, columns: slice) -> None:
        """Couple to harmonics of degree l1; the result of degree l3 goes to columns of an output."""
        if (l1, l3) not in self.products:
            self.products.append((l1, l3))
        before = self.products[: self.products.index((l1, l3))]
        start = sum(2 * degree + 1 for _, degree in before)
        rows = slice(start, start + 2 * l3 + 1)
        if self.degree == 0:  # then the product is the harmonic itself, and no table is needed
            rows = slice(l1**2, (l1 + 1) ** 2)
        self.routes.append((out, rows, columns))

    def couple(self, moments: Tensor) -> Tensor:
        """Moments ``(n, l1 m1, k, l2 m2 c)`` to all products ``(n, l3 m3, k c)``."""
        if self.degree == 0:
            return moments.flatten(2)
        moments = moments.unflatten(3, (self.dim, self.mul)).transpose(2, 3).flatten(3).flatten(1, 2)
        return torch.bmm(self._table(moments), moments)

    def couple_transposed(self, products: Tensor, moments: Tensor) -> None:
        """Write what :meth:`couple`, transposed, makes of products into moments."""
        if self.degree == 0:
            moments.copy_(products.view(moments.shape))
            return
        back = torch.bmm(self._table(products).mT, products)
        back = back.unflatten(1, (-1, self.dim)).unflatten(3, (-1, self.mul)).transpose(2, 3)
        moments.unflatten(3, (self.dim, self.mul)).copy_(back)

    def _table(self, like: Tensor) -> Tensor:
        table = _table(self.degree, tuple(self.products), self.l_max, like.dtype, like.device)
        return table.expand(len(like), -1, -1)

    @property
    def n_rows(self) -> int:
        """Components of all products."""
        return (self.l_max + 1) ** 2 if self.degree == 0 else sum(2 * l3 + 1 for _, l3 in self.products)


class _Coupling:
    """From features around particles to what the weights see, and the transpose of that."""

    def __init__(self, layer: Convolution) -> None:
        self.n_harmonics, self.n_radial = (layer.l_max + 1) ** 2, layer.n_radial
        self.in_widths = [mul * ir.dim for mul, ir in layer.irreps_in]
        self.out_widths = [mul * ir.dim for mul, ir in layer.irreps_out]
        self.out_shapes = [
            (ir.dim, len(weight)) for (_, ir), weight in zip(layer.irreps_out, layer.weights, strict=True)
        ]
        self.entries = [_Entry(ir.l, mul, layer.l_max) for mul, ir in layer.irreps_in]
        for l1, entry, out, columns in layer.paths:
            self.entries[entry].add(l1, layer.irreps_out[out].ir.l, out, columns)

    def gather(self, features: Tensor, block: Block) -> list[Tensor]:
        """What the weights see of a block, ``(n, 2 l + 1, rows)`` for each output."""
        n, n_max = block.neighbors.shape
        around = features.index_select(0, block.neighbors.flatten()).unflatten(0, (n, n_max))
        moments = torch.bmm(block.kernel.mT, around).view(n, self.n_harmonics, self.n_radial, -1)
        seen = [features.new_empty(n, dim, rows) for dim, rows in self.out_shapes]
        for entry, moment in zip(self.entries, moments.split(self.in_widths, dim=3), strict=True):
            products = entry.couple(moment)
            for out, rows, columns in entry.routes:
                seen[out][:, :, columns] = products[:, rows]
        return seen

    def scatter(self, of_seen: list[Tensor], block: Block) -> Tensor:
        """Gradients by what the weights see to those by the features around, ``(n, n_max, width)``."""
        n = len(block.centers)
        of_moments = of_seen[0].new_empty(n, self.n_harmonics, self.n_radial, sum(self.in_widths))
        for entry, of_moment in zip(self.entries, of_moments.split(self.in_widths, dim=3), strict=True):
            of_products = of_moments.new_zeros(n, entry.n_rows, self.n_radial * entry.mul)
            for out, rows, columns in entry.routes:
                of_products[:, rows] += of_seen[out][:, :, columns]
            entry.couple_transposed(of_products, of_moment)
        return torch.bmm(block.kernel, of_moments.flatten(1, 2))


@lru_cache(maxsize=256)
def _table(
    l2: int, products: tuple[tuple[int, int], ...], l_max: int, dtype: torch.dtype, device: torch.device
) -> Tensor:
    """Coefficients from all (l1 m1, l2 m2) to the components of the products (l1, l3), stacked."""
    table = [torch.zeros(0, (l_max + 1) ** 2 * (2 * l2 + 1), dtype=dtype, device=device)]
    for l1, l3 in products:
        rows = torch.zeros(2 * l3 + 1, (l_max + 1) ** 2, 2 * l2 + 1, dtype=dtype, device=device)
        rows[:, l1**2 : (l1 + 1) ** 2] = clebsch_gordan(l1, l2, l3, dtype, device).permute(2, 0, 1)
        table.append(rows.flatten(1))
    return torch.cat(table)
