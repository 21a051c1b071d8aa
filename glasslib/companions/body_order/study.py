"""Learning curves of every body order, for mobility and for shear, with several splits."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from glasslib.companions.body_order.classifier import accuracy, extremes
from glasslib.companions.body_order.few import Curve, Labelled, learning_curve
from glasslib.errors import GlassError
from glasslib.features import Features, Shells, ace_invariants
from glasslib.glass import FloatArray, Glass
from glasslib.readers.boundary import atomic_write, reading
from glasslib.simulate.shear import Rearrangements

#: Shells and l_max of the invariants of each body order: fewer and wider, the faster their number grows.
BASES: Mapping[int, tuple[Sequence[Shells], int]] = {
    2: ([Shells(0.8, 2.5, 0.1)], 0),
    3: ([Shells(0.8, 2.2, 0.2)], 6),
    4: ([Shells(0.9, 1.8, 0.3)], 3),
}
COUNTS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
#: Of the particles are active, and as many inactive.
FRACTION = 0.1
#: What ships with the package.
SHIPPED = Path(str(package_files("glasslib"))) / "bundled" / "body-order" / "learning_curves.json"


class Target(NamedTuple):
    """What makes a particle active; values are arrays ``(n_particles,)``.

    Attributes
    ----------
    name :
        Such as ``"t = 16.5"``.
    train :
        Values of the first training configurations.
    test :
        Values of each test configuration, measured in one way or in several.
    again :
        The same measured twice, for each test configuration: how well it repeats.
    """

    name: str
    train: list[FloatArray]
    test: list[list[FloatArray]]
    again: list[tuple[FloatArray, FloatArray]]


def mobile(train: Sequence[Glass], test: Sequence[Glass], time: float) -> Target:
    """Active by propensity at a time; measured again by the other half of the replicas."""

    def values(glass: Glass) -> FloatArray:
        found: FloatArray = glass.at_times([time]).require("propensity")[0]
        return found

    halves = [glass.at_times([time]).require("propensity_halves")[:, 0] for glass in test]
    again = [(first, second) for first, second in halves]
    return Target(f"t = {time:g}", [values(g) for g in train], [[values(g)] for g in test], again)


def rearranging(train: Sequence[Rearrangements], test: Sequence[Rearrangements], strain: float) -> Target:
    """Active by D2min under shear in each plane; measured again by another plane."""
    again = [(d[0], d[1]) for d in (found.at(strain) for found in test)]
    known = [found.at(strain)[0] for found in train]
    return Target(f"strain = {strain:g}", known, [list(found.at(strain)) for found in test], again)


@dataclass(frozen=True, eq=False)
class Study:
    """Accuracies by number of features.

    Attributes
    ----------
    curves :
        Rows with ``target``, ``structure``, highest ``body_order`` (all lower ones are there, too),
        ``n_features`` to pick from, ``split``, ``counts``, ``aside`` (mean accuracy by count), ``tests``
        (accuracy by test and count), ``best`` (index of the count chosen on those set aside) and ``first``
        (names of the features picked first, in order).
    again :
        By target, accuracy in each test configuration of the same quantity measured once more.
    about :
        Command, version, bases.
    """

    curves: list[dict[str, Any]]
    again: dict[str, list[float]]
    about: dict[str, Any] = field(default_factory=dict)

    def rows(self, **wanted: object) -> list[dict[str, Any]]:
        """Curves with certain values, such as ``target="t = 16.5", body_order=2``.

        Raises
        ------
        GlassError
            When there are none.
        """
        found = [row for row in self.curves if all(row[key] == value for key, value in wanted.items())]
        if not found:
            raise GlassError(f"there is no curve with {wanted}")
        return found


def study(
    train: Sequence[Glass],
    test: Sequence[Glass],
    targets: Sequence[Target],
    *,
    structures: Sequence[str] = ("inherent", "thermal"),
    bases: Mapping[int, tuple[Sequence[Shells], int]] = BASES,
    counts: Sequence[int] = COUNTS,
    fraction: float = FRACTION,
    splits: int = 3,
    particle_type: str = "A",
    progress: Callable[[float], object] = lambda _: None,
) -> Study:
    """Learning curves of all targets, structures, body orders and splits.

    A split sets aside a third of the training configurations, drawn at random.

    Parameters
    ----------
    train, test :
        Configurations, in the order of the targets' values.
    targets :
        What makes a particle active.
    structures, bases, counts, fraction, splits, particle_type :
        What is varied, and the particles that count. Counts beyond the number of features are left out.
    progress :
        Called with 1 after each set of features and each curve.

    Raises
    ------
    GlassError
        As :func:`glasslib.companions.body_order.learning_curve`, and when values belong to no configuration.
    """
    if not all(len(each.train) <= len(train) and len(each.test) == len(test) for each in targets):
        raise GlassError("expected values of these configurations", field="targets")
    inside = [np.flatnonzero(glass.is_type(particle_type)) for glass in (*train, *test)]
    curves = []
    for structure in structures:
        tables = []
        for glass, particles in zip((*train, *test), inside, strict=True):
            tables.append(_invariants(glass, structure, bases, particles))
            progress(1)
        for highest in bases:
            orders = [order for order in bases if order <= highest]
            x = [np.concatenate([table[order].values for order in orders], axis=1) for table in tables]
            names = [name for order in orders for name in tables[0][order].names]
            few = [count for count in counts if count <= len(names)]
            head = {"structure": structure, "body_order": highest, "n_features": len(names)}
            for target in targets:
                known, tests = _labelled(target, x, inside, len(train), fraction)
                for split in range(splits):
                    curve = learning_curve(*_split(known, split), tests, few)
                    row = {"target": target.name, **head, "split": split, "counts": few}
                    curves.append({**row, **_told(curve, names)})
                    progress(1)
    again = {target.name: _again(target, inside[len(train) :], fraction) for target in targets}
    return Study(curves, again)


def _invariants(
    glass: Glass,
    structure: str,
    bases: Mapping[int, tuple[Sequence[Shells], int]],
    particles: NDArray[np.int64],
) -> dict[int, Features]:
    """Of some particles, by body order."""
    at = glass.positions_in(structure)
    return {
        order: ace_invariants(
            at, glass.types, glass.box, *basis, order, particles=particles, source=glass.source
        )
        for order, basis in bases.items()
    }


def _labelled(
    target: Target,
    x: Sequence[NDArray[np.floating]],
    inside: Sequence[NDArray[np.int64]],
    n_train: int,
    fraction: float,
) -> tuple[list[Labelled], list[Labelled]]:
    """Training configurations and tests, several for a configuration measured in several ways."""
    known = [Labelled.of(x[k], values[inside[k]], fraction) for k, values in enumerate(target.train)]
    tests = [
        Labelled.of(x[k], values[inside[k]], fraction)
        for k, each in enumerate(target.test, start=n_train)
        for values in each
    ]
    return known, tests


def _split(known: Sequence[Labelled], seed: int) -> tuple[list[Labelled], list[Labelled]]:
    """Two thirds to fit, and the rest to set aside."""
    order = np.random.default_rng(seed).permutation(len(known))
    cut = len(known) - max(len(known) // 3, 1)
    return [known[k] for k in order[:cut]], [known[k] for k in order[cut:]]


def _told(curve: Curve, names: Sequence[str]) -> dict[str, Any]:
    used = [set(np.flatnonzero(fit.weights[:, 0]).tolist()) for fit in curve.fits]
    picked = [k for before, now in zip([set(), *used], used, strict=False) for k in sorted(now - before)]
    return {
        "aside": curve.aside.mean(axis=0).round(4).tolist(),
        "tests": curve.tests.round(4).tolist(),
        "best": curve.best,
        "first": [names[k] for k in picked[:8]],
    }


def _again(target: Target, inside: Sequence[NDArray[np.int64]], fraction: float) -> list[float]:
    found = [
        accuracy(second[k], extremes(first[k], fraction))
        for (first, second), k in zip(target.again, inside, strict=True)
    ]
    return [round(value, 4) for value in found]


def save(found: Study, path: str | Path) -> None:
    """Write as JSON, whole or not at all."""
    with atomic_write(path) as file:
        file.write((json.dumps(asdict(found)) + "\n").encode())


def load(path: str | Path = SHIPPED) -> Study:
    """Read what :func:`save` wrote, by default what ships; GlassError when it is something else."""
    with reading(str(path)):
        known = json.loads(Path(path).read_text(encoding="utf-8"))
        found = Study(known["curves"], known["again"], known["about"])
        found.rows(split=0)
    return found
