"""How far a particle's surroundings moved otherwise than by a uniform deformation."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from glasslib.errors import GlassError
from glasslib.glass import FloatArray, require_floats
from glasslib.neighbors import neighbor_pairs

#: Neighbours that count, in sigma_AA: the range of the potential, as in Falk and Langer.
CUTOFF = 2.5


def d2min(
    before: ArrayLike,
    after: ArrayLike,
    box: ArrayLike,
    cell: ArrayLike | None = None,
    *,
    cutoff: float = CUTOFF,
) -> FloatArray:
    r"""Non-affine squared displacement, per neighbour.

    .. math::
        D^2_{\min}(i) = \min_F \frac{1}{n_i} \sum_j
            \left| \mathbf r_{ij}' - F\, \mathbf r_{ij} \right|^2,

    over the :math:`n_i` neighbours j that i had before, r before and r' after; F is any 3 x 3 matrix, so that
    translations, rotations, and uniform strains of the surroundings count for nothing.

    Parameters
    ----------
    before, after : (n_particles, 3)
        In any periodic image, in sigma_AA; the same particles.
    box : (3,)
        Edges of the rectangular box before.
    cell : (3, 3)
        Edges of the box after, as rows; by default the same box. A sheared one (Lees and Edwards, as
        :attr:`Sheared.cells <glasslib.simulate.shear.Sheared>`) is not diagonal.
    cutoff :
        Distance before, up to which neighbours count.

    Returns
    -------
    (n_particles,)
        In sigma_AA^2.

    Raises
    ------
    GlassError
        For shapes that do not fit, a cutoff beyond half the box, a cell without volume, or a particle with
        fewer than four neighbours, whom an affine map can follow exactly.

    Notes
    -----
    The shortest image after is found by rounding coordinates along the edges of the cell. That is right for
    vectors shorter than half the smallest distance between opposite faces, which neighbours stay far from.

    References
    ----------
    Falk and Langer, Phys. Rev. E 57, 7192 (1998), eqs. 2.11 to 2.14; there the sum, here the mean.
    """
    before = require_floats(before, None, "before", (None, 3))
    after = require_floats(after, None, "after", before.shape)
    box = require_floats(box, None, "box", (3,))
    cell = np.diag(box) if cell is None else require_floats(cell, None, "cell", (3, 3))
    if abs(np.linalg.det(cell)) < 1e-9 * box.prod():
        raise GlassError("expected three independent edges", field="cell")
    n = len(before)
    (j, i), vectors = neighbor_pairs(before, box, cutoff)
    count = np.bincount(i, minlength=n)
    if count.min() < 4:
        raise GlassError(
            f"{(count < 4).sum()} of {n} particles have fewer than 4 neighbours closer than {cutoff:g}",
            field="cutoff",
            remedy="Use a larger cutoff",
        )
    moved = after[j] - after[i]
    fractions = moved @ np.linalg.inv(cell)
    moved -= np.round(fractions) @ cell

    first = np.concatenate([[0], np.cumsum(count)[:-1]])  # pairs are sorted by i
    squares = np.add.reduceat(vectors[:, :, None] * vectors[:, None, :], first)
    mixed = np.add.reduceat(vectors[:, :, None] * moved[:, None, :], first)
    best = np.linalg.pinv(squares, hermitian=True) @ mixed  # r' = r @ best
    rest = moved - np.einsum("pa,pab->pb", vectors, best[i])
    left: FloatArray = np.bincount(i, (rest**2).sum(axis=1), n) / count
    return left
