"""Propensity in units of its spread, which is what networks learn."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from glasslib.glass import TYPE_NAMES


class TargetScale(nn.Module):
    """Mean and spread of the propensity, by type and time; saved with the weights of a network.

    Parameters
    ----------
    n_times :
        Number of times.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, n_times: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(len(TYPE_NAMES), n_times))
        self.register_buffer("std", torch.ones(len(TYPE_NAMES), n_times))

    def measure(self, y: Tensor, types: Tensor) -> None:
        """Take both from propensities ``(n, n_times)`` of particles of the given types ``(n,)``."""
        for number in range(len(TYPE_NAMES)):
            if (types == number).any():
                chosen = y[types == number]
                self.mean[number] = chosen.mean(0)
                self.std[number] = chosen.std(0).clamp(min=1e-6)

    def standardize(self, y: Tensor, types: Tensor) -> Tensor:
        """Propensity ``(n, n_times)`` in sigma_AA to units of its spread."""
        return (y - self.mean[types]) / self.std[types]

    def restore(self, z: Tensor, types: Tensor) -> Tensor:
        """Back to sigma_AA."""
        return self.mean[types] + self.std[types] * z
