"""Quasi-static shear against sums over all images in numpy, work, and symmetry; the files it leaves."""

from __future__ import annotations

import hashlib
import itertools

import numpy as np
import pytest

from glasslib import Glass, GlassError, minimum_image
from glasslib.readers import save as save_glass
from glasslib.simulate import inherent_structure, lammps, potential
from glasslib.simulate.shear import PLANES, Sheared, load, rearrangements, save, shear
from glasslib.simulate.shear.__main__ import main
from glasslib.simulate.shear.quasistatic import FORCE_LIMIT
from glasslib.simulate.shear.rearrangements import SMALLEST

N = 200
BOX = potential.box_of(N)
TYPES = (np.arange(N) >= 160).astype(np.int8)


@pytest.fixture(scope="module")
def quenched() -> Glass:
    """The inherent structure of a small liquid at T = 1."""
    rng = np.random.default_rng(0)
    sites = np.stack(np.unravel_index(rng.permutation(216)[:N], (6, 6, 6)), axis=1)
    with lammps.instance() as lmp:
        liquid = lammps.Liquid(lmp, TYPES, BOX)
        liquid.place((sites + 0.5) / 6 * BOX, rng.normal(size=(N, 3)))
        liquid.thermostat(1.0, 0.5, 0.5)
        list(liquid.advance(1000, 0.005))
        hot = Glass(positions=liquid.unwrapped(), types=TYPES, box=BOX, temperature=0.5)
    return inherent_structure(hot, cache=False)


@pytest.fixture(scope="module")
def run(quenched) -> Sheared:
    steps: list[float] = []
    found = shear(quenched, 0.02, progress=steps.append)
    assert steps == [1] * 11
    return found


def in_numpy(positions, cell) -> tuple[float, np.ndarray, np.ndarray]:
    """Energy, forces ``(n, 3)`` and stress ``(3, 3)`` from every pair and its 27 images."""
    energy, forces, virial = 0.0, np.zeros((N, 3)), np.zeros((3, 3))
    i, j = np.triu_indices(N, k=1)
    for image in itertools.product((-1, 0, 1), repeat=3):
        vectors = positions[j] - positions[i] + image @ cell
        r = np.linalg.norm(vectors, axis=1)
        value, slope, _ = potential.pair_terms(r, TYPES[i], TYPES[j])
        along = (slope / r)[:, None] * vectors
        energy += value.sum()
        virial += along.T @ vectors
        np.add.at(forces, i, along)
        np.add.at(forces, j, -along)
    return energy, forces, virial / np.linalg.det(cell)


def test_energy_forces_and_stress_are_those_of_the_sheared_box(run):
    for k in (0, 4, 10):
        box_images = np.floor(run.positions[k] @ np.linalg.inv(run.cells[k]))
        wrapped = run.positions[k] - box_images @ run.cells[k]
        energy, forces, stress = in_numpy(wrapped, run.cells[k])
        assert run.energies[k] == pytest.approx(energy / N, rel=1e-9)
        assert run.stresses[k] == pytest.approx(stress[0, 1], rel=1e-6, abs=1e-8)
        assert np.abs(forces).max() < FORCE_LIMIT


def test_the_box_is_sheared_and_the_particles_follow(run):
    strain = run.strains[-1]
    assert strain == 0.02
    assert len(run.strains) == len(run.cells) == 11
    expected = np.diag(BOX)
    expected[1, 0] = strain * BOX[1]
    np.testing.assert_allclose(run.cells[-1], expected, atol=1e-12)
    moved = run.positions[-1] - run.positions[0]
    slope = np.polyfit(run.positions[0][:, 1], moved[:, 0], 1)[0]
    assert slope == pytest.approx(strain, rel=0.5)
    assert np.abs(moved).max() < 1


def test_work_is_energy_where_nothing_breaks(quenched):
    """The integral of stress over strain, and the gain of energy, of two independent outputs."""
    smooth = shear(quenched, 0.002, step=5e-4)
    work = BOX.prod() * np.trapezoid(smooth.stresses, smooth.strains)
    gain = N * (smooth.energies[-1] - smooth.energies[0])
    assert work == pytest.approx(gain, rel=2e-3)
    modulus = np.diff(smooth.stresses) / np.diff(smooth.strains)
    assert ((modulus > 5) & (modulus < 40)).all()


def test_axes_can_change_places(quenched, run):
    """xz in a glass is xy in the same glass with y and z exchanged; a mirror turns the direction round."""
    exchanged = quenched.replace(inherent_positions=quenched.inherent_positions[:, [0, 2, 1]])
    mirrored = quenched.replace(inherent_positions=quenched.inherent_positions * [-1, 1, 1])
    for other, plane, strain, sign in ((exchanged, "xz", 0.01, 1), (mirrored, "xy", -0.01, -1)):
        again = shear(other, strain, plane=plane)
        np.testing.assert_allclose(sign * again.stresses, run.stresses[:6], atol=1e-5)
        np.testing.assert_allclose(again.d2min(strain), run.d2min(0.01), rtol=1e-3, atol=1e-8)


def test_d2min_of_a_run(run):
    """Grows, and only what is not affine counts."""
    small, large = run.d2min(0.002), run.d2min(0.02)
    assert 0 < small.mean() < large.mean()
    away = minimum_image(run.positions[-1] - run.positions[0], BOX)
    assert large.mean() < 2 * (away**2).sum(axis=1).mean()
    with pytest.raises(
        GlassError, match=r"strain: no step ends at 0\.003; they are 0\.002 apart, up to 0\.02"
    ):
        run.d2min(0.003)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"plane": "yx"}, "plane: expected one of xy, xz, yz, got 'yx'"),
        ({"max_strain": 0.0}, "max_strain: expected a strain of up to 0.5, not 0, got 0.0"),
        ({"max_strain": 0.6}, "max_strain"),
        ({"max_strain": float("nan")}, "max_strain"),
        ({"max_strain": 0.003}, "max_strain: expected a multiple of the step 0.002, got 0.003"),
        ({"step": 0.0}, "step: expected a strain between 0 and 0.1"),
    ],
)
def test_bad_arguments(quenched, changes, message):
    arguments = {"max_strain": 0.01, **changes}
    with pytest.raises(GlassError, match=message) as caught:
        shear(quenched, **arguments)
    assert "\n" not in str(caught.value)


def test_an_inherent_structure_is_needed(quenched):
    with pytest.raises(GlassError, match="inherent_positions: is missing"):
        shear(quenched.replace(inherent_positions=None), 0.01)


@pytest.mark.parametrize(
    ("strains", "planes", "message"),
    [([], PLANES, "at least one"), ([0.01], [], "at least one"), ([0.02, 0.01], PLANES, "increasing")],
)
def test_strains_and_planes_are_checked(quenched, strains, planes, message):
    with pytest.raises(GlassError, match=message):
        rearrangements(quenched, strains, planes=planes)


def test_the_command(quenched, run, tmp_path):
    """Writes D2min of the run, and leaves alone what is there."""
    save_glass(quenched, tmp_path / "small.npz")
    command = [str(tmp_path / "small.npz"), "--out", str(tmp_path / "out"), "--strains", "0.01", "0.02"]
    assert main([*command, "--planes", "xy"]) == 0
    written = tmp_path / "out" / "small.npz"
    found = load(written)
    assert found.planes == ("xy",)
    np.testing.assert_allclose(found.at(0.02)[0], np.maximum(run.d2min(0.02), SMALLEST), rtol=6e-3)
    np.testing.assert_allclose(found.stresses[0], run.stresses, atol=1e-5)
    np.testing.assert_allclose(found.energies[0], run.energies, atol=1e-6)
    assert found.provenance["sha256"] == hashlib.sha256((tmp_path / "small.npz").read_bytes()).hexdigest()
    with pytest.raises(GlassError, match=r"there is none at 0\.03; they are 0\.01, 0\.02"):
        found.at(0.03)
    before = written.read_bytes()
    assert main([*command, "--planes", "xz"]) == 0
    assert written.read_bytes() == before


@pytest.mark.parametrize(
    ("files", "out", "message"),
    [
        (["none.npz"], "out", "there is no such file"),
        (["small.npz"], ".", "holds the configurations themselves"),
        (["a/small.npz", "b/small.npz"], "out", "two of the files have the same name"),
    ],
)
def test_what_the_command_refuses_is_told_in_a_line(tmp_path, capsys, files, out, message):
    assert main([*(str(tmp_path / name) for name in files), "--out", str(tmp_path / out)]) == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "glasslib.simulate.shear:" in line]
    assert message in line


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "bad.npz"
    for content in (b"", b"PK\x03\x04 nothing", b"x" * 1000):
        path.write_bytes(content)
        with pytest.raises(GlassError, match=r"bad\.npz"):
            load(path)
    with pytest.raises(GlassError, match="there is no such file"):
        load(tmp_path / "none.npz")


def test_what_is_stored_comes_back(quenched, tmp_path):
    found = rearrangements(quenched, [0.002, 0.004], planes=["yz"])
    save(found, tmp_path / "one.npz")
    again = load(tmp_path / "one.npz")
    np.testing.assert_allclose(again.d2min, found.d2min, rtol=6e-3)
    assert (again.planes, again.provenance) == (found.planes, found.provenance)
    np.testing.assert_array_equal(again.steps, found.steps)
