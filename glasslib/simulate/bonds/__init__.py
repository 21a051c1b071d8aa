"""How the bonds of bundled configurations stretch: their replicas run again, pairs followed."""

from glasslib.simulate.bonds.stretching import (
    CUTOFF,
    TIMES,
    Stretching,
    load,
    save,
    shipped,
    shipped_folder,
    stretching,
)

__all__ = ["CUTOFF", "TIMES", "Stretching", "load", "save", "shipped", "shipped_folder", "stretching"]
