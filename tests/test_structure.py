"""The radial distribution function against freud, and where its answer is known."""

from __future__ import annotations

import freud
import numpy as np
import pytest

from glasslib import Glass, GlassError
from glasslib.structure import partial_rdf


@pytest.fixture(scope="module")
def gas():
    """Particles that ignore each other, but for a closest approach that Glass asks for."""
    rng = np.random.default_rng(1)
    box = np.array([9.0, 10.0, 11.0])
    grid = np.stack(np.meshgrid(*(np.arange(0.25, edge, 0.5) for edge in box), indexing="ij"), -1).reshape(
        -1, 3
    )
    positions = grid[rng.choice(len(grid), 1200, replace=False)] + rng.uniform(-0.19, 0.19, (1200, 3))
    types = (rng.random(1200) < 0.2).astype(np.int8)
    return Glass(positions, types, box, inherent_positions=positions[:, ::-1] * box / box[::-1])


@pytest.mark.parametrize(("first", "second"), ["AA", "AB", "BA", "BB"])
@pytest.mark.parametrize("structure", ["thermal", "inherent"])
def test_agrees_with_freud(gas, first, second, structure):
    r, g = partial_rdf(gas, first, second, structure=structure, r_max=4.0, width=0.1)
    positions = (gas.positions if structure == "thermal" else gas.inherent_positions) - gas.box / 2
    theirs = freud.density.RDF(
        bins=40, r_max=4.0, normalization_mode="finite_size" if first == second else "exact"
    )
    box = freud.box.Box(*gas.box)
    points, queries = positions[gas.is_type(second)], positions[gas.is_type(first)]
    if first == second:
        theirs.compute((box, points))
    else:
        theirs.compute((box, points), queries)
    np.testing.assert_allclose(r, theirs.bin_centers, atol=1e-6)
    np.testing.assert_allclose(g, theirs.rdf, atol=0.02)  # freud works in float32: pairs on an edge may move
    assert np.mean(np.abs(g - theirs.rdf)) < 2e-3


def test_a_simple_cubic_lattice_has_six_neighbours():
    """Known: 6, 12 and 8 neighbours at 1, sqrt 2 and sqrt 3."""
    positions = np.stack(np.meshgrid(*3 * [np.arange(8.0)], indexing="ij"), -1).reshape(-1, 3)
    glass = Glass(positions, np.zeros(512, dtype=int), np.full(3, 8.0))
    r, g = partial_rdf(glass, r_max=2.0, width=0.25)
    neighbours = g * 511 / 512 * 4 * np.pi / 3 * ((r + 0.125) ** 3 - (r - 0.125) ** 3)
    np.testing.assert_allclose(neighbours[[4, 5, 6]], [6, 12, 8], rtol=1e-12)
    assert g[:4].sum() == 0


def test_symmetric_in_its_types(gas):
    np.testing.assert_allclose(partial_rdf(gas, "A", "B")[1], partial_rdf(gas, "B", "A")[1], rtol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"structure": "frozen"}, "structure"),
        ({"first": "C"}, "unknown particle type"),
        ({"r_max": 4.6}, "exceeds half"),
        ({"width": 0.0}, "width"),
        ({"width": 5.0}, "width"),
    ],
)
def test_says_what_is_wrong(gas, change, message):
    with pytest.raises(GlassError, match=message):
        partial_rdf(gas, **change)


def test_needs_inherent_positions_and_pairs(gas):
    with pytest.raises(GlassError, match="inherent_positions"):
        partial_rdf(gas.replace(inherent_positions=None), structure="inherent")
    with pytest.raises(GlassError, match="too few"):
        partial_rdf(gas.replace(types=np.zeros(len(gas), dtype=int)), "B", "B")
