"""From a Glass to the graph that a network reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch_geometric.data import Data

from glasslib.glass import TYPE_NAMES, Glass, minimum_image
from glasslib.neighbors import neighbor_pairs

Structure = Literal["thermal", "inherent"]


@dataclass(frozen=True)
class GraphOptions:
    """What a network is shown of a configuration.

    Parameters
    ----------
    structure :
        Positions that span the graph: ``"inherent"`` or ``"thermal"``.
    cutoff :
        Edges join particles closer than this, in sigma_AA.
    energy :
        Whether the potential energy of each particle (in that structure) is a scalar input.
    displacement :
        Whether the vector from the thermal to the inherent position is an l = 1 input (Jung et
        al., arXiv:2407.06111, give it to their network).
    averaging_cutoff, averaging_length :
        Range and decay length (in sigma_AA) of the weights ``exp(-r / length)`` with which
        scalars are averaged over neighbours; range 0 leaves them out.
    """

    structure: Structure = "inherent"
    cutoff: float = 2.0
    energy: bool = True
    displacement: bool = True
    averaging_cutoff: float = 3.0
    averaging_length: float = 2.0

    @property
    def n_scalars(self) -> int:
        """Number of scalar inputs of a particle: its type (one-hot) and its energy."""
        return len(TYPE_NAMES) + self.energy

    @property
    def n_vectors(self) -> int:
        """Number of vector inputs of a particle."""
        return int(self.displacement)


def build_graph(
    glass: Glass, options: GraphOptions | None = None, *, dtype: torch.dtype = torch.float32
) -> Data:
    """The graph of a configuration.

    Parameters
    ----------
    glass :
        The configuration.
    options :
        What goes in; by default :class:`GraphOptions` as it stands.
    dtype :
        Of all floating-point tensors.

    Returns
    -------
    torch_geometric.data.Data
        ``edge_index`` (2, n_edges), rows neighbour j and centre i, sorted by centre;
        ``edge_vector`` (n_edges, 3), from i to j, in sigma_AA;
        ``scalars`` (n_particles, n_scalars): type one-hot, then energy in epsilon_AA;
        ``vectors`` (n_particles, n_vectors, 3), in sigma_AA;
        ``types`` (n_particles,);
        ``average_index`` (2, n_pairs) and ``average_weight`` (n_pairs,): pairs to average over,
        a particle itself included, sorted by centre, with their weights (symmetric, not normalised);
        ``y`` (n_particles, n_times): the propensity, where known.

    Raises
    ------
    GlassError
        When the Glass lacks what the options ask for, or its box is too small.
    """
    options = options or GraphOptions()
    positions = glass.positions_in(options.structure)
    edge_index, vectors = neighbor_pairs(positions, glass.box, options.cutoff, source=glass.source)

    scalars = [np.eye(len(TYPE_NAMES))[glass.types]]
    if options.energy:
        name = "inherent_energies" if options.structure == "inherent" else "energies"
        scalars.append(glass.require(name)[:, None])
    node_vectors = np.zeros((len(glass), 0, 3))
    if options.displacement:
        shift = minimum_image(glass.require("inherent_positions") - glass.positions, glass.box)
        node_vectors = shift[:, None, :]

    data = Data(
        edge_index=torch.from_numpy(edge_index),
        edge_vector=torch.tensor(vectors, dtype=dtype),
        scalars=torch.tensor(np.concatenate(scalars, axis=1), dtype=dtype),
        vectors=torch.tensor(node_vectors, dtype=dtype),
        types=torch.tensor(glass.types, dtype=torch.int64),
        num_nodes=len(glass),
    )
    if options.averaging_cutoff > 0:
        index, weight = _averaging(positions, glass, options)
        data.average_index = torch.from_numpy(index)
        data.average_weight = torch.tensor(weight, dtype=dtype)
    if glass.propensity is not None:
        data.y = torch.tensor(glass.propensity.T, dtype=dtype)
    return data


def _averaging(positions: np.ndarray, glass: Glass, options: GraphOptions) -> tuple[np.ndarray, np.ndarray]:
    index, vectors = neighbor_pairs(positions, glass.box, options.averaging_cutoff, source=glass.source)
    itself = np.arange(len(glass))
    index = np.concatenate([index, np.stack([itself, itself])], axis=1)
    distance = np.concatenate([np.linalg.norm(vectors, axis=1), np.zeros(len(glass))])
    order = np.lexsort(index)
    index, weight = index[:, order], np.exp(-distance[order] / options.averaging_length)
    return index, weight
