"""The density around a particle in spherical harmonics: what every other descriptor is made of."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from glasslib.features.options import Shells
from glasslib.features.surroundings import Block

#: Particles handled at once: what is made of them should stay in the processor's cache.
BLOCK = 64
#: Smallest value of a shell, 13 widths away: a processor takes ten times as long over numbers so small that
#: they lose digits (below 1e-38 in float32).
FAINTEST = 1e-35


def harmonics(vectors: NDArray[np.floating], l_max: int) -> NDArray[np.floating]:
    """Real spherical harmonics ``(n, (l_max + 1)^2)`` of the directions of ``vectors`` ``(n, 3)``.

    Orthonormal on the sphere, in e3nn's order and signs (y is its polar axis), of the vectors' type.
    """
    turned = np.ascontiguousarray(vectors[:, [2, 0, 1]])
    values: NDArray[np.floating] = _harmonics(l_max).compute(turned)
    return values


_own = threading.local()
_loading = threading.Lock()


def _harmonics(l_max: int) -> Any:
    """sphericart's calculator, one for each thread, as it writes to memory of its own. The library reads the
    number of its threads when it is loaded: one, since blocks of particles are shared out among threads."""
    known = vars(_own).setdefault("calculators", {})
    if l_max not in known:
        with _loading:
            before = os.environ.get("OMP_NUM_THREADS")
            os.environ["OMP_NUM_THREADS"] = "1"
            try:
                import sphericart  # type: ignore[import-untyped]

                known[l_max] = sphericart.SphericalHarmonics(l_max)
            finally:
                if before is None:
                    del os.environ["OMP_NUM_THREADS"]
                else:
                    os.environ["OMP_NUM_THREADS"] = before
    return known[l_max]


class Expansion:
    r"""Gaussian shells and spherical harmonics of neighbours.

    Parameters
    ----------
    shells, l_max :
        Radial functions and highest degree.
    dtype :
        ``torch.float32`` or ``torch.float64``.
    """

    def __init__(self, shells: Sequence[Shells], l_max: int, dtype: torch.dtype) -> None:
        radii = np.concatenate([each.radii for each in shells])
        widths = np.concatenate([np.full(len(each), each.width) for each in shells])
        self.radii = torch.tensor(radii, dtype=dtype).unsqueeze(1)
        self.scale = torch.tensor(np.sqrt(0.5) / widths, dtype=dtype).unsqueeze(1)
        self.cutoff = max(each.cutoff for each in shells)
        self.l_max, self.dtype = l_max, dtype

    def of_pairs(self, block: Block) -> tuple[Tensor, Tensor]:
        r"""Shells :math:`\exp(-(r_{ij} - r)^2/2\delta^2)`, ``(n, n_shells, n_max)``, and harmonics, ``(n,
        n_max, (l_max + 1)^2)``. Shells below :data:`FAINTEST` (also where padded) are that instead."""
        vectors = torch.from_numpy(block.vectors).to(self.dtype).view(-1, 3)
        y = torch.from_numpy(harmonics(vectors.numpy(), self.l_max))
        x = torch.from_numpy(block.distances).to(self.dtype).unsqueeze(1) - self.radii
        x *= self.scale
        radial = x.square_().neg_().clamp_(min=math.log(FAINTEST)).exp_()
        return radial, y.view(*block.distances.shape, -1)
