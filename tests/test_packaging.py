"""What holds the tree together: rooms import upwards only, and set-up files agree."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())

# the way data takes; a room may import only from rooms before it
ROOMS = [
    "errors",
    "command",
    "bonds",
    "glass",
    "readers",
    "catalog",
    "neighbors",
    "structure",
    "graph",
    "targets",
    "motion",
    "linear",
    "simulate",
    "reduced",
    "features",
    "equivariant",
    "baselines",
    "evaluation",
    "training",
    "predictor",
    "interpretation",
    "companions",
    "train",
    "checkpoints",
    "order_parameter",
    "environment",
    "plots",
    "predict",
    "explore",
    "results",
    "testing",
]


def room(path: Path) -> str:
    return path.relative_to(ROOT / "glasslib").parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        modules = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        for module in modules:
            if module == "glasslib" and isinstance(node, ast.ImportFrom):
                modules += [f"glasslib.{alias.name}" for alias in node.names]
            elif module.startswith("glasslib."):
                found.add(module.split(".")[1])
    return found


def test_every_room_is_on_the_plan():
    rooms = {room(path) for path in (ROOT / "glasslib").rglob("*.py")} - {"__init__"}
    assert rooms <= set(ROOMS)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "glasslib").rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT / "glasslib"))
)
def test_rooms_import_only_from_rooms_before_them(path):
    if room(path) == "__init__":
        return
    before = set(ROOMS[: ROOMS.index(room(path)) + 1])
    names_of_the_package = {"Glass", "GlassError", "load", "save", "minimum_image", "wrap", "__version__"}
    assert imported_rooms(path) - names_of_the_package <= before


@pytest.mark.parametrize("path", sorted((ROOT / "glasslib").rglob("*.py")), ids=lambda p: p.name)
def test_modules_stay_short(path):
    assert len(path.read_text().splitlines()) <= 320


def constraints() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    return {canonical(name): version for name, version in (line.split("==") for line in lines)}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements() -> list[str]:
    project = PYPROJECT["project"]
    return project["dependencies"] + [r for extra in project["optional-dependencies"].values() for r in extra]


def test_every_dependency_has_a_tested_version_within_its_range():
    from packaging.requirements import Requirement

    tested = constraints()
    for line in requirements():
        requirement = Requirement(line)
        assert tested[canonical(requirement.name)] in requirement.specifier, line


def test_torch_is_pinned_only_in_the_constraints():
    assert constraints()["torch"] == "2.13.0"
    assert [line for line in requirements() if line.startswith("torch>") or line.startswith("torch=")] == [
        "torch>=2.9"
    ]


def test_the_conda_environment_installs_the_same_as_the_makefile():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    (pip,) = [entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict)]
    assert pip[0] == "-c constraints.txt"
    (install,) = re.findall(r"-c constraints.txt -e '(.*)'", (ROOT / "Makefile").read_text())
    assert pip[1] == f"-e {install}"
    extras = set(install.removeprefix(".[").removesuffix("]").split(","))
    assert extras == set(PYPROJECT["project"]["optional-dependencies"])
    (python,) = [entry for entry in environment["dependencies"] if str(entry).startswith("python=")]
    assert python in ("python=3.11", "python=3.12", "python=3.13")


def test_the_version_is_the_same_everywhere():
    import glasslib

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert importlib.metadata.version("glasslib") == glasslib.__version__ == citation["version"]
    assert f"## {glasslib.__version__}" in (ROOT / "CHANGELOG.md").read_text()


def test_reading_a_file_does_not_load_torch():
    code = "import sys, glasslib, glasslib.catalog; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_wheel_takes_what_is_bundled():
    patterns = PYPROJECT["tool"]["setuptools"]["package-data"]["glasslib"]
    package = ROOT / "glasslib"
    taken = {path for pattern in patterns for path in package.glob(pattern)}
    for name in ("checkpoints/se3-T0.64.pt", "checkpoints/se3-T0.64.json", "checkpoints/SHA256SUMS"):
        assert package / "bundled" / name in taken


def test_readme_links_lead_somewhere():
    for document in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        for target in re.findall(r"\]\((?!http|#)([^)#]+)", (ROOT / document).read_text()):
            assert (ROOT / target).exists(), f"{document}: {target}"
