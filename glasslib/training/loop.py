"""Fit a network: the loop, its checkpoints, and how a run that was cut off goes on."""

from __future__ import annotations

import json
import logging
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from threading import current_thread, main_thread
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import EarlyStopping, EMAWeightAveraging, ModelCheckpoint, TQDMProgressBar
from torch import nn
from torch_geometric.data import Data

from glasslib.errors import GlassError
from glasslib.readers.boundary import atomic_write, make_folder, opened, reading
from glasslib.training.directory import WholeCheckpoints, claim, held, read_checkpoint
from glasslib.training.module import PropensityModule
from glasslib.training.options import TrainingOptions, split
from glasslib.training.progress import Progress, Watched

#: Lightning's names of what can be computed in: single precision, and halves where they serve.
PRECISIONS = ("32-true", "bf16-mixed", "16-mixed")


def fit(
    network: nn.Module,
    graphs: Sequence[Data],
    options: TrainingOptions | None = None,
    *,
    directory: str | Path,
    devices: int | str = 1,
    num_nodes: int = 1,
    accelerator: str = "auto",
    precision: str = "32-true",
    progress: bool = True,
    label: dict[str, Any] | None = None,
    begin: Callable[[list[Data]], None] | None = None,
    watch: Callable[[Progress], None] | None = None,
) -> list[dict[str, float]]:
    """Train a network in place, and leave it with the weights of its best validation epoch.

    Where no configuration is set aside (``validation=0``), those of the last epoch take their place.

    Killed at any moment and called again with the same arguments, it continues from the last
    finished epoch and ends with the same weights as an unbroken run; a finished one is not touched.

    Parameters
    ----------
    network :
        Maps a graph to ``(n_particles, n_times)``; has ``normalize`` and ``targets`` as
        :class:`glasslib.equivariant.SE3Network` does.
    graphs :
        Training configurations, ``y`` included; a part is set aside for validation.
    options :
        How to train.
    directory :
        Gets ``run.json`` (what is being trained), ``last.ckpt``, ``best.ckpt``, ``history.json``.
    devices, num_nodes, accelerator :
        As in :class:`lightning.pytorch.Trainer`. Every device takes ``batch_size`` configurations a step; so
        n of them make the steps that one makes with n times the batch (but draw dropout apart). Machines
        share the directory.
    precision :
        One of :data:`PRECISIONS`. Mixed ones leave the convolution and the averages in single precision.
    progress :
        Show a bar.
    label :
        Anything JSON-like that tells this run from others in the same directory.
    begin :
        Called with the training graphs before the first epoch, to improve random weights; not by a run that
        continues or is finished.
    watch :
        Called after every step. What it raises ends the training as a kill does: it can be continued.

    Returns
    -------
    list of dict
        ``epoch``, ``loss``, and where configurations were set aside ``validation_loss`` and
        ``validation_r``, of every epoch.

    Raises
    ------
    GlassError
        When the directory holds another run, is damaged, full or in use by another process; when there are
        too few configurations, or the precision is unknown.
    """
    if precision not in PRECISIONS:
        raise GlassError(f"expected one of {', '.join(PRECISIONS)}, got {precision!r}", field="precision")
    options = options or TrainingOptions()
    directory = Path(directory)
    chosen, held_out = split(len(graphs), options.validation, options.seed)
    make_folder(directory)
    with held(directory):
        last = claim(directory, {"options": asdict(options), "label": label or {}, "n_graphs": len(graphs)})
        finished = directory / "history.json"
        if finished.exists():
            with opened(finished) as file, reading(str(finished)):
                history: list[dict[str, float]] = json.loads(file.read())
        else:
            history = _train(
                network,
                [graphs[i] for i in chosen],
                [graphs[i] for i in held_out],
                options,
                directory,
                last,
                begin,
                watch,
                devices=devices,
                num_nodes=num_nodes,
                accelerator=accelerator,
                precision=precision,
                enable_progress_bar=progress,
            )
        _take_best(network, directory)
    return history


def _train(
    network: nn.Module,
    training: list[Data],
    held_out: list[Data],
    options: TrainingOptions,
    directory: Path,
    last: Path | None,
    begin: Callable[[list[Data]], None] | None,
    watch: Callable[[Progress], None] | None,
    *,
    enable_progress_bar: bool,
    **devices: Any,
) -> list[dict[str, float]]:
    """Run all epochs, or those that are left; the history, which is written when all is done."""
    if last is None and begin is not None:
        begin(training)
    network.normalize(  # type: ignore[operator]
        *(torch.cat([getattr(graph, name) for graph in training]) for name in ("scalars", "types", "y"))
    )
    network.train()  # all of it, also what has been asked for predictions before
    module = PropensityModule(network, training, held_out, options)
    best = ModelCheckpoint(
        directory,
        "best",
        monitor="validation_r" if held_out else None,
        mode="max",
        # after the history has its entry, so that a resumed run starts with the next epoch
        save_on_train_epoch_end=True,
        enable_version_counter=False,
    )
    every = EveryEpoch(directory, "last", save_on_train_epoch_end=True, enable_version_counter=False)
    callbacks: list[pl.Callback] = [best, every]
    if held_out:
        callbacks.append(EarlyStopping("validation_r", mode="max", patience=options.patience))
    if options.weight_averaging:
        callbacks.append(EMAWeightAveraging(decay=options.weight_averaging))
    if enable_progress_bar:
        callbacks.append(TQDMProgressBar())
    if watch is not None:
        callbacks.append(Watched(watch))
    with _quiet(), _interruptible():
        trainer = pl.Trainer(
            max_epochs=options.epochs,
            gradient_clip_val=options.clip,
            callbacks=callbacks,
            plugins=WholeCheckpoints(),
            logger=False,
            enable_model_summary=False,
            enable_progress_bar=enable_progress_bar,
            num_sanity_val_steps=0,
            limit_val_batches=1.0 if held_out else 0,
            use_distributed_sampler=False,
            default_root_dir=directory,
            **devices,
        )
        trainer.fit(module, ckpt_path=last, weights_only=True)
    if trainer.is_global_zero:
        with atomic_write(directory / "history.json") as file:
            file.write(f"{json.dumps(module.history, indent=1)}\n".encode())
    return module.history


class EveryEpoch(ModelCheckpoint):
    """Where to continue. Lightning's own ``save_last`` skips epochs that are not the best so far."""


def _take_best(network: nn.Module, directory: Path) -> None:
    """Give the network the weights of its best validation epoch."""
    state = read_checkpoint(directory / "best.ckpt")["state_dict"]
    prefix = "network."  # beside it there may be heads that only training knows
    own = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
    network.load_state_dict(own)
    network.cpu().eval()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C and a notebook's stop button raise KeyboardInterrupt, here as everywhere.

    Lightning would make it the end of the program, and leave the next one unheard.
    """
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as error:
        if isinstance(error.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    finally:
        if current_thread() is main_thread():
            signal.signal(signal.SIGINT, handler)


@contextmanager
def _quiet() -> Iterator[None]:
    """Lightning without its advertisements and the hints that do not apply here."""
    loggers = [
        logging.getLogger(f"lightning.pytorch.{name}")
        for name in ("utilities.rank_zero", "accelerators.cuda")
    ]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # graphs are in memory already: worker processes would only copy them
            warnings.filterwarnings("ignore", message=".*does not have many workers.*")
            # the directory is ours, and last.ckpt is meant to be overwritten
            warnings.filterwarnings("ignore", message=".*exists and is not empty.*")
            # ten configurations are a whole epoch
            warnings.filterwarnings("ignore", message=".*log_every_n_steps.*")
            # Lightning's own use of torch
            warnings.filterwarnings("ignore", message=".*LeafSpec.*", category=FutureWarning)
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
