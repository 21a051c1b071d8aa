"""Pairs of neighbours in a periodic box."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from glasslib.errors import GlassError
from glasslib.glass import minimum_image, wrap


def neighbor_pairs(
    positions: ArrayLike, box: ArrayLike, cutoff: float, *, source: str | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    r"""All ordered pairs of particles closer than a cutoff, each with the vector between them.

    Parameters
    ----------
    positions : (n_particles, 3)
        In any periodic image.
    box : (3,)
        Edge lengths of the rectangular box.
    cutoff :
        Largest distance, in the units of ``positions``; at most half the shortest edge, so that
        no pair has two images in range.
    source :
        Named in errors.

    Returns
    -------
    edge_index : (2, n_pairs)
        Rows: neighbour j, centre i (messages flow from the first row to the second, as in
        torch-geometric). Sorted by centre; both (i, j) and (j, i) are there.
    vectors : (n_pairs, 3)
        Minimum image of ``positions[j] - positions[i]``.

    Raises
    ------
    GlassError
        When the cutoff is not positive or exceeds half the box.

    Notes
    -----
    The search is :class:`scipy.spatial.cKDTree` on a torus.
    """
    i, j, vectors = pairs_within(positions, box, cutoff, source=source)
    neighbor, center = np.concatenate([j, i]), np.concatenate([i, j])
    order = np.argsort(center * len(np.asarray(positions)) + neighbor)
    return np.stack([neighbor[order], center[order]]), np.concatenate([vectors, -vectors])[order]


def pairs_within(
    positions: ArrayLike, box: ArrayLike, cutoff: float, *, source: str | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Each pair closer than a cutoff once; parameters and errors are those of :func:`neighbor_pairs`.

    Returns
    -------
    i, j : (n_pairs,)
        The two particles.
    vectors : (n_pairs, 3)
        Minimum image of ``positions[j] - positions[i]``.
    """
    if not (np.isfinite(cutoff) and cutoff > 0):
        raise GlassError(f"expected a positive cutoff, got {cutoff}", source=source, field="cutoff")
    positions, i, j = close_pairs(positions, box, cutoff, source=source)
    return i, j, minimum_image(positions[j] - positions[i], box)


def close_pairs(
    positions: ArrayLike, box: ArrayLike, cutoff: float, *, source: str | None = None
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Wrapped positions ``(n_particles, 3)``, and :func:`pairs_within` without the vectors."""
    box = np.asarray(box, dtype=float)
    if cutoff > box.min() / 2:
        raise GlassError(
            f"the cutoff {cutoff:g} exceeds half of the shortest box edge ({box.min() / 2:g})",
            source=source,
            field="box",
            remedy="Use a smaller cutoff or a larger system",
        )
    positions = wrap(positions, box)
    pairs = cKDTree(positions, boxsize=box).query_pairs(cutoff, output_type="ndarray")
    i, j = np.ascontiguousarray(pairs.T, dtype=np.int64)
    return positions, i, j
