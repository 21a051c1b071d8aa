"""Networks with the face of a predictor: configurations in, propensity out."""

from glasslib.predictor.ensemble import EnsemblePredictor
from glasslib.predictor.interaction import InteractionPredictor
from glasslib.predictor.network import NetworkPredictor
from glasslib.predictor.perceptron import PerceptronPredictor
from glasslib.predictor.se3 import SE3Predictor
from glasslib.predictor.transfer import TransferPredictor

__all__ = [
    "EnsemblePredictor",
    "InteractionPredictor",
    "NetworkPredictor",
    "PerceptronPredictor",
    "SE3Predictor",
    "TransferPredictor",
]
