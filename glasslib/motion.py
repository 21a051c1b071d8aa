"""What end points tell beside the propensity: a network that learns it too may know its features better."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from e3nn import o3
from torch import Tensor, nn
from torch_geometric.data import Data

from glasslib.glass import TYPE_NAMES, FloatArray, Glass

#: A trajectory that ends further from its start than this, in sigma_AA, has left its cage.
HOP = 0.6


class Motion(NamedTuple):
    """How the particles of a configuration move, over its isoconfigurational ensemble.

    Attributes
    ----------
    drift : (n_particles, n_times, 3)
        From the inherent position to the mean end point, in sigma_AA.
    anisotropy : (n_particles, n_times, 5)
        The l = 2 part of how end points scatter around their mean, over their mean square: the components of
        e3nn's solid harmonics.
    hops : (n_particles, n_times)
        Share of trajectories that end further than :data:`HOP` from the start.
    """

    drift: FloatArray
    anisotropy: FloatArray
    hops: FloatArray


def motion(glass: Glass) -> Motion:
    """Measure it.

    Raises
    ------
    GlassError
        Without ``end_positions`` or inherent positions.
    """
    ends = glass.require("end_positions")
    inherent = glass.displacement()
    drift, anisotropy, hops = [], [], []
    for replicas in ends:
        moved = replicas - glass.positions
        mean = moved.mean(axis=0)
        drift.append(mean - inherent)
        scatter = torch.from_numpy(moved - mean)
        shape = o3.spherical_harmonics(2, scatter, normalize=False, normalization="norm").mean(0).numpy()
        square = (scatter**2).sum(-1).mean(0).numpy()
        anisotropy.append(shape / np.maximum(square, 1e-12)[:, None])
        hops.append((np.linalg.norm(moved, axis=2) > HOP).mean(axis=0))
    return Motion(*(np.stack(rows, axis=1) for rows in (drift, anisotropy, hops)))


def add_motion(data: Data, glass: Glass) -> Data:
    """Give a graph the three as ``drift``, ``anisotropy`` and ``hops``, as :class:`MotionHeads` learns them.

    Vectors and tensors over their root mean square, shares less their mean and over their standard
    deviation; of the particles of each type in this configuration.
    """
    found = motion(glass)
    for name, values in found._asdict().items():
        scaled = np.zeros_like(values, dtype=float)
        for number in range(len(TYPE_NAMES)):
            of_type = glass.types == number
            if of_type.any():
                scaled[of_type] = _in_own_units(values[of_type], centred=name == "hops")
        data[name] = torch.tensor(scaled, dtype=data.scalars.dtype)
    return data


def _in_own_units(values: FloatArray, *, centred: bool) -> FloatArray:
    """Over particles, for each time."""
    if centred:
        values = values - values.mean(axis=0)
    components = tuple(range(2, values.ndim))
    square = (values**2).sum(axis=components, keepdims=True).mean(axis=0, keepdims=True)
    scaled: FloatArray = values / np.sqrt(np.maximum(square, 1e-12))
    return scaled


class MotionHeads(nn.Module):
    """Read drift, anisotropy and hops off an SE(3) network, while it trains; then they are thrown away.

    Parameters
    ----------
    hidden :
        Irreps of its equivariant features.
    width :
        Of its representation.
    n_times :
        Number of times.
    """

    def __init__(self, hidden: str, width: int, n_times: int) -> None:
        super().__init__()
        self.n_times, n = n_times, len(TYPE_NAMES) * n_times
        self.drift = o3.Linear(o3.Irreps(hidden), o3.Irreps(f"{n}x1o"))
        self.anisotropy = o3.Linear(o3.Irreps(hidden), o3.Irreps(f"{n}x2e"))
        self.hops = nn.Linear(width, n)

    def forward(self, features: Tensor, representation: Tensor, types: Tensor) -> dict[str, Tensor]:
        """Each as in :func:`add_motion`, from :meth:`SE3Network.features` and what is averaged of them."""
        itself, said = torch.arange(len(types), device=types.device), {}
        for name, values in (("drift", features), ("anisotropy", features), ("hops", representation)):
            out: Tensor = getattr(self, name)(values)
            said[name] = out.view(len(types), len(TYPE_NAMES), self.n_times, -1)[itself, types]
        said["hops"] = said["hops"].squeeze(-1)
        return said

    def loss(self, features: Tensor, representation: Tensor, data: Data) -> Tensor:
        """Mean squared lengths of the errors, the three added."""
        said = self.forward(features, representation, data.types)
        squares = [(value - data[name]).pow(2).sum() for name, value in said.items()]
        return torch.stack(squares).sum() / (len(data.types) * self.n_times)
