"""Small configurations that every test may use."""

from __future__ import annotations

import numpy as np
import pytest

from glasslib import Glass


def make_glass(
    n: int = 120, box: tuple[float, float, float] = (5.2, 5.0, 4.8), seed: int = 0, n_times: int = 2
) -> Glass:
    """A jittered lattice: no two particles touch, and no symmetry is left."""
    rng = np.random.default_rng(seed)
    per_side = int(np.ceil(n ** (1 / 3)))
    lattice = np.stack(np.meshgrid(*[np.arange(per_side)] * 3, indexing="ij"), -1).reshape(-1, 3)[:n]
    edges = np.array(box)
    spacing = edges / per_side
    positions = (lattice + 0.5 + rng.uniform(-0.2, 0.2, (n, 3))) * spacing
    halves = 0.3 + 0.1 * rng.random((2, n_times, n))
    return Glass(
        positions=positions,
        types=(np.arange(n) % 5 == 4).astype(np.int8),
        box=edges,
        temperature=0.5,
        times=np.arange(1.0, n_times + 1),
        propensity=halves.mean(0),
        propensity_halves=halves,
        inherent_positions=positions + rng.normal(0, 0.05, (n, 3)),
        inherent_energies=rng.normal(-6, 1, n),
        energies=rng.normal(-5, 1, n),
        source=f"made-up-{seed}",
    )


@pytest.fixture
def glass() -> Glass:
    """120 particles, with propensity at two times and a made-up inherent structure."""
    return make_glass()
