"""What networks learn, in units of its spread; and which bonds count in a score."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch_geometric.data import Data

from glasslib.glass import TYPE_NAMES

#: Bonds between A particles shorter than this (in sigma_AA, thermal) are scored, as by Shiba et al.
SCORED_LENGTH = 1.35

#: Kinds of bonds: A-A, A-B, B-B.
N_BOND_KINDS = 2 * len(TYPE_NAMES) - 1


def bond_kinds(types: Tensor, edge_index: Tensor) -> Tensor:
    """Number of B particles ``(n_edges,)`` in each pair of ``edge_index`` (2, n_edges)."""
    j, i = edge_index
    return types[j] + types[i]


def scored_bonds(data: Data) -> Tensor:
    """Mask ``(n_edges,)`` of the A-A bonds shorter than :data:`SCORED_LENGTH`, of a graph with bonds."""
    short: Tensor = data.bond_length < SCORED_LENGTH
    return short & (bond_kinds(data.types, data.edge_index) == 0)


class TargetScale(nn.Module):
    """Mean and spread of a target, by type and time; saved with the weights of a network.

    Parameters
    ----------
    n_times :
        Number of times.
    n_types :
        Of particles, whose target is the propensity; of bonds, :data:`N_BOND_KINDS`.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, n_times: int, n_types: int = len(TYPE_NAMES)) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(n_types, n_times))
        self.register_buffer("std", torch.ones(n_types, n_times))

    def measure(self, y: Tensor, types: Tensor) -> None:
        """Take both from targets ``(n, n_times)`` of the given types ``(n,)``."""
        for number in range(len(self.mean)):
            if (types == number).any():
                chosen = y[types == number]
                self.mean[number] = chosen.mean(0)
                self.std[number] = chosen.std(0).clamp(min=1e-6)

    def standardize(self, y: Tensor, types: Tensor) -> Tensor:
        """Targets ``(n, n_times)`` in sigma_AA to units of their spread."""
        return (y - self.mean[types]) / self.std[types]

    def restore(self, z: Tensor, types: Tensor) -> Tensor:
        """Back to sigma_AA."""
        return self.mean[types] + self.std[types] * z
