"""Environments like Colab's, made on top of this one: a few packages of its versions, the rest as here."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(sysconfig.get_paths()["purelib"])
#: What differs there from the versions in constraints.txt and matters to notebooks.
COLAB = ("numpy==2.0.2", "plotly==5.24.1", "ipywidgets==7.7.1")
#: What those need and is not installed here.
THEIRS = ("ipython-genutils==0.2.0", "tenacity==9.1.2")
#: Installed here, not on Colab, and at odds with its plotly.
UNWANTED = ("kaleido",)
#: Dependencies that Colab does not have, with what they bring along.
ABSENT = (
    *("e3nn", "lightning", "lightning-utilities", "opt-einsum-fx", "pytorch-lightning"),
    *("sphericart", "torch-geometric", "torchmetrics"),
)


class NotInstallable(Exception):
    """A package cannot be had: no network, or none for this Python."""


def canonical(name: str) -> str:
    """As package indexes compare names."""
    return re.sub(r"[-_.]+", "-", name).lower()


class Overlay:
    """A virtual environment that sees its own packages, then those of ``theirs``, then those installed here.

    The last by a folder of links outside of the environment, so that pip never changes what they lead to.
    """

    def __init__(self, folder: Path, theirs: Path, *, without: Iterable[str] = ()) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        venv.create(folder, with_pip=False, symlinks=True)
        view = folder.with_name(f"{folder.name}-view")
        view.mkdir()
        hidden = _files_of("glasslib", *UNWANTED, *without)
        for entry in HERE.iterdir():
            if entry.name not in hidden and entry.suffix != ".pth":
                (view / entry.name).symlink_to(entry)
        (self.packages / "view.pth").write_text(f"{theirs}\n{view}\n")

    @property
    def packages(self) -> Path:
        """Its own site-packages."""
        return Path(sysconfig.get_path("purelib", "venv", {"base": str(self.folder)}))

    def run(self, *arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        """This environment's Python, as on Colab and without anything that points to the repository."""
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        environment |= {"COLAB_RELEASE_TAG": "release-colab", "PLOTLY_RENDERER": "colab"}
        environment["JUPYTER_PREFER_ENV_PATH"] = "1"
        options = {"cwd": self.folder, "check": True, **options}
        return subprocess.run(
            [self.python, *arguments], env=environment, capture_output=True, text=True, **options
        )

    def install(self, package: Path) -> None:
        """Put a wheel into it, without its dependencies."""
        done = self.pip("install", "--no-index", "--no-deps", package)
        assert done.returncode == 0, done.stderr

    def pip(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """This Python's pip, at work on the overlay."""
        command = [sys.executable, "-m", "pip", "--python", self.python, *arguments]
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)

    def would_install(self, *arguments: str | Path) -> dict[str, str]:
        """Names and versions that ``pip install`` would bring."""
        report = self.folder / "report.json"
        done = self.pip("install", "--dry-run", "--quiet", "--report", report, *arguments)
        assert done.returncode == 0, done.stderr
        found: Mapping[str, Any] = json.loads(report.read_text())
        metadata = [each["metadata"] for each in found["install"]]
        return {canonical(each["name"]): each["version"] for each in metadata}

    def register_kernel(self) -> None:
        """Make ``python3`` mean this environment's kernel, whatever the user has registered."""
        folder = self.folder / "share" / "jupyter" / "kernels" / "python3"
        folder.mkdir(parents=True)
        command = [str(self.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        kernel = {"argv": command, "display_name": "Python 3", "language": "python"}
        (folder / "kernel.json").write_text(json.dumps(kernel))


def fetch_theirs(folder: Path) -> None:
    """Colab's versions, into a folder; NotInstallable where they cannot be had."""
    options = ("--no-deps", "--no-compile", "--only-binary=:all:", "--target", folder)
    command = [sys.executable, "-m", "pip", "install", *options, *COLAB, *THEIRS]
    _checked(subprocess.run(command, capture_output=True, text=True, check=False))


def _checked(done: subprocess.CompletedProcess[str]) -> None:
    """NotInstallable, with pip's last word, where it failed."""
    if done.returncode:
        raise NotInstallable((done.stderr.strip().splitlines() or ["pip failed"])[-1])


def _files_of(*names: str) -> set[str]:
    """Top-level entries of site-packages that belong to these distributions."""
    wanted = set(map(canonical, names))
    return {
        file.parts[0]
        for distribution in importlib.metadata.distributions(path=[str(HERE)])
        if canonical(distribution.metadata["Name"]) in wanted
        for file in distribution.files or ()
        if file.parts[0] not in ("..", "__pycache__")
    }


def wheel(folder: Path) -> Path:
    """The package as it is in the tree, built into a wheel, without a trace in the tree."""
    source = folder / "source"
    shutil.copytree(ROOT / "glasslib", source / "glasslib", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--wheel-dir", folder, source]
    if _setuptools() >= 77:
        command.append("--no-build-isolation")
    _checked(subprocess.run(command, capture_output=True, text=True, check=False))
    (built,) = folder.glob("glasslib-*.whl")
    return built


def _setuptools() -> int:
    try:
        return int(importlib.metadata.version("setuptools").split(".")[0])
    except importlib.metadata.PackageNotFoundError:
        return 0
