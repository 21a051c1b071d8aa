"""A network as Lightning wants it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DistributedSampler
from torch_geometric.data import Data
from torch_geometric.loader import DataLoader
from torch_geometric.utils import scatter

from glasslib.evaluation import pearson
from glasslib.glass import TYPE_NAMES
from glasslib.targets import TargetScale
from glasslib.training.options import TrainingOptions


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
        """Forget the losses of the epoch before."""
        self._losses.clear()

    def on_train_batch_start(self, batch: Data, batch_idx: int) -> None:
        """Seed dropout by epoch, batch and device, so that a resumed run draws the same."""
        place = (self.options.seed, self.current_epoch, batch_idx, self.trainer.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1)[0]))

    def _loss(self, prediction: Tensor, truth: Tensor, graph: Tensor) -> Tensor:
        """Mean squared error, the mean error of each configuration counted by ``offset_weight``."""
        error = prediction - truth
        offset = scatter(error, graph, reduce="mean")[graph]
        weight = self.options.offset_weight
        loss: Tensor = (error - offset).pow(2).mean() + weight * offset.pow(2).mean()
        return loss

    def _compared(self, batch: Data) -> tuple[Tensor, Tensor, Tensor]:
        """Prediction and truth of the particles that count, in units of the targets' spread; their graph."""
        numbers = torch.tensor([TYPE_NAMES.index(t) for t in self.options.particle_type])
        chosen = torch.isin(batch.types, numbers.to(batch.types.device))
        types = batch.types[chosen]
        scale: TargetScale = self.network.targets  # type: ignore[assignment]
        prediction, truth = self.network(batch)[chosen], batch.y[chosen]
        return scale.standardize(prediction, types), scale.standardize(truth, types), batch.batch[chosen]

    def training_step(self, batch: Data, _: int) -> Tensor:
        """The loss of one batch."""
        loss = self._loss(*self._compared(batch))
        self._losses.append(loss.detach())
        self.log("loss", loss, prog_bar=True, batch_size=1)
        return loss

    def validation_step(self, batch: Data, _: int) -> None:
        """Loss and Pearson r, averaged over times, of one configuration."""
        prediction, truth, graph = self._compared(batch)
        r = np.mean([pearson(p, t) for p, t in zip(prediction.T.cpu(), truth.T.cpu(), strict=True)])
        self._scores.append((self._loss(prediction, truth, graph).item(), float(r)))

    def on_validation_epoch_end(self) -> None:
        """Average over configurations and devices; Lightning's callbacks choose by the result."""
        loss, r = np.mean(self._scores, axis=0)
        self._scores.clear()
        self.log("validation_loss", float(loss), sync_dist=True)
        self.log("validation_r", float(r), prog_bar=True, sync_dist=True)

    def on_train_epoch_end(self) -> None:
        """Append to the history."""
        metrics = self.trainer.callback_metrics
        record: dict[str, float] = {"epoch": self.current_epoch}
        record["loss"] = float(torch.stack(self._losses).mean()) if self._losses else math.nan
        for name in ("validation_loss", "validation_r"):
            record[name] = float(metrics[name])
        self.history.append(record)

    def configure_optimizers(self) -> Any:
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
