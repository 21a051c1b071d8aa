"""What notebooks define by hand and the package has as well: the same numbers (03 has a file of its own)."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
import torch
from e3nn import o3

from glasslib import features
from glasslib.baselines import InteractionNetwork
from glasslib.companions import strings
from glasslib.equivariant import NetworkOptions, SE3BondNetwork
from glasslib.graph import GraphOptions, build_graph
from glasslib.simulate.potential import pair_terms
from glasslib.training import TrainingOptions
from glasslib.training.module import PropensityModule
from tests.conftest import make_glass

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"


def is_constant(node):
    """The assignment of a literal to a name in capitals."""
    if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
        return False
    literal = not any(isinstance(part, ast.Call | ast.Name) for part in ast.walk(node.value))
    return literal and node.targets[0].id.isupper()


def by_hand(number, *wanted, **known):
    """Functions of a notebook by name, with its imports and constants, and names it has from elsewhere."""
    (path,) = FOLDER.glob(f"{number}_*.ipynb")
    names = {"__name__": path.stem, **known}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and "%pip" not in cell.source:
            body = [
                node
                for node in ast.parse(cell.source).body
                if isinstance(node, ast.Import | ast.ImportFrom)
                or (isinstance(node, ast.FunctionDef) and node.name in wanted)
                or is_constant(node)
            ]
            exec(compile(ast.Module(body, type_ignores=[]), path.name, "exec"), names)
    assert set(wanted) <= set(names)
    return SimpleNamespace(**names)


def test_harmonics_of_02_are_e3nns():
    points = torch.randn(100, 3, dtype=torch.float64)
    theirs = o3.spherical_harmonics([0, 1, 2], points, True, "component")
    assert (by_hand("02", "harmonics").harmonics(points) - theirs).abs().max() < 1e-12


def test_networks_of_09_are_the_packages():
    """BOTAN's, and what the twin reads off bonds."""
    ours = by_hand("09", "botan", "read_out")
    shown = GraphOptions("thermal", 1.8, energy=False, displacement=False, averaging_cutoff=2.2)
    data = build_graph(make_glass(), shown)
    torch.manual_seed(0)
    network = InteractionNetwork("botan", 3, node_weight=0.4).eval()
    options = NetworkOptions(2, 0, 3, "16x0e + 8x1o + 4x2e", n_layers=2, cutoff=1.8)
    twin = SE3BondNetwork(options, 0.4).eval()
    with torch.no_grad():
        for mine, theirs in zip(ours.botan(network, data), network.nodes_and_edges(data), strict=True):
            torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)
        edges = twin.nodes_and_edges(data)[1]
        assert edges.std() > 1e-3
        torch.testing.assert_close(ours.read_out(twin, data), edges, rtol=0, atol=1e-5)


def test_invariants_of_10_are_the_packages():
    """All of two and three bodies, and four-body ones of every triple of degrees."""
    glass, shells = make_glass(), features.Shells(0.9, 1.2, 0.15)
    ours = by_hand("10", "density", "of_degree", "three_body", "four_body")
    a = ours.density(glass, shells, 2)
    two, three, four = (
        features.ace_invariants(
            glass.inherent_positions, glass.types, glass.box, [shells], 2, order, dtype=torch.float64
        )
        for order in (2, 3, 4)
    )
    np.testing.assert_allclose(a[:, :, 0] * np.sqrt(4 * np.pi), two.values, atol=1e-10)
    upper = np.triu_indices(6)
    by_degree = [ours.three_body(a, n).numpy()[:, *upper] for n in range(3)]
    np.testing.assert_allclose(np.concatenate(by_degree, axis=1), three.values, atol=1e-9)
    for degrees in ((0, 0, 0), (0, 1, 1), (0, 2, 2), (1, 1, 2), (2, 2, 2)):
        name = f"4-body l={' '.join(map(str, degrees))} A r=0.9, A r=1.05, B r=1.2"
        found = ours.four_body(a, *degrees)[:, 0, 1, 5]
        np.testing.assert_allclose(found, four.column(name), atol=1e-9)


def test_harmonics_of_03_are_those_of_02():
    points = torch.randn(100, 3, dtype=torch.float64)
    one, other = (by_hand(number, "harmonics").harmonics(points) for number in ("02", "03"))
    assert torch.equal(one, other)


@pytest.mark.parametrize("ell", [2, 4, 6])
def test_bond_order_of_04(ell):
    glass = make_glass()
    pairs = features.nearest_neighbors(glass.positions, glass.box, 12)
    theirs = features.steinhardt(glass.positions, glass.box, ell, pairs)
    vectors = glass.positions[pairs[0]] - glass.positions[pairs[1]]
    vectors -= glass.box * np.rint(vectors / glass.box)
    ours = by_hand("04", "q_by_angles").q_by_angles
    found = [ours(vectors[pairs[1] == i], ell) for i in range(len(glass))]
    np.testing.assert_allclose(found, theirs, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("weight", [0.0, 0.1, 1.0])
def test_loss_of_05(weight):
    truth, guess = torch.randn(2, 50, 3)
    module = SimpleNamespace(options=TrainingOptions(offset_weight=weight))
    theirs = PropensityModule._loss(module, guess, truth, torch.zeros(50, dtype=torch.long))
    assert torch.isclose(sum(by_hand("05", "loss").loss(guess - truth, weight)), theirs)


@pytest.mark.parametrize("pair", ["AA", "AB", "BB"])
def test_potential_of_12(pair):
    r = np.linspace(0.75, 2.6, 50)
    a, b = (np.full(50, "AB".index(kind)) for kind in pair)
    ours = by_hand("12", "lennard_jones", "pair_energy").pair_energy(r, pair)
    np.testing.assert_allclose(ours, pair_terms(r, a, b)[0], rtol=1e-12, atol=1e-13)


def test_links_of_14():
    glass, rng = make_glass(), np.random.default_rng(0)
    after = glass.positions + rng.normal(0, 0.6, glass.positions.shape)
    mobile = strings.rearranged(glass.positions, after, glass.box)
    links = strings.strings(glass.positions, after, mobile, glass.box).links
    replaced = by_hand("14", "replaced", box=glass.box).replaced
    assert replaced(glass.positions, after, mobile) == set(map(tuple, links.T.tolist()))
    assert links.shape[1] > 5
