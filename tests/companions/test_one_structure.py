"""One structure at several temperatures: against the generator of the data, and against data that ship."""

from __future__ import annotations

import numpy as np
import pytest

from glasslib import Glass, GlassError, catalog
from glasslib.companions import one_structure
from glasslib.evaluation import ceiling, pearson
from glasslib.simulate import Protocol, lammps
from glasslib.simulate.ensemble import isoconfigurational_ensemble
from glasslib.simulate.inherent import minimised

TIMES = (0.1, 0.3)


@pytest.fixture(scope="module")
def lattice() -> Glass:
    """160 particles on a cubic lattice, as they are before melting."""
    protocol = Protocol(1.0, particles=160)
    sites = np.stack(np.unravel_index(np.random.default_rng(0).permutation(216)[:160], (6, 6, 6)), axis=1)
    return Glass((sites + 0.5) / 6 * protocol.box, protocol.types, protocol.box, temperature=1.0)


@pytest.fixture(scope="module")
def result(lattice) -> one_structure.OneStructure:
    return one_structure.simulate(
        lattice, (1.0, 0.7), TIMES, (0.1, 0.2), start="thermal", groups=2, replicas=2, seed=3
    )


def test_counts_are_those_of_the_trajectories(lattice, result):
    for index, temperature in enumerate((1.0, 0.7)):
        protocol = Protocol(temperature, times=TIMES, replicas=4, particles=160, seed=3)
        with lammps.instance() as lmp:
            liquid = lammps.Liquid(lmp, lattice.types, lattice.box)
            glass = isoconfigurational_ensemble(
                liquid, protocol, lattice.positions, index, keep_end_positions=True
            )
        distance = np.linalg.norm(
            glass.end_positions - lattice.positions, axis=-1
        )  # (time, replica, particle)
        for k, time in enumerate(TIMES):
            expected = (distance[k].reshape(2, 2, -1) > 0.2).sum(axis=1)
            np.testing.assert_array_equal(result.moved(time, 0.2)[:, index], expected)
        np.testing.assert_allclose(result.displacement[index], glass.propensity, atol=1e-12)
    assert 0 < result.counts.mean() < 2


def test_a_file_gives_it_back(result, tmp_path):
    path = tmp_path / "one.npz"
    one_structure.save(result, path)
    again = one_structure.load(path)
    np.testing.assert_array_equal(again.counts, result.counts)
    np.testing.assert_allclose(again.displacement, result.displacement, rtol=1e-3)
    np.testing.assert_array_equal(again.thresholds, result.thresholds)
    assert (again.replicas, dict(again.provenance)) == (2, dict(result.provenance))


def test_what_cannot_be_run_is_refused(lattice):
    swapped = lattice.replace(types=lattice.types[::-1])
    for glass, options, problem in (
        (lattice, {"replicas": 0}, "replicas: expected 2 or more"),
        (lattice, {"start": "inherent"}, "inherent_positions: is missing"),
        (lattice, {"start": "cold"}, "expected 'thermal' or 'inherent'"),
        (lattice, {"thresholds": ()}, "expected one or more"),
        (lattice, {"temperatures": (0.1,)}, "at least 0.40"),
        (lattice.replace(box=lattice.box * 1.1), {}, "density 1.2"),
        (swapped, {}, "A before B"),
    ):
        with pytest.raises(GlassError, match=problem):
            one_structure.simulate(
                glass, **{"temperatures": (1.0,), "times": (0.1,), "start": "thermal", **options}
            )


def test_what_cannot_be_read_is_refused(result, tmp_path):
    with pytest.raises(GlassError, match="no such file"):
        one_structure.load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("no zip")
    with pytest.raises(GlassError, match="damaged"):
        one_structure.load(tmp_path / "text.npz")
    path = tmp_path / "one.npz"
    one_structure.save(result, path)
    with np.load(path) as file:
        arrays = dict(file)
    for name, value in (("counts", arrays["counts"] + np.uint8(9)), ("times", np.array([0.1]))):
        np.savez(tmp_path / "wrong.npz", **{**arrays, name: value})
        with pytest.raises(GlassError, match=r"expected 0 to 2|do not fit"):
            one_structure.load(tmp_path / "wrong.npz")
    with pytest.raises(GlassError, match=r"there is no 0\.2 among 0\.1, 0\.3"):
        result.moved(0.2, 0.1)


def test_from_rest_half_of_the_energy_goes_into_vibrations(lattice):
    """Particles on springs: after a short while the kinetic temperature is the one that was asked for."""
    protocol = Protocol(0.5, particles=160)
    with lammps.instance() as lmp:
        liquid = lammps.Liquid(lmp, lattice.types, lattice.box)
        rest = minimised(liquid, lattice.positions).positions
        kinetic = []
        for k in range(20):
            liquid.place(rest, protocol.velocities(9, k, temperature=2 * 0.05))
            liquid.free()
            list(liquid.advance(200, 0.005))
            kinetic.append((liquid.velocities() ** 2).mean())
    assert np.mean(kinetic) == pytest.approx(0.05, rel=0.1)


@pytest.fixture(scope="module")
def structure() -> Glass:
    """The configuration that what ships starts from."""
    (glass,) = catalog.load("bundled", "test", temperature=0.64, limit=1)
    return glass


def test_what_ships_agrees_with_the_data_set(structure):
    """At its own temperature the structure must do what other replicas of it did: those of the data set."""
    shipped, a = one_structure.load("thermal"), structure.is_type("A")
    here = list(shipped.temperatures).index(0.64)
    for k, time in enumerate(shipped.times):
        known = structure.at_times([time])
        ours, theirs = shipped.displacement[here, k, a], known.propensity[0, a]
        assert ours.mean() == pytest.approx(theirs.mean(), rel=0.02)
        # two ensembles of one structure correlate as their reliabilities allow; 64 replicas here, 32 there
        reliability = ceiling([known]).mean[0] ** 2
        twice = 2 * reliability / (1 + reliability)
        assert pearson(ours, theirs) == pytest.approx(np.sqrt(reliability * twice), abs=0.03)


@pytest.mark.parametrize("start", ["thermal", "inherent"])
def test_what_ships_is_whole(structure, start):
    shipped = one_structure.load(start)
    assert shipped.provenance["structure"] == "T0.64/test/001.npz"
    assert shipped.provenance["start"] == start
    assert (np.diff(shipped.counts.astype(int), axis=3) <= 0).all()  # further than 0.5 is further than 0.4
    moved = shipped.moved(5.2, 0.5)[..., structure.is_type("A")]
    by_group = moved.mean(axis=2) / shipped.replicas
    assert (np.diff(by_group.mean(axis=0)) > 0).all()  # hotter, further
    assert pearson(*(part.sum(axis=0)[2] for part in np.array_split(moved, 2))) > 0.4
    np.testing.assert_allclose(by_group, by_group.mean(axis=0) * np.ones((len(moved), 1)), rtol=0.35)


def test_the_command(monkeypatch, tmp_path, lattice, capsys):
    monkeypatch.setattr(one_structure.catalog, "load", lambda *_, **__: [lattice])
    command = ["thermal", "--groups", "1", "--replicas", "2", "--out", str(tmp_path / "new")]
    assert one_structure.main(command) == 0
    assert one_structure.load(tmp_path / "new" / "thermal.npz").counts.shape[:1] == (1,)
    assert one_structure.main(["inherent", "--out", str(tmp_path)]) == 2
    assert "inherent_positions: is missing" in capsys.readouterr().err
