"""Bonds from replicas run again: brute force over the end points of the same replicas, files, the command."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from glasslib import GlassError, catalog
from glasslib.graph import GraphOptions, build_graph
from glasslib.readers import load as read
from glasslib.readers.npz import Npz
from glasslib.simulate import bonds, lammps
from glasslib.simulate.bonds.__main__ import main
from glasslib.simulate.bonds.stretching import GRID
from glasslib.simulate.ensemble import isoconfigurational_ensemble
from glasslib.simulate.protocol import Protocol

N, REPLICAS = 160, 5
PROTOCOL = Protocol(1.0, times=(0.05, 0.1, 0.4), replicas=REPLICAS, particles=N, seed=7)


@pytest.fixture(scope="module")
def glass():
    """A small liquid with every end point, as glasslib.simulate makes it."""
    rng = np.random.default_rng(0)
    sites = np.stack(np.unravel_index(rng.permutation(216)[:N], (6, 6, 6)), axis=1)
    with lammps.instance() as lmp:
        liquid = lammps.Liquid(lmp, PROTOCOL.types, PROTOCOL.box)
        liquid.place((sites + 0.5) / 6 * PROTOCOL.box, rng.normal(size=(N, 3)))
        liquid.thermostat(1.0, 1.0, 0.5)
        list(liquid.advance(600, 0.005))
        made = isoconfigurational_ensemble(liquid, PROTOCOL, liquid.unwrapped(), 3, keep_end_positions=True)
    provenance = {**made.provenance, "protocol": PROTOCOL.asdict(), "index": 3}
    return made.replace(provenance=provenance, source="small.npz")


@pytest.fixture(scope="module")
def found(glass):
    passed: list[float] = []
    made = bonds.stretching(glass, (0.05, 0.4), replicas=REPLICAS, progress=passed.append)
    assert sum(passed) == pytest.approx(REPLICAS * 0.4)
    return made


def by_brute_force(glass, i, j):
    """Mean distances ``(2, n_replicas)`` at times 0 and 2 less the first one, image by image."""
    images = np.stack(np.meshgrid(*[(-1, 0, 1)] * 3), -1).reshape(-1, 3) * glass.box
    start = min(glass.positions[j] + images - glass.positions[i], key=np.linalg.norm)
    moved = glass.end_positions[[0, 2]] - glass.positions
    later = start + moved[:, :, j] - moved[:, :, i]
    return np.linalg.norm(start), np.linalg.norm(later, axis=-1) - np.linalg.norm(start)


def test_the_replicas_are_those_of_the_ensemble(glass, found):
    """The same velocities, so the same trajectories, followed pair by pair in plain numpy."""
    np.testing.assert_array_equal(found.times, [0.05, 0.4])
    every, halves = [], []
    for k, (i, j) in enumerate(found.bonds.pairs.T):
        length, stretched = by_brute_force(glass, i, j)
        np.testing.assert_allclose(found.bonds.stretching[:, k], stretched.mean(1), rtol=0, atol=1e-9)
        if length < 1.35 and glass.types[i] == glass.types[j] == 0:
            halves.append([stretched[:, :2].mean(1), stretched[:, 2:].mean(1)])
        every.append(stretched.mean(1))
    assert np.std(every) > 0.05
    for t in range(2):
        expected = np.corrcoef(np.array(halves)[:, :, t].T)[0, 1]
        assert found.agreement[t] == pytest.approx(expected, abs=1e-9)


def test_files_keep_them_to_the_grid_for_either_structure(glass, found, tmp_path):
    path = tmp_path / "a.npz"
    bonds.save(found, path)
    back = bonds.load(path)
    np.testing.assert_array_equal(back.bonds.pairs, found.bonds.pairs)
    difference = np.abs(back.bonds.stretching - found.bonds.stretching)
    assert 0 < difference.max() <= GRID / 2 + 1e-12
    np.testing.assert_array_equal(back.agreement, found.agreement)
    assert back.provenance == found.provenance
    attached = back.attached(glass.replace(end_positions=None))
    assert attached.propensity.shape == (2, N)
    exact = glass.at_times([0.05, 0.4])
    for structure in ("thermal", "inherent"):
        options = GraphOptions(structure, cutoff=2.0, averaging_cutoff=0)
        graphs = [build_graph(g, options, bonds=True) for g in (attached, exact)]
        np.testing.assert_allclose(graphs[0].bond_y, graphs[1].bond_y, rtol=0, atol=GRID / 2 + 1e-6)
    with open(path, "rb") as file:
        arrays = {name: Npz(file, "a")[name] for name in ("card", "pairs", "multiples")}
    np.savez(path, **arrays | {"multiples": arrays["multiples"][:1]})
    with pytest.raises(GlassError, match=r"a\.npz: its arrays do not fit together"):
        bonds.load(path)
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(GlassError, match=r"a\.npz.*damaged"):
        bonds.load(path)


def test_what_cannot_be_run_again_is_refused(glass):
    bare = glass.replace(provenance={})
    with pytest.raises(GlassError, match=r"small\.npz: provenance: does not tell how its replicas were run"):
        bonds.stretching(bare, (0.05,), replicas=2)
    with pytest.raises(GlassError, match=r"no data at t = 0\.2"):
        bonds.stretching(glass, (0.2,), replicas=2)
    with pytest.raises(GlassError, match="replicas: expected at least 2"):
        bonds.stretching(glass, (0.05,), replicas=1)


def test_the_command_makes_one_whole_file_at_a_time_and_leaves_them_alone(tmp_path):
    """Two configurations of the bundled data, two steps of two replicas of each."""
    arguments = ["--configurations", "1", "--replicas", "2", "--times", "0.032", "--out", str(tmp_path)]
    assert main([*arguments, "--shard", "1/2"]) == 0
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.npz")}
    assert files == {"T0.64/test/001.npz"}
    whole = tmp_path / "T0.64" / "test" / "001.npz"
    before = whole.stat().st_mtime_ns
    assert main(arguments) == 0
    assert whole.stat().st_mtime_ns == before
    lines = (tmp_path / "SHA256SUMS").read_text().splitlines()
    assert [line.split("  ")[1] for line in lines] == ["T0.64/test/001.npz", "T0.64/train/001.npz"]
    for line in lines:
        checksum, name = line.split("  ")
        assert hashlib.sha256((tmp_path / name).read_bytes()).hexdigest() == checksum
    made = bonds.load(whole)
    original = catalog.paths("bundled", "test", temperature=0.64, limit=1)[0]
    assert made.provenance["sha256"] == hashlib.sha256(original.read_bytes()).hexdigest()
    assert made.provenance["configuration"] == "T0.64/test/001.npz"
    assert made.provenance["replicas"] == 2
    assert made.attached(read(original)).bonds.pairs.shape[1] > 80_000


@pytest.mark.slow
def test_killed_it_leaves_nothing_half_made(tmp_path):
    command = [sys.executable, "-m", "glasslib.simulate.bonds", "--out", str(tmp_path), "--replicas", "9"]
    run = subprocess.Popen([*command, "--configurations", "1"], stderr=subprocess.PIPE, text=True)
    with pytest.raises(subprocess.TimeoutExpired):
        run.wait(10)
    run.send_signal(signal.SIGTERM)
    _, told = run.communicate(timeout=300)
    assert run.returncode == 130
    assert "the same command continues" in told
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_bad_argument_is_told_in_one_line(tmp_path, capsys):
    assert main(["--times", "0.7", "--out", str(tmp_path)]) == 2
    assert "glasslib.simulate.bonds: " in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["--nonsense"])
    assert not list(Path(tmp_path).rglob("*.npz"))
