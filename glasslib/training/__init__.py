"""Training: one ``fit`` for every network, from two cores to many devices."""

from glasslib.training.loop import PRECISIONS, fit
from glasslib.training.module import PropensityModule
from glasslib.training.options import TrainingOptions, split
from glasslib.training.progress import Progress, history_of

__all__ = ["PRECISIONS", "Progress", "PropensityModule", "TrainingOptions", "fit", "history_of", "split"]
