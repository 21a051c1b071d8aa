"""Opponents of the network, with the same face: ``fit(glasses)`` and ``predict(glass)``."""

from glasslib.baselines.geometry import learn_geometry
from glasslib.baselines.interaction import InteractionNetwork
from glasslib.baselines.perceptron import Perceptron
from glasslib.baselines.ridge import RidgePredictor
from glasslib.baselines.simple import ConstantPredictor, EnergyPredictor

__all__ = [
    "ConstantPredictor",
    "EnergyPredictor",
    "InteractionNetwork",
    "Perceptron",
    "RidgePredictor",
    "learn_geometry",
]
