"""From a Glass to a graph."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch

from glasslib import Glass, GlassError
from glasslib.glass import minimum_image
from glasslib.graph import GraphOptions, bond_stretching, build_graph
from tests.conftest import make_glass

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


def test_both_structures(glass):
    inherent, thermal, both = (
        build_graph(glass, GraphOptions(structure=structure, **SMALL), dtype=torch.float64)
        for structure in ("inherent", "thermal", "both")
    )
    for name in ("edge_index", "edge_vector", "average_index", "average_weight", "vectors"):
        assert torch.equal(both[name], inherent[name])
    assert torch.equal(both.thermal_index, thermal.edge_index)
    assert torch.equal(both.thermal_vector, thermal.edge_vector)
    assert torch.equal(both.scalars, torch.cat([inherent.scalars, thermal.scalars[:, 2:]], dim=1))
    assert both.scalars.shape[1] == GraphOptions(structure="both").n_scalars
    batch = Batch.from_data_list([both, both])
    n, pairs = len(glass), both.thermal_index.shape[1]
    assert torch.equal(batch.thermal_index[:, pairs:], both.thermal_index + n)


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


def with_end_points(glass, moved):
    """With trajectories that end ``moved`` (n_times, n_replicas, n_particles, 3) from the start."""
    return glass.replace(end_positions=glass.positions + moved)


def test_bonds_stretch_as_pair_by_pair(glass):
    rng = np.random.default_rng(1)
    glass = with_end_points(glass, rng.normal(0, 1.5, (2, 3, 120, 3)))
    data = build_graph(glass, GraphOptions(**SMALL), bonds=True, dtype=torch.float64)
    assert data.bond_y.shape == (data.num_edges, 2)
    for edge in rng.choice(data.num_edges, 300, replace=False):
        j, i = data.edge_index[:, edge].tolist()
        images = [
            glass.positions[j] + glass.box * [a, b, c] - glass.positions[i]
            for a in (-1, 0, 1)
            for b in (-1, 0, 1)
            for c in (-1, 0, 1)
        ]
        start = min(images, key=np.linalg.norm)
        assert data.bond_length[edge].item() == pytest.approx(np.linalg.norm(start))
        for t in range(2):
            later = 0.0
            for replica in range(3):
                moved = glass.end_positions[t, replica] - glass.positions
                later += np.linalg.norm(start + moved[j] - moved[i]) / 3
            assert data.bond_y[edge, t].item() == pytest.approx(later - np.linalg.norm(start), abs=1e-12)


def test_a_common_translation_stretches_no_bond(glass):
    glass = with_end_points(glass, np.broadcast_to([7.0, -3.0, 11.0], (2, 4, 120, 3)))
    data = build_graph(glass, GraphOptions(**SMALL), bonds=True, dtype=torch.float64)
    assert data.bond_y.abs().max() < 1e-12


def test_a_bond_across_the_boundary_is_followed_out_of_the_box():
    """Half a sigma apart through the wall; one of them then goes round the box, and the bond remembers."""
    glass = make_glass().replace(inherent_positions=None)
    positions = np.array([[0.25, 1.0, 1.0], [4.95, 1.0, 1.0]])
    pair = Glass(positions=positions, types=[0, 0], box=glass.box, times=[1.0])
    moved = np.zeros((1, 2, 2, 3))
    moved[0, 0, 0, 0] = glass.box[0]
    length, stretching = bond_stretching(with_end_points(pair, moved), np.array([[0, 1], [1, 0]]))
    np.testing.assert_allclose(length, 0.5)
    np.testing.assert_allclose(stretching, [[glass.box[0] / 2] * 2])


def test_bonds_need_the_end_points_and_are_left_out_unless_asked_for(glass):
    with pytest.raises(GlassError, match="made-up-0: end_positions: is missing"):
        build_graph(glass, GraphOptions(**SMALL), bonds=True)
    data = build_graph(with_end_points(glass, np.zeros((2, 1, 120, 3))), GraphOptions(**SMALL))
    assert "bond_y" not in data
    assert "bond_length" not in data
