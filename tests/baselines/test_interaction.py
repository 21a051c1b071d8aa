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
    index = torch.cat([torch.stack([chain + 1, chain]), torch.stack([chain, chain + 1])], dim=1)
    order = index[1].argsort(stable=True)
    index, link = index[:, order], torch.cat([chain, chain])[order]
    torch.manual_seed(1)
    network = InteractionNetwork(kind).double()
    vectors = torch.randn(18, 3, dtype=torch.float64, requires_grad=True)
    out = network(Data(edge_index=index, edge_vector=vectors, types=torch.zeros(10, dtype=torch.long)))
    (gradient,) = torch.autograd.grad(out[0], vectors)
    felt = torch.zeros(9, dtype=torch.float64).index_add_(0, link, gradient.abs().sum(1)) > 0
    assert felt.tolist() == [True] * 7 + [False] * 2


def plain(network, data):
    """The published formula, word for word: every update sees its arguments side by side."""
    j, i = data.edge_index
    nodes_0 = network.encode_nodes(data.types.double().unsqueeze(1))
    edges_0 = network.encode_edges(data.edge_vector)
    nodes, edges = nodes_0, edges_0
    for _ in range(7):
        ends = [nodes, nodes_0] if network.kind == "bapst" else [nodes]
        seen = [edges, edges_0, *(end[j] for end in ends), *(end[i] for end in ends)]
        edges = network.update_edges(torch.cat(seen, dim=1))
        received = torch.zeros_like(nodes).index_add(0, i, edges)
        nodes = network.update_nodes(torch.cat([nodes, nodes_0, received], dim=1))
    return nodes, edges


@pytest.mark.parametrize("at_once", [7, 256])
@pytest.mark.parametrize("kind", KINDS)
def test_the_quick_way_is_the_plain_formula(kind, at_once, data, monkeypatch):
    monkeypatch.setattr("glasslib.baselines.interaction.PARTICLES_AT_ONCE", at_once)
    torch.manual_seed(0)
    network = InteractionNetwork(kind).double().eval()
    nodes, parts = network.encoded(data)
    quick = (nodes, torch.cat(parts))
    expected = plain(network, data)
    weights = list(network.update_edges.parameters()) + list(network.encode_edges.parameters())
    for ours, theirs in zip(quick, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-13)
        gradients = [
            torch.autograd.grad(x.square().sum(), weights, retain_graph=True) for x in (ours, theirs)
        ]
        for mine, published in zip(*gradients, strict=True):
            torch.testing.assert_close(mine, published, rtol=1e-9, atol=1e-10)


def test_a_particle_without_neighbors_receives_nothing(data):
    torch.manual_seed(0)
    network = InteractionNetwork().double().eval()
    kept = ~(data.edge_index == 5).any(0)
    alone = data.clone().update(
        {"edge_index": data.edge_index[:, kept], "edge_vector": data.edge_vector[kept]}
    )
    torch.testing.assert_close(network.encoded(alone)[0], plain(network, alone)[0], rtol=1e-11, atol=1e-13)


def test_edges_out_of_order_are_refused(data):
    data.edge_index = data.edge_index.flip(1)
    with pytest.raises(GlassError, match="edge_index: expected edges sorted by centre"):
        InteractionNetwork().double()(data)


def test_edges(data):
    torch.manual_seed(0)
    nodes, edges = InteractionNetwork("botan", n_times=2).double().nodes_and_edges(data)
    assert (nodes.shape, edges.shape) == ((len(data.types), 2), (data.num_edges, 2))
    with pytest.raises(GlassError, match="only BOTAN"):
        InteractionNetwork("bapst").nodes_and_edges(data)
    with pytest.raises(GlassError, match="kind: expected"):
        InteractionNetwork("schnet")
    with pytest.raises(GlassError, match="only BOTAN's network learns bonds"):
        InteractionNetwork("bapst", node_weight=0.4)
    with pytest.raises(GlassError, match="node_weight: expected 0 to 1"):
        InteractionNetwork("botan", node_weight=1.4)


def test_training_turns_axes(data):
    torch.manual_seed(0)
    network = InteractionNetwork("botan").double()
    assert not torch.equal(network(data), network(data))
    network.eval()
    assert torch.equal(network(data), network(data))
