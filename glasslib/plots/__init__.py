"""Plotly figures in one style: a glass in three dimensions, a cut through it, curves.

Every slider works in the browser alone, without a Python process behind it. Numbers are rounded before they
go into a figure, so that a notebook stays small. Colours can be told apart with any kind of colour vision.
"""

from glasslib.plots.curves import curves
from glasslib.plots.particles import glass_3d, slice_map
from glasslib.plots.style import TEMPLATE

__all__ = ["TEMPLATE", "curves", "glass_3d", "slice_map"]
