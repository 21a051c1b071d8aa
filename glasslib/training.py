"""Training: one ``fit`` for every network, from two cores to many devices."""

from __future__ import annotations

import json
import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint, TQDMProgressBar
from torch import Tensor, nn
from torch.utils.data import DistributedSampler
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader

from glasslib.errors import GlassError
from glasslib.evaluation import pearson
from glasslib.glass import TYPE_NAMES


@dataclass(frozen=True)
class TrainingOptions:
    """How to train.

    Parameters
    ----------
    epochs :
        Passes over the training configurations at most.
    patience :
        Stop after so many epochs without a better validation score.
    validation :
        Fraction of the configurations set aside (at least one): they choose the best epoch, and
        no test configuration ever does.
    learning_rate, weight_decay, clip :
        AdamW with a one-cycle schedule that peaks at ``learning_rate``; gradients are clipped to
        the norm ``clip``.
    batch_size :
        Configurations per step and device.
    particle_type :
        Particles whose propensity is learned and scored: ``"A"``, ``"B"`` or ``"AB"``.
    seed :
        Of everything: weights, the validation split, the order, dropout.
    """

    epochs: int = 60
    patience: int = 20
    validation: float = 0.2
    learning_rate: float = 5e-3
    weight_decay: float = 0.1
    clip: float = 1.0
    batch_size: int = 1
    particle_type: str = "A"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "patience", "batch_size", "learning_rate", "clip"):
            if not getattr(self, name) > 0:
                raise GlassError(f"expected a positive number, got {getattr(self, name)}", field=name)
        if not 0 < self.validation < 1:
            raise GlassError(
                f"expected a fraction between 0 and 1, got {self.validation}", field="validation"
            )
        if not self.particle_type or not set(self.particle_type) <= set(TYPE_NAMES):
            raise GlassError(f"expected 'A', 'B' or 'AB', got {self.particle_type!r}", field="particle_type")


class PropensityModule(pl.LightningModule):
    """A network together with its loss, score, optimiser and history, as Lightning wants them."""

    def __init__(
        self, network: nn.Module, graphs: Sequence[Data], validation: Sequence[Data], options: TrainingOptions
    ):
        super().__init__()
        self.network = network
        self.graphs = list(graphs)
        self.validation = list(validation)
        self.options = options
        self.history: list[dict[str, float]] = []
        self._scores: list[tuple[float, float]] = []
        self._losses: list[Tensor] = []

    # data: the order is a function of seed and epoch alone, so that a resumed run sees the same
    def train_dataloader(self) -> DataLoader:
        """Training graphs, shuffled by seed and epoch, shared out among devices."""
        sampler = self._sampler(self.graphs, shuffle=True)
        return DataLoader(self.graphs, batch_size=self.options.batch_size, sampler=sampler)

    def val_dataloader(self) -> DataLoader:
        """Validation graphs, one by one."""
        return DataLoader(
            self.validation, batch_size=1, sampler=self._sampler(self.validation, shuffle=False)
        )

    def _sampler(self, graphs: list[Data], *, shuffle: bool) -> DistributedSampler[Any]:
        return DistributedSampler(
            graphs,  # type: ignore[arg-type]
            num_replicas=self.trainer.world_size,
            rank=self.trainer.global_rank,
            shuffle=shuffle,
            seed=self.options.seed,
        )

    def on_train_epoch_start(self) -> None:
        """Seed dropout by epoch and device."""
        self._losses.clear()
        torch.manual_seed(hash((self.options.seed, self.current_epoch, self.trainer.global_rank)) % 2**31)

    def _residual(self, batch: Data) -> tuple[Tensor, Tensor]:
        """Prediction and truth of the particles that count, in units of the targets' spread."""
        numbers = torch.tensor([TYPE_NAMES.index(t) for t in self.options.particle_type])
        chosen = torch.isin(batch.types, numbers.to(batch.types.device))
        types = batch.types[chosen]
        mean, std = self.network.target_mean[types], self.network.target_std[types]  # type: ignore[index]
        prediction = self.network(batch)[chosen]
        return (prediction - mean) / std, (batch.y[chosen] - mean) / std

    def training_step(self, batch: Data, _: int) -> Tensor:
        """Mean squared error."""
        prediction, truth = self._residual(batch)
        loss = nn.functional.mse_loss(prediction, truth)
        self._losses.append(loss.detach())
        self.log("loss", loss, prog_bar=True, batch_size=1)
        return loss

    def validation_step(self, batch: Data, _: int) -> None:
        """Loss and Pearson r, averaged over times, of one configuration."""
        prediction, truth = self._residual(batch)
        r = np.mean([pearson(p, t) for p, t in zip(prediction.T.cpu(), truth.T.cpu(), strict=True)])
        self._scores.append((nn.functional.mse_loss(prediction, truth).item(), float(r)))

    def on_validation_epoch_end(self) -> None:
        """Average over configurations and devices; Lightning's callbacks choose by the result."""
        loss, r = np.mean(self._scores, axis=0)
        self._scores.clear()
        self.log("validation_loss", float(loss), sync_dist=True)
        self.log("validation_r", float(r), prog_bar=True, sync_dist=True)

    def on_train_epoch_end(self) -> None:
        """Append to the history."""
        metrics = self.trainer.callback_metrics
        record = {
            name: float(metrics[name]) for name in ("validation_loss", "validation_r") if name in metrics
        }
        record["loss"] = float(torch.stack(self._losses).mean()) if self._losses else math.nan
        self.history.append({"epoch": self.current_epoch, **record})

    def configure_optimizers(self) -> dict[str, Any]:
        """AdamW with a one-cycle schedule."""
        optimizer = torch.optim.AdamW(
            self.parameters(), self.options.learning_rate, weight_decay=self.options.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.options.learning_rate, total_steps=int(self.trainer.estimated_stepping_batches)
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the history with the weights."""
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the history up again."""
        self.history = checkpoint["history"]


def split(n: int, fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Indices of training and of validation configurations, by seed.

    Raises
    ------
    GlassError
        With fewer than two configurations.
    """
    if n < 2:
        raise GlassError(
            f"{n} configuration(s) cannot be split into training and validation",
            remedy="Give at least two",
        )
    order = np.random.default_rng(seed).permutation(n).tolist()
    n_validation = min(max(round(n * fraction), 1), n - 1)
    return sorted(order[n_validation:]), sorted(order[:n_validation])


def fit(
    network: nn.Module,
    graphs: Sequence[Data],
    options: TrainingOptions | None = None,
    *,
    directory: str | Path,
    devices: int | str = 1,
    accelerator: str = "auto",
    progress: bool = True,
    label: dict[str, Any] | None = None,
) -> list[dict[str, float]]:
    """Train a network in place, and leave it with the weights of its best validation epoch.

    Killed at any moment and called again with the same arguments, it continues from the last
    finished epoch and ends with the same weights as an unbroken run.

    Parameters
    ----------
    network :
        Maps a graph to ``(n_particles, n_times)``; has ``normalize``, ``target_mean`` and
        ``target_std`` as :class:`glasslib.equivariant.SE3Network` does.
    graphs :
        Training configurations, ``y`` included; a part is set aside for validation.
    options :
        How to train.
    directory :
        Gets ``run.json`` (what is being trained), ``last.ckpt``, ``best.ckpt``, ``history.json``.
    devices, accelerator :
        As in :class:`lightning.pytorch.Trainer`.
    progress :
        Show a bar.
    label :
        Anything JSON-like that tells this run from others in the same directory.

    Returns
    -------
    list of dict
        ``epoch``, ``loss``, ``validation_loss``, ``validation_r`` of every epoch.

    Raises
    ------
    GlassError
        When the directory holds another run, or there are fewer than two configurations.
    """
    options = options or TrainingOptions()
    directory = Path(directory)
    chosen, held_out = split(len(graphs), options.validation, options.seed)
    last = _claim(directory, {"options": asdict(options), "label": label or {}, "n_graphs": len(graphs)})

    training = [graphs[i] for i in chosen]
    network.normalize(  # type: ignore[operator]
        *(torch.cat([getattr(graph, name) for graph in training]) for name in ("scalars", "types", "y"))
    )
    module = PropensityModule(network, training, [graphs[i] for i in held_out], options)
    best = ModelCheckpoint(
        directory, "best", "validation_r", mode="max", save_last=True, enable_version_counter=False
    )
    callbacks = [best, EarlyStopping("validation_r", mode="max", patience=options.patience)]
    if progress:
        callbacks.append(TQDMProgressBar())
    with _quiet():
        trainer = pl.Trainer(
            accelerator=accelerator,
            devices=devices,
            max_epochs=options.epochs,
            gradient_clip_val=options.clip,
            callbacks=callbacks,
            logger=False,
            enable_model_summary=False,
            enable_progress_bar=progress,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            default_root_dir=directory,
        )
        trainer.fit(module, ckpt_path=last, weights_only=True)
    state = torch.load(directory / "best.ckpt", map_location="cpu", weights_only=True)["state_dict"]
    network.load_state_dict({name.removeprefix("network."): value for name, value in state.items()})
    network.cpu().eval()
    (directory / "history.json").write_text(json.dumps(module.history, indent=1) + "\n")
    return module.history


def _claim(directory: Path, run: dict[str, Any]) -> Path | None:
    """Make the directory this run's; the checkpoint to resume from, if there is one."""
    text = json.dumps(run, indent=1, sort_keys=True) + "\n"
    card = directory / "run.json"
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not card.exists():
            card.write_text(text)
        elif card.read_text() != text:
            raise GlassError(
                "holds a run with other options or data",
                source=card,
                remedy="Choose another directory, or delete this one to start afresh",
            )
    except OSError as error:
        raise GlassError(
            f"cannot write there ({error.strerror})", source=directory, remedy="Choose another directory"
        ) from error
    last = directory / "last.ckpt"
    return last if last.exists() else None


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
