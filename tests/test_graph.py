"""From a Glass to a graph."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch

from glasslib import GlassError
from glasslib.glass import minimum_image
from glasslib.graph import GraphOptions, build_graph

SMALL = {"cutoff": 1.8, "averaging_cutoff": 2.2}


def test_what_the_graph_holds(glass):
    data = build_graph(glass, GraphOptions(**SMALL), dtype=torch.float64)
    assert data.scalars.shape == (120, 3)
    np.testing.assert_array_equal(data.scalars[:, :2].argmax(1), glass.types)
    np.testing.assert_array_equal(data.scalars[:, 2], glass.inherent_energies)
    shift = minimum_image(glass.inherent_positions - glass.positions, glass.box)
    np.testing.assert_array_equal(data.vectors[:, 0], shift)
    neighbor, center = data.edge_index.numpy()
    expected = minimum_image(glass.inherent_positions[neighbor] - glass.inherent_positions[center], glass.box)
    np.testing.assert_allclose(data.edge_vector, expected, atol=1e-12)
    np.testing.assert_array_equal(data.y.T, glass.propensity)


def test_inputs_are_switchable(glass):
    options = GraphOptions(structure="thermal", energy=False, displacement=False, **SMALL)
    data = build_graph(glass.replace(inherent_positions=None, inherent_energies=None), options)
    assert (options.n_scalars, options.n_vectors) == (2, 0)
    assert data.scalars.shape == (120, 2)
    assert data.vectors.shape == (120, 0, 3)
    thermal = build_graph(glass, GraphOptions(structure="thermal", **SMALL), dtype=torch.float64)
    np.testing.assert_array_equal(thermal.scalars[:, 2], glass.energies)


def test_averaging_weights_are_those_of_the_expert_features(glass):
    data = build_graph(glass, GraphOptions(**SMALL), dtype=torch.float64)
    vectors = glass.inherent_positions[:, None] - glass.inherent_positions[None]
    distance = np.linalg.norm(minimum_image(vectors, glass.box), axis=-1)
    expected = np.where(distance <= 2.2, np.exp(-distance / 2), 0)
    found = np.zeros((120, 120))
    found[data.average_index[1], data.average_index[0]] = data.average_weight
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("missing", ["inherent_positions", "inherent_energies"])
def test_what_is_missing_is_named_with_the_remedy(glass, missing):
    with pytest.raises(GlassError, match=f"{missing}: is missing.*inherent_structure"):
        build_graph(glass.replace(**{missing: None}), GraphOptions(**SMALL))


def test_a_box_too_small_is_refused(glass):
    with pytest.raises(GlassError, match=r"made-up-0: box: .*half"):
        build_graph(glass, GraphOptions(cutoff=2.0, averaging_cutoff=3.0))


def test_an_unknown_structure_is_refused(glass):
    with pytest.raises(GlassError, match="structure: expected"):
        build_graph(glass, GraphOptions(structure="molten", **SMALL))


def test_batches_keep_every_index_in_its_own_graph(glass):
    data = build_graph(glass, GraphOptions(**SMALL))
    batch = Batch.from_data_list([data, data])
    for name in ("edge_index", "average_index"):
        values, n = getattr(batch, name), getattr(data, name).shape[1]
        assert (values[:, :n] < 120).all()
        assert (values[:, n:] >= 120).all()
