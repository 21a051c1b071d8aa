"""Small files in each of the public formats, written by the tests themselves."""

from __future__ import annotations

import io
import pickle
import tarfile
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from glasslib import Glass, catalog, save

N = 50
SIDE = np.cbrt(N / 1.2)


def lattice(rng: np.random.Generator, n: int = N) -> np.ndarray:
    """Positions (n, 3) on a jiggled lattice in the cube of density 1.2."""
    cells = int(np.ceil(np.cbrt(n)))
    grid = np.stack(np.meshgrid(*3 * [np.arange(cells)]), axis=-1).reshape(-1, 3)[:n]
    side = np.cbrt(n / 1.2)
    return (grid + 0.5 + rng.uniform(-0.2, 0.2, (n, 3))) * side / cells


def botan_arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    start = lattice(rng)
    return {
        "types": (np.arange(N) >= 40).astype(np.int8),
        "initial_positions": start,
        "positions": start + rng.normal(0, 1.0, (6, N, 3)),
    }


def glassbench_arrays(n_times: int = 10) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    start = lattice(rng) - SIDE / 2
    return {
        "types": np.where(np.arange(N) >= 40, 2, 1),
        "initial_positions": start,
        "initial_positions_inherent": start + rng.normal(0, 0.02, (N, 3)),
        "initial_positions_cage": start + rng.normal(0, 0.02, (N, 3)),
        "md_prop": rng.uniform(0.1, 1, (n_times, N)),
        "bb_prop": rng.uniform(0, 1, (n_times, N)),
        "BOTAN": rng.uniform(0, 1, (n_times, N)),
        "PSI6": rng.uniform(0, 1, N),
        "remark": np.zeros(3),
    }


def deepmind_content() -> dict[str, object]:
    rng = np.random.default_rng(2)
    start = lattice(rng)
    start[0] += 2 * SIDE  # absolute: the particle left the box long ago
    ends = start + rng.normal(0, 0.5, (3, 4, N, 3))
    return {
        "positions": start,
        "types": (np.arange(N) >= 40).astype(np.int32),
        "box": np.full(3, SIDE),
        "time": [0.0, 0.5, 1.0, 2.0, 4.0],
        "time_indices": [1, 4, 3],
        "is_values": np.array([0.9, 0.1, 0.5]),
        "trajectory_start_velocities": [rng.normal(size=(N, 3)) for _ in range(4)],
        "trajectory_target_positions": [[np.array(end) for end in row] for row in ends],
        "metadata": {"temperature": 0.44, "pressure": 2.93, "fluid": "Kob Andersen"},
    }


def full_glass() -> Glass:
    rng = np.random.default_rng(3)
    start = lattice(rng)
    ends = start + rng.normal(0, 0.5, (2, 4, N, 3))
    distances = np.linalg.norm(ends - start, axis=-1)
    return Glass(
        positions=start,
        types=(np.arange(N) >= 40).astype(np.int8),
        box=np.full(3, SIDE) * [1, 1.01, 0.99],
        temperature=0.5,
        times=[1.0, 10.0],
        propensity=distances.mean(axis=1),
        propensity_halves=np.stack([distances[:, :2].mean(axis=1), distances[:, 2:].mean(axis=1)]),
        inherent_positions=start + rng.normal(0, 0.02, (N, 3)),
        inherent_energies=rng.normal(-6.8, 0.5, N),
        energies=rng.normal(-6.2, 0.5, N),
        cage_positions=start + rng.normal(0, 0.02, (N, 3)),
        end_positions=ends,
        bond_breaking=rng.uniform(0, 1, (2, N)),
        extras={"SE3": rng.normal(size=(2, N)), "rank": np.arange(N)},
        provenance={"made by": "the tests", "seed": 3, "steps": [1, 2.5, "three"]},
    )


def pickled(content: object, protocol: int = 3) -> bytes:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pickle.dumps(content, protocol=protocol)


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """What the makers above give, for tests that need the numbers themselves."""
    return SimpleNamespace(
        n=N,
        side=SIDE,
        botan=botan_arrays,
        glassbench=glassbench_arrays,
        deepmind=deepmind_content,
        glass=full_glass,
        pickled=pickled,
    )


@pytest.fixture(scope="session")
def public_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One file of each format, with the names that the publishers use."""
    folder = tmp_path_factory.mktemp("public")
    files = {
        "botan": folder / "T0.44/train/isoconfig_N50T0.44_1_tc07.npz",
        "glassbench": folder / "T0.50/test/N50T0.50_401.npz",
        "deepmind": folder / "sample.pickle",
        "native": folder / "exact.npz",
        "compact": folder / "compact.npz",
        "tar": folder / "T0.50.tar.gz",
    }
    for path in files.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(files["botan"], **botan_arrays())
    np.savez_compressed(files["glassbench"], **glassbench_arrays())
    files["deepmind"].write_bytes(pickled(deepmind_content()))
    save(full_glass(), files["native"])
    save(full_glass(), files["compact"], compact=True)
    with tarfile.open(files["tar"], "w:gz") as archive:
        for name in (
            "T0.50/train/N50T0.50_1.npz",
            "T0.50/train/N50T0.50_2.npz",
            "T0.50/test/N50T0.50_401.npz",
        ):
            content = io.BytesIO()
            np.savez(content, **glassbench_arrays())
            info = tarfile.TarInfo(name)
            info.size = content.tell()
            content.seek(0)
            archive.addfile(info, content)
    return files


@pytest.fixture(scope="session")
def deepmind_sample() -> Path:
    """The real 20-particle file; skips where it is not in the cache."""
    (path,) = catalog.paths("deepmind")[:1]
    if not path.exists():
        pytest.skip(f"needs {path}")
    return path
