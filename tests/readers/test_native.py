"""The package's own format: exact, compact, atomic, the same bytes each time."""

from __future__ import annotations

import dataclasses
import errno
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from glasslib import Glass, GlassError, load, save
from tests.trouble import forbidden

FIELDS = [
    field.name for field in dataclasses.fields(Glass) if field.name not in ("source", "extras", "provenance")
]


def test_round_trip_is_exact(tmp_path: Path, make: SimpleNamespace) -> None:
    glass = make.glass()
    save(glass, tmp_path / "a.npz")
    back = load(tmp_path / "a.npz")
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(back, name), getattr(glass, name), err_msg=name)
    assert back.provenance == glass.provenance
    assert back.extras.keys() == glass.extras.keys()
    np.testing.assert_array_equal(back.extras["SE3"], glass.extras["SE3"])


def test_compact_round_trip(tmp_path: Path, make: SimpleNamespace) -> None:
    glass = make.glass()
    save(glass, tmp_path / "a.npz")
    save(glass, tmp_path / "b.npz", compact=True)
    assert (tmp_path / "b.npz").stat().st_size < 0.6 * (tmp_path / "a.npz").stat().st_size
    back = load(tmp_path / "b.npz")
    for name in ("types", "box", "temperature", "times"):
        np.testing.assert_array_equal(getattr(back, name), getattr(glass, name))
    for name in (
        "positions",
        "inherent_positions",
        "cage_positions",
        "end_positions",
        "propensity",
        "energies",
    ):
        np.testing.assert_allclose(
            getattr(back, name), getattr(glass, name), rtol=2e-7, atol=1e-6, err_msg=name
        )
    for name in ("propensity_halves", "bond_breaking"):
        np.testing.assert_allclose(
            getattr(back, name), getattr(glass, name), rtol=5e-4, atol=1e-7, err_msg=name
        )


def test_only_positions_and_nothing_unknown(tmp_path: Path) -> None:
    glass = Glass(positions=[[0.1, 0.2, 0.3]], types=[1], box=[1.0, 1.0, 1.0])
    save(glass, tmp_path / "a.npz", compact=True)
    back = load(tmp_path / "a.npz")
    assert all(getattr(back, name) is None for name in FIELDS[3:])
    with np.load(tmp_path / "a.npz") as archive:
        assert set(archive) == {"format", "compact", "provenance", "positions", "types", "box"}
        assert archive["format"] == "glasslib-glass 1"


def test_fraction_that_rounds_to_one(tmp_path: Path) -> None:
    box = np.full(3, 15.0)
    start = np.nextafter(box, 0)[None]
    ends = (start + 0.25)[None, None]
    glass = Glass(positions=start, types=[0], box=box, times=[1.0], end_positions=ends)
    save(glass, tmp_path / "a.npz", compact=True)
    back = load(tmp_path / "a.npz")
    assert (back.positions == 0).all()
    np.testing.assert_allclose(back.end_positions - back.positions, 0.25, atol=1e-6)


@pytest.mark.parametrize("compact", [False, True])
def test_same_bytes_each_time(compact: bool, tmp_path: Path, make: SimpleNamespace) -> None:
    for name in ("a.npz", "b.npz"):
        save(make.glass(), tmp_path / name, compact=compact)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_disk_full_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: SimpleNamespace
) -> None:
    path = tmp_path / "a.npz"
    save(make.glass(), path)
    old = path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(GlassError, match="cannot be written: No space left on device"):
        save(make.glass(), path, compact=True)
    assert path.read_bytes() == old
    assert os.listdir(tmp_path) == ["a.npz"]


def test_missing_folder_and_folder_in_place_of_a_file(tmp_path: Path, make: SimpleNamespace) -> None:
    with pytest.raises(GlassError, match="cannot be written: No such file or directory"):
        save(make.glass(), tmp_path / "nowhere" / "a.npz")
    (tmp_path / "b.npz").mkdir()
    with pytest.raises(GlassError, match="cannot be written"):
        save(make.glass(), tmp_path / "b.npz")
    assert os.listdir(tmp_path) == ["b.npz"]


def test_read_only_folder(tmp_path: Path, make: SimpleNamespace) -> None:
    with forbidden(tmp_path), pytest.raises(GlassError, match="cannot be written: Permission denied"):
        save(make.glass(), tmp_path / "a.npz")


def test_what_cannot_be_stored(tmp_path: Path, make: SimpleNamespace) -> None:
    glass = make.glass()
    with pytest.raises(GlassError, match="provenance: is not JSON-like"):
        save(glass.replace(provenance={"made": np.ones(3)}), tmp_path / "a.npz")
    with pytest.raises(GlassError, match="bond_breaking: is too large for float16"):
        save(glass.replace(bond_breaking=np.full((2, make.n), 1e6)), tmp_path / "a.npz", compact=True)
    assert os.listdir(tmp_path) == []


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", format=np.array("glasslib-glass 2"))
    with pytest.raises(GlassError, match="format: expected 'glasslib-glass 1', got 'glasslib-glass 2'"):
        load(tmp_path / "a.npz")
