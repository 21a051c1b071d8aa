"""The radial functions that a network has learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike

from glasslib.equivariant import SE3Network
from glasslib.errors import GlassError
from glasslib.glass import FloatArray
from glasslib.interpretation.invariants import convolutions


@dataclass(frozen=True, eq=False)
class Leading:
    """The radial functions that matter most on a path, strongest first.

    Attributes
    ----------
    functions : (n_r, n)
        Each as large as its strength; the sign, which means nothing, makes the largest value positive.
    strengths : (n,)
        Root of the integral of its square.
    shares : (n,)
        Of the square of the path's strength; those of all functions add up to 1.
    """

    functions: FloatArray
    strengths: FloatArray
    shares: FloatArray


@dataclass(frozen=True, eq=False)
class RadialPath:
    r"""All radial functions of one path of a convolution.

    A neighbour at distance r and direction :math:`\hat r` with features :math:`h_c` sends
    :math:`\sum_c R_{cc'}(r)\, \mathrm{CG}(Y_{l_1}(\hat r), h_c)` to channel :math:`c'`.

    Attributes
    ----------
    degree :
        l1, of the spherical harmonics.
    irrep_in, irrep_out :
        Of the features coupled to them and of the result, such as ``"1o"``.
    r : (n_r,)
        Equally spaced distances, in sigma_AA.
    values : (n_r, channels in, channels out)
        R, everything included that multiplies it. Of a network's scalar outputs the last ones are the
        gates of its l > 0 features.
    """

    degree: int
    irrep_in: str
    irrep_out: str
    r: FloatArray
    values: FloatArray

    @property
    def label(self) -> str:
        """For example ``"Y2 x 1o -> 1o"``."""
        return f"Y{self.degree} x {self.irrep_in} -> {self.irrep_out}"

    def strength(self, weight: ArrayLike | None = None) -> float:
        r"""Root of :math:`\int w(r) \sum_{cc'} R_{cc'}(r)^2\, dr`.

        Paths with the same input can be compared by it; inputs of different size cannot.

        Parameters
        ----------
        weight : (n_r,)
            With :math:`w = 4\pi r^2 \rho\, g(r)`, where neighbours are counts; by default 1.
        """
        return float(np.sqrt((self._weights(weight)[:, None, None] * self.values**2).sum()))

    def leading(self, number: int = 3, weight: ArrayLike | None = None) -> Leading:
        r"""A few radial functions of which those of all channels are combinations.

        Singular value decomposition of R as a matrix of distances by pairs of channels; what the first n
        leave out is as small as n functions can make it. A few functions go far before any training, as
        those of the basis overlap and most neighbours stand at one distance: compare with an untrained
        network.

        Parameters
        ----------
        number :
            How many; there are no more than radial functions in the basis.
        weight : (n_r,)
            As in :meth:`strength`.
        """
        flat = self.values.reshape(len(self.r), -1)
        root = np.sqrt(self._weights(weight))[:, None]
        _, strengths, channels = np.linalg.svd(root * flat, full_matrices=False)
        functions = flat @ channels[:number].T
        functions *= np.sign(functions[np.abs(functions).argmax(axis=0), np.arange(functions.shape[1])])
        shares = strengths**2 / max((strengths**2).sum(), 1e-300)
        return Leading(functions, strengths[:number], shares[:number])

    def _weights(self, weight: ArrayLike | None) -> FloatArray:
        """What the squares at every distance are multiplied by, the distances' spacing included."""
        spacing = float(self.r[1] - self.r[0])
        weights = np.ones(len(self.r)) if weight is None else np.asarray(weight, dtype=float)
        if weights.shape != self.r.shape or not (weights >= 0).all():
            raise GlassError(f"expected {len(self.r)} numbers, none below 0", field="weight")
        scaled: FloatArray = spacing * weights
        return scaled


def radial_functions(
    network: SE3Network, layer: int = 0, *, r_min: float = 0.7, n_r: int = 200
) -> list[RadialPath]:
    """The radial functions of one convolution of a network, path by path.

    Parameters
    ----------
    network :
        A trained network, such as ``predictor.network``.
    layer :
        0 is the first. Its inputs are the type (one-hot, A then B), the energy in units of its spread, and
        the displacement; in that order, as far as the network was given them.
    r_min, n_r :
        From where (nothing in the Kob-Andersen mixture comes closer than 0.7 sigma_AA) to the cutoff, at how
        many distances.

    Returns
    -------
    list of RadialPath
        By degree of the harmonics.

    Raises
    ------
    GlassError
        When there is no such layer.
    """
    if not 0 <= layer < len(network.layers):
        raise GlassError(f"expected 0 to {len(network.layers) - 1}, got {layer}", field="layer")
    if n_r < 2 or not 0 <= r_min < network.options.cutoff:
        raise GlassError(f"expected 0 <= r_min < {network.options.cutoff:g} and n_r of 2 or more")
    convolution = convolutions(network)[layer]
    weights = [weight.detach().double().cpu() for weight in convolution.scaled_weights()]
    r = torch.linspace(r_min, network.options.cutoff, n_r, dtype=torch.float64)
    with torch.no_grad():
        basis = network.basis(r.to(network.basis.centers.device)).double().cpu() * convolution.scale
    paths = []
    for degree, entry, out, rows in convolution.paths:
        mul, irrep = convolution.irreps_in[entry]
        table = weights[out][rows].unflatten(0, (convolution.n_radial, mul))
        values = torch.einsum("rk,kcd->rcd", basis, table).numpy()
        paths.append(RadialPath(degree, str(irrep), str(convolution.irreps_out[out].ir), r.numpy(), values))
    return [path for path in paths if path.values.size]
