"""Shells that fit into the made-up glass, and sums written out."""

from __future__ import annotations

import numpy as np
import pytest

from glasslib.features import Shells
from glasslib.glass import minimum_image


@pytest.fixture
def shells() -> tuple[Shells, ...]:
    """Up to 2.3, with the box of the made-up glass at 4.8."""
    return (Shells(0.7, 1.2, 0.05), Shells(1.3, 1.8, 0.1))


@pytest.fixture
def neighbors():
    """A function: the vectors from particle i to all others, and their indices."""

    def around(glass, i: int):
        others = np.delete(np.arange(len(glass)), i)
        return minimum_image(glass.positions[others] - glass.positions[i], glass.box), others

    return around


@pytest.fixture
def gaussian():
    """A function: the weights (n,) of distances in the shell of a radius and a width."""
    return lambda r, radius, width: np.exp(-((r - radius) ** 2) / (2 * width**2))
