"""Invariants of the atomic cluster expansion, one body order at a time."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from e3nn import o3
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from glasslib.errors import GlassError
from glasslib.features.expansion import BLOCK, Expansion
from glasslib.features.options import Shells
from glasslib.features.surroundings import Surroundings, block_of, shares, surroundings
from glasslib.features.table import Features
from glasslib.features.threads import in_threads
from glasslib.glass import TYPE_NAMES


class _Order(NamedTuple):
    """Invariants of one body order: names, and how they are made of A ``(n, n_channels, (l_max + 1)^2)``."""

    names: list[str]
    of: Callable[[Tensor], Tensor]


def ace_invariants(
    positions: ArrayLike,
    types: ArrayLike,
    box: ArrayLike,
    shells: Sequence[Shells],
    l_max: int,
    body_order: int,
    *,
    particles: ArrayLike | None = None,
    dtype: torch.dtype = torch.float32,
    source: str | None = None,
) -> Features:
    r"""Invariants of the atomic cluster expansion of one body order.

    All are made of the density of neighbours in Gaussian shells and spherical harmonics, for each type s,

    .. math:: A_{c,lm}(i) = \sum_{j \neq i,\ j \in s} e^{-(r_{ij} - r)^2 / 2\delta^2}\, Y_{lm}(\hat r_{ij}),
              \qquad c = (s, r),

    with orthonormal real harmonics:

    - two-body: :math:`\sqrt{4\pi} A_{c,00}`, the radial densities;
    - three-body, the power spectrum: :math:`\sum_m A_{c_1 lm} A_{c_2 lm}`, which is
      :math:`\frac{2l+1}{4\pi}` times the sum of :math:`P_l(\cos\theta_{jk})` over pairs of neighbours; with
      :math:`c_1 = c_2` the square of Z q_l of the bond-order parameters (up to a factor, and by type);
    - four-body, the bispectrum: :math:`\sum_{m_1 m_2 m_3} \begin{pmatrix} l_1 & l_2 & l_3 \\ m_1 & m_2 &
      m_3 \end{pmatrix} A_{c_1 l_1 m_1} A_{c_2 l_2 m_2} A_{c_3 l_3 m_3}` with :math:`l_1 \le l_2 \le l_3` and
      an even sum (an odd one changes sign in a mirror).

    As usual the sums over neighbours are free: j = k counts too. Each invariant is there once, not again
    with its factors exchanged.

    Parameters
    ----------
    positions, types, box, shells, source :
        As in :func:`glasslib.features.radial_densities`.
    l_max :
        Highest degree; without meaning for two bodies.
    body_order :
        2, 3 or 4: the particle and 1, 2 or 3 neighbours. With C channels (types times shells) there are C;
        C (C + 1) / 2 for each degree; and up to C^3 for each triple of degrees.
    particles : (n,)
        Indices of those whose invariants are wanted, each once; by default all.
    dtype :
        ``torch.float32`` or ``torch.float64``, also of the result.

    Returns
    -------
    Features
        A row for each particle, with names such as ``"3-body l=2 A r=1, B r=1.1"``.

    Raises
    ------
    GlassError
        For another body order, a box that is too small for the shells, or particles that are not there or
        are named twice.

    References
    ----------
    Drautz, Phys. Rev. B 99, 014104 (2019); for glasses Rottler and Ortner, arXiv:2410.03216.
    """
    channels = [f"{name} r={r:.4g}" for name in TYPE_NAMES for each in shells for r in each.radii]
    orders = {2: _two_body, 3: _three_body, 4: _four_body}
    if body_order not in orders:
        raise GlassError(f"expected 2, 3 or 4, got {body_order}", field="body_order")
    order = orders[body_order](channels, l_max)
    expansion = Expansion(shells, 0 if body_order == 2 else l_max, dtype)
    around = surroundings(positions, box, expansion.cutoff, source=source)
    chosen = _chosen(particles, len(around.positions), source)
    values = torch.zeros(len(chosen), len(order.names), dtype=dtype)
    kinds, row = np.asarray(types), np.empty(len(around.positions), dtype=np.int64)
    row[chosen] = np.arange(len(chosen))

    def fill(centers: NDArray[np.int64]) -> None:
        values[row[centers]] = order.of(_densities(around, centers, kinds, expansion))

    in_threads(fill, [(centers,) for centers in shares(around, BLOCK, chosen)])
    return Features(values.numpy(), order.names)


def _chosen(particles: ArrayLike | None, n: int, source: str | None) -> NDArray[np.int64]:
    """Indices of the particles asked for."""
    if particles is None:
        return np.arange(n)
    chosen = np.asarray(particles)
    if chosen.ndim != 1 or not np.issubdtype(chosen.dtype, np.integer):
        raise GlassError(
            f"expected indices (n,), got {chosen.dtype} {chosen.shape}", source=source, field="particles"
        )
    if len(chosen) and not 0 <= chosen.min() <= chosen.max() < n:
        raise GlassError(f"expected 0 to {n - 1}", source=source, field="particles")
    if len(np.unique(chosen)) < len(chosen):
        raise GlassError("one is named twice", source=source, field="particles")
    return chosen.astype(np.int64)


def _densities(
    around: Surroundings, centers: NDArray[np.int64], types: NDArray[np.integer], expansion: Expansion
) -> Tensor:
    """A ``(n, n_channels, (l_max + 1)^2)`` of some particles."""
    block = block_of(around, centers)
    radial, y = expansion.of_pairs(block)
    kind = torch.from_numpy(np.where(np.isfinite(block.distances), types[block.neighbors], -1)).unsqueeze(2)
    return torch.cat([torch.bmm(radial, y * (kind == s)) for s in range(len(TYPE_NAMES))], dim=1)


def _two_body(channels: list[str], _: int) -> _Order:
    return _Order([f"2-body {c}" for c in channels], lambda a: a[:, :, 0] * math.sqrt(4 * math.pi))


def _three_body(channels: list[str], l_max: int) -> _Order:
    first, second = np.triu_indices(len(channels))
    names = [
        f"3-body l={degree} {channels[c]}, {channels[d]}"
        for degree in range(l_max + 1)
        for c, d in zip(first, second, strict=True)
    ]

    def power_spectrum(a: Tensor) -> Tensor:
        parts = (a[:, :, degree**2 : (degree + 1) ** 2] for degree in range(l_max + 1))
        return torch.cat([(part @ part.transpose(1, 2))[:, first, second] for part in parts], dim=1)

    return _Order(names, power_spectrum)


def _four_body(channels: list[str], l_max: int) -> _Order:
    chosen = {degrees: _distinct(degrees, len(channels)) for degrees in _triples(l_max)}
    names = [
        f"4-body l={' '.join(map(str, degrees))} {', '.join(channels[c] for c in triple)}"
        for degrees, triples in chosen.items()
        for triple in triples
    ]

    def bispectrum(a: Tensor) -> Tensor:
        parts = [a[:, :, degree**2 : (degree + 1) ** 2] for degree in range(l_max + 1)]
        columns = []
        for degrees, triples in chosen.items():
            table = o3.wigner_3j(*degrees, dtype=a.dtype)
            coupled = torch.einsum("abc,nxa,nyb,nzc->nxyz", table, *(parts[degree] for degree in degrees))
            columns.append(coupled[:, *triples.T])
        return torch.cat(columns, dim=1)

    return _Order(names, bispectrum)


def _triples(l_max: int) -> Iterator[tuple[int, int, int]]:
    """Degrees that couple to a scalar which stays the same in a mirror."""
    for first, second, third in itertools.combinations_with_replacement(range(l_max + 1), 3):
        if third <= first + second and (first + second + third) % 2 == 0:
            yield first, second, third


def _distinct(degrees: tuple[int, int, int], n_channels: int) -> NDArray[np.int64]:
    """Triples of channels ``(n, 3)``, without those that differ by the order of factors of one degree."""
    triples = np.stack(np.meshgrid(*3 * [np.arange(n_channels)], indexing="ij"), -1).reshape(-1, 3)
    keep = np.ones(len(triples), dtype=bool)
    for k in (0, 1):
        if degrees[k] == degrees[k + 1]:
            keep &= triples[:, k] <= triples[:, k + 1]
    return triples[keep]
