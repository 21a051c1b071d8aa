"""String-like rearrangements between inherent structures, and whether they spread mobility.

Chacko, *String-like Rearrangements Induce Mobility in Supercooled Liquids*, arXiv:2412.02923 (2024).
The trajectories that ship are made by ``python -m glasslib.companions.strings``.
"""

from glasslib.companions.strings.detection import (
    DELTA,
    THRESHOLD,
    Strings,
    decay_length,
    rearranged,
    redirected,
    strings,
)
from glasslib.companions.strings.draws import Draws, load, save, shipped, simulate
from glasslib.companions.strings.entrainment import RateRatio, distance_to, rate_ratio, resampled

__all__ = [
    "DELTA",
    "THRESHOLD",
    "Draws",
    "RateRatio",
    "Strings",
    "decay_length",
    "distance_to",
    "load",
    "rate_ratio",
    "rearranged",
    "redirected",
    "resampled",
    "save",
    "shipped",
    "simulate",
    "strings",
]
