"""Active against inactive particles, told apart by linear classifiers, one body order after another.

After Rottler and Ortner, arXiv:2410.03216. The learning curves that ship are made by
``python -m glasslib.companions.body_order``.
"""

from glasslib.companions.body_order.classifier import (
    ALPHAS,
    Extremes,
    accuracy,
    correlations,
    discriminant,
    extremes,
    pair_weights,
)
from glasslib.companions.body_order.few import Curve, Labelled, few_features, learning_curve
from glasslib.companions.body_order.study import Study, load

__all__ = [
    "ALPHAS",
    "Curve",
    "Extremes",
    "Labelled",
    "Study",
    "accuracy",
    "correlations",
    "discriminant",
    "extremes",
    "few_features",
    "learning_curve",
    "load",
    "pair_weights",
]
