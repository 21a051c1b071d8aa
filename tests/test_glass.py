"""Glass checks what it is given."""

from __future__ import annotations

import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from glasslib import Glass, GlassError, minimum_image, wrap

POSITIONS = np.array([[0.5, 0.5, 0.5], [1.5, 0.5, 0.5], [0.5, 1.5, 0.5], [0.5, 0.5, 1.5]])


def made(**changes: object) -> Glass:
    fields = {"positions": POSITIONS, "types": [0, 0, 0, 1], "box": [2.0, 2.0, 2.0], "source": "here.npz"}
    return Glass(**{**fields, **changes})


def test_positions_are_wrapped_owned_and_read_only() -> None:
    positions = POSITIONS + np.array([2.0, -2.0, 4.0])
    glass = made(positions=positions)
    np.testing.assert_allclose(glass.positions, POSITIONS)
    positions[0] = 9.0
    assert glass.positions.max() < 2
    with pytest.raises(ValueError, match="read-only"):
        glass.positions[0] = 1.0
    with pytest.raises(FrozenInstanceError):
        glass.box = np.ones(3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"positions": np.full((4, 3), np.nan)}, "here.npz: positions: 12 of 12 values are NaN"),
        ({"positions": np.zeros((0, 3))}, "positions: holds no particles"),
        ({"positions": np.zeros((4, 2))}, r"positions: expected shape \(any, 3\), got \(4, 2\)"),
        ({"positions": np.zeros((4, 3))}, "closer than"),
        ({"positions": "nonsense"}, "positions: expected numbers"),
        ({"types": [0, 0, 0, 2]}, r"types: expected the integers 0 \(A\) and 1 \(B\)"),
        ({"types": [0.0, 0.0, 0.0, 1.0]}, "types: expected the integers"),
        ({"types": [0, 1]}, r"types: expected shape \(4,\)"),
        ({"box": [2.0, 2.0, 0.0]}, "box: expected three positive"),
        ({"temperature": -1.0}, "temperature: expected a positive number"),
        ({"propensity": np.ones((1, 4))}, "propensity: is given without times"),
        ({"times": [2.0, 1.0]}, "times: expected positive, strictly increasing"),
        ({"times": [1.0], "propensity": np.ones((2, 4))}, "propensity: expected shape"),
        ({"times": [1.0], "propensity": -np.ones((1, 4))}, "negative"),
        ({"extras": {"SE3": np.ones(5)}}, "SE3: expected shape"),
        ({"energies": np.full(4, np.inf)}, "energies: 4 of 4 values"),
    ],
)
def test_bad_input_names_file_and_field(changes: dict[str, object], message: str) -> None:
    with pytest.raises(GlassError, match=message):
        made(**changes)


def test_at_times_takes_the_rows_along() -> None:
    times, rows = [1.0, 10.0, 100.0], np.arange(12.0).reshape(3, 4)
    glass = made(
        times=times, propensity=rows, propensity_halves=np.stack([rows, rows + 1]), bond_breaking=rows
    )
    last = glass.at_times([100.0])
    assert last.times.tolist() == [100.0]
    np.testing.assert_array_equal(last.propensity, rows[2:])
    np.testing.assert_array_equal(last.propensity_halves[1], rows[2:] + 1)
    with pytest.raises(GlassError, match="no data at t = 7; the times are 1, 10, 100"):
        glass.at_times(7.0)


def test_types_density_and_repr() -> None:
    glass = made(temperature=0.44)
    assert glass.is_type("A").tolist() == [True, True, True, False]
    assert glass.density == 0.5
    assert repr(glass) == "Glass(4 particles, box 2 x 2 x 2, T = 0.44)"
    with pytest.raises(GlassError, match="unknown particle type 'C'"):
        glass.is_type("C")


def test_wrap_never_returns_the_edge() -> None:
    assert wrap([-1e-20, 2.0, 5.0], [2.0, 2.0, 2.0]).tolist() == [0.0, 0.0, 1.0]


def test_minimum_image_is_the_shortest() -> None:
    rng = np.random.default_rng(0)
    box, vectors = np.array([2.0, 3.0, 4.0]), rng.uniform(-9, 9, (100, 3))
    images = np.stack(np.meshgrid(*3 * [np.arange(-6, 7)]), axis=-1).reshape(-1, 3) * box
    brute = np.linalg.norm(vectors[:, None] + images, axis=-1).min(axis=1)
    np.testing.assert_allclose(np.linalg.norm(minimum_image(vectors, box), axis=1), brute)


def test_an_error_survives_pickling() -> None:
    error = pickle.loads(pickle.dumps(GlassError("broke", source="a", field="b", remedy="Mend it")))
    assert str(error) == "a: b: broke. Mend it"
