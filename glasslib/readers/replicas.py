"""From the end points of isoconfigurational trajectories to propensities."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from glasslib.glass import FloatArray


def propensities(start: ArrayLike, ends: ArrayLike) -> tuple[FloatArray, FloatArray | None]:
    """Mean displacement over the replicas, and that over either half of them.

    Parameters
    ----------
    start : (n_particles, 3)
        Common starting positions, in sigma_AA.
    ends : (n_times, n_replicas, n_particles, 3)
        Unwrapped end points: a displacement may exceed half the box, so no minimum image is taken.

    Returns
    -------
    propensity : (n_times, n_particles)
    halves : (2, n_times, n_particles) or None
        From the first and the second half of the replicas; None if there is only one.
    """
    distances = np.linalg.norm(np.asarray(ends) - np.asarray(start), axis=-1)
    half = distances.shape[1] // 2
    if half == 0:
        return distances.mean(axis=1), None
    halves = np.stack([distances[:, :half].mean(axis=1), distances[:, half:].mean(axis=1)])
    return distances.mean(axis=1), halves
