"""Rotation-equivariant graph neural networks for glass-forming liquids.

One natural way through::

    file -> Glass -> graph -> network -> propensity -> evaluation

>>> import glasslib
>>> glass = glasslib.load("configuration.npz")  # doctest: +SKIP
"""

from glasslib.errors import GlassError
from glasslib.glass import Glass, minimum_image, wrap
from glasslib.readers import load, save

__all__ = ["Glass", "GlassError", "load", "minimum_image", "save", "wrap"]
__version__ = "0.1.0"
