"""The isoconfigurational ensemble: the same positions, many velocities, the mean displacement."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from glasslib.glass import FloatArray, Glass, wrap
from glasslib.simulate import measure
from glasslib.simulate.inherent import minimised
from glasslib.simulate.lammps import Liquid
from glasslib.simulate.protocol import Protocol

#: Configurational temperature and temperature may differ by this much (relative), beyond the known effect
#: of the time step; in small systems by four standard errors.
TEMPERATURE_TOLERANCE = 0.01

#: It is averaged over the replicas at so many of the latest times.
TEMPERATURE_TIMES = 6

#: Largest force left in the inherent structure, in epsilon/sigma.
FORCE_LIMIT = 1e-4

_REPLICA = 3


def isoconfigurational_ensemble(
    liquid: Liquid,
    protocol: Protocol,
    positions: FloatArray,
    index: int,
    *,
    keep_end_positions: bool = False,
    progress: Callable[[float], object] = lambda _: None,
) -> Glass:
    """Run the replicas of one configuration.

    Parameters
    ----------
    liquid :
        Where they run.
    protocol :
        Temperature, times, number of replicas, seed.
    positions : (n_particles, 3)
        The common start, in sigma_AA.
    index :
        Number of the configuration; with the seed it determines every velocity.
    keep_end_positions :
        Also keep the end points (n_times, n_replicas, n_particles, 3).
    progress :
        Called with LJ time units as they pass.

    Returns
    -------
    Glass
        With propensity, its halves, bond breaking, inherent structure, energies; among the extras
        ``mean_displacement`` (3, n_particles), the mean displacement vector at the time nearest to
        the expected tau_alpha; in the provenance the checks.
    """
    p = protocol
    start = wrap(positions, p.box)
    bonds = measure.first_shell(start, p.types, p.box)
    shape = (len(p.times), p.particles)
    moved, broken = np.zeros((2, *shape)), np.zeros(shape)
    vector, temperatures, kept = np.zeros((p.particles, 3)), [], []
    near_tau = int(np.abs(np.log(np.array(p.times) / p.tau)).argmin())
    first_half = p.replicas // 2
    for replica, k, there in end_points(liquid, p, start, index, progress=progress):
        moved[int(replica >= first_half), k] += np.linalg.norm(there - start, axis=1)
        broken[k] += measure.broken_bonds(bonds, there, p.box)
        if k == near_tau:
            vector += there - start
        if k >= len(p.times) - TEMPERATURE_TIMES:
            temperatures.append(measure.configurational_temperature(there, p.types, p.box))
        if keep_end_positions:
            kept.append(there)
    inherent = minimised(liquid, start)
    configurational = float(np.mean(temperatures))
    shift = measure.timestep_shift(start, p.types, p.box, p.timestep)
    standard_error = float(np.std(temperatures) / np.sqrt(len(temperatures)))
    return Glass(
        positions=start,
        types=p.types,
        box=p.box,
        temperature=p.temperature,
        times=np.array(p.times),
        propensity=moved.sum(axis=0) / p.replicas,
        propensity_halves=moved / np.array([first_half, p.replicas - first_half])[:, None, None],
        bond_breaking=broken / p.replicas,
        inherent_positions=inherent.positions,
        inherent_energies=inherent.energies,
        energies=inherent.thermal_energies,
        end_positions=_by_time(kept, p) if kept else None,
        extras={"mean_displacement": vector.T / p.replicas},
        provenance={
            "checks": {
                "configurational_temperature": {
                    "value": abs(configurational / (p.temperature * (1 + shift)) - 1),
                    "limit": max(TEMPERATURE_TOLERANCE, 4 * standard_error / p.temperature),
                    "measured": configurational,
                    "timestep_shift": shift,
                    "standard_error": standard_error,
                },
                "residual_force": {"value": inherent.residual_force, "limit": FORCE_LIMIT},
            }
        },
    )


def end_points(
    liquid: Liquid,
    protocol: Protocol,
    start: FloatArray,
    index: int,
    *,
    velocities_at: float | None = None,
    progress: Callable[[float], object] = lambda _: None,
) -> Iterator[tuple[int, int, FloatArray]]:
    """Run replica after replica; parameters as in :func:`isoconfigurational_ensemble`.

    Parameters
    ----------
    velocities_at :
        Temperature of the initial velocities, if not that of the protocol.

    Yields
    ------
    replica, time : int
        Their indices; all times of a replica come before the next replica.
    positions : (n_particles, 3)
        At that time, unwrapped, continuous with ``start``.
    """
    p = protocol
    for replica in range(p.replicas):
        liquid.place(start, p.velocities(_REPLICA, index, replica, temperature=velocities_at))
        liquid.thermostat(p.temperature, p.temperature, p.damping)
        for k, interval in enumerate(np.diff(p.times, prepend=0.0)):
            steps = int(np.ceil(interval / p.timestep - 1e-9))
            for done in liquid.advance(steps, interval / steps):
                progress(done * interval / steps)
            yield replica, k, liquid.unwrapped()


def _by_time(kept: list[FloatArray], p: Protocol) -> Any:
    return np.reshape(kept, (p.replicas, len(p.times), p.particles, 3)).swapaxes(0, 1)
