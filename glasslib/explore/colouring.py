"""What the colours of particles show, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glasslib.explore.marks import along, scale_of
from glasslib.glass import TYPE_NAMES, FloatArray
from glasslib.plots.style import COLOUR_SCALE, COLOURS

#: Colours from below to above zero, for differences.
DIFFERENCES = ((0.0, COLOURS[1]), (0.5, "#ffffff"), (1.0, COLOURS[0]))
#: Colours of the types A and B: far apart in brightness, too.
TYPE_COLOURS = (COLOURS[5], COLOURS[1])
#: What is not known.
GREY = "#c8c8c8"


@dataclass(frozen=True, eq=False)
class Colouring:
    """What the colours of a panel show.

    Parameters
    ----------
    title :
        Above the panel.
    values : (n_particles,)
        None while there are none.
    kind :
        ``"value"``, ``"difference"`` (0 is white) or ``"type"``.
    unit :
        Above the colour bar.
    known : (n_particles,)
        Where the values mean something; by default everywhere.
    """

    title: str
    values: FloatArray | None
    kind: str = "value"
    unit: str = ""
    known: NDArray[np.bool_] | None = None

    def scale(self, limits: tuple[float, float] | None = None) -> dict[str, Any]:
        """A colour axis for them; by default from the 2nd to the 98th percentile of what is known."""
        if self.kind == "type":
            a, b = TYPE_COLOURS
            steps = ((0.0, a), (0.5, a), (0.5, b), (1.0, b))
            return {"colorscale": steps, "cmin": -0.5, "cmax": 1.5, "showscale": False}
        if limits is None:
            limits = self.limits()
        scale = DIFFERENCES if self.kind == "difference" else COLOUR_SCALE
        return {"colorscale": scale, "cmin": float(f"{limits[0]:.3g}"), "cmax": float(f"{limits[1]:.3g}")}

    def limits(self) -> tuple[float, float]:
        """Ends of the colour scale."""
        shown = np.zeros(1) if self.values is None else self.values[self.mask()]
        low, high = np.percentile(shown, [2, 98]) if len(shown) else (0.0, 1.0)
        if self.kind == "difference":
            high = max(abs(low), abs(high))
            low = -high
        return float(low), float(max(high, low + 1e-6))

    def colours(self, chosen: NDArray[np.integer]) -> list[str]:
        """Colours of some particles, grey where nothing is known."""
        if self.values is None:
            return [GREY] * len(chosen)
        axis, shown = self.scale(), np.nan_to_num(self.values[chosen])
        found = along(scale_of(axis), shown, axis["cmin"], axis["cmax"])
        return [c if ok else GREY for c, ok in zip(found, self.mask()[chosen], strict=True)]

    def words(self, chosen: NDArray[np.integer], types: NDArray[np.integer]) -> list[str]:
        """What the mouse tells of some particles."""
        names = [f"{TYPE_NAMES[types[i]]} {i}" for i in chosen]
        if self.values is None or self.kind == "type":
            return names
        known = self.mask()
        return [
            f"{name}: {self.values[i]:.3f}" if known[i] else f"{name}: not known"
            for name, i in zip(names, chosen.tolist(), strict=True)
        ]

    def mask(self) -> NDArray[np.bool_]:
        """Where the values mean something, ``(n_particles,)``."""
        assert self.values is not None
        return np.isfinite(self.values) if self.known is None else self.known & np.isfinite(self.values)
