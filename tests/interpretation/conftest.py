"""Small networks with the face of a predictor; untrained ones know as much about shapes and symmetries."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from glasslib.equivariant import NetworkOptions
from glasslib.features import FeatureOptions, Shells
from glasslib.graph import GraphOptions
from glasslib.predictor import SE3Predictor
from tests.conftest import make_glass

NETWORK = NetworkOptions(hidden="6x0e + 4x1o + 3x2e", width=8, n_radial=5, n_averages=2, dropout=0.5)


@pytest.fixture
def make_predictor():
    """A function: a predictor in float64 whose network has drawn its weights at random."""

    def make(*, displacement: bool = True, energy: bool = True) -> SE3Predictor:
        torch.manual_seed(0)
        graph = GraphOptions(cutoff=1.8, averaging_cutoff=2.2, displacement=displacement, energy=energy)
        predictor = SE3Predictor(graph, NETWORK)
        predictor.times = np.array([1.0, 2.0])
        predictor.network = predictor.make_network(2).double()
        return predictor

    return make


@pytest.fixture
def predictor(make_predictor) -> SE3Predictor:
    """With all inputs."""
    return make_predictor()


@pytest.fixture
def glasses():
    """Five different configurations of 120 particles."""
    return [make_glass(seed=seed) for seed in range(5)]


@pytest.fixture
def options() -> FeatureOptions:
    """Expert features that fit into the box."""
    return FeatureOptions(
        radial=(Shells(0.8, 1.3, 0.1),),
        angular=(Shells(1.0, 1.2, 0.2),),
        l_max=2,
        generations=1,
        averaging_cutoff=2.2,
    )
