"""One structure at several temperatures: how often does each particle move far?

A barrier that belongs to a structure shows only where the structure stays the same and the temperature
changes. So one configuration is started again and again with velocities of several temperatures, from its
thermal or from its inherent positions. The results that ship with the package are made, in eight and six
minutes of one core, by

    python -m glasslib.companions.one_structure thermal --groups 2 --replicas 32
    python -m glasslib.companions.one_structure inherent --groups 8 --replicas 5
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm.auto import tqdm

from glasslib import catalog
from glasslib.command import Parser, command
from glasslib.errors import GlassError
from glasslib.glass import FloatArray, Glass
from glasslib.readers.boundary import atomic_write, make_folder, reading
from glasslib.simulate import Protocol, lammps
from glasslib.simulate.ensemble import end_points

FOLDER = Path(str(files("glasslib"))) / "bundled" / "one-structure"

#: What ships: temperatures evenly spaced in 1/T, times, distances; this project's choices.
TEMPERATURES, TIMES, THRESHOLDS = (0.50, 0.56, 0.64, 0.75), (0.52, 5.2), (0.4, 0.5, 0.6, 0.7)

_ARRAYS = ("temperatures", "times", "thresholds", "counts", "displacement")


@dataclass(frozen=True, eq=False)
class OneStructure:
    """What became of one structure at several temperatures.

    Attributes
    ----------
    temperatures : (n_temperatures,)
        Of the velocities and the thermostat, in epsilon_AA / k_B.
    times : (n_times,)
        In LJ units.
    thresholds : (n_thresholds,)
        In sigma_AA.
    counts : (n_groups, n_temperatures, n_times, n_thresholds, n_particles)
        In how many replicas of each group the particle was further from its start than the threshold.
    displacement : (n_temperatures, n_times, n_particles)
        Mean distance from the start over all replicas, in sigma_AA.
    replicas :
        In each group.
    provenance :
        How it was made; JSON-like.
    """

    temperatures: FloatArray
    times: FloatArray
    thresholds: FloatArray
    counts: NDArray[np.uint8]
    displacement: FloatArray
    replicas: int
    provenance: Mapping[str, Any]

    def moved(self, time: float, threshold: float) -> NDArray[np.int64]:
        """``counts`` ``(n_groups, n_temperatures, n_particles)`` at one of the times and thresholds.

        Raises
        ------
        GlassError
            When there is no such time or threshold.
        """
        t, d = _place("times", self.times, time), _place("thresholds", self.thresholds, threshold)
        return self.counts[:, :, t, d].astype(np.int64)


def _place(name: str, known: FloatArray, value: float) -> int:
    found = np.flatnonzero(np.isclose(known, value, rtol=1e-6, atol=0))
    if len(found) == 0:
        raise GlassError(f"there is no {value:g} among {', '.join(f'{k:g}' for k in known)}", field=name)
    return int(found[0])


def simulate(
    glass: Glass,
    temperatures: Sequence[float] = TEMPERATURES,
    times: Sequence[float] = TIMES,
    thresholds: Sequence[float] = THRESHOLDS,
    *,
    start: str = "inherent",
    groups: int = 2,
    replicas: int = 32,
    seed: int = 11,
    progress: Callable[[float], object] = lambda _: None,
) -> OneStructure:
    """Start one configuration with velocities of several temperatures, and count who moves far.

    Parameters
    ----------
    glass :
        The configuration, of the density and composition of :class:`glasslib.simulate.Protocol`.
    temperatures :
        In epsilon_AA / k_B.
    times :
        Increasing, in LJ units.
    thresholds :
        Distances from the start, in sigma_AA.
    start :
        ``"thermal"``: as the configuration is, with vibrations of its own temperature, and velocities of the
        new one. ``"inherent"``: at rest in its inherent structure, with velocities of twice the temperature,
        half of which goes into vibrations.
    groups, replicas :
        So many groups of so many replicas each, at most 255.
    seed :
        Of the velocities, which differ from temperature to temperature.
    progress :
        Called with LJ time units as they pass.

    Raises
    ------
    GlassError
        When LAMMPS is missing, a number is out of range, or the configuration is of another density or
        composition.
    """
    if groups < 1 or not 1 <= replicas <= 255 or groups * replicas < 2:
        raise GlassError(
            f"expected 2 or more, 255 in a group at most; got {groups} x {replicas}", field="replicas"
        )
    if not temperatures or not thresholds or not min(thresholds) > 0:
        raise GlassError("expected one or more positive numbers", field="temperatures, thresholds")
    n, positions = len(glass), glass.positions_in(start)
    protocols = [
        Protocol(temperature, times=tuple(times), replicas=groups * replicas, particles=n, seed=seed)
        for temperature in temperatures
    ]
    same_box = np.allclose(protocols[0].box, glass.box, rtol=1e-5)
    if not same_box or not np.array_equal(protocols[0].types, glass.types):
        raise GlassError("is not the Kob-Andersen mixture at density 1.2, A before B", source=glass.source)
    counts = np.zeros((groups, len(temperatures), len(times), len(thresholds), n), dtype=np.uint8)
    displacement = np.zeros((len(temperatures), len(times), n))
    with lammps.instance() as lmp:
        version = int(lmp.version())
        liquid = lammps.Liquid(lmp, glass.types, glass.box)
        for t, protocol in enumerate(protocols):
            hot = protocol.temperature * (2 if start == "inherent" else 1)
            for replica, k, there in end_points(
                liquid, protocol, positions, t, velocities_at=hot, progress=progress
            ):
                moved = np.linalg.norm(there - positions, axis=1)
                counts[replica // replicas, t, k] += moved > np.array(thresholds)[:, None]
                displacement[t, k] += moved / protocol.replicas
    provenance = {
        "structure": None if glass.source is None else "/".join(Path(glass.source).parts[-3:]),
        "temperature_of_the_structure": glass.temperature,
        "start": start,
        "seed": seed,
        "timestep": protocols[0].timestep,
        "damping": protocols[0].damping,
        "lammps": version,
    }
    known, at, far = (np.array(values, dtype=float) for values in (temperatures, times, thresholds))
    return OneStructure(known, at, far, counts, displacement, replicas, provenance)


def save(result: OneStructure, path: str | Path) -> None:
    """Write an npz file, whole or not at all; distances are rounded to three digits (float16)."""
    arrays = {name: getattr(result, name) for name in _ARRAYS}
    arrays["displacement"] = arrays["displacement"].astype(np.float16)
    about = json.dumps({"replicas": result.replicas, "provenance": dict(result.provenance)})
    with atomic_write(path) as file:
        np.savez_compressed(file, allow_pickle=False, about=np.array(about), **arrays)


def load(path: str | Path) -> OneStructure:
    """Read what :func:`save` wrote; ``"thermal"`` and ``"inherent"`` name what ships with the package.

    Raises
    ------
    GlassError
        When the file is missing, damaged, or something else.
    """
    path = FOLDER / f"{path}.npz" if path in ("thermal", "inherent") else Path(path)
    with reading(str(path)):
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in _ARRAYS}
            about = json.loads(str(file["about"]))
        replicas, provenance = int(about["replicas"]), dict(about["provenance"])
    counts, displacement = arrays["counts"], arrays["displacement"].astype(float)
    shape = tuple(len(arrays[name]) for name in ("temperatures", "times", "thresholds"))
    n = displacement.shape[-1]
    if counts.shape != (len(counts), *shape, n) or displacement.shape != (*shape[:2], n):
        raise GlassError(
            f"arrays do not fit: counts {counts.shape}, displacement {displacement.shape}", source=path
        )
    if counts.dtype != np.uint8 or counts.max(initial=0) > replicas:
        raise GlassError(f"expected 0 to {replicas} as uint8", source=path, field="counts")
    known, at, far = (arrays[name] for name in _ARRAYS[:3])
    return OneStructure(known, at, far, counts, displacement, replicas, provenance)


@command("glasslib.companions.one_structure", "nothing was written")
def main(arguments: Sequence[str] | None = None) -> None:
    """The command; returns the exit status."""
    parser = Parser(
        prog="python -m glasslib.companions.one_structure",
        description="Start the first test configuration at T = 0.64 with velocities of several temperatures.",
    )
    parser.add_argument("start", choices=("thermal", "inherent"), help="positions to start from")
    parser.add_argument("--groups", type=int, default=2, help="of replicas, default %(default)s")
    parser.add_argument("--replicas", type=int, default=32, help="in each group, default %(default)s")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the file, default %(default)s")
    options = parser.parse_args(arguments)
    groups, replicas = options.groups, options.replicas
    make_folder(options.out)
    (glass,) = catalog.load("bundled", "test", temperature=0.64, limit=1)
    total = groups * replicas * len(TEMPERATURES) * TIMES[-1]
    with tqdm(desc="one structure", total=round(total), unit=" LJ time") as bar:
        result = simulate(glass, start=options.start, groups=groups, replicas=replicas, progress=bar.update)
    save(result, options.out / f"{options.start}.npz")


if __name__ == "__main__":
    sys.exit(main())
