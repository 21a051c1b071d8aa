"""State to figure: slabs, a particle closely, colours, balls in space."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from e3nn import o3

from glasslib import GlassError, minimum_image
from glasslib.explore.colouring import GREY, Colouring
from glasslib.explore.particle import BALL, BOND, particle_figure, spectrum
from glasslib.explore.picture import picture
from glasslib.explore.slab import slab_figure
from glasslib.explore.space import ball, rotation, seen
from glasslib.features import Shells, bond_order_parameters


def shown(figure, *, first=0):
    """Numbers of the particles of a panel."""
    return {int(i) for trace in figure.data[first : first + 2] for i in trace.ids or ()}


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("middle", [0.1, 2.0, 4.7])
def test_a_slab_holds_what_is_near_its_plane_also_through_the_boundary(glass, axis, middle):
    figure = slab_figure(
        glass, [Colouring("x", glass.propensity[0])], axis=axis, middle=middle, thickness=1.2
    )
    height = np.abs(glass.positions[:, axis] - middle)
    height = np.minimum(height, glass.box[axis] - height)
    assert shown(figure) == set(np.flatnonzero(height <= 0.6))
    across = [k for k in range(3) if k != axis]
    for trace, kind in zip(figure.data, "AB", strict=False):
        chosen = np.array(trace.ids, dtype=int)
        assert glass.is_type(kind)[chosen].all()
        np.testing.assert_allclose(
            np.array([trace.x, trace.y]).T, glass.positions[chosen][:, across], atol=0.006
        )
        if len(chosen):
            np.testing.assert_allclose(trace.marker.color, glass.propensity[0][chosen], atol=0.0006)


def test_panels_of_one_unit_share_their_colours(glass):
    a, b = glass.propensity[0], 3 * glass.propensity[1]
    pair = [Colouring("a", a, unit="σ"), Colouring("b", b, unit="σ")]
    layout = slab_figure(glass, [*pair, Colouring("c", glass.energies, unit="ε")]).layout
    assert layout.coloraxis.cmin == layout.coloraxis2.cmin == pytest.approx(np.percentile(a, 2), rel=0.01)
    assert layout.coloraxis.cmax == layout.coloraxis2.cmax == pytest.approx(np.percentile(b, 98), rel=0.01)
    assert layout.coloraxis3.cmax < 0


def test_what_is_not_known_is_grey(glass):
    known = glass.is_type("A")
    one = Colouring("predicted", np.where(known, 0.4, np.nan), known=known)
    a, b, _ = slab_figure(glass, [one]).data
    assert b.marker.color == GREY != a.marker.color
    assert slab_figure(glass, [Colouring("later", None)]).data[0].marker.color == GREY
    assert all(text.endswith("not known") for text in b.hovertext)
    colours = one.colours(np.arange(len(glass)))
    assert all((colour == GREY) == (not k) for colour, k in zip(colours, known, strict=True))


def test_zero_is_white_in_a_difference(glass):
    error = Colouring("error", np.linspace(-0.1, 0.3, len(glass)), "difference")
    low, high = error.limits()
    assert low == -high
    nearest = np.abs(error.values).argmin()
    assert error.colours(np.array([nearest]))[0] > "#f5f5f5"


def test_types_have_two_colours(glass):
    colouring = Colouring("type", glass.types.astype(float), "type")
    found = colouring.colours(np.arange(len(glass)))
    assert len({*found}) == 2
    assert len({(c, k) for c, k in zip(found, glass.types.tolist(), strict=True)}) == 2


def test_a_ring_marks_the_selected_particle_where_it_is_in_the_slab(glass):
    one = [Colouring("x", None)]
    middle = float(glass.positions[5, 2])
    (x,), (y,) = (getattr(slab_figure(glass, one, middle=middle, selected=5).data[2], axis) for axis in "xy")
    np.testing.assert_allclose((x, y), glass.positions[5, :2], atol=0.006)
    away = (middle + glass.box[2] / 2) % glass.box[2]
    assert len(slab_figure(glass, one, middle=away, selected=5).data[2].x) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"axis": 3}, "axis"), ({"thickness": 0}, "thickness"), ({"structure": "x"}, "structure")],
)
def test_slabs_that_cannot_be(glass, changes, message):
    with pytest.raises(GlassError, match=message):
        slab_figure(glass, [Colouring("x", None)], **changes)


@pytest.mark.parametrize("structure", ["inherent", "thermal"])
def test_the_spectrum_is_that_of_the_features(glass, structure):
    shells = [Shells(1.1, 1.1, 0.1)]
    wanted = bond_order_parameters(glass.positions_in(structure), glass.box, shells, 8, dtype=torch.float64)
    for particle in (0, 4, 77):
        found = spectrum(glass, particle, 1.1, structure=structure)
        np.testing.assert_allclose(found, wanted[particle, :, 0], atol=1e-6)


def test_an_empty_shell_has_no_order(glass):
    assert (spectrum(glass, 0, 0.05) == 0).all()


def test_a_particle_closely(glass):
    said = np.array([0.31, np.nan])
    typical = np.stack([np.full(8, 0.2), np.full(8, 0.05)])
    colouring = Colouring("x", glass.propensity[0])
    figure = particle_figure(glass, 7, colouring, predicted=said, typical=typical, turned=30, tilted=-20)
    traces = {trace.name: trace for trace in figure.data}
    x = glass.inherent_positions
    r = np.linalg.norm(minimum_image(x - x[7], glass.box), axis=1)
    assert {int(i) for i in traces["neighbours"].ids} == set(np.flatnonzero(r < BALL))
    assert len(traces["bonds"].x) == 3 * ((r < BOND).sum() - 1)
    np.testing.assert_allclose(traces["q_l"].y, spectrum(glass, 7, 1.1), rtol=1e-3)
    assert list(traces["typical"].error_y.array) == [0.05] * 8
    np.testing.assert_allclose(traces["measured"].y, glass.propensity[:, 7], rtol=1e-3)
    halves = np.abs(glass.propensity_halves[0] - glass.propensity_halves[1])[:, 7] / 2
    np.testing.assert_allclose(traces["measured"].error_y.array, halves, rtol=1e-3)
    assert (list(traces["predicted"].x), list(traces["predicted"].y)) == ([1.0], [0.31])
    assert f"{(r < BOND).sum() - 1} neighbours" in figure.layout.annotations[0].text
    assert picture(figure).count("<circle") > 10


def test_a_particle_of_which_nothing_is_known_but_where_it_is(glass):
    bare = glass.replace(times=None, propensity=None, propensity_halves=None)
    traces = {trace.name: trace for trace in particle_figure(bare, 3, Colouring("x", None)).data}
    assert len(traces["measured"].x) == len(traces["predicted"].x) == len(traces["typical"].x) == 0
    assert len(traces["neighbours"].x) > 5
    picture(particle_figure(bare, 3, Colouring("x", None)))


def test_rotations_are_those_of_e3nn():
    angles = {"x": 25.0, "y": -70.0, "z": 130.0}
    wanted = torch.eye(3, dtype=torch.float64)
    for axis, name in ((1, "y"), (0, "x"), (2, "z")):
        unit = torch.eye(3, dtype=torch.float64)[axis]
        step = o3.axis_angle_to_matrix(unit, torch.tensor(np.radians(angles[name]), dtype=torch.float64))
        wanted = step @ wanted
    np.testing.assert_allclose(rotation(**angles), wanted, atol=1e-12)


def test_the_nearest_is_drawn_last_and_largest():
    vectors = np.array([[0.0, 0.0, 1.0], [0.5, 0.0, -1.0], [0.0, 0.5, 0.0]])
    discs = ball(vectors, np.zeros(3, int), ["#1", "#2", "#3"], radius=2.0, pixels=50, ids=["a", "b", "c"])
    assert discs["ids"] == ["b", "c", "a"]
    assert discs["marker"]["color"] == ["#2", "#3", "#1"]
    assert np.all(np.diff(discs["marker"]["size"]) > 0)
    places, nearness = seen(vectors, 2.0)
    assert nearness[0] > 1 > nearness[1]
    np.testing.assert_allclose(places[2], [0.0, 0.5])
