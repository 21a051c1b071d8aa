"""Bond-order parameters of Gaussian shells."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from glasslib.features.expansion import BLOCK, Expansion
from glasslib.features.options import Shells
from glasslib.features.surroundings import Surroundings, block_of, shares, surroundings
from glasslib.features.threads import in_threads

#: Sum of weights below which a shell counts as empty.
EMPTY = 1e-30


def bond_order_parameters(
    positions: ArrayLike,
    box: ArrayLike,
    shells: Sequence[Shells],
    l_max: int,
    *,
    dtype: torch.dtype = torch.float32,
    source: str | None = None,
) -> NDArray[np.floating]:
    r"""Bond-order parameters of the neighbours in Gaussian shells around each particle.

    .. math::
        q_{lm}(i; r, \delta) = \frac{1}{Z} \sum_{j \neq i} e^{-(r_{ij} - r)^2 / 2\delta^2}\,
            Y_{lm}(\hat r_{ij}), \qquad
        q_l = \sqrt{\frac{4\pi}{2l+1} \sum_m |q_{lm}|^2},

    Z the same sum without Y. Between 0 and 1; invariant under rotations, reflections and translations. 0
    where Z < 1e-30, that is where nothing is within 11 widths of a shell.

    Parameters
    ----------
    positions : (n_particles, 3)
        In any periodic image, in sigma_AA.
    box : (3,)
        In sigma_AA.
    shells :
        Radii r and widths :math:`\delta`.
    l_max :
        Highest degree.
    dtype :
        ``torch.float32`` or ``torch.float64``.
    source :
        Named in errors.

    Returns
    -------
    (n_particles, l_max, n_shells)
        Degrees 1 to ``l_max``.

    Raises
    ------
    GlassError
        When the box is too small for the shells.

    Notes
    -----
    Particles beyond 5 widths from the outermost shell are left out.

    References
    ----------
    Boattini, Smallenburg and Filion, Phys. Rev. Lett. 127, 088007 (2021).
    """
    cutoff = max(each.cutoff for each in shells)
    return bond_order(surroundings(positions, box, cutoff, source=source), shells, l_max, dtype)


def bond_order(
    around: Surroundings, shells: Sequence[Shells], l_max: int, dtype: torch.dtype = torch.float32
) -> NDArray[np.floating]:
    """:func:`bond_order_parameters` of particles whose neighbours have been found."""
    expansion = Expansion(shells, l_max, dtype)
    around = around.within(expansion.cutoff)
    values = torch.zeros(len(around.positions), l_max, len(expansion.radii), dtype=dtype)

    def fill(centers: NDArray[np.int64]) -> None:
        q = torch.bmm(*expansion.of_pairs(block_of(around, centers)))
        weight = q[..., :1] * math.sqrt(4 * math.pi)
        q = torch.where(weight < EMPTY, 0, q / weight).square_()
        for degree in range(1, l_max + 1):
            total = q[..., degree**2 : (degree + 1) ** 2].sum(2) * (4 * math.pi / (2 * degree + 1))
            values[centers, degree - 1] = total.sqrt()

    in_threads(fill, [(centers,) for centers in shares(around, BLOCK)])
    return values.numpy()
