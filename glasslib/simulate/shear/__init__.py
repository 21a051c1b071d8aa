"""Athermal quasi-static shear: which particles rearrange when a glass is deformed."""

from glasslib.simulate.shear.nonaffine import d2min
from glasslib.simulate.shear.quasistatic import PLANES, Sheared, shear
from glasslib.simulate.shear.rearrangements import Rearrangements, load, rearrangements, save, shipped

__all__ = [
    "PLANES",
    "Rearrangements",
    "Sheared",
    "d2min",
    "load",
    "rearrangements",
    "save",
    "shear",
    "shipped",
]
