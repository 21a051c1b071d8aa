"""Where results are kept."""

from __future__ import annotations

from importlib.resources import files as package_files
from pathlib import Path

from glasslib.evaluation import Score, load_scores


def folder() -> Path:
    """Where the results that come with the package lie."""
    return Path(str(package_files("glasslib"))) / "bundled" / "results"


def read(name: str) -> dict[str, Score]:
    """Scores by predictor, of a result that comes with the package, such as ``"temperatures"``."""
    return load_scores(folder() / f"{name}.json")
