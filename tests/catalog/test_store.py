"""Data sets by name, from the cache and from the command line."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from glasslib import Glass, GlassError, catalog, save
from glasslib.catalog import records
from glasslib.catalog.__main__ import main


def glass(seed: int = 0, n: int = 8) -> Glass:
    rng = np.random.default_rng(seed)
    grid = np.stack(np.meshgrid(*3 * [np.arange(2.0)]), axis=-1).reshape(-1, 3)[:n]
    return Glass(positions=grid + rng.uniform(0, 0.3, (n, 3)), types=[0] * n, box=[2.0] * 3, temperature=0.56)


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundled data set of four files, laid out as the package ships it."""
    folder = tmp_path / "kob-andersen"
    lines = []
    for temperature in ("0.44", "0.56"):
        for split in ("test", "train"):
            path = folder / f"T{temperature}/{split}/001.npz"
            path.parent.mkdir(parents=True)
            save(glass().replace(temperature=float(temperature)), path, compact=True)
            lines.append(
                f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}"
            )
    (folder / "SHA256SUMS").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr("glasslib.catalog.records.bundled_folder", lambda: folder)
    monkeypatch.setattr("glasslib.catalog.store.bundled_folder", lambda: folder)
    return folder


@pytest.fixture
def archive(cache: Path) -> Path:
    """A cached GlassBench archive of three configurations."""
    path = cache / "glassbench/T0.44.tar.gz"
    path.parent.mkdir(parents=True)
    with tarfile.open(path, "w:gz") as tar:
        for name in ("train/N8T0.44_1", "test/N8T0.44_401", "train/N8T0.44_2"):
            content = io.BytesIO()
            arrays = {"initial_positions": glass().positions * 0.9 - 0.9, "md_prop": np.ones((10, 8))}
            np.savez(content, types=np.ones(8, int), **arrays)
            info = tarfile.TarInfo(f"T0.44/{name}.npz")
            info.size = content.tell()
            content.seek(0)
            tar.addfile(info, content)
    return path


def test_every_data_set_tells_its_terms() -> None:
    assert list(catalog.datasets()) == [
        "bundled",
        "botan",
        *(f"glassbench-T{t}" for t in ("0.44", "0.50", "0.56", "0.64")),
        "deepmind",
    ]
    for entry in catalog.datasets().values():
        assert all((entry.description, entry.licence, entry.citation, entry.homepage))
    botan = catalog.datasets()["botan"].files
    assert [file.split for file in botan] == ["train"] * 10 + ["test"] * 5
    assert botan[0].url.endswith("/small_data/T0.44/train/isoconfig_N4096T0.44_1_tc07.npz")
    assert all(len(file.sha256) == 64 for file in botan)


def test_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSLIB_CACHE", "~/here")
    assert catalog.cache_folder() == Path.home() / "here"
    monkeypatch.delenv("GLASSLIB_CACHE")
    assert catalog.cache_folder().name == "glasslib"


def test_bundled(bundle: Path) -> None:
    assert catalog.is_cached("bundled")
    assert len(catalog.load("bundled")) == 4
    (train,) = catalog.load("bundled", "train", temperature=0.56)
    assert train.temperature == 0.56
    assert len(catalog.paths("bundled", limit=3)) == 3
    assert len(catalog.verify("bundled", "test")) == 2
    path = catalog.paths("bundled")[0]
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(GlassError, match="expected SHA-256"):
        catalog.load("bundled")
    path.unlink()
    with pytest.raises(GlassError, match="is missing from the package"):
        catalog.load("bundled")


def test_bundled_data_of_the_package() -> None:
    if not (records.bundled_folder() / "SHA256SUMS").exists():
        pytest.skip("no bundled data in this build")
    assert len(catalog.verify("bundled")) == len(catalog.paths("bundled"))


def test_glassbench_archive(archive: Path) -> None:
    names = [glass.source.rpartition("/")[2] for glass in catalog.load("glassbench-T0.44", "train")]
    assert names == ["N8T0.44_1.npz", "N8T0.44_2.npz"]
    assert len(catalog.load("glassbench-T0.44", "train", limit=1)) == 1
    assert len(catalog.load("glassbench-T0.44")) == 3
    assert catalog.verify("glassbench-T0.44") == [archive]
    archive.write_bytes(archive.read_bytes()[:-20])
    with pytest.raises(GlassError, match="damaged or cut short"):
        catalog.verify("glassbench-T0.44")


def test_deepmind_by_name(cache: Path) -> None:
    name = "public_dataset/temperature_ensemble/t044/train/one.pickle"
    (path,) = catalog.paths("deepmind", files=[name])
    assert path == cache / "deepmind" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    assert catalog.paths("deepmind", "train", only_cached=True) == [path]
    for bad in ("../../etc/passwd.pickle", "/x.pickle", "x.npz"):
        with pytest.raises(GlassError, match="expected the name of a pickle"):
            catalog.paths("deepmind", files=[bad])


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("nothing",), {}, "no data set is called 'nothing'; the names|The names are bundled, botan"),
        (("botan", "valid"), {}, "split: expected 'train' or 'test'"),
        (("botan",), {"limit": 0}, "limit: expected at least 1"),
        (("botan",), {"temperature": 0.5}, "has no file for split None at T = 0.5"),
        (("botan",), {"files": ["x"]}, "takes no names of files"),
        (("botan",), {"only_cached": True}, "catalog fetch botan"),
    ],
)
def test_bad_questions(
    arguments: tuple[str, ...], options: dict[str, object], message: str, cache: Path
) -> None:
    with pytest.raises(GlassError, match=message):
        catalog.load(*arguments, **options)
    assert not cache.exists()


def test_reading_writes_nothing(archive: Path, cache: Path) -> None:
    before = sorted(cache.rglob("*"))
    catalog.load("glassbench-T0.44", limit=1)
    catalog.verify("glassbench-T0.44")
    assert sorted(cache.rglob("*")) == before


def test_commands(bundle: Path, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in catalog.datasets())
    assert main(["fetch", "bundled", "--split", "test", "--quiet"]) == 0
    assert capsys.readouterr().out.count("001.npz") == 2
    assert main(["verify", "bundled"]) == 0
    assert capsys.readouterr().out == "checked 4, all sound\n"
    assert main(["path"]) == 0
    assert capsys.readouterr().out == f"{cache}\n"
    assert main(["path", "botan"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 15


def test_an_error_is_one_line_and_status_2(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "glasslib.catalog", "verify", "botan"]
    environment = {**os.environ, "GLASSLIB_CACHE": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("glasslib.catalog: data set 'botan'")
    assert done.stderr.count("\n") == 1
