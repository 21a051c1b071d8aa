"""Training: one ``fit`` for every network, from two cores to many devices."""

from glasslib.training.loop import fit
from glasslib.training.module import PropensityModule
from glasslib.training.options import TrainingOptions, split

__all__ = ["PropensityModule", "TrainingOptions", "fit", "split"]
