"""Radial functions."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GaussianBasis(nn.Module):
    r"""Gaussian radial functions that fade out at a cutoff.

    .. math:: \phi_k(r) = \exp\!\left(-\frac{(r - r_k)^2}{2 \delta^2}\right)
              \cdot \tfrac12 \left(1 + \cos \frac{\pi r}{r_c}\right)

    with centres :math:`r_k` equally spaced from ``start`` to the cutoff and :math:`\delta` their
    spacing. Without the envelope these are the radial functions of the expert features (Boattini
    et al., Phys. Rev. Lett. 127, 088007 (2021)).

    Parameters
    ----------
    n_functions :
        How many.
    cutoff :
        r_c, in sigma_AA.
    start :
        Centre of the first; nothing in the Kob-Andersen mixture comes closer than 0.7.
    """

    centers: Tensor

    def __init__(self, n_functions: int, cutoff: float, start: float = 0.7) -> None:
        super().__init__()
        self.cutoff = cutoff
        self.register_buffer("centers", torch.linspace(start, cutoff, n_functions), persistent=False)
        self.width = (cutoff - start) / max(n_functions - 1, 1)

    def forward(self, distances: Tensor) -> Tensor:
        """Distances ``(...)`` to values ``(..., n_functions)``."""
        r = distances.unsqueeze(-1)
        envelope = 0.5 * (1 + torch.cos(torch.pi * r.clamp(max=self.cutoff) / self.cutoff))
        return torch.exp(-0.5 * ((r - self.centers) / self.width) ** 2) * envelope
