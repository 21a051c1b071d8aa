"""All features of a configuration: what is in which column, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from glasslib import GlassError, catalog
from glasslib.features import (
    FeatureOptions,
    Shells,
    bond_order_parameters,
    coarse_grain,
    features,
    radial_densities,
)
from glasslib.glass import minimum_image
from glasslib.testing import assert_periodic, assert_permutation_equivariant

SMALL = FeatureOptions(
    radial=(Shells(0.7, 1.2, 0.05), Shells(1.3, 1.8, 0.1)),
    angular=(Shells(1.0, 1.6, 0.1),),
    l_max=4,
    generations=2,
    averaging_cutoff=2.3,
)


@pytest.mark.parametrize("structure", ["thermal", "inherent"])
def test_columns_hold_what_their_names_say(glass, structure):
    found = features(glass, replace(SMALL, structure=structure))
    positions = glass.positions if structure == "thermal" else glass.inherent_positions
    energies = glass.energies if structure == "thermal" else glass.inherent_energies
    radial = radial_densities(positions, glass.types, glass.box, SMALL.radial)
    np.testing.assert_allclose(found.column("radial A r=0.7"), radial[:, 0, 0], rtol=1e-5)
    np.testing.assert_allclose(found.column("radial B r=1.8"), radial[:, 1, -1], rtol=1e-5)
    q = bond_order_parameters(positions, glass.box, SMALL.angular, 4)
    np.testing.assert_allclose(found.column("q1 r=1"), q[:, 0, 0], rtol=1e-5)
    np.testing.assert_allclose(found.column("q4 r=1.5"), q[:, 3, 5], rtol=1e-5)
    np.testing.assert_allclose(found.column("energy"), energies, rtol=1e-5)
    moved = np.linalg.norm(minimum_image(glass.inherent_positions - glass.positions, glass.box), axis=1)
    np.testing.assert_allclose(found.column("displacement"), moved, rtol=1e-5)
    smooth = coarse_grain(q[:, 2], positions, glass.box, generations=2, cutoff=2.3)
    np.testing.assert_allclose(found.column("q3 r=1.2 generation 2"), smooth[2][:, 2], rtol=1e-4)


def test_both_structures_stand_side_by_side(glass):
    both = features(glass, replace(SMALL, structure="both"))
    for structure in ("thermal", "inherent"):
        alone = features(glass, replace(SMALL, structure=structure))
        for name in ("radial A r=1", "q2 r=1.1 generation 1", "energy generation 2"):
            np.testing.assert_array_equal(both.column(f"{structure} {name}"), alone.column(name))
    assert both.values.shape[1] == 2 * alone.values.shape[1]


@pytest.mark.parametrize("structure", ["thermal", "inherent", "both"])
def test_names_are_all_different_and_values_are_numbers(glass, structure):
    found = features(glass, replace(SMALL, structure=structure))
    assert len(set(found.names)) == len(found.names) == found.values.shape[1]
    assert found.values.dtype == np.float32
    assert np.isfinite(found.values).all()
    assert len(found) == 120


@pytest.mark.parametrize("structure", ["inherent", "both"])
def test_follow_relabelling_and_ignore_the_origin(glass, structure):
    def values(g):
        found = features(g, replace(SMALL, structure=structure)).values
        return (found / found.std(axis=0).clip(1e-3)).T

    assert_permutation_equivariant(values, glass)
    assert_periodic(values, glass)


def test_the_defaults_of_a_shipped_configuration():
    (glass,) = catalog.load("bundled", "test", temperature=0.64, limit=1)
    options = FeatureOptions().within(glass.box)
    found = features(glass, options)
    assert found.values.shape == (len(glass), len(found.names))
    assert np.isfinite(found.values).all()
    # every shell sees something, and averages vary less
    assert (found.values.std(axis=0) > 0).all()
    assert found.column("q6 r=1.1 generation 3").std() < found.column("q6 r=1.1").std() / 3


def test_the_defaults_are_as_many_as_they_say():
    options = FeatureOptions()
    names = len(options.radial[0]) + len(options.radial[1]), len(options.angular[0])
    assert 2 * names[0] + 8 * names[1] == 362
    assert options.cutoff == pytest.approx(5.5)


def test_outer_shells_are_dropped_for_a_small_box(glass):
    options = FeatureOptions().within([9.0, 10.0, 11.0])
    assert options.cutoff <= 4.5
    assert options.radial[0] == FeatureOptions().radial[0]
    assert options.radial[1].radii[-1] == pytest.approx(4.0)
    with pytest.raises(GlassError, match="no shell fits"):
        FeatureOptions().within(glass.box / 3)


def test_parts_can_be_left_out(glass):
    options = replace(SMALL, angular=(), energy=False, displacement=False, generations=0)
    assert all(name.startswith("radial") for name in features(glass, options).names)
    options = replace(SMALL, radial=(), angular=(), generations=0)
    assert features(glass, options).names == ["energy", "displacement"]


@pytest.mark.parametrize(
    ("missing", "structure"),
    [("inherent_positions", "inherent"), ("inherent_energies", "inherent"), ("energies", "both")],
)
def test_what_is_missing_is_named_with_a_remedy(glass, missing, structure):
    with pytest.raises(GlassError, match=f"{missing}.*glasslib.simulate"):
        features(glass.replace(**{missing: None}), replace(SMALL, structure=structure))


def test_thermal_features_need_nothing_inherent(glass):
    bare = glass.replace(inherent_positions=None, inherent_energies=None, energies=None)
    options = replace(SMALL, structure="thermal", displacement=False, energy=False)
    assert np.isfinite(features(bare, options).values).all()


def test_a_box_that_is_too_small_is_refused_with_the_way_out(glass):
    with pytest.raises(GlassError, match="within"):
        features(glass)


@pytest.mark.parametrize(
    "change",
    [
        {"structure": "cage"},
        {"l_max": 0},
        {"generations": -1},
        {"averaging_length": 0.0},
        {"averaging_cutoff": float("nan")},
        {"radial": (), "angular": (), "energy": False, "displacement": False},
    ],
)
def test_bad_options_are_refused(change):
    with pytest.raises(GlassError):
        FeatureOptions(**change)


def test_an_unknown_name_is_refused(glass):
    with pytest.raises(GlassError, match="no feature"):
        features(glass, SMALL).column("q17")


def test_threads_are_given_back(glass):
    before = torch.get_num_threads()
    features(glass, SMALL)
    assert torch.get_num_threads() == before
