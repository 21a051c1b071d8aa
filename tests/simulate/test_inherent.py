"""Inherent structures and their cache."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from glasslib.errors import GlassError
from glasslib.glass import Glass, minimum_image
from glasslib.readers import load, save
from glasslib.simulate import inherent, lammps, measure, potential
from glasslib.simulate.inherent import inherent_structure, inherent_structures
from tests.trouble import forbidden, script, small_disk

N = 200
BOX = potential.box_of(N)
TYPES = (np.arange(N) >= 160).astype(np.int8)


@pytest.fixture(scope="module")
def hot() -> Glass:
    """A small liquid at T = 1, from no file."""
    rng = np.random.default_rng(0)
    sites = np.stack(np.unravel_index(rng.permutation(216)[:N], (6, 6, 6)), axis=1)
    with lammps.instance() as lmp:
        liquid = lammps.Liquid(lmp, TYPES, BOX)
        liquid.place((sites + 0.5) / 6 * BOX, rng.normal(size=(N, 3)))
        liquid.thermostat(1.0, 1.0, 0.5)
        list(liquid.advance(1000, 0.005))
        return Glass(positions=liquid.unwrapped(), types=TYPES, box=BOX)


@pytest.fixture
def user_cache(tmp_path, monkeypatch) -> Path:
    """GLASSLIB_CACHE set to a fresh folder."""
    monkeypatch.setenv("GLASSLIB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "inherent"


@pytest.fixture
def from_file(hot, tmp_path, user_cache) -> Glass:
    """The same liquid, read from a file."""
    folder = tmp_path / "data"
    folder.mkdir()
    save(hot, folder / "hot.npz")
    return load(folder / "hot.npz")


@pytest.fixture
def no_lammps(monkeypatch):
    """Whatever asks for LAMMPS fails."""

    def refuse():
        raise GlassError("LAMMPS was asked for")

    monkeypatch.setattr(lammps, "load", refuse)


def test_it_is_a_minimum_with_the_right_energies(hot):
    found = inherent_structure(hot, cache=False)
    thermal = measure.pair_energies(hot.positions, hot.types, hot.box)
    minimal = measure.pair_energies(found.inherent_positions, hot.types, hot.box)
    np.testing.assert_allclose(found.energies, thermal, rtol=1e-10)
    np.testing.assert_allclose(found.inherent_energies, minimal, rtol=1e-10)
    assert np.abs(measure.force_and_curvature(found.inherent_positions, hot.types, hot.box)[0]).max() < 1e-5
    assert found.inherent_energies.mean() < found.energies.mean() - 0.5
    moved = np.linalg.norm(minimum_image(found.inherent_positions - hot.positions, hot.box), axis=1)
    assert 0.05 < moved.mean() < 0.5
    np.testing.assert_array_equal(found.positions, hot.positions)


def test_the_cache_lies_beside_the_source_and_is_used(from_file, user_cache, no_lammps, monkeypatch):
    with pytest.raises(GlassError, match="asked for"):
        inherent_structure(from_file)
    monkeypatch.undo()
    first = inherent_structure(from_file)
    folder = Path(from_file.source).parent
    (entry,) = folder.glob("*.inherent")
    assert sorted(folder.glob("*.npz")) == [Path(from_file.source)]
    assert not user_cache.exists()
    monkeypatch.setattr(lammps, "load", lambda: pytest.fail("LAMMPS was asked for"))
    again = inherent_structure(from_file)
    np.testing.assert_array_equal(again.inherent_positions, first.inherent_positions)
    np.testing.assert_array_equal(again.inherent_energies, first.inherent_energies)
    assert entry.stat().st_size < 100 * N


def test_other_content_has_another_name(from_file):
    moved = from_file.replace(positions=from_file.positions + 1e-9)
    assert inherent._name(moved) != inherent._name(from_file)
    assert inherent._name(from_file.replace(box=from_file.box * 1.001)) != inherent._name(from_file)


def test_without_a_writable_folder_the_users_cache_serves(from_file, user_cache, monkeypatch):
    folder = Path(from_file.source).parent
    write = inherent.write_arrays

    def refusing(path, arrays):
        if path.parent == folder:
            raise GlassError("read-only")
        write(path, arrays)

    monkeypatch.setattr(inherent, "write_arrays", refusing)
    inherent_structure(from_file)
    assert not list(folder.glob("*.inherent"))
    assert len(list(user_cache.glob("*.inherent"))) == 1
    monkeypatch.setattr(lammps, "load", lambda: pytest.fail("LAMMPS was asked for"))
    assert inherent_structure(from_file).inherent_positions is not None
    assert inherent_structure(from_file.replace(source=None)).inherent_positions is not None


def test_with_no_cache_folder_at_all_it_still_works(hot, user_cache, monkeypatch):
    def full(path, arrays):
        raise GlassError("no space left on device")

    monkeypatch.setattr(inherent, "write_arrays", full)
    assert inherent_structure(hot).inherent_energies is not None


def test_with_no_room_anywhere_it_still_works_and_nothing_is_left(hot, tmp_path, monkeypatch):
    with small_disk(tmp_path) as disk:
        monkeypatch.setenv("GLASSLIB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
        save(hot, tmp_path / "hot.npz")
        with disk.with_room_for(0):
            assert inherent_structure(load(tmp_path / "hot.npz")).inherent_energies is not None
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / "hot.npz"]
        inherent_structure(load(tmp_path / "hot.npz"))
        assert len(list(tmp_path.glob("*.inherent"))) == 1


def test_beside_a_file_in_a_forbidden_folder(from_file, user_cache, monkeypatch):
    folder = Path(from_file.source).parent
    with forbidden(folder):
        first = inherent_structure(from_file)
        monkeypatch.setattr(lammps, "load", lambda: pytest.fail("LAMMPS was asked for"))
        again = inherent_structure(from_file)
    assert len(list(user_cache.glob("*.inherent"))) == 1
    np.testing.assert_array_equal(again.inherent_positions, first.inherent_positions)


TOGETHER = """
import sys
from glasslib.readers import load
from glasslib.simulate.inherent import inherent_structure
from tests.trouble import in_forks
in_forks(lambda: inherent_structure(load(sys.argv[1])), 3)
"""


def test_three_processes_may_share_the_cache(from_file, user_cache):
    script(TOGETHER, from_file.source)
    folder = Path(from_file.source).parent
    (entry,) = folder.glob("*.inherent")
    assert sorted(folder.iterdir()) == sorted([entry, Path(from_file.source)])
    assert not user_cache.exists()
    assert inherent._read(from_file) is not None


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other"])
def test_a_corrupt_cache_file_is_made_again(from_file, damage):
    good = inherent_structure(from_file)
    (entry,) = Path(from_file.source).parent.glob("*.inherent")
    content = bytearray(entry.read_bytes())
    if damage == "cut":
        entry.write_bytes(content[: len(content) // 2])
    elif damage == "flipped":
        content[len(content) // 3] ^= 1
        entry.write_bytes(content)
    elif damage == "empty":
        entry.write_bytes(b"")
    else:
        with open(entry, "wb") as file:
            np.savez(file, positions=np.zeros((3, 3)))
    again = inherent_structure(from_file)
    np.testing.assert_array_equal(again.inherent_positions, good.inherent_positions)
    assert inherent._read(from_file) is not None


def test_many_come_back_in_order(hot, from_file, tmp_path):
    other = from_file.replace(positions=from_file.positions + 0.25)
    results = inherent_structures([from_file, other, from_file], progress=False)
    for given, result in zip([from_file, other, from_file], results, strict=True):
        np.testing.assert_array_equal(given.positions, result.positions)
        assert result.inherent_positions is not None


def test_a_box_too_small_names_the_file(hot):
    small = Glass(
        positions=hot.positions[:4] * 0.5, types=hot.types[:4], box=np.full(3, 4.0), source="small.npz"
    )
    with pytest.raises(GlassError, match=r"small\.npz: box: the cutoff 2\.5 exceeds half"):
        inherent_structure(small)


@pytest.mark.slow
@pytest.mark.parametrize("number", [1])
def test_energies_of_the_published_configurations(number):
    """The force-shifted mixture at T = 0.44 has about -6.2 thermal, -6.85 inherent."""
    name = f"botan/T0.44/train/isoconfig_N4096T0.44_{number}_tc07.npz"
    path = Path(os.environ.get("GLASSLIB_CACHE", "nowhere")) / name
    if not path.exists():
        pytest.skip(f"needs {name} below $GLASSLIB_CACHE")
    with np.load(path) as file:
        positions, types = file["initial_positions"], file["types"]
    glass = Glass(positions=positions, types=types, box=potential.box_of(len(types)), temperature=0.44)
    found = inherent_structure(glass, cache=False)
    numpy_sum = measure.pair_energies(found.inherent_positions, glass.types, glass.box)
    np.testing.assert_allclose(found.inherent_energies, numpy_sum, rtol=1e-10)
    assert found.energies.mean() == pytest.approx(-6.2, abs=0.05)
    assert found.inherent_energies.mean() == pytest.approx(-6.85, abs=0.02)
    assert measure.configurational_temperature(positions, types, glass.box) == pytest.approx(0.44, rel=0.06)
