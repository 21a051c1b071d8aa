"""Both forms of the convolution against e3nn's tensor product, and against the symmetries they promise."""

from __future__ import annotations

import pytest
import torch
from e3nn import o3

from glasslib.equivariant import Convolution, FactorisedConvolution, GaussianBasis, neighborhoods
from glasslib.graph import GraphOptions, build_graph

IRREPS = {
    0: ("3x0e + 2x1o", "4x0e + 2x1o"),
    1: ("3x0e + 1x1o", "4x0e + 2x1o"),
    2: ("4x0e + 3x1o + 2x2e", "5x0e + 2x0e + 2x1o + 3x2e"),
    3: ("3x0e + 2x1o + 2x2e + 1x3o", "2x0e + 2x1o + 1x2e + 2x3o"),
    # the other parities: pseudoscalars, axial vectors
    4: ("2x0e + 1x0o + 2x1o + 2x1e + 1x2e", "3x0e + 2x0o + 1x1o + 2x1e + 1x2e + 1x2o + 1x4e"),
}
FORMS = [Convolution, FactorisedConvolution]
N_RADIAL, N_NEIGHBORS = 5, 20


@pytest.fixture
def default_dtype(request):
    before = torch.get_default_dtype()
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(before)


@pytest.fixture(params=FORMS, ids=lambda form: form.__name__)
def form(request):
    return request.param


def setting(glass, l_max, form=FactorisedConvolution):
    torch.manual_seed(l_max)
    irreps_in, irreps_out = IRREPS[l_max]
    data = build_graph(glass, GraphOptions(cutoff=1.8, averaging_cutoff=0), dtype=torch.get_default_dtype())
    basis = GaussianBasis(N_RADIAL, 1.8)
    layer = form(irreps_in, irreps_out, l_max=l_max, n_radial=N_RADIAL, n_neighbors=N_NEIGHBORS)
    features = torch.randn(len(glass), o3.Irreps(irreps_in).dim)
    return data, basis, layer, features


def around(data, basis, l_max, block=50):
    return neighborhoods(data.edge_index, data.edge_vector, len(data.types), basis, l_max, block=block)


def with_gradients(layer, convolve, features):
    """Outputs, and gradients by features and by every weight."""
    x = features.clone().requires_grad_()
    out = convolve(x)
    weights = [w for w in layer.weights if w.numel()]
    return [out, *torch.autograd.grad(torch.sin(out).sum(), [x, *weights])]


def assert_same(ours, theirs):
    tolerance = 1e-12 if ours[0].dtype == torch.float64 else 1e-5
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape
        assert (one - other).abs().max() <= tolerance * other.abs().max().clamp(min=1)


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
            block = weight[row : row + N_RADIAL * mul].view(N_RADIAL, mul, -1)
            row += N_RADIAL * mul
            # e3nn divides by the channels of a path's inputs times the number of paths; so do we, jointly,
            # but for the number of radial functions, which e3nn does not know about
            pieces.append((torch.einsum("ek,kcw->ecw", radial, block) / N_RADIAL**0.5).flatten(1))
    y = o3.spherical_harmonics(harmonics, data.edge_vector, True, "component")
    j, i = data.edge_index
    messages = product(y, features[j], torch.cat(pieces, dim=1))
    return torch.zeros(len(features), layer.irreps_out.dim).index_add(0, i, messages) / N_NEIGHBORS**0.5


def outputs_of(layer):
    """Output entry -> its (l1, input entry), in the order of the rows of its weights."""
    return {
        out: [(path.l1, path.entry) for path in layer.paths if path.out == out]
        for out in range(len(layer.irreps_out))
    }


@pytest.mark.parametrize("default_dtype", [torch.float32, torch.float64], indirect=True, ids=str)
@pytest.mark.parametrize("l_max", IRREPS)
def test_equal_to_e3nn_with_every_gradient(glass, l_max, form, default_dtype):
    data, basis, layer, features = setting(glass, l_max, form)
    assert_same(
        with_gradients(layer, lambda x: layer(x, around(data, basis, l_max)), features),
        with_gradients(layer, lambda x: by_e3nn(data, basis, layer, x, l_max), features),
    )


@pytest.mark.parametrize("default_dtype", [torch.float32, torch.float64], indirect=True, ids=str)
@pytest.mark.parametrize("l_max", IRREPS)
def test_one_set_of_weights_gives_the_same_numbers_in_either_form(glass, l_max, default_dtype):
    data, basis, fast, features = setting(glass, l_max)
    readable = setting(glass, l_max, Convolution)[2]
    readable.load_state_dict(fast.state_dict())
    fast.load_state_dict(readable.state_dict())
    here = around(data, basis, l_max)
    assert_same(
        *(with_gradients(form, lambda x, form=form: form(x, here), features) for form in (fast, readable))
    )


@pytest.mark.parametrize("default_dtype", [torch.float64], indirect=True, ids=str)
@pytest.mark.parametrize("l_max", IRREPS)
def test_turns_with_its_input(glass, l_max, form, default_dtype):
    data, basis, layer, features = setting(glass, l_max, form)
    turn = -o3.rand_matrix()
    expected = layer(features, around(data, basis, l_max)) @ layer.irreps_out.D_from_matrix(turn).T
    data.edge_vector = data.edge_vector @ turn.T
    found = layer(features @ layer.irreps_in.D_from_matrix(turn).T, around(data, basis, l_max))
    assert (found - expected).abs().max() < 1e-12 * expected.abs().max()


@pytest.mark.parametrize("default_dtype", [torch.float64], indirect=True, ids=str)
def test_blocks_make_no_difference(glass, form, default_dtype):
    data, basis, layer, features = setting(glass, 2, form)
    results = [
        with_gradients(layer, lambda x, block=block: layer(x, around(data, basis, 2, block)), features)
        for block in (1, 7, 1000)
    ]
    assert_same(results[0], results[1])
    assert_same(results[0], results[2])


@pytest.mark.parametrize("default_dtype", [torch.float64], indirect=True, ids=str)
@pytest.mark.parametrize("l_max", [0, 2, 3])
def test_gradcheck(l_max, form, default_dtype):
    """Finite differences, on five particles with 0, 1, 1, 2 and 4 neighbours."""
    torch.manual_seed(3)
    index = torch.tensor([[0, 0, 1, 4, 0, 1, 2, 3], [1, 2, 3, 3, 4, 4, 4, 4]])
    irreps_in, irreps_out = "2x0e + 1x1o + 1x2e", "2x0e + 1x1o + 1x2e"
    layer = form(irreps_in, irreps_out, l_max=l_max, n_radial=2, n_neighbors=2)
    here = neighborhoods(index, torch.randn(8, 3), 5, GaussianBasis(2, 2.0), l_max, block=2)
    x = torch.randn(5, layer.irreps_in.dim, requires_grad=True)

    def convolve(x, *weights):
        named = {f"weights.{k}": weight for k, weight in enumerate(weights)}
        return torch.func.functional_call(layer, named, (x, here))

    weights = [weight.detach().clone().requires_grad_() for weight in layer.weights]
    assert torch.autograd.gradcheck(convolve, (x, *weights))


def test_isolated_particles_feel_nothing(form):
    basis = GaussianBasis(4, 2.0)
    layer = form("2x0e", "3x0e + 1x1o", l_max=1, n_radial=4, n_neighbors=1)
    for n in (1, 3):
        lonely = neighborhoods(torch.zeros(2, 0, dtype=torch.long), torch.zeros(0, 3), n, basis, 1)
        x = torch.ones(n, 2, requires_grad=True)
        out = layer(x, lonely)
        assert torch.equal(out, torch.zeros(n, 6))
        assert torch.equal(torch.autograd.grad(out.sum(), x)[0], torch.zeros(n, 2))
    # a pair and a third particle without neighbours
    pair = neighborhoods(
        torch.tensor([[1, 0], [0, 1]]), torch.tensor([[1.0, 0, 0], [-1.0, 0, 0]]), 3, basis, 1
    )
    out = layer(torch.ones(3, 2), pair)
    assert out[:2].abs().min() > 0 or out[:2, :4].abs().min() > 0
    assert torch.equal(out[2], torch.zeros(6))


def test_outputs_that_no_path_reaches_are_zero(form):
    # a scalar and harmonics of l <= 1 can never make an axial vector
    layer = form("1x0e", "2x0e + 1x1e", l_max=1, n_radial=3, n_neighbors=1)
    here = neighborhoods(torch.tensor([[1, 0], [0, 1]]), torch.eye(3)[:2] * 1.1, 2, GaussianBasis(3, 2.0), 1)
    assert torch.equal(layer(torch.ones(2, 1), here)[:, 2:], torch.zeros(2, 3))


def test_inputs_that_reach_no_output_get_no_gradient(form):
    # an axial vector and a scalar harmonic make no scalar
    layer = form("1x0e + 1x1e", "2x0e", l_max=0, n_radial=3, n_neighbors=1)
    here = neighborhoods(torch.tensor([[1, 0], [0, 1]]), torch.eye(3)[:2] * 1.1, 2, GaussianBasis(3, 2.0), 0)
    x = torch.ones(2, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(x, here).sum(), x)
    assert gradient[:, 0].abs().min() > 0
    assert torch.equal(gradient[:, 1:], torch.zeros(2, 3))


def test_a_second_derivative_is_refused_not_wrong():
    layer = FactorisedConvolution("1x0e", "1x0e", l_max=0, n_radial=3, n_neighbors=1)
    here = neighborhoods(torch.tensor([[1, 0], [0, 1]]), torch.eye(3)[:2] * 1.1, 2, GaussianBasis(3, 2.0), 0)
    x = torch.ones(2, 1, requires_grad=True)
    (gradient,) = torch.autograd.grad(layer(x, here).pow(2).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


def test_neighborhoods_hold_every_edge_once(glass):
    data, basis, _, _ = setting(glass, 1)
    here = around(data, basis, 1, block=64)
    assert sorted(torch.cat([block.centers for block in here]).tolist()) == list(range(len(glass)))
    found = set()
    for block in here:
        real = block.radial.abs().sum(2) > 0
        assert (real.sum(1).diff() >= 0).all()
        found |= {(int(block.neighbors[i, s]), int(block.centers[i])) for i, s in real.nonzero()}
    assert found == {tuple(edge) for edge in data.edge_index.T.tolist()}


def test_radial_basis_vanishes_at_the_cutoff():
    basis = GaussianBasis(6, 2.0)
    assert basis(torch.tensor([2.0])).abs().max() < 1e-6
    assert basis(torch.tensor([5.0])).abs().max() < 1e-6
    r = torch.tensor([1.3])
    expected = (
        torch.exp(-((1.3 - basis.centers) ** 2) / (2 * 0.26**2)) * 0.5 * (1 + torch.cos(torch.pi * r / 2))
    )
    torch.testing.assert_close(basis(r)[0], expected)
