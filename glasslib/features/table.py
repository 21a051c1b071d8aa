"""All features of a configuration, side by side, each with its name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from glasslib.errors import GlassError
from glasslib.features.bond_order import bond_order
from glasslib.features.coarse_graining import averages, mean_matrix
from glasslib.features.densities import densities
from glasslib.features.options import FeatureOptions, Shells
from glasslib.features.surroundings import surroundings
from glasslib.glass import TYPE_NAMES, Glass


@dataclass(frozen=True, eq=False)
class Features:
    """Numbers that describe each particle's surroundings.

    Attributes
    ----------
    values : (n_particles, n_features)
        float32.
    names :
        One for each column, all different: ``"radial A r=1.05"`` (density of A around r = 1.05),
        ``"q6 r=1.3"``, ``"energy"``, ``"displacement"``; then ``"generation 2"`` where averaged twice, and
        first ``"thermal"`` or ``"inherent"`` where both structures are described.
    """

    values: NDArray[np.float32]
    names: list[str]

    def __len__(self) -> int:
        """Number of particles."""
        return len(self.values)

    def column(self, name: str) -> NDArray[np.float32]:
        """The feature of that name, ``(n_particles,)``."""
        if name not in self.names:
            raise GlassError(f"there is no feature {name!r}; the first ones are {', '.join(self.names[:3])}")
        column: NDArray[np.float32] = self.values[:, self.names.index(name)]
        return column


def features(glass: Glass, options: FeatureOptions | None = None) -> Features:
    """Describe the surroundings of every particle.

    Parameters
    ----------
    glass :
        The configuration.
    options :
        Which features; by default those of :class:`FeatureOptions`.

    Returns
    -------
    Features
        Generation 0 of every feature, then generation 1, and so on.

    Raises
    ------
    GlassError
        When the Glass lacks what the options ask for, or its box is too small.
    """
    options = options or FeatureOptions()
    _require_everything(glass, options)
    parts = [_of_structure(glass, options, structure) for structure in options.structures]
    names = [name for structure in options.structures for name in feature_names(options, structure)]
    return Features(parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1), names)


def feature_names(options: FeatureOptions, structure: str) -> list[str]:
    """Names of the features of one structure, in the order of their columns."""
    names = [f"radial {name} r={r:.4g}" for name in TYPE_NAMES for r in _radii(options.radial)]
    names += [f"q{d} r={r:.4g}" for d in range(1, options.l_max + 1) for r in _radii(options.angular)]
    names += ["energy"] * options.energy + ["displacement"] * options.displacement
    before = f"{structure} " if options.structure == "both" else ""
    generations = [""] + [f" generation {n}" for n in range(1, options.generations + 1)]
    return [before + name + generation for generation in generations for name in names]


def _radii(shells: tuple[Shells, ...]) -> list[float]:
    return [float(r) for each in shells for r in each.radii]


def _of_structure(glass: Glass, options: FeatureOptions, structure: str) -> NDArray[np.float32]:
    """All generations ``(n_particles, n_features)`` in one structure."""
    around = surroundings(glass.positions_in(structure), glass.box, options.cutoff, source=glass.source)
    n = len(glass)
    columns: list[NDArray[np.floating]] = []
    if options.radial:
        columns.append(densities(around, glass.types, options.radial).reshape(n, -1))
    if options.angular:
        columns.append(bond_order(around, options.angular, options.l_max).reshape(n, -1))
    if options.energy:
        columns.append(glass.energies_in(structure)[:, None])
    if options.displacement:
        columns.append(np.linalg.norm(glass.displacement(), axis=1)[:, None])
    first = np.concatenate(columns, axis=1, dtype=np.float32)
    if options.generations == 0:
        return first
    matrix = mean_matrix(around, options.averaging_length, options.averaging_cutoff)
    return np.concatenate(averages(first, matrix, options.generations), axis=1)


def _require_everything(glass: Glass, options: FeatureOptions) -> None:
    relax = "Compute it with glasslib.simulate.inherent_structure(glass)"
    if options.displacement or options.structure != "thermal":
        also = ", or ask for structure='thermal', displacement=False"
        _require(glass, "inherent_positions", relax + also)
    if options.energy and options.structure != "thermal":
        _require(glass, "inherent_energies", f"{relax}, or ask for energy=False")
    if options.energy and options.structure != "inherent":
        _require(
            glass,
            "energies",
            "Compute it with glasslib.simulate.measure.pair_energies(positions, types, box), or ask for"
            " energy=False",
        )


def _require(glass: Glass, name: str, remedy: str) -> None:
    if getattr(glass, name) is None:
        raise GlassError(
            "is missing, and the features need it", source=glass.source, field=name, remedy=remedy
        )
