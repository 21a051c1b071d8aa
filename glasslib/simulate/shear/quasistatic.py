"""Athermal quasi-static shear with LAMMPS: a small step, the nearest minimum, the next step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from glasslib.errors import GlassError
from glasslib.glass import FloatArray, Glass
from glasslib.simulate import potential
from glasslib.simulate.inherent import MAX_STEPS
from glasslib.simulate.lammps import Liquid, instance
from glasslib.simulate.shear.nonaffine import CUTOFF, d2min

#: Directions of motion and of its gradient: in "xy" what lies higher in y moves along x.
PLANES = ("xy", "xz", "yz")

#: Strain of a step (this project's choice).
STEP = 2e-3

#: Each minimisation ends when the norm of all forces together falls below this, in epsilon/sigma; no
#: component of what is left may exceed the limit.
FORCE_TOLERANCE, FORCE_LIMIT = 1e-3, 1e-3


@dataclass(frozen=True, eq=False)
class Sheared:
    """A glass on its way along a shear.

    Attributes
    ----------
    plane :
        One of :data:`PLANES`.
    strains : (n_steps + 1,)
        Displacement over height, from 0.
    stresses : (n_steps + 1,)
        Shear stress in that plane, in epsilon_AA / sigma_AA^3.
    energies : (n_steps + 1,)
        Potential energy per particle, in epsilon_AA.
    positions : (n_steps + 1, n_particles, 3)
        At the minima, unwrapped, in sigma_AA.
    cells : (n_steps + 1, 3, 3)
        Edges of the box, as rows.
    """

    plane: str
    strains: FloatArray
    stresses: FloatArray
    energies: FloatArray
    positions: FloatArray
    cells: FloatArray

    def d2min(self, strain: float, *, cutoff: float = CUTOFF) -> FloatArray:
        """Non-affine squared displacement ``(n_particles,)`` between strain 0 and one of the strains."""
        k = int(np.abs(self.strains - strain).argmin())
        if abs(self.strains[k] - strain) > 1e-9:
            raise GlassError(
                f"no step ends at {strain:g}; they are {abs(self.strains[1]):g} apart,"
                f" up to {self.strains[-1]:g}",
                field="strain",
            )
        box = np.diag(self.cells[0])
        return d2min(self.positions[0], self.positions[k], box, self.cells[k], cutoff=cutoff)


def shear(
    glass: Glass,
    max_strain: float,
    *,
    plane: str = "xy",
    step: float = STEP,
    progress: Callable[[float], object] = lambda _: None,
) -> Sheared:
    """Shear the inherent structure without heat, and infinitely slowly.

    Box and particles are sheared affinely by one step, with the periodic images of Lees and Edwards; then the
    energy is minimised (conjugate gradients) in the sheared box; and so on.

    Parameters
    ----------
    glass :
        With inherent positions, of the force-shifted Kob-Andersen mixture.
    max_strain :
        Where it ends: a multiple of ``step``, negative for the opposite direction.
    plane :
        One of :data:`PLANES`.
    step :
        Strain of a step.
    progress :
        Called with 1 after each minimisation, of which there is one more than steps.

    Returns
    -------
    Sheared
        Its first entry is the inherent structure, minimised again.

    Raises
    ------
    GlassError
        For another plane, a strain that is 0, above 0.5 or no multiple of the step, a missing inherent
        structure, a box that is too small, and where LAMMPS stops or a minimisation does not end.

    References
    ----------
    Maloney and Lemaitre, Phys. Rev. E 74, 016118 (2006).
    """
    if plane not in PLANES:
        raise GlassError(f"expected one of {', '.join(PLANES)}, got {plane!r}", field="plane")
    n = n_steps(max_strain, step)
    start = glass.require("inherent_positions")
    potential.require_box(glass.box, source=glass.source)
    rows = []
    with instance() as lmp:
        liquid = Liquid(lmp, glass.types, glass.box)
        liquid.place(start)
        for k in range(n + 1):
            if k > 0:
                liquid.shear(plane, float(np.copysign(step, max_strain)))
            liquid.minimise(FORCE_TOLERANCE, MAX_STEPS)
            left = float(np.abs(liquid.forces()).max())
            if left > FORCE_LIMIT:
                raise GlassError(f"a force of {left:.2g} is left at step {k}", source=glass.source)
            rows.append((liquid.stress(plane), liquid.potential_energy(), liquid.unwrapped(), liquid.cell()))
            progress(1)
    stresses, energies, positions, cells = (np.array(column) for column in zip(*rows, strict=True))
    strains = np.linspace(0, max_strain, n + 1)
    return Sheared(plane, strains, stresses, energies, positions, cells)


def n_steps(max_strain: float, step: float) -> int:
    """How many steps lead to a strain; GlassError unless it is a multiple of the step."""
    if not 0 < step <= 0.1:
        raise GlassError(f"expected a strain between 0 and 0.1, got {step}", field="step")
    if not 0 < abs(max_strain) <= 0.5:
        raise GlassError(f"expected a strain of up to 0.5, not 0, got {max_strain}", field="max_strain")
    n = round(abs(max_strain) / step)
    if n < 1 or abs(n * step - abs(max_strain)) > 1e-9:
        raise GlassError(f"expected a multiple of the step {step:g}, got {max_strain:g}", field="max_strain")
    return n
