"""Views to explore with, made of ipywidgets: look, turn, train, simulate.

Each view draws figures that are functions of its state. They are drawn as SVG in place (:func:`picture`), and
the same figure in plotly is the static twin.
"""

from glasslib.explore.glass_state import GlassState
from glasslib.explore.glass_view import GlassExplorer
from glasslib.explore.melt import LiveGlass
from glasslib.explore.melt_view import LiveExplorer
from glasslib.explore.picture import picture
from glasslib.explore.training import training_figure
from glasslib.explore.training_view import TrainingWatcher
from glasslib.explore.turning_view import ConvolutionExplorer

__all__ = [
    "ConvolutionExplorer",
    "GlassExplorer",
    "GlassState",
    "LiveExplorer",
    "LiveGlass",
    "TrainingWatcher",
    "picture",
    "training_figure",
]
