"""The SE(3) network with a second read-out: how every bond will stretch."""

from __future__ import annotations

import torch
from e3nn import o3
from torch import Tensor, nn
from torch_geometric.data import Data

from glasslib.equivariant.network import NetworkOptions, SE3Network
from glasslib.targets import N_BOND_KINDS, TargetScale, bond_kinds


class SE3BondNetwork(SE3Network):
    r"""Rotation-equivariant graph network that predicts propensity, and the stretching of bonds.

    The equivariant twin of BOTAN's network (Shiba et al., J. Chem. Phys. 158, 084503 (2023)); the read-out of
    bonds is this project's choice. Each end i of a bond looks along it, and what it sees is invariant:

    .. math::
        u_{i \to j} = \sigma\Big(A x_i + B\, \big[h_i^{(l)} \cdot Y_l(\hat r_{ij}),\ \phi(r_{ij})\big]\Big),

    with its invariants x before the decoder, its equivariant features h, and the radial functions. The sum
    over both ends, which does not tell one from the other, goes through one decoder for each kind of bond.

    Parameters
    ----------
    options :
        Size and shape. Features of even parity and odd l, or the reverse, do not serve bonds.
    node_weight :
        Share of the particles in the loss; the rest is that of the bonds.
    """

    def __init__(self, options: NetworkOptions | None = None, node_weight: float = 1.0) -> None:
        super().__init__(options)
        self.node_weight = node_weight
        self.bonds = TargetScale(self.options.n_times, N_BOND_KINDS)
        self.seen = _Seen(o3.Irreps(self.options.hidden))
        width = self.options.width
        self.of_end = nn.Linear(width, width)
        self.of_bond = nn.Linear(self.seen.n_seen + self.options.n_radial, width, bias=False)
        self.decode_bonds = nn.Sequential(
            nn.Linear(width, width), nn.SiLU(), nn.Linear(width, N_BOND_KINDS * self.options.n_times)
        )

    def nodes_and_edges(self, data: Data) -> tuple[Tensor, Tensor]:
        """Propensity of every particle, stretching of every bond: ``(n_particles or n_edges, n_times)``.

        Bonds are the pairs of ``data.edge_index``, in sigma_AA.
        """
        hidden = self.features(data)
        x = self.averaged(hidden, data)
        return self.decoded(x, data), self._stretching(hidden, x, data)

    def _stretching(self, hidden: Tensor, x: Tensor, data: Data) -> Tensor:
        n = len(data.types)
        j, i = data.edge_index
        once = i < j  # both ends of a bond are looked at together
        pair, vectors = data.edge_index[:, once], data.edge_vector[once]
        radial, end = self.basis(vectors.norm(dim=1)), self.of_end(x)
        ends = [
            nn.functional.silu(end[k] + self.of_bond(torch.cat([self.seen(hidden[k], along), radial], dim=1)))
            for k, along in ((pair[1], vectors), (pair[0], -vectors))
        ]
        kinds = bond_kinds(data.types, pair)
        out = self.decode_bonds(ends[0] + ends[1]).view(len(kinds), N_BOND_KINDS, -1)
        stretching = self.bonds.restore(out[torch.arange(len(kinds), device=kinds.device), kinds], kinds)
        key = pair[1] * n + pair[0]  # sorted, as edges are by centre
        place = torch.searchsorted(key, torch.minimum(i, j) * n + torch.maximum(i, j))
        return stretching[place]


class _Seen(nn.Module):
    """What is seen of features along a direction: their products with its harmonics, each an invariant."""

    def __init__(self, irreps: o3.Irreps) -> None:
        super().__init__()
        self.irreps = irreps
        self.shown = [entry.ir.l > 0 and entry.ir.p == (-1) ** entry.ir.l for entry in irreps]
        #: How many invariants.
        self.n_seen = sum(entry.mul for entry, shown in zip(irreps, self.shown, strict=True) if shown)

    def forward(self, features: Tensor, along: Tensor) -> Tensor:
        """Features ``(n, irreps.dim)`` and directions ``(n, 3)`` of any length to ``(n, n_seen)``."""
        found = [features.new_zeros(len(features), 0)]
        for entry, place, shown in zip(self.irreps, self.irreps.slices(), self.shown, strict=True):
            if shown:
                harmonics = o3.spherical_harmonics(entry.ir.l, along, True, "norm")
                own = features[:, place].view(len(features), entry.mul, entry.ir.dim)
                found.append((own * harmonics.unsqueeze(1)).sum(2))
        return torch.cat(found, dim=1)
