"""Files to :class:`~glasslib.glass.Glass` and back: one function per format, :func:`load` for all."""

from glasslib.readers.glassbench import iterate, members
from glasslib.readers.grids import TIME_GRIDS
from glasslib.readers.native import save
from glasslib.readers.recognise import load
from glasslib.readers.replicas import propensities

__all__ = ["TIME_GRIDS", "iterate", "load", "members", "propensities", "save"]
