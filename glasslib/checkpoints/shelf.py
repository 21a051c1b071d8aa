"""Where checkpoints lie, and taking one from there without trusting it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path

import torch

from glasslib.checkpoints.card import Card
from glasslib.errors import GlassError
from glasslib.predictor import (
    InteractionPredictor,
    NetworkPredictor,
    PerceptronPredictor,
    SE3Predictor,
    TransferPredictor,
)
from glasslib.readers.boundary import opened, reading

#: All shipped checkpoints together stay below this, in bytes.
MAX_TOTAL = 10_000_000

SUMS = "SHA256SUMS"

_KINDS: tuple[type[NetworkPredictor], ...] = (
    SE3Predictor,
    InteractionPredictor,
    PerceptronPredictor,
    TransferPredictor,
)


@dataclass(frozen=True)
class Checkpoint:
    """A trained network together with what is known about it; ``card`` is None where there is none."""

    name: str
    sha256: str
    predictor: NetworkPredictor
    card: Card | None


def shipped_folder() -> Path:
    """Where the checkpoints that come with the package lie."""
    return Path(str(package_files("glasslib"))) / "bundled" / "checkpoints"


def names() -> list[str]:
    """The checkpoints that come with the package, sorted."""
    listed = sums(shipped_folder())
    return sorted(file.removesuffix(".pt") for file in listed if file.endswith(".pt"))


def card(checkpoint: str | Path) -> Card:
    """The card of a checkpoint, by its name or path.

    Raises
    ------
    GlassError
        For an unknown name, and when the card is missing, damaged or changed.
    """
    model = _locate(checkpoint)
    if not model.with_suffix(".json").is_file():
        raise GlassError("has no card", source=model, remedy=f"It would be {model.with_suffix('.json').name}")
    return _card_of(model)


def load(checkpoint: str | Path) -> NetworkPredictor:
    """The trained network, by the name of a shipped checkpoint or by the path of a file.

    Parameters
    ----------
    checkpoint :
        One of :func:`names`; or a ``.pt`` file written by a predictor's ``save``; or the directory of a
        training run, whose ``model.pt`` is taken.

    Raises
    ------
    GlassError
        For an unknown name, and when the file is damaged, is no checkpoint, or is not the one that its
        checksum was made from. Nothing in it is ever run.
    """
    return take(checkpoint).predictor


def take(checkpoint: str | Path) -> Checkpoint:
    """:func:`load`, together with the card and the checksum."""
    model = _locate(checkpoint)
    shipped = model.parent == shipped_folder()
    found = _card_of(model) if shipped or model.with_suffix(".json").is_file() else None
    sha256 = checksum(model)
    if found is not None and found.sha256 != sha256:
        raise _changed(model, found.sha256, sha256)
    name = model.stem if shipped else found.name if found else model.name
    return Checkpoint(name, sha256, read_predictor(model), found)


def read_predictor(path: Path) -> NetworkPredictor:
    """The network in a file, of whichever kind; GlassError when it is something else."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)["format"]
    # torch.load raises whatever the damage leads to: zip, pickle, key or type errors
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise GlassError(f"is not a readable checkpoint ({reason})", source=path) from error
    for kind in _KINDS:
        if found == kind.FORMAT:
            return kind.load(path)
    known = ", ".join(kind.FORMAT for kind in _KINDS)
    raise GlassError(f"has the format {str(found)[:60]!r}; those known are {known}", source=path)


def verify() -> list[Path]:
    """Check every shipped file against its checksum; returns them.

    Raises
    ------
    GlassError
        At the first that is missing or changed.
    """
    folder = shipped_folder()
    return [_verified(folder / file) for file in sorted(sums(folder))]


def sums(folder: Path) -> dict[str, str]:
    """SHA-256 by file name, as listed in a folder; empty where there is no list."""
    path = folder / SUMS
    if not path.exists():
        return {}
    with opened(path) as file, reading(str(path)):
        lines = [line.split() for line in file.read().decode("ascii").splitlines() if line.strip()]
        return {name: sha256 for sha256, name in lines}


def checksum(path: Path) -> str:
    """SHA-256 of a file."""
    with opened(path) as file, reading(str(path)):
        return hashlib.sha256(file.read()).hexdigest()


def _locate(checkpoint: str | Path) -> Path:
    if isinstance(checkpoint, str) and checkpoint in names():
        return shipped_folder() / f"{checkpoint}.pt"
    path = Path(checkpoint)
    if path.is_dir():
        path = path / "model.pt"
    if not path.is_file():
        raise GlassError(
            "there is no such checkpoint",
            source=str(checkpoint),
            remedy=f"Give the path of a file, or one of: {', '.join(names())}",
        )
    return path


def _card_of(model: Path) -> Card:
    path = model.with_suffix(".json")
    if model.parent == shipped_folder():
        _verified(model)
        _verified(path)
    return Card.load(path)


def _verified(path: Path) -> Path:
    expected = sums(path.parent).get(path.name)
    if expected is None:
        raise GlassError(f"is not listed in {SUMS}", source=path, remedy="Install the package again")
    if (found := checksum(path)) != expected:
        raise _changed(path, expected, found)
    return path


def _changed(path: Path, expected: str, found: str) -> GlassError:
    return GlassError(
        f"is not the file that was published: its SHA-256 is {found[:12]}..., not {expected[:12]}...",
        source=path,
        remedy="Copy the file again, or install the package again",
    )
