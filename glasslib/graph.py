"""From a Glass to the graph that a network reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch_geometric.data import Data

from glasslib.glass import TYPE_NAMES, Glass, minimum_image
from glasslib.neighbors import neighbor_pairs

Structure = Literal["thermal", "inherent", "both"]


@dataclass(frozen=True)
class GraphOptions:
    """What a network is shown of a configuration.

    Parameters
    ----------
    structure :
        Positions that span the graph: ``"inherent"``, ``"thermal"``, or ``"both"``: the inherent ones, and
        the edges of the thermal ones beside them.
    cutoff :
        Edges join particles closer than this, in sigma_AA.
    energy :
        Whether the potential energy of each particle (in that structure, or both) is a scalar input.
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
        """Number of scalar inputs of a particle: its type (one-hot) and its energies."""
        return len(TYPE_NAMES) + self.energy * (1 + (self.structure == "both"))

    @property
    def n_vectors(self) -> int:
        """Number of vector inputs of a particle."""
        return int(self.displacement)


def build_graph(
    glass: Glass,
    options: GraphOptions | None = None,
    *,
    bonds: bool = False,
    dtype: torch.dtype = torch.float32,
) -> Data:
    """The graph of a configuration.

    Parameters
    ----------
    glass :
        The configuration.
    options :
        What goes in; by default :class:`GraphOptions` as it stands.
    bonds :
        Whether to add what becomes of every edge, which takes the end points of the trajectories, or bonds
        that were kept of them.
    dtype :
        Of all floating-point tensors.

    Returns
    -------
    torch_geometric.data.Data
        ``edge_index`` (2, n_edges), rows neighbour j and centre i, sorted by centre;
        ``edge_vector`` (n_edges, 3), from i to j, in sigma_AA;
        ``thermal_index`` and ``thermal_vector``: the same in the thermal structure, for both structures;
        ``scalars`` (n_particles, n_scalars): type one-hot, then energy (inherent, then thermal for both)
        in epsilon_AA;
        ``vectors`` (n_particles, n_vectors, 3), in sigma_AA;
        ``types`` (n_particles,);
        ``average_index`` (2, n_pairs) and ``average_weight`` (n_pairs,): pairs to average over,
        a particle itself included, sorted by centre, with their weights (symmetric, not normalised);
        ``y`` (n_particles, n_times): the propensity, where known;
        ``bond_length`` (n_edges,) and ``bond_y`` (n_edges, n_times), with ``bonds``: thermal length
        and :func:`bond_stretching` of every edge, in sigma_AA.

    Raises
    ------
    GlassError
        When the Glass lacks what the options ask for, or its box is too small.
    """
    options = options or GraphOptions()
    positions = glass.positions_in("inherent" if options.structure == "both" else options.structure)
    edge_index, vectors = neighbor_pairs(positions, glass.box, options.cutoff, source=glass.source)

    scalars = [np.eye(len(TYPE_NAMES))[glass.types]]
    if options.energy:
        shown = ("inherent", "thermal") if options.structure == "both" else (options.structure,)
        scalars += [glass.energies_in(structure)[:, None] for structure in shown]
    node_vectors = np.zeros((len(glass), 0, 3))
    if options.displacement:
        node_vectors = glass.displacement()[:, None, :]

    data = Data(
        edge_index=torch.from_numpy(edge_index),
        edge_vector=torch.tensor(vectors, dtype=dtype),
        scalars=torch.tensor(np.concatenate(scalars, axis=1), dtype=dtype),
        vectors=torch.tensor(node_vectors, dtype=dtype),
        types=torch.tensor(glass.types, dtype=torch.int64),
        num_nodes=len(glass),
    )
    if options.structure == "both":
        index, vectors = neighbor_pairs(glass.positions, glass.box, options.cutoff, source=glass.source)
        data.thermal_index = torch.from_numpy(index)
        data.thermal_vector = torch.tensor(vectors, dtype=dtype)
    if options.averaging_cutoff > 0:
        index, weight = _averaging(positions, glass, options)
        data.average_index = torch.from_numpy(index)
        data.average_weight = torch.tensor(weight, dtype=dtype)
    if glass.propensity is not None:
        data.y = torch.tensor(glass.propensity.T, dtype=dtype)
    if bonds:
        length, stretching = bond_stretching(glass, edge_index)
        data.bond_length = torch.tensor(length, dtype=dtype)
        data.bond_y = torch.tensor(stretching.T, dtype=dtype)
    return data


def knows_bonds(glass: Glass) -> bool:
    """Whether :func:`bond_stretching` can tell."""
    return glass.end_positions is not None or glass.bonds is not None


def bond_stretching(
    glass: Glass, edge_index: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    r"""How much further apart pairs of particles will be, which is what BOTAN learns of them.

    :math:`\langle |r_{ij}(t)| \rangle - |r_{ij}(0)|`, the mean over the replicas (Shiba et al., J. Chem.
    Phys. 158, 084503 (2023)). The periodic image of a pair is the nearest one in the thermal
    structure at t = 0, and is kept from then on.

    Parameters
    ----------
    glass :
        With ``end_positions``, unwrapped from ``positions`` on; or else with the ``bonds`` asked for.
    edge_index : (2, n_edges)
        Pairs j, i.

    Returns
    -------
    length : (n_edges,)
        Thermal distance at t = 0, in sigma_AA.
    stretching : (n_times, n_edges)
        In sigma_AA; positive where the pair moves apart.

    Raises
    ------
    GlassError
        When the Glass knows neither.
    """
    j, i = edge_index
    start = minimum_image(glass.positions[j] - glass.positions[i], glass.box)
    length = np.linalg.norm(start, axis=1)
    if glass.end_positions is None and glass.bonds is not None:
        return length, glass.bonds.of(edge_index)
    ends = glass.require("end_positions")
    later = np.zeros((len(ends), len(start)))
    for t, replicas in enumerate(ends):
        for end in replicas:  # one by one: a hundred trajectories' pairs would fill the memory
            moved = end - glass.positions
            later[t] += np.linalg.norm(start + moved[j] - moved[i], axis=1)
    return length, later / ends.shape[1] - length


def _averaging(positions: np.ndarray, glass: Glass, options: GraphOptions) -> tuple[np.ndarray, np.ndarray]:
    index, vectors = neighbor_pairs(positions, glass.box, options.averaging_cutoff, source=glass.source)
    itself = np.arange(len(glass))
    index = np.concatenate([index, np.stack([itself, itself])], axis=1)
    distance = np.concatenate([np.linalg.norm(vectors, axis=1), np.zeros(len(glass))])
    order = np.lexsort(index)
    index, weight = index[:, order], np.exp(-distance[order] / options.averaging_length)
    return index, weight
