"""How far pairs of particles have moved apart, where the trajectories themselves are not at hand."""

from __future__ import annotations

from dataclasses import InitVar, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glasslib.errors import GlassError


@dataclass(frozen=True, eq=False)
class Bonds:
    """What became of the pairs of one configuration.

    Parameters
    ----------
    pairs : (2, n_pairs)
        Particles i < j, each pair once, sorted by i, then j.
    stretching : (n_times, n_pairs)
        Isoconfigurational mean of ``|r_ij(t)| - |r_ij(0)|``, in sigma_AA, as
        :func:`glasslib.graph.bond_stretching` computes it from end points.
    source :
        Named in errors.

    Raises
    ------
    GlassError
        On wrong shapes, pairs out of order, or numbers that are not finite.
    """

    pairs: NDArray[np.int64]
    stretching: NDArray[np.float64]
    source: InitVar[str | None] = None

    def __post_init__(self, source: str | None) -> None:
        pairs, stretching = np.array(self.pairs), np.array(self.stretching)
        if pairs.ndim != 2 or len(pairs) != 2 or pairs.dtype.kind not in "iu":
            raise GlassError(
                f"expected integers (2, n_pairs), got {pairs.dtype} {pairs.shape}",
                source=source,
                field="bonds",
            )
        pairs = pairs.astype(np.int64)
        if (pairs < 0).any() or (pairs[0] >= pairs[1]).any() or (np.diff(_keys(pairs)) <= 0).any():
            raise GlassError(
                "expected i < j, sorted by i, then j, each pair once", source=source, field="bonds"
            )
        if (
            stretching.ndim != 2
            or stretching.shape[1] != pairs.shape[1]
            or stretching.dtype.kind not in "fiu"
        ):
            raise GlassError(
                f"expected numbers (n_times, {pairs.shape[1]}), got {stretching.dtype} {stretching.shape}",
                source=source,
                field="bonds",
            )
        stretching = stretching.astype(np.float64)
        if not np.isfinite(stretching).all():
            raise GlassError("some values are NaN or infinite", source=source, field="bonds")
        for name, array in (("pairs", pairs), ("stretching", stretching)):
            array.setflags(write=False)
            object.__setattr__(self, name, array)

    def of(self, edge_index: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
        """Stretching ``(n_times, n_edges)`` of the pairs ``edge_index`` (2, n_edges), in either order.

        Raises
        ------
        GlassError
            When some are not among those known.
        """
        keys, known = _keys(np.sort(edge_index, axis=0).astype(np.int64)), _keys(self.pairs)
        place = np.searchsorted(known, keys)
        missing = np.take(known, place, mode="clip") != keys if len(known) else np.ones(len(keys), dtype=bool)
        if missing.any():
            raise GlassError(
                f"{missing.sum()} of {len(keys)} pairs are not among the {len(known)} that are known",
                field="bonds",
                remedy="Ask for pairs within the cutoff that they were made for",
            )
        return self.stretching[:, place]

    def require_fit(self, n_particles: int, n_times: int, source: str | None) -> None:
        """GlassError where they are not of a configuration of that many particles and times."""
        if self.pairs.max(initial=0) >= n_particles or len(self.stretching) != n_times:
            raise GlassError(
                f"expected pairs of {n_particles} particles at {n_times} times, got "
                f"{self.pairs.max(initial=-1) + 1} at {len(self.stretching)}",
                source=source,
                field="bonds",
            )

    def at(self, index: list[int]) -> Bonds:
        """Those at some of the times."""
        return Bonds(self.pairs, self.stretching[index])

    def relabelled(self, order: NDArray[np.integer[Any]]) -> Bonds:
        """The same of particles in another order ``(n_particles,)``: particle k was ``order[k]``."""
        pairs = np.sort(np.argsort(order)[self.pairs], axis=0)
        sorting = np.lexsort(pairs[::-1])
        return Bonds(pairs[:, sorting], self.stretching[:, sorting])


def _keys(pairs: NDArray[np.int64]) -> NDArray[np.int64]:
    keys: NDArray[np.int64] = (pairs[0] << 32) + pairs[1]
    return keys
