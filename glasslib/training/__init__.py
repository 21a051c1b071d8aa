"""Training: one ``fit`` for every network, from two cores to many devices."""

from glasslib.training.loop import PRECISIONS, fit
from glasslib.training.module import PropensityModule
from glasslib.training.options import TrainingOptions, split

__all__ = ["PRECISIONS", "PropensityModule", "TrainingOptions", "fit", "split"]
