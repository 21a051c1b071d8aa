"""Working files that a killed run leaves whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from glasslib.errors import GlassError
from glasslib.readers.boundary import atomic_write


def make_folder(path: Path) -> None:
    """The folder and those above it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise GlassError(f"cannot be made: {error.strerror}", source=path) from error


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """An npz file, whole or not at all; what killed runs left of it goes."""
    make_folder(path.parent)
    remove_unfinished(path)
    with atomic_write(path) as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_arrays(path: Path) -> dict[str, Any] | None:
    """The arrays of an npz file; None when it is missing or damaged (zip's checksums tell)."""
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception:  # whatever a damaged file makes zipfile, zlib or numpy raise
        return None


def remove_unfinished(path: Path) -> None:
    """Remove temporary files that a killed run left beside ``path``."""
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        left.unlink(missing_ok=True)
