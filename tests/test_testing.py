"""The public assertions pass what is symmetric and, above all, catch what is not."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from glasslib.graph import GraphOptions, build_graph
from glasslib.neighbors import neighbor_pairs
from glasslib.testing import assert_equivariant, assert_periodic, assert_permutation_equivariant

OPTIONS = GraphOptions(cutoff=1.8, averaging_cutoff=0)


def crowding(glass):
    """A sound predictor: the number of neighbours, weighted by their type."""
    edge_index, _ = neighbor_pairs(glass.positions, glass.box, 1.7)
    return np.bincount(edge_index[1], 1.0 + glass.types[edge_index[0]], minlength=len(glass))


def test_sound_predictors_pass(glass):
    assert assert_permutation_equivariant(crowding, glass) == 0
    assert assert_periodic(crowding, glass) < 1e-12


def test_absolute_positions_are_caught(glass):
    with pytest.raises(AssertionError, match="periodic boundary"):
        assert_periodic(lambda g: g.positions[:, 0], glass)


def test_the_order_of_particles_is_caught(glass):
    with pytest.raises(AssertionError, match="relabelling"):
        assert_permutation_equivariant(lambda g: np.arange(len(g)), glass)


def test_rotations(glass):
    data = build_graph(glass, OPTIONS, dtype=torch.float64)

    def sum_of_vectors(graph):
        total = torch.zeros(len(graph.types), 3, dtype=torch.float64)
        return total.index_add(0, graph.edge_index[1], graph.edge_vector)

    assert assert_equivariant(sum_of_vectors, data, "1x1o") < 1e-12
    with pytest.raises(AssertionError, match="rotation or reflection"):
        assert_equivariant(sum_of_vectors, data)
    # right under rotations, wrong under reflections: an axial vector is no polar one
    with pytest.raises(AssertionError, match="rotation or reflection"):
        assert_equivariant(sum_of_vectors, data, "1x1e")


def test_a_changing_shape_is_caught(glass):
    calls = iter([crowding(glass)[:-1], crowding(glass)])
    with pytest.raises(AssertionError, match="changes shape"):
        assert_periodic(lambda _: next(calls), glass)
