"""The directory of a run: one process's at a time, its files whole or absent, and damage told."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.utilities import rank_zero_only

from glasslib.errors import GlassError
from glasslib.readers.boundary import atomic_write


class WholeCheckpoints(TorchCheckpointIO):
    """Checkpoints that are whole or absent.

    Lightning's own come by way of the system's folder for temporary files; where that is another file system,
    they are copied from there, and a kill can leave half of one in place of the last.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        """Write one beside its place, and then put it there; GlassError when there is no room."""
        with atomic_write(path) as file:
            torch.save(checkpoint, file)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = True) -> Any:
        """Read one; GlassError when it is damaged."""
        return read_checkpoint(path)


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """What is in a checkpoint, on the CPU.

    Raises
    ------
    GlassError
        When it is missing or damaged.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    # torch.load raises whatever the damage leads to: zip, pickle, key or type errors
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise GlassError(
            f"is not a readable checkpoint ({reason})",
            source=path,
            remedy="Choose another directory, or delete this one to start afresh",
        ) from error
    return state


def claim(directory: Path, run: dict[str, Any]) -> Path | None:
    """Make the directory this run's; the checkpoint to resume from, if there is one.

    Raises
    ------
    GlassError
        When it cannot be written, or holds another run.
    """
    text = json.dumps(run, indent=1, sort_keys=True) + "\n"
    card = directory / "run.json"
    try:
        found = card.read_text() if card.exists() else None
    except (OSError, ValueError) as error:
        raise GlassError("cannot be read", source=card, remedy="Choose another directory") from error
    if found is None:
        with atomic_write(card) as file:  # other devices may look at the same moment
            file.write(text.encode())
    elif found != text:
        raise GlassError(
            "holds a run with other options or data",
            source=card,
            remedy="Choose another directory, or delete this one to start afresh",
        )
    last = directory / "last.ckpt"
    return last if last.exists() else None


@contextmanager
def held(directory: Path) -> Iterator[None]:
    """The directory as this process's own (of several devices', as the first one's), until it ends.

    Two that train there at once would take each other's checkpoints for theirs.

    Raises
    ------
    GlassError
        When another process trains there.
    """
    lock = FileLock(directory / ".lock", blocking=False)
    if rank_zero_only.rank == 0:  # type: ignore[attr-defined]
        try:
            lock.acquire()
        except Timeout as error:  # an OSError too, hence first
            raise GlassError(
                "another process trains there at this moment",
                source=directory,
                remedy="Wait for it, or choose another directory",
            ) from error
        except (NotImplementedError, OSError):
            pass  # a file system without locks
    try:
        yield
    finally:
        lock.release()
