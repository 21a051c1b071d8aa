"""What notebook 03 writes by hand against the package: the two cannot drift apart."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import torch
from e3nn import nn as e3nn_nn
from e3nn import o3

from glasslib import equivariant
from glasslib.equivariant.network import Layer, NetworkOptions
from glasslib.graph import GraphOptions, build_graph
from glasslib.testing import assert_equivariant

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "03_equivariant_convolution_by_hand.ipynb"
TOLERANCES = {torch.float32: 1e-5, torch.float64: 1e-12}
IRREPS_IN, IRREPS_OUT = "3x0e + 2x1o + 2x2e", "4x0e + 3x1o + 2x2e"
HIDDEN = "8x0e + 4x1o + 2x2e"


def is_definition(statement):
    """Imports, functions, classes, and the assignment of constants in capitals to literals."""
    if isinstance(statement, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef):
        return True
    if not isinstance(statement, ast.Assign):
        return False
    names = [node.id for node in ast.walk(statement.targets[0]) if isinstance(node, ast.Name)]
    literal = all(
        isinstance(node, ast.Constant | ast.Tuple | ast.expr_context) for node in ast.walk(statement.value)
    )
    return literal and all(name.isupper() for name in names)


def definitions():
    """The notebook's own definitions, and nothing of what it does with them."""
    names = {"__name__": NOTEBOOK.stem}
    for cell in nbformat.read(NOTEBOOK, as_version=4).cells:
        if cell.cell_type == "code" and "%pip" not in cell.source:
            body = [statement for statement in ast.parse(cell.source).body if is_definition(statement)]
            exec(compile(ast.Module(body, type_ignores=[]), NOTEBOOK.name, "exec"), names)
    return SimpleNamespace(**names)


@pytest.fixture(scope="module")
def hand():
    return definitions()


@pytest.fixture(autouse=True, params=TOLERANCES, ids=str)
def dtype(request):
    before = torch.get_default_dtype()
    torch.set_default_dtype(request.param)
    torch.manual_seed(0)
    yield request.param
    torch.set_default_dtype(before)


@pytest.fixture
def graph(glass, hand, dtype):
    options = GraphOptions(cutoff=hand.CUTOFF, averaging_cutoff=0)
    graph = build_graph(glass, options, dtype=dtype)
    assert graph.num_edges > 20 * len(glass)
    return graph


def assert_same(found, expected):
    assert found.shape == expected.shape
    assert found.dtype == expected.dtype
    assert (found - expected).abs().max() <= TOLERANCES[found.dtype] * expected.abs().max()


def with_gradients(layer, convolve, x):
    """Output, and gradients by features and weights."""
    x = x.clone().requires_grad_()
    output = convolve(x)
    return [output, *torch.autograd.grad(torch.sin(output).sum(), [x, *layer.weights])]


def test_constants_are_the_packages_defaults(hand):
    theirs = NetworkOptions()
    assert theirs.cutoff == hand.CUTOFF
    assert theirs.n_radial == hand.N_RADIAL
    assert theirs.n_neighbors == hand.N_NEIGHBORS


def test_radial_basis(hand):
    r = torch.linspace(0.1, 1.2 * hand.CUTOFF, 200)
    assert_same(hand.radial(r), equivariant.GaussianBasis(hand.N_RADIAL, hand.CUTOFF)(r))


def test_harmonics(hand):
    v = torch.randn(100, 3)
    assert_same(hand.harmonics(v), o3.spherical_harmonics([0, 1, 2], v, True, "component"))


def test_paths_are_in_the_packages_order(hand):
    theirs = equivariant.Convolution(IRREPS_IN, IRREPS_OUT, l_max=2, n_radial=8, n_neighbors=40)
    ours = hand.Convolution(IRREPS_IN, IRREPS_OUT)
    assert ours.paths == [path[:3] for path in theirs.paths]
    assert len(ours.paths) == 11


@pytest.mark.parametrize("name", ["Convolution", "FactorisedConvolution"])
def test_convolution_equals_e3nn_with_gradients(hand, graph, name):
    layer = getattr(hand, name)(IRREPS_IN, IRREPS_OUT)
    x = torch.randn(graph.num_nodes, layer.irreps_in.dim)
    theirs = hand.by_e3nn(layer)
    found = with_gradients(layer, lambda x: layer(x, graph), x)
    expected = with_gradients(layer, lambda x: theirs(x, graph), x)
    for one, other in zip(found, expected, strict=True):
        assert_same(one, other)


@pytest.mark.parametrize("name", ["Convolution", "FactorisedConvolution"])
@pytest.mark.parametrize("form", [equivariant.Convolution, equivariant.FactorisedConvolution])
def test_convolution_equals_glasslib(hand, graph, name, form):
    layer = getattr(hand, name)(IRREPS_IN, IRREPS_OUT)
    x = torch.randn(graph.num_nodes, layer.irreps_in.dim)
    assert_same(layer(x, graph), hand.by_glasslib(layer, form)(x, graph))


def test_particles_without_neighbours(hand, graph):
    """The padded form leaves them at zero, as the sum over edges does."""
    lonely = graph.clone()
    keep = (graph.edge_index[1] != 5) & (graph.edge_index[1] != graph.num_nodes - 1)
    lonely.update({"edge_index": graph.edge_index[:, keep], "edge_vector": graph.edge_vector[keep]})
    layer = hand.FactorisedConvolution(IRREPS_IN, IRREPS_OUT)
    x = torch.randn(graph.num_nodes, layer.irreps_in.dim)
    output = layer(x, lonely)
    assert_same(output, hand.Convolution.forward(layer, x, lonely))
    assert output[[5, -1]].abs().max() == 0
    assert output[0].abs().max() > 0


def test_gate_equals_e3nn(hand):
    gate = hand.Gate(HIDDEN)
    silu, sigmoid = torch.nn.functional.silu, torch.sigmoid
    theirs = e3nn_nn.Gate("8x0e", [silu], "6x0e", [sigmoid], "4x1o + 2x2e")
    assert theirs.irreps_in == gate.irreps_in
    assert theirs.irreps_out == gate.irreps_out
    x = torch.randn(50, gate.irreps_in.dim)
    assert_same(gate(x), theirs(x))


@pytest.mark.parametrize("irreps_in", ["3x0e + 1x1o", HIDDEN], ids=["first", "with residual"])
def test_layer_equals_glasslib(hand, graph, irreps_in):
    ours = hand.Layer(irreps_in, HIDDEN)
    theirs = Layer(o3.Irreps(irreps_in), o3.Irreps(HIDDEN), NetworkOptions())
    theirs.itself.load_state_dict(ours.itself.state_dict())
    convolution = hand.by_glasslib(ours.convolution, equivariant.FactorisedConvolution)
    x = torch.randn(graph.num_nodes, o3.Irreps(irreps_in).dim)
    theirs.convolution.forward = lambda x, _: convolution(x, graph)
    assert_same(ours(x, graph), theirs(x, None))


def test_network_passes_the_packages_test_and_the_plain_layer_does_not(hand, graph):
    network = hand.Network("3x0e + 1x1o", HIDDEN, 2)
    assert_equivariant(lambda graph: network(hand.features(graph), graph), graph, HIDDEN)
    plain = hand.Plain("3x0e + 1x1o", "8x0e + 4x1o")
    with pytest.raises(AssertionError):
        assert_equivariant(lambda graph: plain(hand.features(graph), graph), graph, plain.irreps_out)


def test_the_readers_test_tells_right_from_wrong(hand, graph, dtype):
    x = hand.features(graph)
    passes = 1e-4 if dtype == torch.float32 else 1e-10
    assert hand.deviation(hand.Convolution("3x0e + 1x1o", "2x0e + 2x1o"), x, graph) < passes
    assert hand.deviation(hand.WithRelu("3x0e + 1x1o", "2x0e"), x, graph) < passes
    assert hand.deviation(hand.WithRelu("3x0e + 1x1o", "2x1o"), x, graph) > 0.1
    assert hand.deviation(hand.Plain("3x0e + 1x1o", "2x0e + 2x1o"), x, graph) > 0.1
    assert hand.my_deviation(None, x, graph) is None, "the notebook ships with the exercise open"
