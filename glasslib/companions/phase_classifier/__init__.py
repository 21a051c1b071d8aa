"""Liquid or solid? A classifier that never sees motion, and the map of where it sees the liquid.

A network learns to tell particles of a hot liquid from those of a cold one, from positions alone; its answer
for many particles is the mean of one number per particle. That number, on a cold configuration, says where it
looks hot: *liquid-like*. After Liu, Oyama, Kawasaki and Mizuno, J. Appl. Phys. 136, 144702 (2024), who use a
convolutional network and Grad-CAM; this one reads the particles themselves.
"""

from glasslib.companions.phase_classifier.classifier import (
    ClassifierOptions,
    PhaseClassifier,
    PointNetwork,
    grad_cam,
)
from glasslib.companions.phase_classifier.liquids import hot_liquids
from glasslib.companions.phase_classifier.shelf import trained
from glasslib.companions.phase_classifier.training import accuracy, clusters, train

__all__ = [
    "ClassifierOptions",
    "PhaseClassifier",
    "PointNetwork",
    "accuracy",
    "clusters",
    "grad_cam",
    "hot_liquids",
    "train",
    "trained",
]
