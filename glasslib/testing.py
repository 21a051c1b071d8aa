"""Assertions about symmetry, for the tests of this package and for anyone's own model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from e3nn import o3
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch_geometric.data import Data

from glasslib.equivariant.law import law
from glasslib.glass import Glass, wrap

#: Largest deviation allowed, relative to the largest output.
TOLERANCES = {torch.float32: 1e-4, torch.float64: 1e-10}

#: Fields of a Glass that have one entry per particle, with the axis of the particles.
PARTICLE_AXES = {
    "positions": 0,
    "types": 0,
    "propensity": 1,
    "propensity_halves": 2,
    "inherent_positions": 0,
    "inherent_energies": 0,
    "energies": 0,
    "cage_positions": 0,
    "end_positions": 2,
    "bond_breaking": 1,
}


def assert_equivariant(
    function: Callable[[Data], Tensor],
    graph: Data,
    irreps_out: o3.Irreps | str | None = None,
    *,
    n_transformations: int = 4,
    tolerance: float | None = None,
    seed: int = 0,
) -> float:
    """Assert that outputs turn with their input under random rotations and reflections.

    A periodic box does not survive a general rotation, but a graph does: its ``edge_vector``
    and ``thermal_vector`` (n_edges, 3) and ``vectors`` (n_particles, n, 3) are turned, everything else
    is kept.

    Parameters
    ----------
    function :
        Maps a graph to ``(n_particles, irreps_out.dim)``.
    graph :
        As from :func:`glasslib.graph.build_graph`.
    irreps_out :
        How outputs should transform, in e3nn's notation; None: not at all.
    n_transformations :
        Half of them are rotations, half rotations followed by an inversion.
    tolerance :
        Largest deviation relative to the largest output; by default 1e-4 in float32 and 1e-10 in
        float64.
    seed :
        Of the rotations.

    Returns
    -------
    float
        The largest relative deviation found.

    Raises
    ------
    AssertionError
        With the deviation found and the tolerance.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        expected = function(graph)
        irreps = o3.Irreps(f"{expected.shape[1]}x0e" if irreps_out is None else irreps_out)
        worst = 0.0
        for number in range(n_transformations):
            turn = _rotation(generator) * (-1 if number % 2 else 1)
            turned = graph.clone()
            for name in {"edge_vector", "thermal_vector", "vectors"} & set(graph.keys()):
                values = getattr(graph, name)
                setattr(turned, name, values @ turn.T.to(values))
            wanted = expected @ law(irreps, turn).to(expected).T
            worst = max(worst, _deviation(function(turned).numpy(), wanted.numpy()))
    _check(worst, tolerance or TOLERANCES[expected.dtype], "rotation or reflection")
    return worst


def assert_permutation_equivariant(
    predict: Callable[[Glass], ArrayLike], glass: Glass, *, tolerance: float = 1e-4, seed: int = 0
) -> float:
    """Assert that relabelling the particles relabels the prediction and changes nothing else.

    Parameters
    ----------
    predict :
        Maps a Glass to an array whose last axis is the particles.
    glass :
        Any configuration.
    tolerance, seed :
        Largest deviation relative to the largest output; of the permutation.

    Returns
    -------
    float
        The relative deviation found.
    """
    order = np.random.default_rng(seed).permutation(len(glass))
    deviation = _deviation(predict(relabel(glass, order)), np.asarray(predict(glass))[..., order])
    _check(deviation, tolerance, "relabelling")
    return deviation


def assert_periodic(
    predict: Callable[[Glass], ArrayLike], glass: Glass, *, tolerance: float = 1e-4, seed: int = 0
) -> float:
    """Assert that the origin of the periodic box does not matter.

    Parameters
    ----------
    predict :
        Maps a Glass to an array whose last axis is the particles.
    glass :
        Any configuration.
    tolerance, seed :
        Largest deviation relative to the largest output; of the translation.

    Returns
    -------
    float
        The relative deviation found.
    """
    shift = np.random.default_rng(seed).uniform(0, 1, 3) * glass.box
    names = ("positions", "inherent_positions", "cage_positions")
    moved = {name: getattr(glass, name) + shift for name in names if getattr(glass, name) is not None}
    if glass.end_positions is not None:  # unwrapped from where the particles now start
        moved["end_positions"] = glass.end_positions + wrap(moved["positions"], glass.box) - glass.positions
    deviation = _deviation(predict(glass.replace(**moved)), predict(glass))
    _check(deviation, tolerance, "translation across the periodic boundary")
    return deviation


def relabel(glass: Glass, order: NDArray[np.integer[Any]]) -> Glass:
    """The same configuration with its particles in another order ``(n_particles,)``."""
    changes: dict[str, Any] = {
        name: np.take(getattr(glass, name), order, axis)
        for name, axis in PARTICLE_AXES.items()
        if getattr(glass, name) is not None
    }
    changes["extras"] = {name: values[..., order] for name, values in glass.extras.items()}
    changes["bonds"] = glass.bonds and glass.bonds.relabelled(order)
    return glass.replace(**changes)


def _rotation(generator: torch.Generator) -> Tensor:
    """A rotation drawn uniformly, as a (3, 3) float64 matrix."""
    quaternion = torch.randn(4, generator=generator, dtype=torch.float64)
    matrix: Tensor = o3.quaternion_to_matrix(quaternion / quaternion.norm())
    return matrix


def _deviation(found: ArrayLike, expected: ArrayLike) -> float:
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape != expected.shape:
        raise AssertionError(f"the output changes shape: {found.shape} against {expected.shape}")
    return float(np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-300))


def _check(deviation: float, tolerance: float, what: str) -> None:
    if not deviation <= tolerance:
        raise AssertionError(
            f"under {what} the output is off by {deviation:.2g} of its largest value; allowed {tolerance:.2g}"
        )
