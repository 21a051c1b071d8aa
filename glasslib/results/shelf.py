"""Where results are kept."""

from __future__ import annotations

import json
from importlib.resources import files as package_files
from pathlib import Path

from glasslib.evaluation import Score, load_scores


def folder() -> Path:
    """Where the results that come with the package lie."""
    return Path(str(package_files("glasslib"))) / "bundled" / "results"


def read(name: str) -> dict[str, Score]:
    """Scores by predictor, of a result that comes with the package, such as ``"ensembles"``.

    Of a folder of results, such as ``"temperatures"``, those of all of its files.
    """
    alone, several = folder() / f"{name}.json", sorted((folder() / name).rglob("*.json"))
    return {key: score for path in several or (alone,) for key, score in load_scores(path).items()}


def levers() -> dict[str, dict[int, float]]:
    """Validation r by lever and seed, of the runs that come with the package; ``"none"`` changes nothing.

    Levers are those of :data:`glasslib.results.runs.LEVERS`. Runs of one seed have the same configurations
    set aside and can be compared.
    """
    found: dict[str, dict[int, float]] = {}
    for path in sorted((folder() / "levers").glob("*.json")):
        lever, seed = path.stem.rsplit("-seed", 1)
        found.setdefault(lever, {})[int(seed)] = json.loads(path.read_text())["validation_r"]
    return found
