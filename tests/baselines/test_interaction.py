"""The plain graph networks: their published size, what they are invariant under and what not."""

from __future__ import annotations

import pytest
import torch
from torch_geometric.data import Data

from glasslib.baselines import InteractionNetwork
from glasslib.errors import GlassError
from glasslib.graph import GraphOptions, build_graph
from glasslib.testing import assert_equivariant, assert_periodic, assert_permutation_equivariant

KINDS = {"botan": 54_209, "bapst": 70_721}  # numbers of weights, published


def graph(glass):
    return build_graph(glass, GraphOptions(cutoff=1.5, averaging_cutoff=0), dtype=torch.float64)


@pytest.fixture
def data(glass):
    return graph(glass)


@pytest.mark.parametrize("kind", KINDS)
def test_published_size(kind):
    assert sum(p.numel() for p in InteractionNetwork(kind).parameters()) == KINDS[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_particles_may_be_relabelled_but_not_turned(kind, glass, data):
    torch.manual_seed(0)
    network = InteractionNetwork(kind, n_times=3).double().eval()
    assert network(data).shape == (len(data.types), 3)

    def predict(glass):
        with torch.no_grad():
            return network(graph(glass)).T.numpy()

    assert_permutation_equivariant(predict, glass, tolerance=1e-10)
    assert_periodic(predict, glass, tolerance=1e-10)
    with pytest.raises(AssertionError):
        assert_equivariant(network, data, "3x0e")


@pytest.mark.parametrize("kind", KINDS)
def test_seven_steps_reach_seven_edges_far(kind):
    """On a chain of ten particles: what is said of particle 0 depends on the first seven links, no more."""
    chain = torch.arange(9)
    index = torch.cat([torch.stack([chain, chain + 1]), torch.stack([chain + 1, chain])], dim=1)
    torch.manual_seed(1)
    network = InteractionNetwork(kind).double()
    vectors = torch.randn(18, 3, dtype=torch.float64, requires_grad=True)
    out = network(Data(edge_index=index, edge_vector=vectors, types=torch.zeros(10, dtype=torch.long)))
    (gradient,) = torch.autograd.grad(out[0], vectors)
    felt = gradient.abs().sum(1).view(2, 9).sum(0) > 0
    assert felt.tolist() == [True] * 7 + [False] * 2


def test_edges(data):
    torch.manual_seed(0)
    nodes, edges = InteractionNetwork("botan", n_times=2).double().nodes_and_edges(data)
    assert (nodes.shape, edges.shape) == ((len(data.types), 2), (data.num_edges, 2))
    with pytest.raises(GlassError, match="only BOTAN"):
        InteractionNetwork("bapst").nodes_and_edges(data)
    with pytest.raises(GlassError, match="kind: expected"):
        InteractionNetwork("schnet")


def test_training_turns_axes(data):
    torch.manual_seed(0)
    network = InteractionNetwork("botan").double()
    assert not torch.equal(network(data), network(data))
    network.eval()
    assert torch.equal(network(data), network(data))
