r"""The convolution that is the expert features: no training, weights set by hand.

A layer whose radial functions are the experts' Gaussians sums, around every particle, what the bond-order
parameters sum. In e3nn's ``component`` normalisation (:math:`\sqrt{4\pi}` times orthonormal harmonics)

.. math:: h_{lm}(i) = \sqrt{4\pi} \sum_j e^{-(r_{ij} - r)^2 / 2\delta^2}\, Y_{lm}(\hat r_{ij})
          = \sqrt{4\pi}\, Z q_{lm}(i),

so that :math:`h_{00}` is the radial density Z, the norm is :math:`|h_l|^2 = (2l + 1)\, Z^2 q_l^2` and inner
products of two shells are :math:`4\pi` times the power spectrum of the atomic cluster expansion.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from e3nn import o3
from torch import Tensor, nn

from glasslib.equivariant import Convolution, Neighborhoods
from glasslib.features import Shells


class GaussianShells(nn.Module):
    r"""Radial functions of the expert features, :math:`e^{-(r_{ij} - r)^2 / 2\delta^2}`: no envelope.

    Parameters
    ----------
    shells :
        Radii r and widths :math:`\delta`, in sigma_AA.
    """

    radii: Tensor
    widths: Tensor

    def __init__(self, shells: Sequence[Shells]) -> None:
        super().__init__()
        self.cutoff = max(each.cutoff for each in shells)
        radii = np.concatenate([each.radii for each in shells])
        widths = np.concatenate([np.full(len(each), each.width) for each in shells])
        self.register_buffer("radii", torch.from_numpy(radii))
        self.register_buffer("widths", torch.from_numpy(widths))

    def __len__(self) -> int:
        return len(self.radii)

    def forward(self, distances: Tensor) -> Tensor:
        """Distances ``(...)`` in sigma_AA to values ``(..., n_shells)``."""
        x = (distances.unsqueeze(-1) - self.radii.to(distances)) / self.widths.to(distances)
        return torch.exp(-0.5 * x**2)


def expert_convolution(
    n_shells: int, l_max: int, n_scalars: int = 1, *, form: type[Convolution] = Convolution
) -> Convolution:
    """The convolution with one output irrep for each scalar, shell and degree, and weights of one and zero.

    With :class:`GaussianShells` as radial functions and the one-hot type of particles as scalars (2 of
    them), or ones (1), it gives the radial densities, the bond-order parameters times the weight of their
    shells, and, by inner products, the three-body terms of the atomic cluster expansion; see the top of
    this module.

    Parameters
    ----------
    n_shells :
        Number of radial functions.
    l_max :
        Highest degree.
    n_scalars :
        Input scalars of a particle.
    form :
        :class:`~glasslib.equivariant.Convolution` or its fast form.

    Returns
    -------
    Convolution
        In float64, from ``n_scalars x 0e`` to ``n_scalars * n_shells`` channels of every degree; channel
        ``s * n_shells + k`` is scalar s in shell k.
    """
    channels = n_scalars * n_shells
    outputs = o3.Irreps([(channels, (degree, (-1) ** degree)) for degree in range(l_max + 1)])
    layer = form(f"{n_scalars}x0e", outputs, l_max=l_max, n_radial=n_shells, n_neighbors=1.0).double()
    one_each = torch.eye(channels).unflatten(1, (n_scalars, n_shells)).transpose(1, 2).flatten(1).T
    _set_weights(layer, [one_each] * len(outputs))
    return layer


def carrying_convolution(irreps: o3.Irreps | str, *, form: type[Convolution] = Convolution) -> Convolution:
    r"""The convolution that adds up features of neighbours as they are, :math:`\sum_j w(r_{ij})\, h_j`.

    Harmonics of degree 0 only, one radial function w, weights of one and zero; equivariant features of any
    degree keep their directions.

    Parameters
    ----------
    irreps :
        Of the features.
    form :
        :class:`~glasslib.equivariant.Convolution` or its fast form.

    Returns
    -------
    Convolution
        In float64, from ``irreps`` to ``irreps``.
    """
    irreps = o3.Irreps(irreps)
    layer = form(irreps, irreps, l_max=0, n_radial=1, n_neighbors=1.0).double()
    weights = [torch.zeros(len(weight), mul) for weight, (mul, _) in zip(layer.weights, irreps, strict=True)]
    for path in layer.paths:
        if path.entry == path.out:
            weights[path.out][path.rows] = torch.eye(irreps[path.out].mul)
    _set_weights(layer, weights)
    return layer


def neighborhood_mean(
    features: Tensor, irreps: o3.Irreps | str, around: Neighborhoods, *, form: type[Convolution] = Convolution
) -> Tensor:
    r"""Mean of features over neighbours and the particle itself: two convolutions and a division.

    .. math:: \bar h_i = \frac{h_i + \sum_j w(r_{ij})\, h_j}{1 + \sum_j w(r_{ij})}

    Of scalars, with :math:`w = e^{-r/2}`, this is the experts' coarse-graining
    (:func:`glasslib.features.coarse_grain`). Of :math:`q_{lm}`, with w = 1 up to a cutoff, a norm makes of it
    the averaged bond-order parameters of Lechner and Dellago (:func:`glasslib.features.averaged_steinhardt`):
    there the directions are averaged before the norm is taken, which no average of norms can do.

    Parameters
    ----------
    features : (n_particles, irreps.dim)
        Equivariant features.
    irreps :
        Theirs.
    around :
        Neighbours, with the one radial function w.
    form :
        As in :func:`carrying_convolution`.

    Returns
    -------
    (n_particles, irreps.dim)
    """
    ones = torch.ones_like(features[:, :1])
    total = features + carrying_convolution(irreps, form=form).to(features)(features, around)
    mean: Tensor = total / (1 + carrying_convolution("1x0e", form=form).to(features)(ones, around))
    return mean


def norms(features: Tensor, irreps: o3.Irreps | str) -> list[Tensor]:
    """Norms of features ``(n_particles, irreps.dim)``: for every entry of irreps ``(n_particles, mul)``."""
    return [part.norm(dim=2) for part in _parts(features, irreps)]


def inner_products(features: Tensor, irreps: o3.Irreps | str) -> list[Tensor]:
    r"""Inner products :math:`\sum_m h_{c l m} h_{d l m}` of all channels of every entry.

    Of the outputs of :func:`expert_convolution` they are :math:`4\pi` times the three-body invariants of
    :func:`glasslib.features.ace_invariants`. Norms of sums of channels hold the same, since
    :math:`2\, h_c \cdot h_d = |h_c + h_d|^2 - |h_c|^2 - |h_d|^2`; and a sum of channels is one channel with
    the sum of their radial functions.

    Parameters
    ----------
    features : (n_particles, irreps.dim)
        Equivariant features.
    irreps :
        Theirs.

    Returns
    -------
    list of (n_particles, mul, mul)
        One for each entry of the irreps.
    """
    return [part @ part.transpose(1, 2) for part in _parts(features, irreps)]


def _parts(features: Tensor, irreps: o3.Irreps | str) -> list[Tensor]:
    """Entries ``(n_particles, mul, 2 l + 1)``."""
    irreps = o3.Irreps(irreps)
    return [
        features[:, piece].unflatten(1, (mul, ir.dim))
        for (mul, ir), piece in zip(irreps, irreps.slices(), strict=True)
    ]


def _set_weights(layer: Convolution, weights: Sequence[Tensor]) -> None:
    """Make these, up to nothing, the weights that multiply: a layer divides its own by sqrt(rows)."""
    with torch.no_grad():
        for weight, wanted in zip(layer.weights, weights, strict=True):
            weight.copy_(wanted.to(weight) * math.sqrt(max(len(weight), 1)))
