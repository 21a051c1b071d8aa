"""The equivariant convolution with weights set by hand is the expert features: equal, not alike."""

from __future__ import annotations

import math

import freud
import numpy as np
import pytest
import torch
from e3nn import o3

from glasslib.equivariant import Convolution, FactorisedConvolution, neighborhoods
from glasslib.equivariant.averaging import NeighborAverage
from glasslib.features import (
    Shells,
    ace_invariants,
    averaged_steinhardt,
    bond_order_parameters,
    coarse_grain,
    nearest_neighbors,
    radial_densities,
    steinhardt,
)
from glasslib.glass import minimum_image
from glasslib.graph import GraphOptions, build_graph
from glasslib.interpretation import (
    GaussianShells,
    carrying_convolution,
    expert_convolution,
    inner_products,
    neighborhood_mean,
    norms,
)
from glasslib.neighbors import neighbor_pairs

L_MAX = 4
#: Two kinds of width; the second one reaches 2.3, and the box of the made-up glass is 4.8
SHELLS = (Shells(0.8, 1.2, 0.1), Shells(1.2, 1.5, 0.15))


@pytest.fixture(params=[Convolution, FactorisedConvolution], ids=lambda form: form.__name__)
def form(request):
    return request.param


def surroundings(glass, basis, l_max, cutoff=None, pairs=None):
    """Neighbours within a cutoff, or given ones."""
    if pairs is None:
        index, vectors = neighbor_pairs(glass.positions, glass.box, cutoff or basis.cutoff)
    else:
        order = np.lexsort(pairs)
        index = pairs[:, order]
        vectors = minimum_image(glass.positions[index[0]] - glass.positions[index[1]], glass.box)
    return neighborhoods(torch.from_numpy(index), torch.from_numpy(vectors), len(glass), basis, l_max)


def one(r):
    """Every neighbour counts the same."""
    return torch.ones_like(r).unsqueeze(-1)


def decaying(r):
    """The weights of the experts' averages, with their length of 2."""
    return torch.exp(-r / 2).unsqueeze(-1)


def one_hot(glass):
    return torch.eye(2, dtype=torch.float64)[torch.tensor(glass.types).long()]


def expert_layer(glass, scalars, form, shells=SHELLS):
    """Outputs of one layer, and their irreps."""
    basis = GaussianShells(shells)
    layer = expert_convolution(len(basis), L_MAX, scalars.shape[1], form=form)
    with torch.no_grad():
        return layer(scalars, surroundings(glass, basis, L_MAX)), layer.irreps_out


# one layer: generation 0


def test_scalars_of_one_layer_are_the_radial_densities_by_type(glass, form):
    for shells in SHELLS:  # separately, as densities follow each width five times as far; from a table
        h, irreps = expert_layer(glass, one_hot(glass), form, [shells])
        densities = radial_densities(glass.positions, glass.types, glass.box, [shells])
        np.testing.assert_allclose(h[:, : irreps[0].mul], densities.reshape(len(glass), -1), atol=1e-6)
    h, irreps = expert_layer(glass, one_hot(glass), form)
    direct = ace_invariants(glass.positions, glass.types, glass.box, SHELLS, 0, 2, dtype=torch.float64)
    np.testing.assert_allclose(h[:, : irreps[0].mul], direct.values, rtol=1e-12, atol=1e-12)


def test_norms_of_one_layer_are_the_bond_order_parameters(glass, form):
    """|h_l|^2 = (2l + 1) Z^2 q_l^2 in component normalisation, that is (2l + 1) / 4 pi in orthonormal."""
    h, irreps = expert_layer(glass, torch.ones(len(glass), 1, dtype=torch.float64), form)
    z, *rest = norms(h, irreps)
    q = bond_order_parameters(glass.positions, glass.box, SHELLS, L_MAX, dtype=torch.float64)
    assert len(rest) == L_MAX
    for degree, norm in enumerate(rest, start=1):
        expected = (2 * degree + 1) * z.numpy() ** 2 * q[:, degree - 1] ** 2
        np.testing.assert_allclose(norm.numpy() ** 2, expected, rtol=1e-10, atol=1e-12)
        np.testing.assert_allclose(norm / z / math.sqrt(2 * degree + 1), q[:, degree - 1], atol=1e-12)


def test_the_weights_matter(glass):
    """A layer as it is drawn at random is none of this."""
    basis = GaussianShells(SHELLS)
    layer = expert_convolution(len(basis), L_MAX)
    torch.manual_seed(0)
    drawn = Convolution(
        layer.irreps_in, layer.irreps_out, l_max=L_MAX, n_radial=len(basis), n_neighbors=1.0
    ).double()
    around, ones = surroundings(glass, basis, L_MAX), torch.ones(len(glass), 1, dtype=torch.float64)
    with torch.no_grad():
        assert (drawn(ones, around) - layer(ones, around)).abs().max() > 0.1


# inner products: the atomic cluster expansion up to three bodies


def test_inner_products_are_the_power_spectrum(glass, form):
    h, irreps = expert_layer(glass, one_hot(glass), form)
    found = ace_invariants(glass.positions, glass.types, glass.box, SHELLS, L_MAX, 3, dtype=torch.float64)
    first, second = np.triu_indices(irreps[0].mul)
    ours = torch.cat([products[:, first, second] for products in inner_products(h, irreps)], dim=1)
    assert ours.shape == found.values.shape
    np.testing.assert_allclose(ours / (4 * math.pi), found.values, rtol=1e-10, atol=1e-10)


def test_norms_of_summed_radial_functions_hold_every_inner_product(glass):
    """A network takes norms, not products of two channels; that loses nothing."""
    h, irreps = expert_layer(glass, one_hot(glass), Convolution)
    layer = expert_convolution(len(GaussianShells(SHELLS)), L_MAX, 2)
    c, d = 2, 13  # of type A in one shell, of type B in another
    with torch.no_grad():
        for weight in layer.weights:
            weight[:, 0] = weight[:, c] + weight[:, d]
        summed = layer(one_hot(glass), surroundings(glass, GaussianShells(SHELLS), L_MAX))
    for products, before, after in zip(
        inner_products(h, irreps), norms(h, irreps), norms(summed, irreps), strict=True
    ):
        polarised = (after[:, 0] ** 2 - before[:, c] ** 2 - before[:, d] ** 2) / 2
        np.testing.assert_allclose(polarised, products[:, c, d], rtol=1e-9, atol=1e-10)


# two layers: averages over neighbours


def test_a_norm_then_a_scalar_convolution_is_coarse_graining(glass, form):
    """Convolution, norm, convolution of degree 0, divided by the convolution of ones: generation 1."""
    h, irreps = expert_layer(glass, one_hot(glass), form)
    values = torch.cat(norms(h, irreps), dim=1)
    around = surroundings(glass, decaying, 0, cutoff=2.3)
    mean = neighborhood_mean(values, f"{values.shape[1]}x0e", around, form=form).detach()
    expected = coarse_grain(values.numpy(), glass.positions, glass.box, generations=2, cutoff=2.3)
    np.testing.assert_allclose(mean, expected[1], rtol=1e-12, atol=1e-12)
    again = neighborhood_mean(mean, f"{values.shape[1]}x0e", around, form=form).detach()
    np.testing.assert_allclose(again, expected[2], rtol=1e-12, atol=1e-12)


def test_the_averages_of_the_network_are_coarse_graining(glass):
    """Its long-range stage has the experts' weights."""
    options = GraphOptions(structure="thermal", cutoff=1.8, averaging_cutoff=2.3)
    data = build_graph(glass, options, dtype=torch.float64)
    average = NeighborAverage(data.average_index, data.average_weight, len(glass))
    x = np.random.default_rng(0).normal(size=(len(glass), 4))
    _, expected = coarse_grain(x, glass.positions, glass.box, generations=1, cutoff=2.3)
    np.testing.assert_allclose(average(torch.from_numpy(x)), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("cutoff", [1.4, None], ids=["cutoff", "12 nearest"])
def test_a_convolution_of_directions_and_then_a_norm_is_lechner_and_dellago(glass, form, cutoff):
    """Layer 1 makes q_lm, layer 2 adds up those of the neighbours, and only then the norm is taken.

    The twelve nearest are no function of distance, but neighbours are what a layer is given."""
    pairs = nearest_neighbors(glass.positions, glass.box, 12) if cutoff is None else None
    around = surroundings(glass, one, 6, cutoff, pairs)
    layer = expert_convolution(1, 6, form=form)
    with torch.no_grad():
        h = layer(torch.ones(len(glass), 1, dtype=torch.float64), around)
        q_lm = h / h[:, :1]  # divided by the number of neighbours
        near = surroundings(glass, one, 0, cutoff, pairs)
        mean = neighborhood_mean(q_lm, layer.irreps_out, near, form=form)
    averaged, plain = norms(mean, layer.irreps_out), norms(q_lm, layer.irreps_out)
    index = neighbor_pairs(glass.positions, glass.box, cutoff)[0] if pairs is None else pairs
    degrees = range(1, 7)
    for values, expected in ((plain, steinhardt), (averaged, averaged_steinhardt)):
        ours = np.concatenate([v / math.sqrt(2 * degree + 1) for degree, v in enumerate(values)], axis=1)
        known = expected(glass.positions, glass.box, degrees, index)
        np.testing.assert_allclose(ours[:, 1:], known, rtol=1e-12, atol=1e-12)

    box = freud.box.Box(*glass.box)
    vectors = box.wrap(glass.positions[index[0]] - glass.positions[index[1]])
    theirs = freud.order.Steinhardt(6, average=True)
    bonds = freud.locality.NeighborList.from_arrays(len(glass), len(glass), index[1], index[0], vectors)
    theirs.compute((box, glass.positions - glass.box / 2), bonds)
    np.testing.assert_allclose(averaged[6][:, 0] / math.sqrt(13), theirs.particle_order, atol=1e-5)


def test_averages_of_directions_are_not_averages_of_norms(glass):
    """What two layers of the network have that coarse-graining lacks: never more, and mostly less."""
    around = surroundings(glass, one, 6, 1.4)
    layer = expert_convolution(1, 6)
    with torch.no_grad():
        h = layer(torch.ones(len(glass), 1, dtype=torch.float64), around)
        scalar = surroundings(glass, one, 0, 1.4)
        directions = norms(neighborhood_mean(h, layer.irreps_out, scalar), layer.irreps_out)[6]
        before = norms(h, layer.irreps_out)[6]
        of_norms = neighborhood_mean(before, "1x0e", scalar)
    assert (directions <= of_norms + 1e-12).all()
    assert (directions / of_norms).mean() < 0.8
    assert abs(np.corrcoef(directions[:, 0], of_norms[:, 0])[0, 1]) < 0.9


def test_what_is_carried_over_keeps_its_direction(glass, form):
    """Against a double loop, for features of several degrees and parities, some of them twice."""
    irreps = o3.Irreps("2x0e + 1x1o + 1x1o + 1x1e + 2x2e")
    torch.manual_seed(0)
    x = torch.randn(len(glass), irreps.dim, dtype=torch.float64)
    layer = carrying_convolution(irreps, form=form)
    with torch.no_grad():
        found = layer(x, surroundings(glass, decaying, 0, cutoff=1.6))
    vectors = minimum_image(glass.positions[None] - glass.positions[:, None], glass.box)
    r = np.linalg.norm(vectors, axis=2)
    weights = np.exp(-r / 2) * ((r < 1.6) & (r > 0))
    np.testing.assert_allclose(found, weights @ x.numpy(), rtol=1e-12, atol=1e-12)
