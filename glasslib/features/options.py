"""Which features are computed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from glasslib.errors import GlassError
from glasslib.glass import FloatArray

#: A Gaussian is followed to this many widths from its centre: what lies beyond has a weight below 4e-6 each
#: and, in a liquid, 3e-7 of the whole.
REACH = 5.0


@dataclass(frozen=True)
class Shells:
    """Gaussian shells around a particle, as far apart as they are wide.

    Parameters
    ----------
    first, last :
        Radii of the innermost and the outermost shell, in sigma_AA.
    width :
        Standard deviation of each shell, and the distance from one to the next, in sigma_AA.
    """

    first: float
    last: float
    width: float

    def __post_init__(self) -> None:
        if not (0 < self.width <= self.first <= self.last < np.inf):
            raise GlassError(
                f"expected 0 < width <= first <= last, got {self.width}, {self.first}, {self.last}",
                field="Shells",
            )

    def __len__(self) -> int:
        return int(np.floor((self.last - self.first) / self.width + 1e-6)) + 1

    @property
    def radii(self) -> FloatArray:
        """Radii ``(n_shells,)``, in sigma_AA."""
        radii: FloatArray = self.first + self.width * np.arange(len(self), dtype=float)
        return radii

    @property
    def cutoff(self) -> float:
        """Distance up to which particles count, in sigma_AA."""
        return float(self.radii[-1] + REACH * self.width)

    def within(self, cutoff: float) -> Shells:
        """Those shells that need no particle beyond ``cutoff``."""
        last = cutoff - REACH * self.width
        if last < self.first:
            raise GlassError(
                f"no shell fits: the innermost needs particles up to {self.first + REACH * self.width:g},"
                f" and {cutoff:g} is allowed",
                field="box",
                remedy="Use a larger system or narrower shells",
            )
        return replace(self, last=min(self.last, last))


@dataclass(frozen=True)
class FeatureOptions:
    """Which features are computed of a configuration.

    The defaults give 362 numbers a particle in each of 4 generations, and the same generations of energy
    and displacement: 1456 in all.

    Parameters
    ----------
    structure :
        Positions described: ``"thermal"``, ``"inherent"``, or ``"both"``, one after the other.
    radial :
        Shells of the radial densities, for each type of neighbour. Width and spacing 0.05 up to 2, then
        0.1 up to 5, as in Boattini et al., Phys. Rev. Lett. 127, 088007 (2021), and Jung et al.'s
        implementation; nothing in the Kob-Andersen mixture comes closer than the first.
    angular :
        Shells of the bond-order parameters; width and spacing from the same sources. How far they go is
        this project's choice.
    l_max :
        Bond-order parameters of degree 1 to this.
    generations :
        0: every particle by itself; n: also averaged over neighbours, up to n times.
    averaging_length, averaging_cutoff :
        Averages weigh neighbours by ``exp(-r / length)`` (length 2 in the same sources) up to a cutoff
        (this project's choice, the network's), both in sigma_AA.
    energy :
        Whether the potential energy of the particles in that structure is a feature.
    displacement :
        Whether the distance from the thermal to the inherent position is one (Jung et al.,
        arXiv:2407.06111, give the vector to a network).
    """

    structure: Literal["thermal", "inherent", "both"] = "inherent"
    radial: tuple[Shells, ...] = (Shells(0.7, 2.0, 0.05), Shells(2.1, 5.0, 0.1))
    angular: tuple[Shells, ...] = (Shells(1.0, 4.0, 0.1),)
    l_max: int = 8
    generations: int = 3
    averaging_length: float = 2.0
    averaging_cutoff: float = 3.0
    energy: bool = True
    displacement: bool = True

    def __post_init__(self) -> None:
        if self.structure not in ("thermal", "inherent", "both"):
            raise GlassError(
                f"expected 'thermal', 'inherent' or 'both', got {self.structure!r}", field="structure"
            )
        for name in ("l_max", "generations"):
            value = getattr(self, name)
            if int(value) != value or value < (name == "l_max"):
                raise GlassError(f"expected a whole number, got {value}", field=name)
        for name in ("averaging_length", "averaging_cutoff"):
            if not 0 < getattr(self, name) < np.inf:
                raise GlassError(f"expected a positive number, got {getattr(self, name)}", field=name)
        if not (self.radial or self.angular or self.energy or self.displacement):
            raise GlassError("no features are asked for")

    @property
    def structures(self) -> tuple[str, ...]:
        """The structures described, in order."""
        return ("thermal", "inherent") if self.structure == "both" else (self.structure,)

    @property
    def cutoff(self) -> float:
        """Distance up to which particles count, in sigma_AA; the box must be twice as large."""
        reach = [shells.cutoff for shells in (*self.radial, *self.angular)]
        return max([*reach, self.averaging_cutoff if self.generations else 0.0])

    def within(self, box: ArrayLike) -> FeatureOptions:
        """The same without the outer shells that a small box ``(3,)`` has no room for."""
        room = float(np.min(np.asarray(box, dtype=float)) / 2)
        return replace(
            self,
            radial=tuple(s.within(room) for s in self.radial),
            angular=tuple(s.within(room) for s in self.angular),
            averaging_cutoff=min(self.averaging_cutoff, room),
        )
