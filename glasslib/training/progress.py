"""How far a training is, for whoever watches it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl

from glasslib.training.directory import read_checkpoint


@dataclass(frozen=True)
class Progress:
    """Where a training stands, after a step or at the beginning of an epoch.

    Parameters
    ----------
    epoch, step :
        Epochs finished, and steps of the present one.
    n_steps :
        In an epoch.
    loss :
        Of the last step; NaN before the first.
    history :
        Of the epochs finished, as :func:`glasslib.training.fit` returns it.
    """

    epoch: int
    step: int
    n_steps: int
    loss: float
    history: list[dict[str, float]]


def history_of(directory: str | Path) -> list[dict[str, float]]:
    """What :func:`glasslib.training.fit` has done so far in a directory, epoch by epoch; nothing where it has
    not been."""
    finished, last = Path(directory) / "history.json", Path(directory) / "last.ckpt"
    history: list[dict[str, float]] = []
    if finished.exists():
        history = json.loads(finished.read_text())
    elif last.exists():
        history = read_checkpoint(last)["history"]
    return history


class Watched(pl.Callback):
    """Calls a function with the :class:`Progress` after every step and at the beginning of every epoch."""

    def __init__(self, watch: Callable[[Progress], None]) -> None:
        self._watch = watch

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The history has its entry of the epoch before."""
        self._tell(trainer, pl_module, 0, math.nan)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """A step has been made."""
        self._tell(trainer, pl_module, batch_idx + 1, float(outputs["loss"]))

    def _tell(self, trainer: pl.Trainer, module: Any, step: int, loss: float) -> None:
        n_steps = int(trainer.num_training_batches)
        self._watch(Progress(trainer.current_epoch, step, n_steps, loss, list(module.history)))
