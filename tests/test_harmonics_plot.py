"""Surfaces of spherical harmonics: the right function, at the right place, with the right sign."""

from __future__ import annotations

import numpy as np
import plotly.io as pio
import pytest
import torch
from e3nn import o3

from glasslib import GlassError
from glasslib.plots.harmonics import SIGNS, SPACING, harmonics_3d, mixture_3d

LABELS = [(degree, m) for degree in range(3) for m in range(-degree, degree + 1)]
# largest |polynomial| on the unit sphere in brackets; e3nn's axes, pole along y
POLYNOMIALS = {
    (0, 0): lambda x, y, z: 1 + 0 * x,
    (1, -1): lambda x, y, z: x,
    (1, 0): lambda x, y, z: y,
    (1, 1): lambda x, y, z: z,
    (2, -2): lambda x, y, z: 2 * x * z,
    (2, -1): lambda x, y, z: 2 * x * y,
    (2, 0): lambda x, y, z: y**2 - (x**2 + z**2) / 2,
    (2, 1): lambda x, y, z: 2 * y * z,
    (2, 2): lambda x, y, z: z**2 - x**2,
}


def points(trace, center=(0, 0, 0)):
    return np.stack([trace.x, trace.y, trace.z], axis=-1) - np.asarray(center)


@pytest.fixture(scope="module")
def pyramid():
    return harmonics_3d(2)


@pytest.mark.parametrize(("degree", "m"), LABELS)
def test_distance_is_the_value_and_colour_its_sign(pyramid, degree, m):
    trace = pyramid.data[2 * LABELS.index((degree, m))]
    assert trace.name == f"l = {degree}, m = {m}".replace("-", "−")
    around = points(trace, (SPACING * m, -SPACING * degree, 0))
    distance = np.linalg.norm(around, axis=-1)
    assert distance.max() == pytest.approx(1, abs=0.01)
    far = distance > 0.1  # nearer, rounding spoils the direction
    assert far.mean() > 0.4
    value = POLYNOMIALS[degree, m](*(around[far] / distance[far][:, None]).T)
    np.testing.assert_allclose(np.abs(value), distance[far], atol=0.02)
    np.testing.assert_array_equal(np.sign(value), np.asarray(trace.surfacecolor)[far])


def test_colours_of_the_signs(pyramid):
    surface = pyramid.data[0]
    assert (surface.cmin, surface.cmax) == (-1, 1)
    assert [colour for _, colour in surface.colorscale] == list(SIGNS)
    assert SIGNS[0] != SIGNS[1]


def test_the_menu_shows_all_one_degree_or_one_function(pyramid):
    (menu,) = pyramid.layout.updatemenus
    shown = {button.label: button.args[0]["visible"] for button in menu.buttons}
    assert len(shown) == 1 + 2 + 9
    assert all(len(visible) == len(pyramid.data) for visible in shown.values())
    assert all(visible[::2] == visible[1::2] for visible in shown.values()), "axes go with their surface"
    assert {label: sum(visible[::2]) for label, visible in shown.items() if "m" not in label} == {
        "all": 9,
        "l = 1": 3,
        "l = 2": 5,
    }
    for surface in pyramid.data[::2]:
        assert next(t for t, v in zip(pyramid.data, shown[surface.name], strict=True) if v) is surface


def test_axes_are_named_where_they_point(pyramid):
    for (degree, m), axes in zip(LABELS, pyramid.data[1::2], strict=True):
        for k, letter in enumerate("xyz"):
            at = axes.text.index(letter)
            tip = np.array([axes.x[at], axes.y[at], axes.z[at]]) - SPACING * np.array([m, -degree, 0])
            assert tip.argmax() == k
            np.testing.assert_allclose(np.delete(tip, k), 0, atol=0.006)


def test_turning_a_function_turns_its_surface():
    torch.manual_seed(4)
    turn = o3.rand_matrix(dtype=torch.float64)
    start = torch.tensor([0.3, -0.5, 0.2, 0.9, -0.4], dtype=torch.float64)
    start = start / start.norm()
    rows = torch.stack([start, turned(start, turn)])
    figure = mixture_3d(rows, frames=["before", "after"], prefix="it is ")
    before, after = (points(frame.data[0]) for frame in figure.frames)
    # the turned surface at R x is as far from the centre as the first one at x
    for corner in (before, after):
        assert np.linalg.norm(corner, axis=-1).max() == pytest.approx(1, abs=0.02)
    np.testing.assert_array_equal(points(figure.data[0]), before)
    here = before.reshape(-1, 3)[::7]
    length = np.linalg.norm(here, axis=1)
    there = after.reshape(-1, 3)
    moved = here @ turn.numpy().T
    gaps = np.linalg.norm(moved[:, None] - there[None], axis=-1).min(axis=1)
    assert (gaps[length > 0.2] < 0.12).all()  # neighbouring points of the grid lie about this far apart
    assert np.linalg.norm(here[:, None] - there[None], axis=-1).min(axis=1).max() > 0.3
    assert figure.layout.sliders[0].currentvalue.prefix == "it is "
    assert [step.label for step in figure.layout.sliders[0].steps] == ["before", "after"]
    for frame, row in zip(figure.frames, rows, strict=True):
        assert tuple(frame.traces) == (0, 2)
        np.testing.assert_allclose(frame.data[1].y, row, atol=0.000501)
        assert list(frame.data[1].marker.color) == [SIGNS[int(value >= 0)] for value in row]


def turned(coefficients, turn):
    """Of f(R^-1 x), found from values at many points."""
    points = torch.randn(200, 3, dtype=torch.float64)
    values = o3.spherical_harmonics(2, points @ turn, True) @ coefficients
    matrix = o3.spherical_harmonics(2, points, True)
    return torch.linalg.lstsq(matrix, values[:, None]).solution[:, 0]


def test_a_vanishing_row_is_drawn_as_a_point():
    figure = mixture_3d([[0, 0, 0], [0, 2, 0]], frames=["a", "b"])
    assert not points(figure.frames[0].data[0]).any()
    assert np.abs(points(figure.frames[1].data[0])).max() == pytest.approx(1, abs=1e-3)


def test_the_frame_that_is_shown_first():
    figure = mixture_3d(np.eye(3), frames=list("abc"), start=-1)
    assert figure.layout.sliders[0].active == 2
    np.testing.assert_array_equal(points(figure.data[0]), points(figure.frames[2].data[0]))
    assert figure.data[2].y == figure.frames[2].data[1].y == (0, 0, 1)


def test_they_stay_small():
    assert len(pio.to_json(harmonics_3d(2))) < 500_000
    assert len(pio.to_json(mixture_3d(np.eye(5), frames=list("abcde")))) < 200_000


@pytest.mark.parametrize(
    ("call", "field"),
    [
        (lambda: harmonics_3d(7), "l_max"),
        (lambda: harmonics_3d(-1), "l_max"),
        (lambda: harmonics_3d(1, resolution=9), "resolution"),
        (lambda: mixture_3d(np.ones((2, 3)), frames=["a", "b"], resolution=4), "resolution"),
        (lambda: mixture_3d(np.ones((2, 4)), frames=["a", "b"]), "coefficients"),
        (lambda: mixture_3d(np.zeros((2, 3)), frames=["a", "b"]), "coefficients"),
        (lambda: mixture_3d([[np.nan, 0, 0]], frames=["a"]), "coefficients"),
        (lambda: mixture_3d(np.ones((2, 3)), frames=["a"]), "frames"),
        (lambda: mixture_3d(np.ones((2, 3)), frames=["a", "b"], start=2), "start"),
    ],
)
def test_bad_input_is_named(call, field):
    with pytest.raises(GlassError, match=field):
        call()
