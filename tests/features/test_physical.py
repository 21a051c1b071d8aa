"""Physical descriptors: Voronoi cells of crystals and of freud, averages written out."""

from __future__ import annotations

from dataclasses import replace

import freud
import numpy as np
import pytest
from scipy.spatial import ConvexHull
from scipy.spatial.transform import Rotation

from glasslib import GlassError, catalog
from glasslib.features import PhysicalOptions, physical_descriptors, voronoi_cells
from glasslib.glass import minimum_image
from glasslib.testing import assert_periodic, assert_permutation_equivariant
from tests.conftest import make_glass

SMALL = PhysicalOptions(lengths=(0.5, 2.0), cutoff=2.3)

#: Surface of the cell of unit volume: a cube, a truncated octahedron, a rhombic dodecahedron.
CRYSTALS = {
    "cubic": ([[0, 0, 0]], 6.0),
    "bcc": ([[0, 0, 0], [0.5, 0.5, 0.5]], 3 * (1 + 2 * np.sqrt(3)) / 2 ** (4 / 3)),
    "fcc": ([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]], 3 * 2 ** (5 / 6)),
}


def crystal(kind: str, per_side: int):
    """Positions in a crystal with one particle in a unit volume, and the box."""
    basis = np.array(CRYSTALS[kind][0])
    edge = len(basis) ** (1 / 3)
    corners = np.stack(np.meshgrid(*3 * [np.arange(per_side)], indexing="ij"), -1).reshape(-1, 1, 3)
    return (corners + basis).reshape(-1, 3) * edge, np.full(3, per_side * edge)


@pytest.mark.parametrize("kind", CRYSTALS)
@pytest.mark.parametrize("per_side", [1, 3])
def test_cells_of_crystals(kind, per_side):
    surfaces, volumes = voronoi_cells(*crystal(kind, per_side))
    np.testing.assert_allclose(volumes, 1, rtol=1e-12)
    np.testing.assert_allclose(surfaces, CRYSTALS[kind][1], rtol=1e-12)


def test_cells_agree_with_freud(glass):
    """freud makes the cells (around the origin, in single precision); the surface is that of their hull."""
    cells = freud.locality.Voronoi().compute((freud.box.Box(*glass.box), glass.positions - glass.box / 2))
    surfaces, volumes = voronoi_cells(glass.positions, glass.box)
    np.testing.assert_allclose(volumes, cells.volumes, rtol=1e-5)
    np.testing.assert_allclose(surfaces, [ConvexHull(each).area for each in cells.polytopes], rtol=1e-5)
    assert volumes.sum() == pytest.approx(glass.box.prod(), rel=1e-12)


def test_a_large_hole_is_filled_by_its_cells():
    """Corners far away need images from farther than usual."""
    positions = np.random.default_rng(0).uniform(0, 1, (40, 3))
    surfaces, volumes = voronoi_cells(positions, [6.0, 7.0, 8.0])
    assert volumes.sum() == pytest.approx(6 * 7 * 8, rel=1e-12)
    shifted = voronoi_cells(positions + np.array([3.0, -20.0, 5.0]), [6.0, 7.0, 8.0])
    np.testing.assert_allclose(shifted[0], surfaces, rtol=1e-9)


@pytest.mark.parametrize("structure", ["thermal", "inherent"])
def test_every_column_is_what_its_name_says(glass, structure):
    options = replace(SMALL, structure=structure)
    found = physical_descriptors(glass, options)
    positions = glass.positions_in(structure)
    shift = minimum_image(glass.inherent_positions - glass.positions, glass.box)
    bare = {
        "energy": glass.inherent_energies if structure == "inherent" else glass.energies,
        "surface": voronoi_cells(positions, glass.box)[0],
        "displacement": np.linalg.norm(shift, axis=1),
    }
    expected = dict(bare)
    r = np.linalg.norm(minimum_image(positions - positions[:, None], glass.box), axis=-1)
    members = {"all": np.ones(120, bool), "A": glass.types == 0, "B": glass.types == 1}
    for length in options.lengths:
        weights = np.where(r < options.cutoff, np.exp(-r / length), 0)
        for group, chosen in members.items():
            w = weights[:, chosen]
            of = f"{group} L={length:g}"
            expected[f"density {of}"] = w.sum(1)
            for name, values in bare.items():
                expected[f"{name} {of}"] = np.average(values[chosen] + 0 * w, axis=1, weights=w)
            deviation = bare["energy"][chosen] - expected[f"energy {of}"][:, None]
            expected[f"energy variance {of}"] = np.average(deviation**2, axis=1, weights=w)
    assert set(found.names) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found.column(name), values, rtol=1e-5, atol=1e-6, err_msg=name)


def test_in_a_perfect_crystal_all_are_alike():
    positions, box = crystal("fcc", 3)
    n = len(positions)
    glass = make_glass().replace(
        positions=positions,
        types=np.zeros(n, np.int8),
        box=box,
        inherent_positions=positions,
        inherent_energies=np.full(n, -7.0),
        energies=None,
        times=None,
        propensity=None,
        propensity_halves=None,
    )
    found = physical_descriptors(glass, SMALL)
    np.testing.assert_allclose(found.values, found.values[:1].repeat(n, 0), rtol=1e-6)
    assert found.column("energy all L=2")[0] == pytest.approx(-7)
    assert found.column("surface A L=0.5")[0] == pytest.approx(CRYSTALS["fcc"][1], rel=1e-6)
    assert (found.column("energy variance all L=2") == 0).all()
    # no particle is B: the averages are those of all, and the rest is 0
    assert (found.column("density B L=2") == 0).all()
    assert found.column("energy B L=2")[0] == pytest.approx(-7)
    assert (found.column("energy variance B L=2") == 0).all()


@pytest.mark.parametrize("structure", ["inherent", "both"])
def test_follow_relabelling_and_ignore_the_origin(glass, structure):
    def values(g):
        found = physical_descriptors(g, replace(SMALL, structure=structure)).values
        return (found / found.std(axis=0)).T

    assert_permutation_equivariant(values, glass)
    assert_periodic(values, glass)


def test_quarter_turns_and_mirrors_change_nothing(glass):
    turn = np.rint(Rotation.from_euler("xyz", [90, 180, 90], degrees=True).as_matrix()) * [-1, 1, 1]
    turned = glass.replace(
        positions=glass.positions @ turn.T,
        inherent_positions=glass.inherent_positions @ turn.T,
        box=np.abs(turn) @ glass.box,
    )
    before, after = (physical_descriptors(g, SMALL).values for g in (glass, turned))
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-6)


def test_both_structures_stand_side_by_side(glass):
    both = physical_descriptors(glass, replace(SMALL, structure="both"))
    for structure in ("thermal", "inherent"):
        alone = physical_descriptors(glass, replace(SMALL, structure=structure))
        for name in alone.names:
            np.testing.assert_array_equal(both.column(f"{structure} {name}"), alone.column(name))


def test_the_defaults_of_a_shipped_configuration():
    (glass,) = catalog.load("bundled", "test", temperature=0.64, limit=1)
    found = physical_descriptors(glass)
    assert found.values.shape == (len(glass), 108)
    assert found.values.dtype == np.float32
    assert len(set(found.names)) == 108
    assert np.isfinite(found.values).all()
    # a denser surrounding has smaller cells
    assert np.corrcoef(found.column("density all L=1"), found.column("surface all L=1"))[0, 1] < -0.5


def test_the_displacement_can_be_left_out(glass):
    options = replace(SMALL, structure="thermal", displacement=False)
    bare = glass.replace(inherent_positions=None, inherent_energies=None)
    found = physical_descriptors(bare, options)
    assert not any("displacement" in name for name in found.names)
    with pytest.raises(GlassError, match=r"inherent_positions.*glasslib.simulate"):
        physical_descriptors(bare, replace(options, displacement=True))


@pytest.mark.parametrize(("missing", "structure"), [("inherent_energies", "inherent"), ("energies", "both")])
def test_what_is_missing_is_named(glass, missing, structure):
    with pytest.raises(GlassError, match=f"{missing}.*glasslib.simulate"):
        physical_descriptors(glass.replace(**{missing: None}), replace(SMALL, structure=structure))


def test_a_small_box_has_a_smaller_cutoff(glass):
    with pytest.raises(GlassError, match="within"):
        physical_descriptors(glass)
    options = PhysicalOptions().within(glass.box)
    assert options.cutoff == pytest.approx(2.4)
    assert physical_descriptors(glass, options).values.shape == (120, 108)


@pytest.mark.parametrize(
    "change",
    [{"structure": "cage"}, {"lengths": ()}, {"lengths": (1.0, 1)}, {"lengths": (0.0,)}, {"cutoff": np.nan}],
)
def test_bad_options_are_refused(change):
    with pytest.raises(GlassError):
        PhysicalOptions(**change)
