"""Stretching of the pairs of bundled configurations, from their replicas run again, as small files."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

import glasslib
from glasslib.bonds import Bonds
from glasslib.catalog.records import bundled_folder
from glasslib.errors import GlassError
from glasslib.glass import FloatArray, Glass, minimum_image
from glasslib.neighbors import pairs_within
from glasslib.readers import load as read
from glasslib.readers.boundary import atomic_write, opened, reading
from glasslib.simulate import lammps
from glasslib.simulate.ensemble import end_points
from glasslib.simulate.protocol import Protocol
from glasslib.targets import SCORED_LENGTH

#: Pairs closer than this in the thermal or in the inherent structure, in sigma_AA (Shiba et al.).
CUTOFF = 2.0

#: Of the times of the bundled data: a short one, a middle one, and the one nearest to tau_alpha at T = 0.64
#: as it was measured there, 7.6 (the literature's is 16.5).
TIMES = (0.1, 1.65, 5.2)

#: Stretching is stored in whole multiples of this, in sigma_AA: an error of at most half of it.
GRID = 0.004


@dataclass(frozen=True, eq=False)
class Stretching:
    """How far the pairs of one configuration have moved apart.

    Attributes
    ----------
    times : (n_times,)
        In LJ units.
    bonds :
        The pairs within :data:`CUTOFF`, and the mean over all replicas.
    agreement : (n_times,)
        Pearson's r between the means over the first and over the second half of the replicas, over the bonds
        that are scored (A-A, shorter than :data:`glasslib.targets.SCORED_LENGTH`).
    provenance :
        How it was made; JSON-like.
    """

    times: FloatArray
    bonds: Bonds
    agreement: FloatArray
    provenance: dict[str, Any]

    def attached(self, glass: Glass) -> Glass:
        """The configuration at these times only, with its bonds.

        Raises
        ------
        GlassError
            When it lacks one of the times.
        """
        return glass.at_times(self.times).replace(bonds=self.bonds)


def protocol_of(glass: Glass, times: Sequence[float], replicas: int) -> tuple[Protocol, int]:
    """Protocol and number of a configuration, from which the velocities of its replicas follow.

    Raises
    ------
    GlassError
        When it was not made by :mod:`glasslib.simulate`, or never ran to one of the times.
    """
    known = glass.provenance
    if "protocol" not in known or "index" not in known:
        raise GlassError(
            "does not tell how its replicas were run",
            source=glass.source,
            field="provenance",
            remedy="Give a configuration that glasslib.simulate made",
        )
    glass.at_times(times)
    fields = dict(known["protocol"])
    grid = tuple(t for t in fields["times"] if t <= max(times) * (1 + 1e-6))
    return Protocol(**{**fields, "times": grid, "replicas": replicas}), int(known["index"])


def close_in_either(glass: Glass, cutoff: float = CUTOFF) -> NDArray[np.int64]:
    """Pairs ``(2, n_pairs)`` closer than a cutoff in the thermal or in the inherent structure, i < j."""
    found = [
        np.sort(np.stack(pairs_within(glass.positions_in(structure), glass.box, cutoff)[:2]), axis=0)
        for structure in ("thermal", "inherent")
    ]
    return np.unique(np.concatenate(found, axis=1), axis=1)


def stretching(
    glass: Glass,
    times: Sequence[float] = TIMES,
    *,
    replicas: int,
    progress: Callable[[float], object] = lambda _: None,
) -> Stretching:
    """Run the first replicas of a configuration again, and follow its pairs.

    The velocities are those of the ensemble behind the configuration's propensity, so at short times the
    trajectories are the same. Its positions are known to 1e-6, so later they part, as chaotic ones do.

    Parameters
    ----------
    glass :
        Made by :mod:`glasslib.simulate`.
    times :
        Increasing, of those of ``glass``.
    replicas :
        Trajectories, at least 2.
    progress :
        Called with LJ time units as they pass.

    Raises
    ------
    GlassError
        As :func:`protocol_of`, and when LAMMPS is missing.
    """
    protocol, index = protocol_of(glass, times, replicas)
    pairs = close_in_either(glass)
    wanted = {int(np.argmin(np.abs(np.array(protocol.times) - t))): k for k, t in enumerate(times)}
    start = pair_vectors(glass, pairs)
    summed = np.zeros((2, len(times), pairs.shape[1]))
    first = replicas // 2
    with lammps.instance() as lmp:
        version = int(lmp.version())
        liquid = lammps.Liquid(lmp, glass.types, glass.box)
        for number, k, there in end_points(liquid, protocol, glass.positions, index, progress=progress):
            if k in wanted:
                moved = there - glass.positions
                later = start + moved[pairs[1]] - moved[pairs[0]]
                summed[int(number >= first), wanted[k]] += np.linalg.norm(later, axis=1)
    length = np.linalg.norm(start, axis=1)
    provenance = {
        "generator": f"glasslib {glasslib.__version__}",
        "lammps": version,
        "licence": "CC-BY-4.0",
        "cutoff": CUTOFF,
        "replicas": replicas,
        "protocol": protocol.asdict(),
        "index": index,
    }
    scored = (length < SCORED_LENGTH) & (glass.types[pairs] == 0).all(axis=0)
    halves = summed / np.array([first, replicas - first])[:, None, None] - length
    agreement = np.array([np.corrcoef(*half)[0, 1] for half in halves[..., scored].swapaxes(0, 1)])
    mean = summed.sum(axis=0) / replicas - length
    return Stretching(np.array(times, dtype=float), Bonds(pairs, mean), agreement, provenance)


def pair_vectors(glass: Glass, pairs: ArrayLike) -> FloatArray:
    """Shortest vectors ``(n_pairs, 3)`` from i to j in the thermal structure."""
    i, j = np.asarray(pairs)
    return minimum_image(glass.positions[j] - glass.positions[i], glass.box)


def save(found: Stretching, path: str | Path) -> None:
    """Write a file, whole or not at all; stretching is rounded to :data:`GRID`."""
    grid = np.round(found.bonds.stretching / GRID)
    if np.abs(grid).max(initial=0) > np.iinfo(np.int16).max or found.bonds.pairs.max(initial=0) >= 2**16:
        raise GlassError("is too large for 16 bits", source=path, field="bonds")
    card = {
        "times": found.times.tolist(),
        "agreement": found.agreement.tolist(),
        "grid": GRID,
        "provenance": found.provenance,
    }
    with atomic_write(path) as file:
        np.savez_compressed(
            file,
            allow_pickle=False,
            card=np.array(json.dumps(card)),
            pairs=found.bonds.pairs.astype(np.uint16),
            multiples=grid.astype(np.int16),
        )


def load(path: str | Path) -> Stretching:
    """Read what :func:`save` wrote; GlassError when it is missing, damaged, or something else."""
    with opened(path) as file, reading(str(path)), np.load(file, allow_pickle=False) as archive:
        card = json.loads(str(archive["card"]))
        times, agreement = (np.array(card[name], dtype=float) for name in ("times", "agreement"))
        bonds = Bonds(archive["pairs"], card["grid"] * archive["multiples"].astype(float), str(path))
    if not len(bonds.stretching) == len(times) == len(agreement):
        raise GlassError("its arrays do not fit together", source=path)
    return Stretching(times, bonds, agreement, dict(card["provenance"]))


def shipped_folder() -> Path:
    """Where those that come with the package lie."""
    return Path(str(package_files("glasslib"))) / "bundled" / "bonds"


def shipped(split: str, *, temperature: float = 0.64, limit: int | None = None) -> list[Glass]:
    """The bundled configurations whose bonds ship, at those times, with them.

    Raises
    ------
    GlassError
        Where there are none.

    Examples
    --------
    >>> from glasslib.simulate import bonds
    >>> train = bonds.shipped("train")  # doctest: +SKIP
    >>> InteractionPredictor("botan", node_weight=0.4).fit(train)  # doctest: +SKIP
    """
    folder, own = shipped_folder(), f"T{temperature:.2f}/{split}"
    paths = sorted(folder.glob("*/*/*.npz"))
    names = [path.relative_to(folder).as_posix() for path in paths]
    mine = [name for name in names if name.rsplit("/", 1)[0] == own][:limit]
    if not mine:
        have = ", ".join(sorted({name.rsplit("/", 1)[0] for name in names}))
        raise GlassError(f"none are shipped for {own}; there are {have}", field="split, temperature")
    return [load(folder / name).attached(read(bundled_folder() / name)) for name in mine]
