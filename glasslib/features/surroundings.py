"""Who is near whom, kept as a sparse matrix of distances."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array, csr_array

from glasslib.errors import GlassError
from glasslib.glass import FloatArray, require_floats
from glasslib.neighbors import close_pairs

#: Pairs handled at once, so that what is made of them stays in the processor's cache.
PIECE = 16384


class Surroundings(NamedTuple):
    """Particles in a box and the distances between neighbours.

    Attributes
    ----------
    positions : (n_particles, 3)
        Wrapped, in sigma_AA.
    box : (3,)
        Edge lengths, in sigma_AA.
    distances : (n_particles, n_particles)
        Sparse: row i holds the distances to the neighbours of i, in no particular order; i is not among
        them.
    """

    positions: FloatArray
    box: FloatArray
    distances: csr_array

    def within(self, cutoff: float) -> Surroundings:
        """The same with neighbours up to a smaller cutoff."""
        near = self.distances.data < cutoff
        first = np.concatenate([[0], np.cumsum(near)])[self.distances.indptr]
        parts = (self.distances.data[near], self.distances.indices[near], first)
        return self._replace(distances=csr_array(parts, shape=self.distances.shape))


def surroundings(
    positions: ArrayLike, box: ArrayLike, cutoff: float, *, source: str | None = None
) -> Surroundings:
    """Find all neighbours up to a cutoff, which may be half the shortest edge of the box at most.

    Parameters
    ----------
    positions : (n_particles, 3)
        In any periodic image.
    box : (3,)
        Edge lengths of the rectangular box.
    cutoff :
        In the units of ``positions``.
    source :
        Named in errors.

    Raises
    ------
    GlassError
        When the positions are not finite ``(n_particles, 3)``, or the box is too small for the cutoff.
    """
    box = require_floats(box, source, "box", (3,))
    positions = require_floats(positions, source, "positions", (None, 3))
    if not cutoff <= box.min() / 2:
        raise GlassError(
            f"the features reach {cutoff:g}, more than half of the shortest box edge ({box.min() / 2:g})",
            source=source,
            field="box",
            remedy="Drop outer shells, as FeatureOptions().within(glass.box) does, or use a larger system",
        )
    positions, i, j = close_pairs(positions, box, cutoff, source=source)
    r = _distances(positions, box, i, j)
    n = len(positions)
    both = coo_array((np.tile(r, 2), (np.concatenate([i, j]), np.concatenate([j, i]))), shape=(n, n))
    both.has_canonical_format = True  # no pair is there twice, so there is nothing to sort and to add up
    return Surroundings(positions, box, both.tocsr())


def _distances(
    positions: FloatArray, box: FloatArray, i: NDArray[np.int64], j: NDArray[np.int64]
) -> FloatArray:
    """Distances ``(n_pairs,)`` to the nearest image: one axis and a piece at a time, which is fast."""
    axes = np.ascontiguousarray(positions.T)
    r = np.zeros(len(i))
    for start in range(0, len(i), PIECE):
        piece = slice(start, start + PIECE)
        for x, edge in zip(axes, box, strict=True):
            step = x[j[piece]] - x[i[piece]]
            step -= edge * np.rint(step / edge)
            r[piece] += step**2
        np.sqrt(r[piece], out=r[piece])
    return r


class Block(NamedTuple):
    """Some particles and their neighbours, padded to the largest number among them.

    Attributes
    ----------
    centers : (n,)
        Indices of the particles.
    neighbors : (n, n_max)
        Indices of their neighbours; where padded, of any particle.
    vectors : (n, n_max, 3)
        From a particle to its neighbour; of length one where padded.
    distances : (n, n_max)
        Infinite where padded.
    """

    centers: NDArray[np.int64]
    neighbors: NDArray[np.int64]
    vectors: FloatArray
    distances: FloatArray


def shares(
    around: Surroundings, size: int, among: NDArray[np.int64] | None = None
) -> list[NDArray[np.int64]]:
    """All particles, or some, ``size`` at a time, those with similar numbers of neighbours together."""
    degrees = np.diff(around.distances.indptr)
    among = np.arange(len(degrees)) if among is None else among
    order = among[np.argsort(degrees[among], kind="stable")]
    return [order[start : start + size] for start in range(0, len(order), size)]


def block_of(around: Surroundings, centers: NDArray[np.int64]) -> Block:
    """The neighbours of some particles ``(n,)``."""
    positions, box, distances = around
    first, degree = distances.indptr[centers], distances.indptr[centers + 1] - distances.indptr[centers]
    slots = np.arange(degree.max(initial=0))
    real = slots < degree[:, None]
    entries = np.where(real, first[:, None] + slots, 0)
    neighbors = distances.indices[entries]
    vectors = positions[neighbors] - positions[centers, None]
    vectors -= box * np.rint(vectors / box)
    vectors[~real] = (1.0, 0.0, 0.0)
    return Block(centers, neighbors, vectors, np.where(real, distances.data[entries], np.inf))
