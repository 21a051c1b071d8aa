"""Inherent structures along trajectories that start from one configuration with different velocities."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glasslib.errors import GlassError
from glasslib.glass import FloatArray, Glass
from glasslib.readers.boundary import atomic_write, opened, reading
from glasslib.simulate.inherent import minimised
from glasslib.simulate.lammps import Liquid, instance
from glasslib.simulate.protocol import Protocol

FORMAT = "glasslib draws 1"

#: Positions are kept as whole numbers of this fraction of the box: 0.0009 sigma for 4096 particles.
_GRID = 2**14

_DRAW = 4  # names these random numbers; protocol.Protocol.random


@dataclass(frozen=True, eq=False)
class Draws:
    """Inherent structures, frame by frame, of several trajectories from the same positions.

    Parameters
    ----------
    positions : (n_draws, n_frames, n_particles, 3)
        Inherent positions in sigma_AA, unwrapped; the first frame is the same in all draws.
    times : (n_frames,)
        In LJ units, from 0.
    types : (n_particles,)
        0 for A, 1 for B.
    box : (3,)
        Edge lengths, in sigma_AA.
    temperature :
        Of the trajectories.
    provenance :
        How they were made; JSON-like.
    """

    positions: FloatArray
    times: FloatArray
    types: NDArray[np.int8]
    box: FloatArray
    temperature: float
    provenance: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = (None, len(self.times), len(self.types), 3)
        found = np.shape(self.positions)
        if len(found) != 4 or found[1:] != shape[1:] or not np.isfinite(self.positions).all():
            raise GlassError(f"expected finite numbers of shape {shape}, got {found}", field="positions")
        if len(self.times) < 2 or self.times[0] != 0 or not (np.diff(self.times) > 0).all():
            raise GlassError(f"expected increasing times from 0, got {self.times}", field="times")

    def displacements(self) -> FloatArray:
        """Distance ``(n_draws, n_frames - 1, n_particles)`` between successive inherent structures."""
        moved: FloatArray = np.linalg.norm(np.diff(self.positions, axis=1), axis=-1)
        return moved


def simulate(
    glass: Glass,
    *,
    interval: float,
    n_frames: int,
    n_draws: int,
    seed: int = 14,
    progress: Callable[[float], object] = lambda _: None,
) -> Draws:
    """Run trajectories from one configuration and minimise at equal intervals.

    They run as the replicas of :mod:`glasslib.simulate` do: time step at most 0.005, Nose-Hoover chains. The
    minimisation has a LAMMPS of its own, so the trajectory does not notice it.

    Parameters
    ----------
    glass :
        Where all of them start; a Kob-Andersen mixture of known temperature.
    interval :
        Between two frames, in LJ units.
    n_frames :
        Inherent structures of each trajectory, the first at time 0.
    n_draws :
        Trajectories, each with velocities of its own.
    seed :
        Of the velocities.
    progress :
        Called with LJ time units as they pass.

    Raises
    ------
    GlassError
        When a number is out of range, the temperature is unknown, or LAMMPS is missing.
    """
    if glass.temperature is None:
        raise GlassError("is missing", source=glass.source, field="temperature")
    for name, value, least in (("n_frames", n_frames, 2), ("n_draws", n_draws, 1)):
        if value < least:
            raise GlassError(f"expected at least {least}, got {value}", field=name)
    if not (np.isfinite(interval) and interval > 0):
        raise GlassError(f"expected a positive number, got {interval}", field="interval")
    p = Protocol(glass.temperature, particles=len(glass), seed=seed)
    steps = int(np.ceil(interval / p.timestep - 1e-9))
    with instance() as first, instance() as second:
        moving, quenched = (Liquid(lmp, glass.types, glass.box) for lmp in (first, second))
        start = minimised(quenched, glass.positions).positions
        draws = []
        for draw in range(n_draws):
            frames = [start]
            moving.place(glass.positions, p.velocities(_DRAW, draw))
            moving.thermostat(p.temperature, p.temperature, p.damping)
            for _ in range(n_frames - 1):
                for done in moving.advance(steps, interval / steps):
                    progress(done * interval / steps)
                frames.append(minimised(quenched, moving.unwrapped()).positions)
            draws.append(frames)
    return Draws(
        positions=np.array(draws),
        times=(interval * np.arange(n_frames)).astype(np.float64),
        types=glass.types,
        box=glass.box,
        temperature=glass.temperature,
        provenance={"interval": interval, "timestep": interval / steps, "seed": seed},
    )


def save(path: str | Path, draws: Draws) -> None:
    """Write draws as npz: whole numbers of a fine grid, frame less frame, which deflates well."""
    grid = np.round(draws.positions / draws.box * _GRID).astype(np.int64)
    steps = np.diff(grid, axis=1)
    if np.abs(steps).max() > np.iinfo(np.int16).max:
        raise GlassError("a particle crosses the box between two frames", field="positions")
    arrays = {
        "first": grid[0, 0].astype(np.int32),
        "steps": steps.astype(np.int16),
        "times": draws.times,
        "types": np.asarray(draws.types, dtype=np.int8),
        "box": draws.box,
        "temperature": np.array(draws.temperature),
        "about": np.array(json.dumps({"format": FORMAT, **draws.provenance})),
    }
    with atomic_write(path) as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def load(path: str | Path) -> Draws:
    """Read what :func:`save` wrote; GlassError when it is something else."""
    with opened(path) as file, reading(str(path)):
        content = np.load(file, allow_pickle=False)
        about = json.loads(str(content["about"]))
        if about.pop("format") != FORMAT:
            raise GlassError(f"expected {FORMAT!r}", source=path, field="format")
        grid = np.cumsum(content["steps"], axis=1, dtype=np.int64)
        grid = np.concatenate([np.zeros_like(grid[:, :1]), grid], axis=1) + content["first"]
        return Draws(
            positions=grid / _GRID * content["box"],
            times=content["times"],
            types=content["types"],
            box=content["box"],
            temperature=float(content["temperature"]),
            provenance=about,
        )


def shipped(temperature: float) -> Draws:
    """The draws that come with the package; GlassError for a temperature without any."""
    folder = Path(str(package_files("glasslib"))) / "bundled" / "strings"
    return load(folder / f"T{temperature:.2f}.npz")
