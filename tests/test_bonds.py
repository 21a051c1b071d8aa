"""Bonds kept in place of end points: the same targets, files, errors; the read-out of the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch

from glasslib import GlassError, load, save
from glasslib.bonds import Bonds
from glasslib.equivariant import NetworkOptions, SE3BondNetwork
from glasslib.graph import GraphOptions, bond_stretching, build_graph
from glasslib.neighbors import neighbor_pairs
from glasslib.predictor import InteractionPredictor, SE3Predictor
from glasslib.targets import bond_kinds
from glasslib.testing import assert_equivariant, relabel
from glasslib.training import TrainingOptions
from tests.conftest import make_glass

GRAPH = GraphOptions("thermal", cutoff=1.8, averaging_cutoff=2.2)
SMALL = NetworkOptions(
    n_times=2, hidden="6x0e + 4x1o + 2x2e", cutoff=1.8, width=8, n_radial=5, n_averages=2, dropout=0.5
)


def moving(seed: int = 0):
    """With three trajectories to two times, and propensity from them."""
    glass = make_glass(seed=seed)
    moved = np.random.default_rng(seed).normal(0, 0.3, (2, 3, 120, 3))
    propensity = np.linalg.norm(moved, axis=-1).mean(1)
    return glass.replace(end_positions=glass.positions + moved, propensity=propensity, propensity_halves=None)


def keeping_bonds(glass, cutoff=2.0):
    """The same without end points."""
    index, _ = neighbor_pairs(glass.positions, glass.box, cutoff)
    once = index[:, index[1] < index[0]][::-1]
    return glass.replace(end_positions=None, bonds=Bonds(once, bond_stretching(glass, once)[1]))


def test_kept_bonds_give_the_same_graph_as_the_end_points():
    glass = moving()
    kept = keeping_bonds(glass)
    for structure in ("thermal", "inherent"):
        options = GraphOptions(structure, cutoff=1.6, averaging_cutoff=0)
        full, lean = (build_graph(g, options, bonds=True, dtype=torch.float64) for g in (glass, kept))
        assert full.bond_y.std() > 0.01
        torch.testing.assert_close(lean.bond_y, full.bond_y, rtol=0, atol=1e-12)
        assert torch.equal(lean.bond_length, full.bond_length)
    one = build_graph(kept.at_times([2.0]), options, bonds=True, dtype=torch.float64)
    torch.testing.assert_close(one.bond_y, full.bond_y[:, 1:], rtol=0, atol=1e-12)


def test_end_points_come_first_where_both_are_known():
    glass = moving()
    wrong = keeping_bonds(glass).bonds
    wrong = Bonds(wrong.pairs, wrong.stretching + 1)
    index, _ = neighbor_pairs(glass.positions, glass.box, 1.5)
    np.testing.assert_array_equal(
        bond_stretching(glass.replace(bonds=wrong), index)[1], bond_stretching(glass, index)[1]
    )


@pytest.mark.parametrize("compact", [False, True])
def test_files_hold_them(tmp_path: Path, compact):
    glass = keeping_bonds(moving())
    save(glass, tmp_path / "a.npz", compact=compact)
    back = load(tmp_path / "a.npz").bonds
    np.testing.assert_array_equal(back.pairs, glass.bonds.pairs)
    np.testing.assert_allclose(back.stretching, glass.bonds.stretching, rtol=1e-7 if compact else 0, atol=0)
    damaged = dict(np.load(tmp_path / "a.npz")) | {"bonds/pairs": np.array([[1], [0]])}
    np.savez(tmp_path / "b.npz", **damaged)
    with pytest.raises(GlassError, match=r"b\.npz: bonds: expected i < j"):
        load(tmp_path / "b.npz")


def test_relabelled_particles_keep_their_bonds():
    order = np.random.default_rng(5).permutation(120)
    glass = moving()
    index, _ = neighbor_pairs(glass.positions[order], glass.box, 1.8)
    expected = bond_stretching(relabel(glass, order), index)[1]
    found = bond_stretching(relabel(keeping_bonds(glass), order), index)[1]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("pairs", "stretching", "match"),
    [
        ([[0, 1], [1, 1]], np.zeros((2, 2)), "expected i < j, sorted"),
        ([[1, 0], [2, 1]], np.zeros((2, 2)), "expected i < j, sorted"),
        ([[0, 0], [1, 1]], np.zeros((2, 2)), "each pair once"),
        ([[-1], [1]], np.zeros((2, 1)), "expected i < j"),
        ([[0.0], [1.0]], np.zeros((2, 1)), r"expected integers \(2, n_pairs\), got float64"),
        ([0, 1], np.zeros((2, 1)), r"expected integers"),
        ([[0], [1]], np.zeros(2), r"expected numbers \(n_times, 1\)"),
        ([[0], [1]], [["a"]], "expected numbers"),
        ([[0], [1]], [[np.nan]], "NaN or infinite"),
    ],
)
def test_what_is_no_bond_is_refused(pairs, stretching, match):
    with pytest.raises(GlassError, match=match):
        Bonds(np.array(pairs), np.array(stretching))


def test_bonds_of_another_configuration_are_refused():
    glass = moving()
    for bonds in (
        Bonds(np.array([[0], [120]]), np.zeros((2, 1))),
        Bonds(np.array([[0], [1]]), np.zeros((1, 1))),
    ):
        with pytest.raises(GlassError, match="made-up-0: bonds: expected pairs of 120 particles at 2 times"):
            glass.replace(bonds=bonds)
    with pytest.raises(GlassError, match=r"of \d+ pairs are not among the \d+ that are known"):
        build_graph(keeping_bonds(glass, 1.2), GRAPH, bonds=True)
    few = Bonds(np.zeros((2, 0), dtype=int), np.zeros((2, 0)))
    with pytest.raises(GlassError, match="not among the 0"):
        few.of(np.array([[0], [1]]))


def network(dtype=torch.float64, options=SMALL):
    torch.manual_seed(0)
    return SE3BondNetwork(options, 0.4).to(dtype).eval()


def graph(glass, options=GRAPH):
    return build_graph(glass, options, dtype=torch.float64)


@pytest.mark.parametrize("hidden", [SMALL.hidden, "4x0e + 3x1o + 2x1e + 2x2e + 2x2o", "4x0e"])
def test_bonds_do_not_turn(glass, hidden):
    """To 1e-12, reflections included; with features of the wrong parity, which must not be seen."""
    net = network(options=NetworkOptions(**{**vars(SMALL), "hidden": hidden}))
    data = graph(glass)
    with torch.no_grad():
        assert net.nodes_and_edges(data)[1].std() > 1e-3
    assert_equivariant(lambda d: net.nodes_and_edges(d)[1], data, tolerance=1e-12)


def test_a_bond_is_one_thing_from_either_end_whatever_the_labels(glass):
    net, order = network(), np.random.default_rng(3).permutation(len(glass))
    said = []
    for g in (glass, relabel(glass, order)):
        data = graph(g)
        with torch.no_grad():
            _, bonds = net.nodes_and_edges(data)
        table = torch.full((120, 120, 2), torch.nan, dtype=torch.float64)
        table[data.edge_index[0], data.edge_index[1]] = bonds
        said.append(table)
    assert torch.equal(said[0].isnan(), said[0].transpose(0, 1).isnan())
    torch.testing.assert_close(said[0], said[0].transpose(0, 1), rtol=0, atol=0, equal_nan=True)
    torch.testing.assert_close(said[1], said[0][order][:, order], rtol=0, atol=1e-12, equal_nan=True)


def test_bonds_as_written_out_edge_by_edge(glass):
    """The formula of the docstring in a loop, with harmonics written by hand."""
    net, data = network(), graph(glass)
    net.bonds.mean.normal_()
    with torch.no_grad():
        hidden, x = net.features(data), net.representation(data)
        _, found = net.nodes_and_edges(data)
        for edge in range(0, data.num_edges, 97):
            j, i = data.edge_index[:, edge].tolist()
            vector = data.edge_vector[edge]
            total = 0
            for k, along in ((i, vector), (j, -vector)):
                a, b, c = along / along.norm()
                first = hidden[k, 6:18].view(4, 3) @ (along / along.norm())
                squares = [b * b - (a * a + c * c) / 2, (c * c - a * a) * 3**0.5 / 2]
                products = [3**0.5 * pair for pair in (a * c, a * b, b * c)]
                second = torch.stack([*products[:2], squares[0], products[2], squares[1]])
                seen = torch.cat([first, hidden[k, 18:28].view(2, 5) @ second])
                inner = net.of_end(x[k]) + net.of_bond(torch.cat([seen, net.basis(along.norm())]))
                total = total + torch.nn.functional.silu(inner)
            kind = int(bond_kinds(data.types, torch.tensor([[j], [i]])))
            out = net.decode_bonds(total).view(3, 2)[kind]
            torch.testing.assert_close(found[edge], net.bonds.mean[kind] + out, rtol=0, atol=1e-10)


def test_every_weight_of_the_read_out_learns_and_a_batch_is_its_graphs(glass):
    net, data = network(), graph(glass)
    nodes, edges = net.nodes_and_edges(data)
    (nodes.pow(2).sum() + edges.pow(2).sum()).backward()
    silent = [name for name, p in net.named_parameters() if p.grad is None or p.grad.abs().max() == 0]
    assert silent == []
    other = graph(make_glass(seed=1))
    with torch.no_grad():
        together = net.nodes_and_edges(Batch.from_data_list([data, other]))
        apart = [net.nodes_and_edges(one) for one in (data, other)]
    for k in range(2):
        torch.testing.assert_close(together[k], torch.cat([one[k] for one in apart]), rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", ["botan", "se3"])
def test_training_on_kept_bonds_is_training_on_end_points(kind):
    """Weights, history and scores; both networks by the same options."""

    def trained(glasses):
        training = TrainingOptions(epochs=2, learning_rate=1e-3, weight_decay=0.0)
        options = {"node_weight": 0.4, "pretraining_epochs": 1}
        if kind == "botan":
            predictor = InteractionPredictor("botan", "thermal", training, **options)
        else:
            predictor = SE3Predictor(GRAPH, SMALL, training, **options)
        return predictor.fit(glasses, progress=False)

    full = [moving(seed) for seed in range(3)]
    kept = [keeping_bonds(glass) for glass in full]
    one, two = trained(full), trained(kept)
    assert one.history == two.history
    assert one.pretraining_history == two.pretraining_history
    np.testing.assert_allclose(two.score_bonds(kept).mean, one.score_bonds(full).mean, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(two.predict(kept[0]), one.predict(full[0]))


def test_the_twin_learns_bonds_saves_and_starts_from_them(tmp_path):
    """Bonds that follow from structure alone: pairs drift apart by their length, whatever the ends."""
    glasses = []
    for seed in range(4):
        glass = keeping_bonds(moving(seed))
        length = bond_stretching(glass, glass.bonds.pairs)[0]
        stretching = np.stack([1 / length, length**2])
        glasses.append(glass.replace(bonds=Bonds(glass.bonds.pairs, stretching)))
    training = TrainingOptions(epochs=25, learning_rate=2e-2, weight_decay=0.0)
    steady = NetworkOptions(**{**vars(SMALL), "dropout": 0.0})
    predictor = SE3Predictor(GRAPH, steady, training, node_weight=0.0)
    predictor.fit(glasses[:3], progress=False)
    assert predictor.score_bonds(glasses[3:]).mean.min() > 0.9
    with pytest.raises(GlassError, match="was trained on bonds alone"):
        predictor.predict(glasses[3])
    predictor.save(tmp_path / "model.pt")
    loaded = SE3Predictor.load(tmp_path / "model.pt")
    for mine, theirs in zip(
        loaded.predict_bonds(glasses[3]), predictor.predict_bonds(glasses[3]), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)
    short = TrainingOptions(epochs=1)
    after = SE3Predictor(GRAPH, SMALL, short, pretraining_epochs=1).fit(glasses[:2], progress=False)
    assert after.predict(glasses[3]).shape == (2, 120)
    with pytest.raises(GlassError, match="start: start from a trained predictor or from bonds, not both"):
        SE3Predictor(GRAPH, SMALL, short, pretraining_epochs=1).fit(glasses[:2], start=after, progress=False)
