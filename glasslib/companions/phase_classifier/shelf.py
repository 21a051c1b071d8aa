"""The trained classifiers that ship."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import torch

from glasslib.companions.phase_classifier.classifier import ClassifierOptions, PhaseClassifier
from glasslib.companions.phase_classifier.liquids import folder
from glasslib.errors import GlassError
from glasslib.graph import Structure
from glasslib.readers.boundary import atomic_write

FORMAT = "glasslib phase classifiers 1"


def trained(kind: str = "se3", structure: Structure = "inherent", seed: int = 0) -> PhaseClassifier:
    """One of the trained classifiers that ship; GlassError where there is no such one."""
    path = folder() / "networks.pt"
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        found = saved["networks"] if saved["format"] == FORMAT else {}
    # torch.load raises whatever the damage leads to: zip, pickle, key or type errors
    except Exception as error:
        raise GlassError("is not readable", source=path, remedy="Install the package again") from error
    name = ClassifierOptions(kind, structure, seed=seed).name
    if name not in found:
        raise GlassError(f"holds no {name!r}; there are {', '.join(found)}", source=path)
    classifier = PhaseClassifier(ClassifierOptions(**found[name]["options"]))
    classifier.load_state_dict(found[name]["state"])
    return classifier.eval()


def write(classifiers: Sequence[PhaseClassifier]) -> None:
    """Replace those that ship: weights and options, nothing that could run."""
    networks = {c.options.name: {"options": asdict(c.options), "state": c.state_dict()} for c in classifiers}
    with atomic_write(folder() / "networks.pt") as file:
        torch.save({"format": FORMAT, "networks": networks}, file)
