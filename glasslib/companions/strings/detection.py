r"""Strings: particles that moved, each into the place that another one left.

Mobile particles :math:`i` and :math:`j` belong to one string when one of them has taken the other's place,

.. math:: \min(|r_i(0) - r_j(t)|,\ |r_j(0) - r_i(t)|) < \delta

(Donati, Douglas, Kob, Plimpton, Poole and Glotzer, PRL 80, 2338 (1998)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from glasslib.errors import GlassError
from glasslib.glass import FloatArray, minimum_image, wrap

#: A particle has taken another's place when it comes closer to it than this, in sigma_AA (Donati et al.).
DELTA = 0.6

#: A particle has rearranged when its inherent position moved farther than this between two frames, in
#: sigma_AA (this project's choice; notebook 14 shows the distribution).
THRESHOLD = 0.5


@dataclass(frozen=True, eq=False)
class Strings:
    """Who replaced whom.

    Attributes
    ----------
    members : (n_mobile,)
        Indices of the mobile particles.
    links : (2, n_links)
        Indices of particles: the one of the second row has taken the place of the one of the first.
    label : (n_mobile,)
        Number of the string of each member, from 0; who has no link is a string of one.
    closed : (n_strings,)
        Whether a string bites its own tail: the links lead from some member back to itself.
    """

    members: NDArray[np.intp]
    links: NDArray[np.intp]
    label: NDArray[np.intp]
    closed: NDArray[np.bool_]

    @property
    def lengths(self) -> NDArray[np.intp]:
        """Number of particles ``(n_strings,)`` of each string."""
        return np.bincount(self.label, minlength=len(self.closed))


def rearranged(
    before: ArrayLike, after: ArrayLike, box: ArrayLike, threshold: float = THRESHOLD
) -> NDArray[np.bool_]:
    """Mask ``(..., n)`` of the particles that moved farther than ``threshold``.

    Parameters
    ----------
    before, after : (..., n, 3)
        Inherent positions, in sigma_AA, in any periodic image.
    box : (3,)
        Edge lengths.
    threshold :
        In sigma_AA.
    """
    if not (np.isfinite(threshold) and threshold > 0):
        raise GlassError(f"expected a positive number, got {threshold}", field="threshold")
    moved = minimum_image(np.asarray(after, dtype=float) - np.asarray(before, dtype=float), box)
    mask: NDArray[np.bool_] = np.linalg.norm(moved, axis=-1) > threshold
    return mask


def strings(
    before: ArrayLike, after: ArrayLike, mobile: ArrayLike, box: ArrayLike, *, delta: float = DELTA
) -> Strings:
    """Strings among the mobile particles.

    Parameters
    ----------
    before, after : (n, 3)
        Positions of the same particles at two times, in sigma_AA, in any periodic image.
    mobile : (n,)
        Mask of the particles that count.
    box : (3,)
        Edge lengths.
    delta :
        How close a particle must come to another's place to have taken it.

    Raises
    ------
    GlassError
        When shapes do not fit each other, or ``delta`` is not positive or exceeds half of the box.
    """
    box = np.asarray(box, dtype=float)
    before, after = np.asarray(before, dtype=float), np.asarray(after, dtype=float)
    mobile = np.asarray(mobile)
    if before.ndim != 2 or before.shape != after.shape or before.shape[1] != 3:
        raise GlassError(
            f"expected two arrays (n, 3), got {before.shape} and {after.shape}", field="before, after"
        )
    if mobile.shape != before.shape[:1] or mobile.dtype != bool:
        raise GlassError(
            f"expected a mask of shape {before.shape[:1]}, got {mobile.dtype} of shape {mobile.shape}",
            field="mobile",
        )
    if not 0 < delta <= box.min() / 2:
        raise GlassError(
            f"expected 0 < delta <= {box.min() / 2:g} (half of the box), got {delta}", field="delta"
        )
    members = np.flatnonzero(mobile)
    n = len(members)
    left, taken = _replaced(before[members], after[members], box, delta)
    other = left != taken
    left, taken = left[other], taken[other]
    graph = coo_array((np.ones(len(left)), (left, taken)), shape=(n, n))
    count, label = connected_components(graph, directed=False) if n else (0, np.zeros(0, dtype=int))
    closed = np.zeros(count, dtype=bool)
    if n:  # a cycle of links is a strongly connected part of more than one
        _, strong = connected_components(graph, directed=True, connection="strong")
        closed[label[np.bincount(strong)[strong] > 1]] = True
    return Strings(members, members[np.stack([left, taken])], label.astype(np.intp), closed)


def _replaced(
    before: FloatArray, after: FloatArray, box: FloatArray, delta: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs (i, j) with j's place after closer than ``delta`` to i's place before."""
    if len(before) == 0:
        return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
    places, arrivals = (cKDTree(wrap(x, box), boxsize=box) for x in (before, after))
    found = places.sparse_distance_matrix(arrivals, delta, output_type="ndarray")
    inside = found["v"] < delta
    return found["i"][inside], found["j"][inside]


def redirected(
    before: ArrayLike, after: ArrayLike, box: ArrayLike, generator: np.random.Generator
) -> FloatArray:
    """Positions ``(n, 3)`` after steps as long as the real ones, in random directions: strings by chance."""
    before = np.asarray(before, dtype=float)
    length = np.linalg.norm(
        minimum_image(np.asarray(after, dtype=float) - before, box), axis=1, keepdims=True
    )
    direction = generator.normal(size=before.shape)
    there: FloatArray = before + length * direction / np.linalg.norm(direction, axis=1, keepdims=True)
    return there


def decay_length(lengths: ArrayLike) -> float:
    r"""The :math:`n_0` of :math:`P(n) \sim e^{-n/n_0}`, n = 1, 2, ..., by maximum likelihood.

    The likelihood of a geometric distribution is largest at :math:`e^{-1/n_0} = 1 - 1/\bar n`.

    Parameters
    ----------
    lengths : (n_strings,)
        Of strings, strings of one included.

    Raises
    ------
    GlassError
        When there are none, or some are below 1.
    """
    lengths = np.asarray(lengths)
    if lengths.size == 0 or lengths.min() < 1:
        raise GlassError("expected lengths of 1 or more", field="lengths")
    mean = float(lengths.mean())
    return 0.0 if mean == 1 else float(-1 / np.log1p(-1 / mean))
