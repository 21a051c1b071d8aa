"""The parent trajectory: melt, quench, equilibrate, and start points that have forgotten one another.

It runs in segments. Each starts from positions in a file and velocities drawn from the seed, so a
segment can be repeated exactly; a killed run repeats the one in hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
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
    liquid :
        Where it runs.
    progress :
        Called with LJ time units as they pass.
    """

    protocol: Protocol
    number: int
    folder: Path
    liquid: Liquid
    progress: Callable[[float], object] = lambda _: None

    def start(self, index: int) -> tuple[FloatArray, dict[str, Any]]:
        """Start point ``index``: positions ``(n_particles, 3)`` and the checks it passed."""
        checks = self.equilibrate()
        if index == 0:
            return self._last["positions"], checks
        start = self.folder / f"start-{index:04d}.npz"
        saved = read_arrays(start)
        if saved is None:
            positions, _ = self.start(index - 1)
            saved = self._forget(positions, index)
            write_arrays(start, saved)
        memory = {"value": float(saved["memory"]), "limit": MEMORY_LIMIT * self.protocol.slack}
        return saved["positions"], {**checks, "memory_of_previous_start": memory}

    def equilibrate(self) -> dict[str, Any]:
        """Run until both halves of the window agree; the numbers compared."""
        first, length = self.protocol.ageing // SEGMENT, self.protocol.window // SEGMENT
        for last in range(first + length, MOST_SEGMENTS, length // 2):
            segments = [self._segment(i) for i in range(last + 1)]
            self._last = segments[-1]
            checks = judge(self.protocol, segments[-length:], last)
            if all(check["value"] <= check["limit"] for check in checks.values() if "limit" in check):
                return checks
        raise GlassError(
            f"not equilibrated after {MOST_SEGMENTS * SEGMENT} tau_alpha: "
            + ", ".join(f"{name} {check['value']:.3g}" for name, check in checks.items()),
            source=self.folder,
        )

    def _segment(self, i: int) -> dict[str, Any]:
        path = self.folder / f"segment-{i:03d}.npz"
        saved = read_arrays(path)
        if saved is None:
            saved = self._melt() if i == 0 else self._continue(self._segment(i - 1)["positions"], i)
            write_arrays(path, saved)
        return saved

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
        return {"positions": frames[-1], "frames": np.float32(frames), "energies": np.array(energies)}

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
        "tau_alpha": {"value": tau, "literature": protocol.tau},
        "equilibrated_for": {"value": SEGMENT * protocol.tau * segments},
    }
