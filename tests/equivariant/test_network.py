"""The whole network: symmetries, switches, gradients, loading."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch

from glasslib.equivariant import NetworkOptions, SE3Network
from glasslib.equivariant.averaging import NeighborAverage
from glasslib.graph import GraphOptions, build_graph
from glasslib.testing import assert_equivariant, assert_periodic, assert_permutation_equivariant

GRAPH = GraphOptions(cutoff=1.8, averaging_cutoff=2.2)
SMALL = NetworkOptions(
    n_times=2, hidden="6x0e + 4x1o + 2x2e", cutoff=1.8, width=8, n_radial=5, n_averages=2, dropout=0.5
)
BOTH = replace(SMALL, n_scalars=4, n_thermal_layers=1)
DTYPES = {torch.float32: 1e-4, torch.float64: 1e-10}


def network(dtype=torch.float32, options=SMALL):
    torch.manual_seed(0)
    return SE3Network(options).to(dtype).eval()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("structure", ["thermal", "inherent", "both"])
def test_predictions_do_not_turn_move_or_depend_on_labels(glass, dtype, structure):
    net = network(dtype, BOTH if structure == "both" else SMALL)
    options = GraphOptions(structure=structure, cutoff=1.8, averaging_cutoff=2.2)

    def predict(g):
        with torch.no_grad():
            return net(build_graph(g, options, dtype=dtype)).T.numpy()

    tolerance = DTYPES[dtype]
    assert predict(glass).std() > 1e-3
    assert_equivariant(net, build_graph(glass, options, dtype=dtype), tolerance=tolerance)
    assert_permutation_equivariant(predict, glass, tolerance=tolerance)
    assert_periodic(predict, glass, tolerance=tolerance)


def test_features_are_equivariant_to_the_last_digits(glass):
    net = network(torch.float64)
    data = build_graph(glass, GRAPH, dtype=torch.float64)
    assert assert_equivariant(net.features, data, SMALL.hidden, tolerance=1e-12) > 0


@pytest.mark.parametrize("structure", ["inherent", "both"])
def test_every_weight_learns(glass, structure):
    net = network(options=BOTH if structure == "both" else SMALL)
    net(build_graph(glass, replace(GRAPH, structure=structure))).pow(2).sum().backward()
    silent = [name for name, p in net.named_parameters() if p.grad is None or p.grad.abs().max() == 0]
    assert silent == []


@pytest.mark.parametrize("energy", [True, False])
@pytest.mark.parametrize("displacement", [True, False])
def test_inputs_are_switchable_and_used(glass, energy, displacement):
    graph = GraphOptions(energy=energy, displacement=displacement, cutoff=1.8, averaging_cutoff=0)
    options = NetworkOptions(
        n_scalars=graph.n_scalars,
        n_vectors=graph.n_vectors,
        hidden="4x0e + 2x1o",
        cutoff=1.8,
        n_averages=0,
        n_layers=2,
        width=8,
    )
    net = network(options=options)
    before = net(build_graph(glass, graph))
    warmer = glass.replace(inherent_energies=glass.inherent_energies + 1)
    assert torch.equal(net(build_graph(warmer, graph)), before) != energy
    shaken = glass.replace(positions=glass.positions + np.random.default_rng(1).normal(0, 0.05, (120, 3)))
    assert torch.equal(net(build_graph(shaken, graph)), before) != displacement


@pytest.mark.parametrize("norms", [True, False])
def test_norms_are_switchable_and_used(glass, norms):
    net = network(torch.float64, replace(SMALL, norms=norms))
    data = build_graph(glass, GRAPH, dtype=torch.float64)
    assert_equivariant(net, data, tolerance=1e-10)
    with torch.no_grad():
        features = net.features(data)
        longer = features.clone()
        longer[:, 6:] *= 2  # all of l > 0
        before, after = net.averaged(features, data), net.averaged(longer, data)
    assert torch.equal(before, after) != norms


def test_a_batch_is_its_graphs_side_by_side(glass):
    net = network(torch.float64)
    data = build_graph(glass, GRAPH, dtype=torch.float64)
    with torch.no_grad():
        one, two = net(data), net(Batch.from_data_list([data, data]))
    torch.testing.assert_close(two, torch.cat([one, one]), rtol=0, atol=1e-12)


def test_normalisation_comes_from_training_data_and_is_saved(glass):
    net = network()
    data = build_graph(glass, GRAPH)
    net.normalize(data.scalars, data.types, data.y)
    a_particles = glass.propensity[:, glass.is_type("A")]
    np.testing.assert_allclose(net.targets.mean[0], a_particles.mean(1), rtol=1e-5)
    np.testing.assert_allclose(net.scalar_mean, [0, 0, glass.inherent_energies.mean()], rtol=1e-5)
    other = network()
    other.load_state_dict(net.state_dict())
    with torch.no_grad():
        assert torch.equal(other(data), net(data))


def test_average_and_its_gradient_by_hand(glass):
    data = build_graph(glass, GRAPH, dtype=torch.float64)
    dense = torch.zeros(120, 120, dtype=torch.float64)
    dense[data.average_index[1], data.average_index[0]] = data.average_weight
    dense /= dense.sum(1, keepdim=True)
    average = NeighborAverage(data.average_index, data.average_weight, 120)
    x = torch.randn(120, 3, dtype=torch.float64, requires_grad=True)
    for function in (average, dense.matmul):
        (gradient,) = torch.autograd.grad(torch.sin(function(x)).sum(), x)
        if function is average:
            first, first_gradient = function(x), gradient
    torch.testing.assert_close(first, dense @ x, rtol=0, atol=1e-14)
    torch.testing.assert_close(first_gradient, gradient, rtol=0, atol=1e-14)
