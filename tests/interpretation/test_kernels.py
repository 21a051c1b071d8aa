"""Radial functions of a network, against what its convolution does to one neighbour."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from e3nn import o3

from glasslib import GlassError
from glasslib.equivariant import neighborhoods
from glasslib.interpretation import radial_functions


def test_they_are_what_one_neighbour_sends(predictor):
    """A particle with a scalar of one, straight ahead: the output is R times the harmonic."""
    network = predictor.network
    convolution = network.layers[0].convolution
    paths = radial_functions(network, 0, r_min=0.7, n_r=12)
    index = torch.tensor([[1], [0]])
    scalars, irreps_out = convolution.irreps_in[0].mul, convolution.irreps_out
    for k in (0, 5, 10):
        vector = torch.tensor([[0.0, paths[0].r[k], 0.0]], dtype=torch.float64)  # y is e3nn's polar axis
        around = neighborhoods(index, vector, 2, network.basis, 2)
        for channel in range(scalars):
            features = torch.zeros(2, convolution.irreps_in.dim, dtype=torch.float64)
            features[1, channel] = 1
            with torch.no_grad():
                received = convolution(features, around)[0]
            for path in (path for path in paths if path.irrep_in == "0e"):
                entry = [str(ir) for _, ir in irreps_out].index(path.irrep_out)
                mul, ir = irreps_out[entry]
                sent = received[irreps_out.slices()[entry]].view(mul, ir.dim)
                harmonic = o3.spherical_harmonics(path.degree, vector, True, "component")[0]
                expected = path.values[k, channel][:, None] * harmonic.numpy()
                np.testing.assert_allclose(sent, expected, atol=1e-12)


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_every_path_is_there_and_ends_at_the_cutoff(predictor, layer):
    paths = radial_functions(predictor.network, layer)
    convolution = predictor.network.layers[layer].convolution
    assert len(paths) == len(convolution.paths)
    assert sum(path.values[0].size for path in paths) * 5 == sum(w.numel() for w in convolution.weights)
    for path in paths:
        assert path.r[[0, -1]] == pytest.approx([0.7, 1.8])
        assert np.abs(path.values[-1]).max() < 1e-12 < np.abs(path.values).max()
    assert "Y2 x 1o -> 1o" in [path.label for path in paths]


def test_the_leading_ones_rebuild_the_rest(predictor):
    path = radial_functions(predictor.network, 1)[0]
    weight = np.random.default_rng(0).uniform(0, 3, len(path.r))
    leading = path.leading(5, weight)
    assert leading.shares.sum() == pytest.approx(1)  # five functions in the basis
    assert (leading.strengths**2).sum() == pytest.approx(path.strength(weight) ** 2)
    flat = path.values.reshape(len(path.r), -1)
    coefficients, *_ = np.linalg.lstsq(leading.functions, flat, rcond=None)
    np.testing.assert_allclose(leading.functions @ coefficients, flat, atol=1e-10)
    spacing = path.r[1] - path.r[0]
    integrals = leading.functions.T * weight @ leading.functions * spacing
    np.testing.assert_allclose(integrals, np.diag(leading.strengths**2), atol=1e-12)


def test_one_function_in_all_channels_is_found(predictor):
    with torch.no_grad():
        for weight in predictor.network.layers[0].convolution.weights:
            weight.zero_()
        convolution = predictor.network.layers[0].convolution
        path = next(path for path in convolution.paths if path.l1 == 2)
        mul = convolution.irreps_in[path.entry].mul
        rows = convolution.weights[path.out][path.rows].unflatten(0, (5, mul))
        rows[3] = torch.randn(rows[3].shape)  # a view of the weights
    (found,) = [each for each in radial_functions(predictor.network) if np.abs(each.values).max() > 0]
    leading = found.leading(2)
    assert found.degree == 2
    np.testing.assert_allclose(leading.shares, [1, 0], atol=1e-12)
    basis = predictor.network.basis(torch.from_numpy(found.r))[:, 3].numpy()
    np.testing.assert_allclose(
        leading.functions[:, 0] / leading.functions[:, 0].max(), basis / basis.max(), atol=1e-10
    )


def test_bad_questions_are_refused(predictor):
    with pytest.raises(GlassError, match="0 to 2"):
        radial_functions(predictor.network, 3)
    with pytest.raises(GlassError, match="r_min"):
        radial_functions(predictor.network, r_min=2.0)
    with pytest.raises(GlassError, match="200 numbers"):
        radial_functions(predictor.network)[0].strength(np.ones(3))
