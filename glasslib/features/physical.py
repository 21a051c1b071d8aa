"""Few descriptors with a meaning: density, energy and Voronoi cells, averaged over several lengths."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import Voronoi

from glasslib.errors import GlassError
from glasslib.features.coarse_graining import decaying
from glasslib.features.surroundings import Surroundings, surroundings
from glasslib.features.table import Features
from glasslib.glass import TYPE_NAMES, FloatArray, Glass, require_floats, wrap

#: Over which particles is averaged, in the order of the columns.
GROUPS = ("all", *TYPE_NAMES)


@dataclass(frozen=True)
class PhysicalOptions:
    """Which physical descriptors are computed.

    Parameters
    ----------
    structure :
        Configuration described: ``"thermal"``, ``"inherent"``, or ``"both"``, one after the other.
    lengths :
        Decay lengths L of the averages, in sigma_AA.
    cutoff :
        Range of the averages, in sigma_AA.
    displacement :
        Whether the distance from the thermal to the inherent position is averaged too (not in the
        source; Jung et al., arXiv:2407.06111, give the vector to a network).
    """

    structure: Literal["thermal", "inherent", "both"] = "inherent"
    lengths: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
    cutoff: float = 5.0
    displacement: bool = True

    def __post_init__(self) -> None:
        if self.structure not in ("thermal", "inherent", "both"):
            raise GlassError(
                f"expected 'thermal', 'inherent' or 'both', got {self.structure!r}", field="structure"
            )
        object.__setattr__(self, "lengths", tuple(float(length) for length in self.lengths))
        if not self.lengths or len(set(self.lengths)) < len(self.lengths):
            raise GlassError(f"expected different lengths, got {self.lengths}", field="lengths")
        for name, values in {"lengths": self.lengths, "cutoff": (self.cutoff,)}.items():
            if not all(0 < value < np.inf for value in values):
                raise GlassError(f"expected positive numbers, got {values}", field=name)

    @property
    def structures(self) -> tuple[str, ...]:
        """The structures described, in order."""
        return ("thermal", "inherent") if self.structure == "both" else (self.structure,)

    @property
    def observables(self) -> tuple[str, ...]:
        """What is known of every particle, before averaging."""
        return ("energy", "surface", *["displacement"] * self.displacement)

    @property
    def names(self) -> list[str]:
        """Names of the descriptors, in the order of their columns."""
        each = ("density", *self.observables, "energy variance")
        names = list(self.observables)
        names += [f"{x} {group} L={length:.6g}" for length in self.lengths for group in GROUPS for x in each]
        if self.structure != "both":
            return names
        return [f"{structure} {name}" for structure in self.structures for name in names]

    def within(self, box: ArrayLike) -> PhysicalOptions:
        """The same with a cutoff for which a small box ``(3,)`` has room."""
        return replace(self, cutoff=min(self.cutoff, float(np.min(np.asarray(box, dtype=float)) / 2)))


def physical_descriptors(glass: Glass, options: PhysicalOptions | None = None) -> Features:
    r"""Describe every particle by a hundred numbers or so that have a meaning.

    Three observables :math:`X_j` are known of a particle: its potential energy, the surface of its Voronoi
    cell, and how far it moves to the inherent structure. They stand first, bare. Then, for each length L
    and for all particles, those of type A and those of type B,

    .. math::
        \rho_i(L) = \sum_j e^{-r_{ij}/L}, \qquad
        \bar X_i(L) = \frac{1}{\rho_i(L)} \sum_j X_j\, e^{-r_{ij}/L}, \qquad
        \frac{1}{\rho_i(L)} \sum_j \left(E_j - \bar E_i(L)\right)^2 e^{-r_{ij}/L}:

    the density, averages of the observables, and the variance of the energy E; i itself counts where it is
    of that type. All are invariant under rotations, reflections and translations.

    Parameters
    ----------
    glass :
        The configuration.
    options :
        Which descriptors; by default those of :class:`PhysicalOptions`.

    Returns
    -------
    Features
        With names such as ``"energy"``, ``"density B L=1.5"``, ``"energy variance all L=2"``; first
        ``"thermal"`` or ``"inherent"`` where both structures are described. Where a particle has none of a
        type in range, the averages over that type are those of the whole configuration and the variance is 0.

    Raises
    ------
    GlassError
        When the Glass lacks energies or positions of a structure asked for, or its box is too small.

    References
    ----------
    Jung, Biroli and Berthier, Phys. Rev. Lett. 130, 238202 (2023), whose network is called GlassMLP;
    formulas as in the documentation of partycls (PhysicsInspiredDescriptor). The lengths, the cutoff and
    the displacement are this project's choice.
    """
    options = options or PhysicalOptions()
    parts = [_of_structure(glass, options, structure) for structure in options.structures]
    return Features(np.concatenate(parts, axis=1, dtype=np.float32), options.names)


def voronoi_cells(positions: ArrayLike, box: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Surface and volume of the Voronoi cell of every particle in a periodic box.

    Parameters
    ----------
    positions : (n_particles, 3)
        In any periodic image, in sigma_AA.
    box : (3,)
        In sigma_AA.

    Returns
    -------
    surfaces, volumes : (n_particles,)
        In sigma_AA^2 and sigma_AA^3; the volumes add up to that of the box.

    Notes
    -----
    The diagram is Qhull's (:class:`scipy.spatial.Voronoi`), of the particles and those of their images that
    are near the box. Near enough for a cell are all points within twice the distance of its farthest corner.
    """
    box = require_floats(box, None, "box", (3,))
    positions = wrap(require_floats(positions, None, "positions", (None, 3)), box)
    margin = 2.5 * float(box.prod() / len(positions)) ** (1 / 3)
    while True:
        surfaces, volumes, reach = _cells(_with_images(positions, box, margin), len(positions))
        if reach <= margin:
            return surfaces, volumes
        margin = min(2 * margin, 1.001 * reach)


def _with_images(positions: FloatArray, box: FloatArray, margin: float) -> FloatArray:
    """Particles, then their images up to a margin around the box."""
    points = positions
    for axis, edge in enumerate(box):
        shift = np.zeros(3)
        shift[axis] = edge
        steps = [k for k in range(-int(margin // edge) - 1, int(margin // edge) + 2) if k]
        images = np.concatenate([points + k * shift for k in steps])
        near = (images[:, axis] >= -margin) & (images[:, axis] <= edge + margin)
        points = np.concatenate([points, images[near]])
    return points


def _cells(points: FloatArray, n: int) -> tuple[FloatArray, FloatArray, float]:
    """Surfaces and volumes of the cells of the first n points, and how far the points must reach."""
    diagram = Voronoi(points)
    ours = np.flatnonzero((diagram.ridge_points < n).any(axis=1))
    corners = [diagram.ridge_vertices[k] for k in ours]
    pairs = diagram.ridge_points[ours]
    last = np.cumsum([len(each) for each in corners])
    first = np.concatenate([[0], last[:-1]])
    index = np.concatenate(corners)
    if (index < 0).any():  # a cell is open
        return np.zeros(n), np.zeros(n), np.inf
    face = np.repeat(np.arange(len(pairs)), last - first)
    spokes = diagram.vertices[index] - points[pairs[face]].mean(axis=1)
    following = np.arange(1, len(index) + 1)
    following[last - 1] = first
    areas = np.linalg.norm(np.add.reduceat(np.cross(spokes, spokes[following]), first), axis=1) / 2
    distances = np.linalg.norm(points[pairs[:, 1]] - points[pairs[:, 0]], axis=1)
    surfaces, volumes = np.zeros(len(points)), np.zeros(len(points))
    for side in pairs.T:
        surfaces += np.bincount(side, areas, len(points))
        volumes += np.bincount(side, areas * distances / 6, len(points))
    corner = np.linalg.norm(diagram.vertices[index] - points[pairs[face, 0]], axis=1)
    return surfaces[:n], volumes[:n], 2 * float(corner.max())


def _of_structure(glass: Glass, options: PhysicalOptions, structure: str) -> FloatArray:
    """All descriptors ``(n_particles, n_features)`` of one structure."""
    positions = glass.positions_in(structure)
    bare = [glass.energies_in(structure), voronoi_cells(positions, glass.box)[0]]
    if options.displacement:
        bare.append(np.linalg.norm(glass.displacement(), axis=1))
    values = np.stack(bare, axis=1)
    around = surroundings(positions, glass.box, options.cutoff, source=glass.source)
    columns = [values]
    for length in options.lengths:
        columns += _averages(values, glass.types, around, length)
    return np.concatenate(columns, axis=1)


def _averages(
    values: FloatArray, types: NDArray[np.integer], around: Surroundings, length: float
) -> list[FloatArray]:
    """For each group density, averages and variance of the first ``(n_particles, n_values + 2)``."""
    weights = decaying(around, length)
    mean = values.mean(axis=0)
    offsets = values - mean  # small numbers, whose squares lose nothing
    terms = np.concatenate([np.ones((len(values), 1)), offsets, offsets[:, :1] ** 2], axis=1)
    sums = []
    for number in range(len(TYPE_NAMES)):
        own = terms * (types == number)[:, None]
        sums.append(weights @ own + own)
    columns = []
    for total in (sum(sums[1:], sums[0]), *sums):
        density = total[:, :1]
        average = total[:, 1:] / np.where(density > 0, density, 1)
        variance = (average[:, -1:] - average[:, :1] ** 2).clip(min=0)
        columns += [density, mean + average[:, :-1], variance]
    return columns
