"""The parent trajectory: melt, quench, equilibrate, and start points that have forgotten one another.

It runs in segments. Each starts from positions in a file and velocities drawn from the seed, so a
segment can be repeated exactly; a killed run repeats the one in hand. A restart file, kept with the
finished data, holds what is needed to go on from the last start point without equilibrating again.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from glasslib.errors import GlassError
from glasslib.glass import FloatArray
from glasslib.simulate import measure
from glasslib.simulate.lammps import Liquid
from glasslib.simulate.protocol import Protocol
from glasslib.simulate.storage import read_arrays, write_arrays

#: Equilibration runs in segments of this many tau_alpha, with so many frames kept in each.
SEGMENT, FRAMES = 2, 20

#: How far the halves of the window may differ: F_s at any time, energy per particle. They are about
#: four standard errors for 4096 particles and 20 tau_alpha, and grow with Protocol.slack.
SCATTERING_TOLERANCE, ENERGY_TOLERANCE = 0.1, 0.02

#: F_s between consecutive start points must be below; if not, the parent runs on.
MEMORY_LIMIT = 0.2

MOST_SEGMENTS = 60
_MELT, _EQUILIBRATE, _SPACE = range(3)


@dataclass
class Parent:
    """One parent trajectory, kept in ``folder``.

    Parameters
    ----------
    protocol :
        What to run.
    number :
        Which of ``protocol.parents`` this is.
    folder :
        Its working files.
    restart :
        File that :meth:`save_restart` wrote, or will write.
    liquid :
        Where it runs.
    progress :
        Called with LJ time units as they pass.
    """

    protocol: Protocol
    number: int
    folder: Path
    restart: Path
    liquid: Liquid
    progress: Callable[[float], object] = lambda _: None
    _memory: dict[Path, dict[str, Any]] = field(default_factory=dict, init=False, repr=False)
    _restored: int = field(default=0, init=False, repr=False)
    _equilibrated: tuple[dict[str, Any], FloatArray] | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        """Take up where the restart file ends; a damaged one counts as missing."""
        saved = read_arrays(self.restart)
        if saved is not None:
            self._equilibrated = json.loads(str(saved["checks"])), saved["equilibrated"]
            self._restored = int(saved["index"])
            if self._restored > 0:
                last = {"positions": saved["positions"], "memory": saved["memory"]}
                self._memory[self._start_path(self._restored)] = last

    def save_restart(self, index: int) -> None:
        """Write what is needed to go on from start point ``index``, or from a later one restored before."""
        index = max(index, self._restored)
        positions, checks = self.start(index)
        memory = checks.get("memory_of_previous_start", {"value": np.nan})["value"]
        last = {"index": index, "positions": positions, "memory": memory}
        equilibrated, checks = self.start(0)
        write_arrays(self.restart, {**last, "equilibrated": equilibrated, "checks": json.dumps(checks)})

    def start(self, index: int) -> tuple[FloatArray, dict[str, Any]]:
        """Start point ``index``: positions ``(n_particles, 3)`` and the checks it passed."""
        if self._equilibrated is None:
            self._equilibrated = self.equilibrate()
        checks, positions = self._equilibrated
        if index == 0:
            return positions, checks
        saved = self._kept(self._start_path(index), lambda: self._forget(self.start(index - 1)[0], index))
        memory = {"value": float(saved["memory"]), "limit": MEMORY_LIMIT * self.protocol.slack}
        return saved["positions"], {**checks, "memory_of_previous_start": memory}

    def ahead(self, last_start: int) -> float:
        """LJ time still to run for the start points up to ``last_start``, unless it must be extended."""
        p = self.protocol
        needed = 0 if self._equilibrated else (p.ageing + p.window) // SEGMENT
        segments = [i for i in range(1, needed + 1) if not self._path(i).exists()]
        here = [i for i in range(1, last_start + 1) if self._has(self._start_path(i))]
        starts = last_start - max(here, default=0)
        return (SEGMENT * len(segments) + p.spacing * starts) * p.tau

    def equilibrate(self) -> tuple[dict[str, Any], FloatArray]:
        """Run until both halves of the window agree: the numbers compared, and where it ended."""
        first, length = self.protocol.ageing // SEGMENT, self.protocol.window // SEGMENT
        for last in range(first + length, MOST_SEGMENTS, length // 2):
            segments = [self._segment(i) for i in range(last + 1)]
            checks = judge(self.protocol, segments[-length:], last)
            if all(check["value"] <= check["limit"] for check in checks.values() if "limit" in check):
                return checks, segments[-1]["positions"]
        raise GlassError(
            f"not equilibrated after {MOST_SEGMENTS * SEGMENT} tau_alpha: "
            + ", ".join(f"{name} {check['value']:.3g}" for name, check in checks.items()),
            source=self.folder,
        )

    def _segment(self, i: int) -> dict[str, Any]:
        if i == 0:
            return self._kept(self._path(0), self._melt)
        return self._kept(self._path(i), lambda: self._continue(self._segment(i - 1)["positions"], i))

    def _melt(self) -> dict[str, Any]:
        """A random mixture on a lattice, melted at high temperature and quenched."""
        p, liquid = self.protocol, self.liquid
        side = int(np.ceil(p.particles ** (1 / 3)))
        sites = np.stack(np.unravel_index(np.arange(side**3), (side, side, side)), axis=1)
        chosen = p.random(_MELT, self.number, 0).permutation(len(sites))[: p.particles]
        positions = (sites[chosen] + 0.5) / side * p.box
        liquid.place(positions, p.velocities(_MELT, self.number, 1, temperature=p.melt_temperature))
        liquid.thermostat(p.melt_temperature, p.melt_temperature, p.damping)
        self._advance(p.melt_time)
        melted = liquid.unwrapped()
        liquid.place(melted, p.velocities(_MELT, self.number, 2, temperature=p.melt_temperature))
        liquid.thermostat(p.melt_temperature, p.temperature, p.damping)
        self._advance(p.quench_time)
        return {"positions": liquid.unwrapped()}

    def _continue(self, positions: FloatArray, i: int) -> dict[str, Any]:
        """SEGMENT tau_alpha at the temperature, with frames and energies."""
        p, liquid = self.protocol, self.liquid
        liquid.place(positions, p.velocities(_EQUILIBRATE, self.number, i))
        liquid.thermostat(p.temperature, p.temperature, p.damping)
        frames, energies = [], []
        for _ in range(FRAMES):
            self._advance(SEGMENT * p.tau / FRAMES)
            frames.append(liquid.unwrapped())
            energies.append(liquid.potential_energy())
        return {
            "positions": frames[-1],
            "frames": np.array(frames, np.float32),
            "energies": np.array(energies),
        }

    def _forget(self, positions: FloatArray, index: int) -> dict[str, Any]:
        """Run on from a start point until F_s is small, at least ``spacing`` tau_alpha."""
        p, liquid = self.protocol, self.liquid
        liquid.place(positions, p.velocities(_SPACE, self.number, index))
        liquid.thermostat(p.temperature, p.temperature, p.damping)
        self._advance(p.spacing * p.tau)
        for _ in range(10 * p.spacing):
            there = liquid.unwrapped()
            memory = measure.self_scattering((there - positions)[p.types == 0])
            if memory <= MEMORY_LIMIT * p.slack:
                return {"positions": there, "memory": np.array(memory)}
            self._advance(p.tau)
        raise GlassError(f"F_s is still {memory:.2f} after {11 * p.spacing} tau_alpha", source=self.folder)

    def _path(self, i: int) -> Path:
        return self.folder / f"segment-{i:03d}.npz"

    def _start_path(self, index: int) -> Path:
        return self.folder / f"start-{index:04d}.npz"

    def _has(self, path: Path) -> bool:
        return path in self._memory or path.exists()

    def _kept(self, path: Path, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """From memory, else from the file, else made now and kept in both.

        Memory first: under MPI the file may be there for one process and not yet for another.
        """
        if path not in self._memory:
            saved = read_arrays(path)
            if saved is None:
                saved = make()
                if self.liquid.is_main:
                    write_arrays(path, saved)
            self._memory[path] = saved
        return self._memory[path]

    def _advance(self, time: float) -> None:
        for steps in self.liquid.advance(round(time / self.protocol.timestep), self.protocol.timestep):
            self.progress(steps * self.protocol.timestep)


def judge(protocol: Protocol, window: list[dict[str, Any]], segments: int) -> dict[str, Any]:
    """Compare both halves of a stretch of trajectory: F_s, energy; and measure tau_alpha."""
    step = SEGMENT * protocol.tau / FRAMES
    mobile = protocol.types == 0
    frames = np.concatenate([segment["frames"][:, mobile] for segment in window])
    energies = np.concatenate([segment["energies"] for segment in window])
    half = len(frames) // 2
    lags = np.arange(1, min(30, half - 5) + 1)
    first, second = (measure.scattering_curve(part, lags) for part in (frames[:half], frames[half:]))
    tau = measure.relaxation_time(lags * step, measure.scattering_curve(frames, lags))
    return {
        "scattering_difference": {
            "value": float(np.abs(first - second).max()) if np.isfinite(tau) else float("inf"),
            "limit": SCATTERING_TOLERANCE * protocol.slack,
        },
        "energy_drift": {
            "value": float(abs(energies[half:].mean() - energies[:half].mean())),
            "limit": ENERGY_TOLERANCE * protocol.slack,
        },
        "tau_alpha": {"value": tau, "expected": protocol.tau},
        "equilibrated_for": {"value": SEGMENT * protocol.tau * segments},
    }
