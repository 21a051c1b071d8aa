"""The convolution against e3nn's tensor product, and against the symmetries it promises."""

from __future__ import annotations

import pytest
import torch
from e3nn import o3

from glasslib.equivariant import Convolution, GaussianBasis, neighborhoods
from glasslib.graph import GraphOptions, build_graph

IRREPS = {
    1: ("3x0e + 1x1o", "4x0e + 2x1o"),
    2: ("4x0e + 3x1o + 2x2e", "5x0e + 2x1o + 3x2e"),
    3: ("3x0e + 2x1o + 2x2e + 1x3o", "2x0e + 2x1o + 1x2e + 2x3o"),
    # the other parities: pseudoscalars, axial vectors
    4: ("2x0e + 1x0o + 2x1o + 2x1e + 1x2e", "3x0e + 2x0o + 1x1o + 2x1e + 1x2e + 1x2o + 1x4e"),
}


@pytest.fixture
def default_dtype(request):
    before = torch.get_default_dtype()
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(before)


def setting(glass, l_max, chunk=50):
    torch.manual_seed(l_max)
    irreps_in, irreps_out = IRREPS[l_max]
    data = build_graph(glass, GraphOptions(cutoff=1.8, averaging_cutoff=0), dtype=torch.get_default_dtype())
    basis = GaussianBasis(5, 1.8)
    layer = Convolution(irreps_in, irreps_out, l_max=l_max, n_radial=5, n_neighbors=20, chunk=chunk)
    features = torch.randn(len(glass), o3.Irreps(irreps_in).dim)
    return data, basis, layer, features


def by_e3nn(data, basis, layer, features, l_max):
    """The same convolution edge by edge: e3nn's tensor product with weights linear in the basis."""
    harmonics = o3.Irreps([(1, (l1, (-1) ** l1)) for l1 in range(l_max + 1)])
    instructions = [(l1, i, o, "uvw", True) for o, paths in outputs_of(layer).items() for l1, i in paths]
    product = o3.TensorProduct(
        harmonics,
        layer.irreps_in,
        layer.irreps_out,
        instructions,
        shared_weights=False,
        internal_weights=False,
    )
    radial = basis(data.edge_vector.norm(dim=1))
    pieces = []
    for out, weight in enumerate(layer.weights):
        row = 0
        for _, entry in outputs_of(layer)[out]:
            mul = layer.irreps_in[entry].mul
            block = weight[row : row + 5 * mul].view(5, mul, -1)
            row += 5 * mul
            # e3nn divides by the channels of a path's inputs times the number of paths; so do we, jointly,
            # but for the number of radial functions, which e3nn does not know about
            pieces.append((torch.einsum("ek,kcw->ecw", radial, block) / 5**0.5).flatten(1))
    y = o3.spherical_harmonics(harmonics, data.edge_vector, True, "component")
    j, i = data.edge_index
    messages = product(y, features[j], torch.cat(pieces, dim=1))
    return torch.zeros(len(features), layer.irreps_out.dim).index_add(0, i, messages) / 20**0.5


def outputs_of(layer):
    """Output entry -> its (l1, input entry), in the order of the rows of its weights."""
    return {
        out: [(path.l1, path.entry) for path in layer.paths if out in path.outputs]
        for out in range(len(layer.irreps_out))
    }


@pytest.mark.parametrize("default_dtype", [torch.float32, torch.float64], indirect=True, ids=str)
@pytest.mark.parametrize("l_max", IRREPS)
def test_equal_to_e3nn_with_every_gradient(glass, l_max, default_dtype):
    data, basis, layer, features = setting(glass, l_max)
    tolerance = 1e-12 if default_dtype == torch.float64 else 1e-5
    results = []
    for convolve in (
        lambda x: layer(x, neighborhoods(data.edge_index, data.edge_vector, len(glass), basis, l_max)),
        lambda x: by_e3nn(data, basis, layer, x, l_max),
    ):
        x = features.clone().requires_grad_()
        out = convolve(x)
        weights = [w for w in layer.weights if w.numel()]
        results.append([out, *torch.autograd.grad(torch.sin(out).sum(), [x, *weights])])
    for ours, theirs in zip(*results, strict=True):
        assert (ours - theirs).abs().max() <= tolerance * theirs.abs().max().clamp(min=1)


@pytest.mark.parametrize("default_dtype", [torch.float64], indirect=True, ids=str)
@pytest.mark.parametrize("l_max", IRREPS)
def test_turns_with_its_input(glass, l_max, default_dtype):
    data, basis, layer, features = setting(glass, l_max)

    def convolve(vectors, x):
        return layer(x, neighborhoods(data.edge_index, vectors, len(glass), basis, l_max))

    turn = -o3.rand_matrix()
    expected = convolve(data.edge_vector, features) @ layer.irreps_out.D_from_matrix(turn).T
    found = convolve(data.edge_vector @ turn.T, features @ layer.irreps_in.D_from_matrix(turn).T)
    assert (found - expected).abs().max() < 1e-12 * expected.abs().max()


@pytest.mark.parametrize("default_dtype", [torch.float64], indirect=True, ids=str)
def test_chunks_make_no_difference(glass, default_dtype):
    results = []
    for chunk in (1, 7, 1000):
        data, basis, layer, features = setting(glass, 2, chunk)
        results.append(
            layer(features, neighborhoods(data.edge_index, data.edge_vector, len(glass), basis, 2))
        )
    torch.testing.assert_close(results[0], results[1], rtol=0, atol=1e-12)
    torch.testing.assert_close(results[0], results[2], rtol=0, atol=1e-12)


def test_isolated_particles_feel_nothing():
    basis = GaussianBasis(4, 2.0)
    layer = Convolution("2x0e", "3x0e + 1x1o", l_max=1, n_radial=4, n_neighbors=1)
    lonely = neighborhoods(torch.zeros(2, 0, dtype=torch.long), torch.zeros(0, 3), 3, basis, 1)
    assert torch.equal(layer(torch.ones(3, 2), lonely), torch.zeros(3, 6))
    # a pair and a third particle without neighbours
    pair = neighborhoods(
        torch.tensor([[1, 0], [0, 1]]), torch.tensor([[1.0, 0, 0], [-1.0, 0, 0]]), 3, basis, 1
    )
    out = layer(torch.ones(3, 2), pair)
    assert out[:2].abs().min() > 0 or out[:2, :4].abs().min() > 0
    assert torch.equal(out[2], torch.zeros(6))


def test_outputs_that_no_path_reaches_are_zero():
    # a scalar and harmonics of l <= 1 can never make an axial vector
    layer = Convolution("1x0e", "2x0e + 1x1e", l_max=1, n_radial=3, n_neighbors=1)
    around = neighborhoods(
        torch.tensor([[1, 0], [0, 1]]), torch.eye(3)[:2] * 1.1, 2, GaussianBasis(3, 2.0), 1
    )
    assert torch.equal(layer(torch.ones(2, 1), around)[:, 2:], torch.zeros(2, 3))


def test_radial_basis_vanishes_at_the_cutoff():
    basis = GaussianBasis(6, 2.0)
    assert basis(torch.tensor([2.0])).abs().max() < 1e-6
    assert basis(torch.tensor([5.0])).abs().max() < 1e-6
    r = torch.tensor([1.3])
    expected = (
        torch.exp(-((1.3 - basis.centers) ** 2) / (2 * 0.26**2)) * 0.5 * (1 + torch.cos(torch.pi * r / 2))
    )
    torch.testing.assert_close(basis(r)[0], expected)
