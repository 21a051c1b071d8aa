"""The data sets known by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.resources import files as package_files
from pathlib import Path

from glasslib.errors import GlassError

_BOTAN_URL = "https://raw.githubusercontent.com/h3-Open-BDEC/pyg_botan/6da560c47a888b212b5d631314d5b6651bbd00aa/small_data/"
_BOTAN_SHA256 = """\
818fe7a85a2d5fa15dbf6b4a32fe2244ccc6c95ab57375ddceccfbf3e15bcb03  1
c434148509b09ae3582b5b12d2a1c866510bf6bcda1000cb7c84eaa3adc2c81e  2
cbe36e3dda27f2c52d57b46322dd8b4e92a52d369f5a683c18469d035200d0f4  3
5dc178a06be59d61cf90b69d7072e2dc8f4433e0edf21bed8a3971f4363d73f6  4
ce15d17f380e28c36e512ac66454fc2b6b26a210db0a4bdd259029100e75bf19  5
bdde2cd8e21c847c2359dd4532e530507246f876dbe51a94afdf90b420cbe0c5  6
115c2dfa7cb7b93410407f14925ef061f2c0b495b8b6e938812120ba2f9fa964  7
3886cd45c38d568c20641c7f0025d940251fa829902ed1e524fc105c0f005b9d  8
fba28fffd9cac0d51c3ffed8cb4525c346a551d07449d5bcd0614306a0fd5704  9
57f03825f3ef0f484fa6e8d7c7d317fc0a16f58f160302e56000d1e4ebe85f89  10
dfefaa469e429e6ff0936579e69255e7df4f721c83042a0cc6ab25b1dcdf6184  401
455937051b00da8374311b655a114d477cfc2e9ed6b582bd4ed407d064811ef8  402
539d6bcf2ba1d0f790176d344f21dc2f757228951a585730c652c217cc2d26dd  403
42cf455770a540fb383eff150f39c3005bda4125c00bcf2e282f4ee6d17b1c66  404
c6eb5960f5b71c699fda055992c8fd4f49a498bfe3dc30c77c958130e65a411a  405
"""
_DEEPMIND_BUCKET = "https://storage.googleapis.com/deepmind-research-glassy-dynamics/"
_DEEPMIND_SAMPLE = (
    "https://raw.githubusercontent.com/google-deepmind/deepmind-research/"
    "bd24eeae475692899e0c39e5ab5e0808f0ba284d/glassy_dynamics/testdata/test_small.pickle"
)


@dataclass(frozen=True)
class DataFile:
    """One file of a data set.

    Parameters
    ----------
    path :
        Below the cache folder (of the bundled data: below the package's folder).
    url :
        Where it is published; None for the bundled data.
    member :
        Its name inside the zip archive at ``url``, if it is published so.
    sha256 :
        Its checksum, if one is known beforehand.
    split :
        ``"train"``, ``"test"``, or None when the file holds both or neither.
    temperature :
        In epsilon_AA / k_B, if known.
    """

    path: str
    url: str | None = None
    member: str | None = None
    sha256: str | None = None
    split: str | None = None
    temperature: float | None = None


@dataclass(frozen=True)
class Dataset:
    """A data set known by name; ``size`` is that of its files, in bytes."""

    name: str
    description: str
    licence: str
    citation: str
    homepage: str
    size: int
    files: tuple[DataFile, ...] = field(repr=False)


def bundled_folder() -> Path:
    """Where the data that come with the package lie."""
    return Path(str(package_files("glasslib"))) / "bundled" / "kob-andersen"


def deepmind_file(path: str) -> DataFile:
    """A file of the DeepMind bucket, by its name there."""
    if path.startswith("/") or ".." in path.split("/") or not path.endswith(".pickle"):
        raise GlassError(
            f"expected the name of a pickle in the bucket, got {path!r}",
            field="files",
            remedy="Names look like public_dataset/temperature_ensemble/.../train/....pickle",
        )
    split = next((part for part in path.split("/") if part in ("train", "test")), None)
    return DataFile(f"deepmind/{path}", _DEEPMIND_BUCKET + path, split=split)


def _botan_files() -> Iterable[DataFile]:
    for line in _BOTAN_SHA256.splitlines():
        sha256, number = line.split()
        split = "train" if int(number) <= 400 else "test"
        path = f"T0.44/{split}/isoconfig_N4096T0.44_{number}_tc07.npz"
        yield DataFile(f"botan/{path}", _BOTAN_URL + path, sha256=sha256, split=split, temperature=0.44)


def _bundled() -> Dataset:
    folder = bundled_folder()
    sums = folder / "SHA256SUMS"
    files = []
    for line in sums.read_text(encoding="ascii").splitlines() if sums.exists() else ():
        sha256, _, path = line.partition(" ")
        path = path.lstrip(" *").removeprefix("./")
        temperature, split, _ = path.split("/")
        files.append(
            DataFile(path, sha256=sha256, split=split, temperature=float(temperature.removeprefix("T")))
        )
    return Dataset(
        name="bundled",
        description="Small Kob-Andersen configurations of our own (LAMMPS), with inherent structures",
        licence="CC-BY-4.0",
        citation="The glasslib developers",
        homepage="comes with the package",
        size=sum((folder / file.path).stat().st_size for file in files if (folder / file.path).exists()),
        files=tuple(files),
    )


def _glassbench(temperature: float) -> Dataset:
    name = f"T{temperature:.2f}.tar.gz"
    file = DataFile(
        f"glassbench/{name}",
        "https://zenodo.org/records/10118191/files/GlassBench.zip",
        member=f"KA_models/{name}",
        temperature=temperature,
    )
    return Dataset(
        name=f"glassbench-T{temperature:.2f}",
        description=f"GlassBench, 3D Kob-Andersen at T = {temperature:.2f}: 400 training, 100 test, 10 times",
        licence="CC-BY-4.0",
        citation="Jung et al., Nature Reviews Physics (2025), arXiv:2311.14752",
        homepage="https://zenodo.org/records/10118191",
        size=590_000_000,
        files=(file,),
    )


def datasets() -> dict[str, Dataset]:
    """All data sets, by name."""
    botan = Dataset(
        name="botan",
        description="Sample of the BOTAN data, Kob-Andersen at T = 0.44: 10 training, 5 test, tau_alpha",
        licence="Apache-2.0",
        citation="Shiba, Hanai, Suzumura, Shimokawabe, J. Chem. Phys. 158, 084503 (2023)",
        homepage="https://github.com/h3-Open-BDEC/pyg_botan",
        size=15 * 3_248_908,
        files=tuple(_botan_files()),
    )
    deepmind = Dataset(
        name="deepmind",
        description="DeepMind's Kob-Andersen files: a 20-particle sample; by name, all of 100 GB",
        licence="Apache-2.0",
        citation="Bapst et al., Nature Physics 16, 448 (2020), doi:10.1038/s41567-020-0842-8",
        homepage="https://github.com/google-deepmind/deepmind-research/tree/master/glassy_dynamics",
        size=180_145,
        files=(
            DataFile(
                "deepmind/test_small.pickle",
                _DEEPMIND_SAMPLE,
                sha256="9effb7bc4239ca6547d5f27031ee8a9fac2cddad1001dc49e331acd0f6e91bb4",
                temperature=0.44,
            ),
        ),
    )
    glassbench = (_glassbench(temperature) for temperature in (0.44, 0.50, 0.56, 0.64))
    return {dataset.name: dataset for dataset in (_bundled(), botan, *glassbench, deepmind)}
