"""A small configuration, a predictor that needs no training, and pictures that can be read."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from glasslib.training import TrainingOptions
from tests.conftest import make_glass

SVG = "{http://www.w3.org/2000/svg}"


class Stub:
    """Predicts a known number for every particle and time."""

    def __init__(self, times=(1.0, 2.0), particle_type="A"):
        self.times = np.array(times)
        self.training_options = TrainingOptions(particle_type=particle_type)
        self.asked = 0

    def predict(self, glass):
        self.asked += 1
        return 0.3 + 0.1 * np.arange(len(self.times))[:, None] + 0.001 * np.arange(len(glass))


@pytest.fixture
def stub():
    return Stub()


@pytest.fixture
def glasses():
    return [make_glass(seed=seed) for seed in (0, 1)]


@pytest.fixture
def read():
    """The elements of a picture, by kind."""

    def elements(svg: str, kind: str):
        return list(ElementTree.fromstring(svg).iter(SVG + kind))

    return elements
