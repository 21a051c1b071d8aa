"""The bonds that ship: of those very files, what LAMMPS gives again, in step with propensity, small."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from glasslib import GlassError, catalog
from glasslib.catalog.records import bundled_folder
from glasslib.glass import minimum_image
from glasslib.graph import GraphOptions, bond_stretching, build_graph
from glasslib.neighbors import neighbor_pairs
from glasslib.readers import load as read
from glasslib.simulate import bonds, lammps
from glasslib.simulate.bonds.__main__ import SHIPPED
from glasslib.simulate.bonds.stretching import GRID, protocol_of
from glasslib.simulate.ensemble import end_points

FOLDER = bonds.shipped_folder()
FILES = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.npz"))


def test_all_of_them_are_there_whole_and_small():
    planned = {f"T0.64/{split}/{k + 1:03d}.npz" for split, count, _ in SHIPPED for k in range(count)}
    assert set(FILES) == planned
    lines = (FOLDER / "SHA256SUMS").read_text().splitlines()
    assert [line.split("  ")[1] for line in lines] == FILES
    for line in lines:
        checksum, name = line.split("  ")
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == checksum
    assert sum((FOLDER / name).stat().st_size for name in FILES) < 4_000_000


@pytest.mark.parametrize("name", FILES)
def test_each_belongs_to_a_bundled_configuration_and_serves_both_structures(name):
    found, path = bonds.load(FOLDER / name), bundled_folder() / name
    made = found.provenance
    assert made["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert made["configuration"] == name
    assert made["command"].startswith("python -m glasslib.simulate.bonds")
    assert tuple(found.times) == bonds.TIMES
    glass = found.attached(read(path))
    assert made["protocol"]["seed"] == glass.provenance["protocol"]["seed"]
    for structure in ("thermal", "inherent"):
        data = build_graph(glass, GraphOptions(structure, averaging_cutoff=0), bonds=True)
        assert data.bond_y.shape == (data.num_edges, 3)
    assert ((found.agreement > 0.3) & (found.agreement < 1)).all()


def test_lammps_gives_the_first_time_again():
    """The replicas to t = 0.1, pairs followed here in numpy."""
    (glass,) = bonds.shipped("train", limit=1)
    known = bonds.load(FOLDER / "T0.64" / "train" / "001.npz").provenance
    protocol, index = protocol_of(glass, bonds.TIMES[:1], known["replicas"])
    pairs = glass.bonds.pairs[:, ::17]
    start = minimum_image(glass.positions[pairs[1]] - glass.positions[pairs[0]], glass.box)
    later = []
    with lammps.instance() as lmp:
        liquid = lammps.Liquid(lmp, glass.types, glass.box)
        for _, k, there in end_points(liquid, protocol, glass.positions, index):
            if k == len(protocol.times) - 1:
                moved = there - glass.positions
                later.append(np.linalg.norm(start + moved[pairs[1]] - moved[pairs[0]], axis=1))
    expected = np.mean(later, axis=0) - np.linalg.norm(start, axis=1)
    assert expected.std() > 0.02
    np.testing.assert_allclose(glass.bonds.of(pairs)[0], expected, rtol=0, atol=GRID / 2 + 1e-3)


def test_particles_that_move_far_stretch_their_bonds():
    """Propensity comes from other files and, in part, other replicas."""
    for split in ("train", "test"):
        for glass in bonds.shipped(split):
            index, _ = neighbor_pairs(glass.positions, glass.box, 1.35)
            stretching = np.abs(bond_stretching(glass, index)[1])
            for t, own in enumerate(stretching):
                summed = np.bincount(index[1], own, len(glass)) / np.bincount(index[1], minlength=len(glass))
                is_a = glass.is_type("A")
                r = np.corrcoef(summed[is_a], glass.propensity[t, is_a])[0, 1]
                assert 0.4 < r < 0.9, (glass.source, t)


def test_a_public_end_point_file_gives_the_same_stretching_pair_by_pair():
    """BOTAN's sample, whose end points are unwrapped; all in plain numpy from its arrays."""
    try:
        path = catalog.paths("botan", only_cached=True, limit=1)[0]
    except GlassError as reason:
        pytest.skip(str(reason))
    glass = read(path)
    with np.load(path) as file:
        start, ends = file["initial_positions"], file["positions"]
    edge = (len(start) / 1.2) ** (1 / 3)
    index, _ = neighbor_pairs(start, [edge] * 3, 2.0)
    some = np.random.default_rng(0).choice(index.shape[1], 400, replace=False)
    _, found = bond_stretching(glass, index[:, some])
    for k, (j, i) in enumerate(index[:, some].T):
        apart = start[j] - start[i]
        apart -= edge * np.round(apart / edge)
        later = apart + (ends[:, j] - start[j]) - (ends[:, i] - start[i])
        expected = np.mean([np.sqrt((one**2).sum()) for one in later]) - np.sqrt((apart**2).sum())
        assert found[0, k] == pytest.approx(expected, abs=1e-9)


def test_where_none_ship_it_says_where_some_do():
    with pytest.raises(
        GlassError, match=r"none are shipped for T0\.50/train; there are T0\.64/test, T0\.64/train"
    ):
        bonds.shipped("train", temperature=0.5)
