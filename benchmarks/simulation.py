"""How fast LAMMPS runs the Kob-Andersen liquid here, and what data sets would cost at that speed.

    python benchmarks/simulation.py

One process on one core; one process on every core at the same time; MPI with all cores on one liquid, of
4096 and of 32768 particles: each in turn, three times, the best counted. Prints atom-steps per second and
core, their ratio to one process alone, and the cost of whole protocols; writes results/simulation.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed

from glasslib.readers import TIME_GRIDS
from glasslib.simulate import lammps
from glasslib.simulate.protocol import Protocol

RESULTS = Path(__file__).parent / "results" / "simulation.json"

#: GlassBench has 400 + 100 configurations at each temperature; BOTAN's files have 32 replicas.
CONFIGURATIONS, REPLICAS, PARTICLES, TIMESTEP = 500, 32, 4096, 0.005
TAU_ALPHA, LAST = 6, 9  # in the grid of times


def speed(particles: int, steps: int) -> float:
    """Atom-steps per second of one liquid at T = 0.64, on all MPI ranks that share it."""
    protocol = Protocol(0.64, particles=particles)
    side = int(np.ceil(particles ** (1 / 3)))
    lattice = np.stack(np.unravel_index(np.arange(side**3), (side, side, side)), axis=1)[:particles]
    with lammps.instance() as lmp:
        liquid = lammps.Liquid(lmp, protocol.random(0).permutation(protocol.types), protocol.box)
        liquid.place((lattice + 0.5) / side * protocol.box, protocol.velocities(0, temperature=2.0))
        liquid.thermostat(2.0, protocol.temperature, 0.5)
        list(liquid.advance(600, TIMESTEP))
        begin = time.perf_counter()
        list(liquid.advance(steps, TIMESTEP))
        return particles * steps / (time.perf_counter() - begin)


def speed_with_mpi(particles: int, steps: int, ranks: int) -> float:
    """The same on ``ranks`` MPI processes."""
    mpiexec = Path(sys.prefix, "bin", "mpiexec")
    command = [mpiexec, "-n", str(ranks), sys.executable, __file__, "--one", str(particles), str(steps)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return min(float(line) for line in printed.split())


def core_hours(rate: float, temperature: float, last: int) -> float:
    """Of GlassBench's configurations at one temperature, up to a time of its grid, without equilibration."""
    steps = CONFIGURATIONS * REPLICAS * TIME_GRIDS[temperature][last] / TIMESTEP
    return steps * PARTICLES / rate / 3600


def measure(cores: int) -> dict[str, float]:
    """Atom-steps per second and core."""
    steps = 3000
    together = Parallel(n_jobs=cores)
    return {
        "one process": speed(PARTICLES, steps),
        f"{cores} processes": float(np.mean(together([delayed(speed)(PARTICLES, steps)] * cores))),
        f"{cores} MPI ranks": speed_with_mpi(PARTICLES, steps, cores) / cores,
        f"{cores} MPI ranks, N = 32768": speed_with_mpi(8 * PARTICLES, steps // 4, cores) / cores,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--one", type=int, nargs=2, metavar=("N", "STEPS"), help="print one speed")
    options = parser.parse_args()
    if options.one:
        sys.stdout.write(f"{speed(*options.one)}\n")  # in one piece: other ranks write too
        return
    runs = [measure(options.cores) for _ in range(3)]
    rates = {name: max(run[name] for run in runs) for name in runs[0]}
    print("atom-steps per second and core, and the ratio to one process alone")
    for name, rate in rates.items():
        print(f"  {name:<26} {rate:10.3g}  {rate / rates['one process']:.2f}")
    rate = rates[f"{options.cores} processes"]
    costs = {t: [core_hours(rate, t, last) for last in (TAU_ALPHA, LAST)] for t in TIME_GRIDS}
    print(
        f"core-hours of {CONFIGURATIONS} configurations, {REPLICAS} replicas each: to tau_alpha, to the end"
    )
    for temperature, (tau, last) in costs.items():
        print(f"  T = {temperature:.2f} {tau:14,.0f} {last:10,.0f}")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"runs": runs, "core_hours": costs}, indent=1) + "\n")


if __name__ == "__main__":
    main()
