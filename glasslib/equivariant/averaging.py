"""Averages over neighbours, the long-range stage of the network."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn


class NeighborAverage(nn.Module):
    r"""Weighted mean of scalars over the surroundings of each particle.

    .. math:: \bar x_i = \sum_j w_{ij} x_j \Big/ \sum_j w_{ij}, \qquad w_{ij} = w_{ji}.

    The coarse-graining of the expert features (Boattini et al., Phys. Rev. Lett. 127, 088007
    (2021)) has :math:`w_{ij} = e^{-r_{ij}/2}`.

    Parameters
    ----------
    index : (2, n_pairs)
        Rows neighbour j, centre i; sorted by centre, both orders of each pair present.
    weight : (n_pairs,)
        Symmetric weights; constant (no gradient flows to them).
    n_particles :
        Number of particles.
    """

    def __init__(self, index: Tensor, weight: Tensor, n_particles: int) -> None:
        super().__init__()
        degree = torch.bincount(index[1], minlength=n_particles)
        rows = torch.cat([degree.new_zeros(1), degree.cumsum(0)])
        with warnings.catch_warnings():
            # torch calls its CSR tensors "in beta state"; a product with a dense matrix is all we use
            warnings.filterwarnings("ignore", message=".*[Ss]parse", category=UserWarning)
            self.weights = torch.sparse_csr_tensor(
                rows, index[0], weight, (n_particles, n_particles), check_invariants=False
            )
        self.total = weight.new_zeros(n_particles, 1).index_add(0, index[1], weight.unsqueeze(1))

    def forward(self, scalars: Tensor) -> Tensor:
        """Scalars ``(n_particles, n)`` to their means ``(n_particles, n)``."""
        dtype = torch.promote_types(scalars.dtype, self.total.dtype)
        with torch.autocast(scalars.device.type, enabled=False):  # sparse products know no half precision
            averaged: Tensor = _SymmetricAverage.apply(  # type: ignore[no-untyped-call]
                scalars.to(dtype), self.weights, self.total
            )
        return averaged


class _SymmetricAverage(torch.autograd.Function):
    """``W x / total``; because W is symmetric its gradient is the same product, ``W (g / total)``."""

    @staticmethod
    def forward(ctx: Any, scalars: Tensor, weights: Tensor, total: Tensor) -> Tensor:
        ctx.save_for_backward(weights, total)
        return weights @ scalars.contiguous() / total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        weights, total = ctx.saved_tensors
        with torch.autocast(total.device.type, enabled=False):
            return weights @ (gradients[0] / total), None, None
