"""The layer of benchmarks/convolution.py as other libraries make it: the same weights, the same numbers."""

from __future__ import annotations

import math

import torch
from e3nn import o3
from torch import Tensor

from glasslib.equivariant import Convolution, GaussianBasis

CUTOFF, N_RADIAL = 2.0, 8


class Edges:
    """What e3nn's ways are given: pairs, their harmonics and radial functions."""

    def __init__(self, index: Tensor, vector: Tensor, n: int, l_max: int) -> None:
        self.index, self.n = index, n
        self.radial = GaussianBasis(N_RADIAL, CUTOFF).to(vector.device)(vector.norm(dim=1))
        self.harmonics = o3.spherical_harmonics(list(range(l_max + 1)), vector, True, "component")


class E3nnWeightsOnPairs(Convolution):
    """Weights for each pair, then o3.TensorProduct."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.order = sorted(self.paths, key=lambda path: path.out)
        self.product = o3.TensorProduct(
            o3.Irreps([(1, (l1, (-1) ** l1)) for l1 in range(self.l_max + 1)]),
            self.irreps_in,
            self.irreps_out,
            [(p.l1, p.entry, p.out, "uvw", True) for p in self.order],
            path_normalization="none",
            shared_weights=False,
            internal_weights=False,
        )

    def forward(self, features: Tensor, edges: Edges) -> Tensor:
        weights = self.scaled_weights()
        flat = torch.cat([weights[p.out][p.rows].reshape(N_RADIAL, -1) for p in self.order], dim=1)
        j, i = edges.index
        messages = self.product(edges.harmonics, features[j], edges.radial @ flat)
        return messages.new_zeros(edges.n, messages.shape[1]).index_add(0, i, messages) * self.scale


class E3nnWeightsAfter(Convolution):
    """o3.TensorProduct without weights on pairs, a sum for each radial function, then the weights."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        found = {(p.l1, p.entry, self.irreps_out[p.out].ir): None for p in self.paths}
        self.products = list(found)
        between = o3.Irreps([(self.irreps_in[entry].mul, ir) for _, entry, ir in self.products])
        self.pieces = between.slices()
        self.product = o3.TensorProduct(
            o3.Irreps([(1, (l1, (-1) ** l1)) for l1 in range(self.l_max + 1)]),
            self.irreps_in,
            between,
            [(l1, entry, k, "uvv", False) for k, (l1, entry, _) in enumerate(self.products)],
            path_normalization="none",
        )

    def summed(self, features: Tensor, edges: Edges) -> Tensor:
        """Products summed over neighbours, ``(n_particles, n_radial, width)``."""
        j, i = edges.index
        messages = self.product(edges.harmonics, features[j])
        zero = messages.new_zeros(edges.n, messages.shape[1])
        return torch.stack(
            [zero.index_add(0, i, messages * edges.radial[:, k : k + 1]) for k in range(N_RADIAL)], dim=1
        )

    def forward(self, features: Tensor, edges: Edges) -> Tensor:
        sums = self.summed(features, edges)
        outputs = []
        for out, ((_, ir), weight) in enumerate(zip(self.irreps_out, self.scaled_weights(), strict=True)):
            columns = []
            for path in self.paths:
                if path.out == out:
                    piece = sums[:, :, self.pieces[self.products.index((path.l1, path.entry, ir))]]
                    columns.append(piece.unflatten(2, (-1, ir.dim)).flatten(1, 2))
            outputs.append(torch.einsum("nrm,rc->ncm", torch.cat(columns, dim=1), weight).flatten(1))
        return torch.cat(outputs, dim=1) * self.scale


class CuEquivariance(E3nnWeightsAfter):
    """The same products by cuequivariance_torch, which gathers and sums in the same kernel on a GPU.

    Its kernel wants all entries equally wide, so that they are cut into pieces of one width. It orders and
    scales its results in its own way; both are found by comparing with e3nn.
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        import cuequivariance as cue
        import cuequivariance_torch as cuet

        width = math.gcd(*(mul for mul, _ in self.irreps_in))
        cut = o3.Irreps([(width, ir) for mul, ir in self.irreps_in for _ in range(mul // width)])
        wanted = [cue.O3(ir.l, ir.p) for ir in {ir for *_, ir in self.products}]
        self.channelwise = cuet.ChannelWiseTensorProduct(
            cue.Irreps("O3", str(cut)),
            cue.Irreps("O3", str(self.product.irreps_in1)),
            wanted,
            layout=cue.mul_ir,
            shared_weights=False,
            internal_weights=False,
            math_dtype=torch.float32,
        )
        order, scale = self._compared()
        self.register_buffer("order", order, persistent=False)
        self.register_buffer("scales", scale, persistent=False)

    def _compared(self) -> tuple[Tensor, Tensor]:
        """Which column is which of e3nn's, and by how much to multiply it."""
        generator = torch.Generator().manual_seed(0)
        features = torch.randn(64, self.irreps_in.dim, generator=generator)
        harmonics = torch.randn(64, (self.l_max + 1) ** 2, generator=generator)
        e3nn = self.product(harmonics, features)
        theirs = self.channelwise(features, harmonics, torch.ones(64, self.channelwise.weight_numel))
        cosine = torch.nn.functional.normalize(e3nn, dim=0).T @ torch.nn.functional.normalize(theirs, dim=0)
        closest, order = cosine.abs().max(dim=1)
        assert closest.min() > 1 - 1e-5, "cuEquivariance computes something else"
        return order, (e3nn * theirs[:, order]).sum(0) / theirs[:, order].square().sum(0)

    def summed(self, features: Tensor, edges: Edges) -> Tensor:
        j, i = edges.index
        numel = self.channelwise.weight_numel
        return torch.stack(
            [
                self.channelwise(
                    features,
                    edges.harmonics,
                    edges.radial[:, k : k + 1].expand(-1, numel).contiguous(),
                    indices_1=j,
                    indices_out=i,
                    size_out=edges.n,
                )[:, self.order]
                * self.scales
                for k in range(N_RADIAL)
            ],
            dim=1,
        )
