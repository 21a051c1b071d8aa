"""The protocol of a data set, and the literature it is measured against."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from glasslib.errors import GlassError
from glasslib.glass import FloatArray
from glasslib.readers import TIME_GRIDS
from glasslib.simulate import measure, potential

#: Structural relaxation times of the literature (GlassBench; Jung et al., Nat. Rev. Phys. 2025).
LITERATURE_TAU = {temperature: times[6] for temperature, times in TIME_GRIDS.items()}

SPLITS = ("train", "test")


def expected_tau(temperature: float) -> float:
    """tau_alpha to plan a run with: the literature's, log-interpolated (or extrapolated) in 1/T.

    Above 0.64 the power law of mode-coupling theory, (T - 0.435)^-2.4 (Kob and Andersen 1995), plus the
    time in which F_s of free flight falls to 1/e; at T = 1 that gives 1.65, measured here 1.4 to 1.7.
    """
    known = sorted(LITERATURE_TAU, reverse=True)
    hottest = known[0]
    if temperature > hottest:
        slowing = ((temperature - 0.435) / (hottest - 0.435)) ** -2.4
        return float(LITERATURE_TAU[hottest] * slowing + np.sqrt(2 / temperature) / measure.WAVE_NUMBER)
    inverse, log_tau = 1 / np.array(known), np.log([LITERATURE_TAU[t] for t in known])
    x = 1 / temperature
    place = int(np.clip(np.searchsorted(inverse, x), 1, len(known) - 1))
    slope = np.diff(log_tau)[place - 1] / np.diff(inverse)[place - 1]
    return float(np.exp(log_tau[place] + slope * (x - inverse[place])))


@dataclass(frozen=True)
class Protocol:
    """How configurations of one temperature and split are made; times in LJ units.

    The data are a function of these fields and the index of the configuration, of nothing else:
    not of the number of configurations, processes or shards, and not of interruptions.

    Parameters
    ----------
    temperature :
        In epsilon_AA / k_B.
    split :
        ``"train"`` or ``"test"``; they come from separate equilibration runs.
    times :
        Times at which displacements are taken; by default those of the literature for this
        temperature, otherwise a grid around the expected tau_alpha.
    replicas :
        Trajectories of the isoconfigurational ensemble, at least 2.
    particles :
        80 % A, 20 % B, at density 1.2.
    seed :
        Everything random is drawn from it.
    parents :
        Independent equilibration runs; configuration k comes from parent ``k % parents``.
    timestep :
        Largest time step; each interval of the time grid is cut into equal steps not longer.
    damping :
        Of the Nose-Hoover thermostat, which all parts including the replicas run in.
    ageing, window, spacing :
        In units of the expected tau_alpha: time spent at the temperature before anything is judged,
        length of the stretch whose halves must agree, time between configurations.
    """

    temperature: float
    split: str = "train"
    times: tuple[float, ...] = ()
    replicas: int = 32
    particles: int = 4096
    seed: int = 1
    parents: int = 1
    timestep: float = 0.005
    damping: float = 0.5
    melt_temperature: float = 2.0
    melt_time: float = 50.0
    quench_time: float = 50.0
    ageing: int = 10
    window: int = 20
    spacing: int = 3

    def __post_init__(self) -> None:
        for name in ("temperature", "timestep", "damping", "melt_temperature", "melt_time", "quench_time"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise GlassError(f"expected a positive number, got {value}", field=name)
        for name, least in {
            "replicas": 2,
            "particles": 1,
            "seed": 0,
            "parents": 1,
            "ageing": 2,
            "window": 4,
            "spacing": 1,
        }.items():
            if getattr(self, name) < least:
                raise GlassError(f"expected at least {least}, got {getattr(self, name)}", field=name)
        if self.split not in SPLITS:
            raise GlassError(f"expected train or test, got {self.split!r}", field="split")
        if self.temperature < 0.4:
            raise GlassError(
                f"expected at least 0.40 (below, this mixture crystallises), got {self.temperature}",
                field="temperature",
            )
        if self.ageing % 2 or self.window % 4:
            raise GlassError("expected an even number and a multiple of 4", field="ageing, window")
        potential.require_box(self.box)
        times = tuple(float(t) for t in self.times) or default_times(self.temperature)
        object.__setattr__(self, "times", times)
        if not (np.isfinite(times).all() and min(times) > 0 and (np.diff(times) > 0).all()):
            raise GlassError(f"expected positive, increasing times, got {times}", field="times")

    @property
    def tau(self) -> float:
        """Expected tau_alpha."""
        return expected_tau(self.temperature)

    @property
    def box(self) -> FloatArray:
        """Edges ``(3,)`` of the box."""
        return potential.box_of(self.particles)

    @property
    def types(self) -> Any:
        """Types ``(n_particles,)``: A first."""
        types = np.ones(self.particles, dtype=np.int8)
        types[: round(potential.FRACTION_A * self.particles)] = 0
        return types

    @property
    def slack(self) -> float:
        """How much more a small system fluctuates than 4096 particles."""
        return float(np.sqrt(max(4096 / self.particles, 1.0)))

    def random(self, *key: int) -> np.random.Generator:
        """The random numbers of one step of the protocol, named by ``key``."""
        return np.random.default_rng([self.seed, SPLITS.index(self.split), *key])

    def velocities(self, *key: int, temperature: float | None = None) -> FloatArray:
        """Maxwell-Boltzmann velocities ``(n_particles, 3)`` with zero total momentum."""
        drawn = self.random(*key).normal(size=(self.particles, 3))
        drawn = drawn - drawn.mean(axis=0)
        scaled: FloatArray = drawn * np.sqrt(self.temperature if temperature is None else temperature)
        return scaled

    def asdict(self) -> dict[str, Any]:
        """JSON-like."""
        return {**dataclasses.asdict(self), "times": list(self.times)}

    def digest(self, *leave_out: str) -> str:
        """Twelve hex digits that name this protocol, but for some fields."""
        fields = {name: value for name, value in self.asdict().items() if name not in leave_out}
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[:12]


def default_times(temperature: float) -> tuple[float, ...]:
    """GlassBench's times up to tau_alpha (at 0.64 three times that), else half decades up to it."""
    for known, times in TIME_GRIDS.items():
        if abs(known - temperature) < 1e-9:
            return times[: 8 if known == 0.64 else 7]
    tau = expected_tau(temperature)
    return tuple(float(f"{t:.3g}") for t in tau * 10.0 ** np.arange(-2.5, 0.1, 0.5))
