"""Averages of features over the surroundings of each particle."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array, dia_array

from glasslib.errors import GlassError
from glasslib.features.surroundings import Surroundings, surroundings


def coarse_grain(
    values: NDArray[np.floating],
    positions: ArrayLike,
    box: ArrayLike,
    *,
    generations: int = 3,
    length: float = 2.0,
    cutoff: float = 3.0,
    source: str | None = None,
) -> list[NDArray[np.floating]]:
    r"""Features averaged over neighbours, once, twice and so on.

    .. math:: x_i^{(n)} = \sum_j e^{-r_{ij}/\ell}\, x_j^{(n-1)} \Big/ \sum_j e^{-r_{ij}/\ell},

    over all particles of any type up to a cutoff, i itself included. Linear; a constant stays what it is.

    Parameters
    ----------
    values : (n_particles, n_features)
        Generation 0.
    positions : (n_particles, 3)
        In any periodic image, in sigma_AA.
    box : (3,)
        In sigma_AA.
    generations :
        How often.
    length, cutoff :
        Decay length of the weights (2 in the source) and the largest distance (this project's choice), in
        sigma_AA.
    source :
        Named in errors.

    Returns
    -------
    list of (n_particles, n_features)
        Generation 0, that is ``values``, to ``generations``; of the type of ``values``.

    Raises
    ------
    GlassError
        When ``values`` has not one row per particle, or the box is too small for the cutoff.

    References
    ----------
    Boattini, Smallenburg and Filion, Phys. Rev. Lett. 127, 088007 (2021).
    """
    around = surroundings(positions, box, cutoff, source=source)
    values = np.asarray(values)
    if values.ndim != 2 or len(values) != len(around.positions):
        raise GlassError(
            f"expected shape ({len(around.positions)}, n_features), got {values.shape}",
            source=source,
            field="values",
        )
    return list(averages(values, mean_matrix(around, length, cutoff), generations))


def mean_matrix(around: Surroundings, length: float, cutoff: float) -> csr_array:
    """Sparse ``(n_particles, n_particles)`` matrix that averages: every row adds up to 1."""
    weights = decaying(around.within(cutoff), length)
    total = 1 + np.asarray(weights.sum(axis=1)).ravel()
    share = np.repeat(1 / total, np.diff(weights.indptr))
    others = csr_array((weights.data * share, weights.indices, weights.indptr), shape=weights.shape)
    return (others + dia_array((1 / total[None], [0]), shape=weights.shape)).tocsr()


def decaying(around: Surroundings, length: float) -> csr_array:
    """Weights ``exp(-r / length)`` of neighbours, sparse ``(n_particles, n_particles)``."""
    near = around.distances
    return csr_array((np.exp(-near.data / length), near.indices, near.indptr), shape=near.shape)


def averages(values: NDArray[np.floating], matrix: csr_array, generations: int) -> list[NDArray[np.floating]]:
    """:func:`coarse_grain` with the matrix that averages."""
    matrix = matrix.astype(values.dtype)
    every = [values]
    for _ in range(generations):
        every.append(matrix @ every[-1])
    return every
