"""Each public format, from files written here and from real ones where the cache holds them."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from glasslib import GlassError, catalog, load, readers, wrap


def test_botan(public_files: dict[str, Path], make: SimpleNamespace) -> None:
    glass, arrays = load(public_files["botan"]), make.botan()
    np.testing.assert_array_equal(glass.positions, arrays["initial_positions"])
    distances = np.linalg.norm(arrays["positions"] - arrays["initial_positions"], axis=-1)
    np.testing.assert_allclose(glass.propensity, distances.mean(axis=0)[None])
    np.testing.assert_allclose(glass.propensity_halves.mean(axis=0), glass.propensity)
    np.testing.assert_allclose(glass.propensity_halves[1, 0], distances[3:].mean(axis=0))
    assert (glass.temperature, glass.times.tolist()) == (0.44, [4120.0])
    assert distances.max() > make.side / 2  # so that a minimum image would have been noticed
    np.testing.assert_allclose(glass.box, make.side)
    assert glass.source == str(public_files["botan"])


def test_botan_renamed(public_files: dict[str, Path], tmp_path: Path) -> None:
    path = shutil.copy(public_files["botan"], tmp_path / "data.bin")
    with pytest.raises(GlassError, match=r"times: the file's name does not tell the time.*Pass times="):
        load(path)
    glass = load(path, times=[7.0])
    assert (glass.temperature, glass.times.tolist()) == (None, [7.0])
    assert load(path, temperature=0.5, times=[7.0]).temperature == 0.5


def test_glassbench(public_files: dict[str, Path], make: SimpleNamespace) -> None:
    glass, arrays = load(public_files["glassbench"]), make.glassbench()
    np.testing.assert_allclose(glass.positions, wrap(arrays["initial_positions"], glass.box))
    np.testing.assert_array_equal(glass.types, arrays["types"] - 1)
    np.testing.assert_array_equal(glass.propensity, arrays["md_prop"])
    np.testing.assert_array_equal(glass.bond_breaking, arrays["bb_prop"])
    assert glass.inherent_positions is not None
    assert glass.cage_positions is not None
    assert set(glass.extras) == {"BOTAN", "PSI6"}
    assert glass.temperature == 0.5
    assert glass.times[6] == 217.0


def test_glassbench_without_the_optional_arrays_and_without_a_name(
    tmp_path: Path, make: SimpleNamespace
) -> None:
    arrays = {key: make.glassbench(2)[key] for key in ("types", "initial_positions", "md_prop")}
    np.savez(tmp_path / "x.npz", **arrays)
    with pytest.raises(GlassError, match="Pass times="):
        load(tmp_path / "x.npz")
    glass = load(tmp_path / "x.npz", times=[1.0, 2.0], temperature=0.6)
    assert glass.inherent_positions is None
    assert glass.bond_breaking is None
    assert glass.extras == {}


def test_glassbench_inside_its_archive(public_files: dict[str, Path]) -> None:
    tar = public_files["tar"]
    names = readers.members(tar)
    assert names == [
        f"T0.50/{rest}.npz" for rest in ("train/N50T0.50_1", "train/N50T0.50_2", "test/N50T0.50_401")
    ]
    glass = load(tar, names[2])
    assert glass.temperature == 0.5
    assert glass.source == f"{tar}/{names[2]}"
    assert [name for name, _ in readers.iterate(tar, prefix="T0.50/train/")] == names[:2]
    with pytest.raises(GlassError, match=r"archive of many configurations.*Pass member="):
        load(tar)
    with pytest.raises(GlassError, match="has no member 'T9'"):
        load(tar, "T9")
    with pytest.raises(GlassError, match="no tar archive"):
        load(public_files["botan"], names[0])


def test_a_damaged_archive(public_files: dict[str, Path], tmp_path: Path) -> None:
    content = public_files["tar"].read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(content[: len(content) // 2])
    with pytest.raises(GlassError, match="damaged or cut short"):
        readers.members(tmp_path / "cut.tar.gz")


@pytest.mark.parametrize("protocol", [2, 3, 4])
def test_deepmind(protocol: int, tmp_path: Path, make: SimpleNamespace) -> None:
    content = make.deepmind()
    (tmp_path / "x").write_bytes(make.pickled(content, protocol))
    glass = load(tmp_path / "x")
    assert glass.times.tolist() == [0.5, 2.0, 4.0]  # sorted, and the rows with them
    ends = np.array(content["trajectory_target_positions"])[[0, 2, 1]]
    distances = np.linalg.norm(ends - content["positions"], axis=-1)
    np.testing.assert_allclose(glass.propensity, distances.mean(axis=1))
    np.testing.assert_allclose(glass.propensity_halves[0], distances[:, :2].mean(axis=1))
    moved = np.linalg.norm(glass.end_positions - glass.positions, axis=-1)
    np.testing.assert_allclose(moved, distances)  # though the first particle was brought back into the box
    assert glass.provenance["is_values"] == [0.9, 0.5, 0.1]
    assert glass.temperature == 0.44


def test_deepmind_targets_are_kept(tmp_path: Path, make: SimpleNamespace) -> None:
    content = make.deepmind()
    content["targets"] = np.arange(1.0, 151.0).reshape(3, 50)
    del content["trajectory_target_positions"]
    (tmp_path / "x").write_bytes(make.pickled(content))
    glass = load(tmp_path / "x")
    np.testing.assert_array_equal(glass.propensity, content["targets"][[0, 2, 1]])
    assert glass.end_positions is None


@pytest.mark.parametrize(
    "field", ["positions", "types", "box", "time", "time_indices", "trajectory_target_positions"]
)
def test_deepmind_with_an_entry_missing(field: str, tmp_path: Path, make: SimpleNamespace) -> None:
    content = make.deepmind()
    del content[field]
    (tmp_path / "x").write_bytes(make.pickled(content))
    with pytest.raises(GlassError, match=f"{field}: is missing"):
        load(tmp_path / "x")


def test_real_deepmind_sample(deepmind_sample: Path) -> None:
    glass = load(deepmind_sample)
    assert glass.end_positions.shape == (10, 30, 20, 3)
    # time_indices puts the 1/e point, tau_alpha, last: sorting must move it
    np.testing.assert_allclose(glass.times[[0, 6, 9]], [0.132, 5375.112, 23204.031])
    # read with numpy from the published file
    np.testing.assert_allclose(glass.propensity[[0, 9], 0], [0.09159066, 0.81481281], rtol=1e-6)


def test_real_botan_sample() -> None:
    try:
        glasses = catalog.load("botan", only_cached=True, limit=3)
    except GlassError as reason:
        pytest.skip(str(reason))
    for glass in glasses:
        a = glass.propensity[0, glass.is_type("A")]
        assert len(a) == 3277
        np.testing.assert_allclose(glass.box, 15.05658, atol=1e-5)
        assert 0.374 < a.mean() < 0.700
        assert 0.136 < a.std() < 0.207
        assert 0.70 < glass.propensity[0, glass.is_type("B")].mean() < 1.27
        assert glass.end_positions.shape == (1, 32, 4096, 3)
