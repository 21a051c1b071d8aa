"""Steinhardt's bond-order parameters, of given neighbours, and their average over neighbours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.spatial import cKDTree

from glasslib.errors import GlassError
from glasslib.features.expansion import harmonics
from glasslib.glass import FloatArray, minimum_image, require_floats, wrap


def steinhardt(
    positions: ArrayLike, box: ArrayLike, degrees: int | Sequence[int], pairs: ArrayLike
) -> FloatArray:
    r"""Bond-order parameters of Steinhardt, Nelson and Ronchetti.

    .. math:: q_{lm}(i) = \frac{1}{N_i} \sum_{j=1}^{N_i} Y_{lm}(\hat r_{ij}), \qquad
              q_l = \sqrt{\frac{4\pi}{2l+1} \sum_m |q_{lm}|^2}

    over the neighbours of i, all with the same weight. Between 0 and 1; invariant under rotations,
    reflections and translations. 0 for a particle without neighbours.

    Parameters
    ----------
    positions : (n_particles, 3)
        In any periodic image.
    box : (3,)
        Edge lengths, in the units of ``positions``.
    degrees :
        One degree l, or several.
    pairs : (2, n_pairs)
        Rows: neighbour j, centre i, as from :func:`glasslib.neighbors.neighbor_pairs` or
        :func:`nearest_neighbors`.

    Returns
    -------
    (n_particles,) for one degree, (n_particles, n_degrees) for several.

    Raises
    ------
    GlassError
        When positions, pairs or degrees are not what they should be.

    References
    ----------
    Steinhardt, Nelson and Ronchetti, Phys. Rev. B 28, 784 (1983).
    """
    q, _ = _q_lm(positions, box, degrees, pairs)
    return _norms(q, degrees)


def averaged_steinhardt(
    positions: ArrayLike, box: ArrayLike, degrees: int | Sequence[int], pairs: ArrayLike
) -> FloatArray:
    r"""Bond-order parameters averaged over neighbours before the norm, as Lechner and Dellago do.

    .. math:: \bar q_{lm}(i) = \frac{1}{N_i + 1} \Big(q_{lm}(i) + \sum_{j=1}^{N_i} q_{lm}(j)\Big)

    Parameters, result and errors are those of :func:`steinhardt`.

    References
    ----------
    Lechner and Dellago, J. Chem. Phys. 129, 114707 (2008).
    """
    q, (neighbor, center) = _q_lm(positions, box, degrees, pairs)
    total = q + coo_array((np.ones(len(center)), (center, neighbor)), shape=(len(q), len(q))).tocsr() @ q
    return _norms(total / (1 + np.bincount(center, minlength=len(q)))[:, None], degrees)


def nearest_neighbors(positions: ArrayLike, box: ArrayLike, number: int) -> NDArray[np.int64]:
    """The nearest so many neighbours of each particle, ``(2, n_particles * number)``.

    Rows: neighbour j, centre i, sorted by centre, then by distance.

    Raises
    ------
    GlassError
        When there are not enough particles, or some neighbour is farther than half the box, so that its
        image is not certain.
    """
    box = require_floats(box, None, "box", (3,))
    positions = wrap(require_floats(positions, None, "positions", (None, 3)), box)
    if not 1 <= number < len(positions):
        raise GlassError(f"expected 1 to {len(positions) - 1}, got {number}", field="number")
    distance, index = cKDTree(positions, boxsize=box).query(positions, k=number + 1)
    if distance.max() > box.min() / 2:
        raise GlassError("a neighbour is farther than half the box", field="box", remedy="Ask for fewer")
    center = np.repeat(np.arange(len(positions)), number)
    return np.stack([index[:, 1:].ravel(), center]).astype(np.int64)


def _q_lm(
    positions: ArrayLike, box: ArrayLike, degrees: int | Sequence[int], pairs: ArrayLike
) -> tuple[FloatArray, NDArray[np.integer]]:
    """Mean harmonics ``(n_particles, (l_max + 1)^2)``, and the pairs, checked."""
    positions = require_floats(positions, None, "positions", (None, 3))
    if np.size(degrees) == 0 or np.min(degrees) < 0:
        raise GlassError(f"expected degrees of 0 and more, got {degrees}", field="degrees")
    n, index = len(positions), np.asarray(pairs)
    if index.ndim != 2 or len(index) != 2 or index.dtype.kind not in "iu":
        raise GlassError(
            f"expected integers of shape (2, n_pairs), got {index.dtype} {index.shape}", field="pairs"
        )
    if index.size and not (index.min() >= 0 and index.max() < n):
        raise GlassError(f"expected indices of {n} particles", field="pairs")
    neighbor, center = index
    y = harmonics(minimum_image(positions[neighbor] - positions[center], box), int(np.max(degrees)))
    total = coo_array((np.ones(len(center)), (center, np.arange(len(center)))), shape=(n, len(center))) @ y
    mean: FloatArray = total / np.maximum(np.bincount(center, minlength=n), 1)[:, None]
    return mean, index


def _norms(q: FloatArray, degrees: int | Sequence[int]) -> FloatArray:
    norms: FloatArray = np.stack(
        [
            np.linalg.norm(q[:, degree**2 : (degree + 1) ** 2], axis=1)
            * np.sqrt(4 * np.pi / (2 * degree + 1))
            for degree in np.atleast_1d(degrees)
        ],
        axis=1,
    )
    return norms[:, 0] if np.ndim(degrees) == 0 else norms
