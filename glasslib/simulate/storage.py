"""Working files that a killed run leaves whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from glasslib.readers.boundary import atomic_write, make_folder


def write_arrays(path: Path, arrays: Mapping[str, Any]) -> None:
    """An npz file, whole or not at all."""
    make_folder(path.parent)
    with atomic_write(path) as file:
        np.savez(file, allow_pickle=False, **arrays)


def read_arrays(path: Path) -> dict[str, Any] | None:
    """The arrays of an npz file; None when it is missing or damaged (zip's checksums tell)."""
    try:
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception:  # whatever a damaged file makes zipfile, zlib or numpy raise
        return None
