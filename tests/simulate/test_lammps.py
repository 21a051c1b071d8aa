"""The one place that talks to LAMMPS."""

from __future__ import annotations

import builtins
import ctypes
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from glasslib.errors import GlassError
from glasslib.simulate import lammps, potential

N = 200
BOX = potential.box_of(N)
TYPES = (np.arange(N) >= 160).astype(np.int8)


@pytest.fixture
def start() -> tuple[np.ndarray, np.ndarray]:
    """Positions on a lattice, velocities at T = 1."""
    rng = np.random.default_rng(0)
    sites = np.stack(np.unravel_index(rng.permutation(216)[:N], (6, 6, 6)), axis=1)
    velocities = rng.normal(size=(N, 3))
    return (sites + 0.5) / 6 * BOX, velocities - velocities.mean(axis=0)


def test_energy_is_conserved_without_a_thermostat(start):
    with lammps.instance() as lmp:
        liquid = lammps.Liquid(lmp, TYPES, BOX)
        liquid.place(*start)
        liquid.thermostat(1.0, 1.0, 0.5)
        list(liquid.advance(1000, 0.005))
        total = []
        liquid.place(liquid.unwrapped(), liquid.velocities())
        liquid.free()
        for _ in range(20):
            list(liquid.advance(100, 0.002))
            total.append(liquid.potential_energy() + (liquid.velocities() ** 2).sum() / 2 / N)
        momentum = liquid.velocities().mean(axis=0)
    assert np.std(total) < 5e-4
    assert abs(total[-1] - total[0]) < 2e-3
    assert np.abs(momentum).max() < 1e-10


def test_a_run_repeats_to_the_bit_whatever_came_before(start):
    ends = []
    for earlier in (0, 2345):
        with lammps.instance() as lmp:
            liquid = lammps.Liquid(lmp, TYPES, BOX)
            if earlier:
                liquid.place(start[0] + 0.1, start[1])
                liquid.thermostat(2.0, 0.5, 0.5)
                list(liquid.advance(earlier, 0.004))
                liquid.minimise(1e-3, 100)
            liquid.place(*start)
            liquid.thermostat(1.0, 1.0, 0.5)
            assert list(liquid.advance(2500, 0.005)) == [2000, 500]
            ends.append(liquid.unwrapped())
    assert np.array_equal(*ends)


def test_torch_keeps_its_threads_and_a_run_goes_on_in_another_thread(start):
    """They share OpenMP; a LAMMPS that found more than its one thread there would end the process."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with lammps.instance() as lmp:
            liquid = lammps.Liquid(lmp, TYPES, BOX)
            liquid.place(*start)
            liquid.thermostat(1.0, 1.0, 0.5)
            list(liquid.advance(10, 0.005))
            assert torch.get_num_threads() == 3
            with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(3,)) as other:
                other.submit(lambda: list(liquid.advance(10, 0.005))).result()
                assert other.submit(torch.get_num_threads).result() == 3
            continued = liquid.unwrapped()
            liquid.place(*start)
            liquid.thermostat(1.0, 1.0, 0.5)
            list(liquid.advance(10, 0.005))
            list(liquid.advance(10, 0.005))
            np.testing.assert_array_equal(continued, liquid.unwrapped())
    finally:
        torch.set_num_threads(before)


def test_positions_are_continuous_through_the_walls(start):
    positions, velocities = start
    with lammps.instance() as lmp:
        liquid = lammps.Liquid(lmp, TYPES, BOX)
        liquid.place(positions + 3 * BOX, velocities)
        np.testing.assert_allclose(liquid.unwrapped(), positions + 3 * BOX, rtol=1e-14)
        liquid.thermostat(3.0, 3.0, 0.5)
        before = liquid.unwrapped()
        for _ in range(20):
            list(liquid.advance(20, 0.005))
            after = liquid.unwrapped()
            assert np.abs(after - before).max() < 1.5
            before = after
    assert np.abs(after - positions - 3 * BOX).max() > 0.5


def test_times_of_unequal_steps_add_up(start):
    with lammps.instance() as lmp:
        liquid = lammps.Liquid(lmp, TYPES, BOX)
        liquid.place(*start)
        liquid.free()
        list(liquid.advance(7, 0.032 / 7))
        list(liquid.advance(14, 0.068 / 14))
        assert lmp.extract_global("atime") == pytest.approx(0.1)
        moved = liquid.unwrapped() - start[0]
    assert 0.05 < np.linalg.norm(moved, axis=1).mean() < 0.3


@pytest.mark.parametrize("missing", ["lammps", "libmpi.so.12"])
def test_missing_lammps_says_how_to_install_it(monkeypatch, missing):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "lammps":
            raise (ImportError if missing == "lammps" else OSError)(f"{missing}: cannot open shared object")
        return real(name, *args, **kwargs)

    def no_library(*args, **kwargs):
        raise OSError("no such library")

    monkeypatch.delitem(sys.modules, "lammps", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)
    monkeypatch.setattr(ctypes, "CDLL", no_library)
    with pytest.raises(GlassError, match=r'pip install "glasslib\[md\]"') as caught:
        lammps.load()
    assert "\n" not in str(caught.value)


def test_a_library_that_cannot_be_opened_says_so(monkeypatch):
    """The module is there, its library finds no MPI: that shows only when an instance is made."""

    class Broken:
        def __init__(self, cmdargs):
            raise OSError("libmpi.so.12: cannot open shared object file")

    monkeypatch.setattr(lammps, "load", lambda: Broken)
    with pytest.raises(GlassError, match="libmpi"), lammps.instance():
        pass


def test_errors_are_one_line():
    with pytest.raises(GlassError, match=r"LAMMPS stopped: .*nonsense") as caught, lammps.instance() as lmp:
        lmp.command("nonsense 1 2")
    assert "\n" not in str(caught.value)


def test_an_exploding_run_is_an_error(start):
    positions, velocities = start
    with pytest.raises(GlassError, match="LAMMPS stopped"):
        _explode(positions, 1000 * velocities)


def _explode(positions, velocities):
    with lammps.instance() as lmp:
        liquid = lammps.Liquid(lmp, TYPES, BOX)
        liquid.place(positions, velocities)
        liquid.free()
        list(liquid.advance(200, 0.5))


def test_a_box_smaller_than_twice_the_cutoff_is_refused():
    with pytest.raises(GlassError, match=r"half of the shortest box edge.*at least 150 particles"):
        lammps.Liquid(None, np.zeros(100, dtype=int), potential.box_of(100))
