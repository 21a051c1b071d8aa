"""The surroundings of every particle, as the convolution sees them: computed once, used by every layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
from e3nn import o3
from torch import Tensor, nn

#: Particles handled at once: few enough that a processor's cache holds what is made of them, and on a
#: GPU enough to keep it busy.
BLOCK = {"cpu": 256, "cuda": 8192}


@dataclass
class Block:
    """Some particles with their neighbours, padded to the largest number among them.

    Attributes
    ----------
    centers : (n,)
        Indices of the particles.
    neighbors : (n, n_max)
        Indices of their neighbours; padding repeats particle 0.
    radial : (n, n_max, n_radial)
        Radial functions; zero where padded.
    harmonics : (n, n_max, (l_max + 1)^2)
        Real spherical harmonics, e3nn's order and ``component`` normalisation.
    """

    centers: Tensor
    neighbors: Tensor
    radial: Tensor
    harmonics: Tensor
    _kernel: Tensor | None = field(default=None, repr=False)

    @property
    def kernel(self) -> Tensor:
        """Products of harmonics and radial functions, ``(n, n_max, (l_max + 1)^2 * n_radial)``."""
        if self._kernel is not None:
            return self._kernel
        return (self.harmonics.unsqueeze(3) * self.radial.unsqueeze(2)).flatten(2)

    def keep_kernel(self) -> None:
        """Compute the kernel now, for all that follows."""
        self._kernel = self.kernel


@dataclass(frozen=True)
class Neighborhoods:
    """All particles, in blocks of similar numbers of neighbours, so that little is padded.

    Attributes
    ----------
    blocks :
        Every particle is in one of them.
    place : (n_particles,)
        Where a particle stands when the blocks are put one after the other.
    """

    blocks: list[Block]
    place: Tensor

    def __len__(self) -> int:
        """Number of particles."""
        return len(self.place)

    def __iter__(self) -> Iterator[Block]:
        return iter(self.blocks)


def neighborhoods(
    edge_index: Tensor,
    edge_vector: Tensor,
    n_particles: int,
    basis: nn.Module,
    l_max: int,
    *,
    block: int | None = None,
) -> Neighborhoods:
    """Gather edges into padded blocks.

    Parameters
    ----------
    edge_index : (2, n_edges)
        Rows neighbour j, centre i; sorted by centre.
    edge_vector : (n_edges, 3)
        From i to j.
    n_particles :
        Number of particles.
    basis :
        Maps distances ``(n_edges,)`` to ``(n_edges, n_radial)``.
    l_max :
        Highest degree of the spherical harmonics.
    block :
        Particles in a block; by default :data:`BLOCK` of the device (a GPU's for anything but a CPU).
    """
    neighbor, center = edge_index
    degree = torch.bincount(center, minlength=n_particles)
    first = torch.cumsum(degree, 0) - degree
    order = torch.argsort(degree, stable=True)
    radial = basis(edge_vector.norm(dim=1))
    harmonics = o3.spherical_harmonics(list(range(l_max + 1)), edge_vector, True, "component")
    blocks = []
    for centers in order.split(block or BLOCK.get(center.device.type, BLOCK["cuda"])):
        slots = torch.arange(int(degree[centers[-1]]), device=center.device)
        real = slots < degree[centers, None]
        edges = torch.where(real, first[centers, None] + slots, 0)
        blocks.append(
            Block(
                centers,
                torch.where(real, neighbor[edges], 0),
                radial[edges] * real.unsqueeze(2),
                harmonics[edges],
            )
        )
    return Neighborhoods(blocks, torch.argsort(order))
