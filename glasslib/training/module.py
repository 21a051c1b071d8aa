"""A network as Lightning wants it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

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
from glasslib.motion import MotionHeads
from glasslib.targets import TargetScale, bond_kinds, scored_bonds
from glasslib.training.optimizers import OPTIMIZERS
from glasslib.training.options import TrainingOptions


class Compared(NamedTuple):
    """Prediction and truth ``(n, n_times)`` in units of the targets' spread, and their graph ``(n,)``."""

    prediction: Tensor
    truth: Tensor
    graph: Tensor

    def r(self) -> float:
        """Pearson r, averaged over times."""
        pairs = zip(self.prediction.T.cpu(), self.truth.T.cpu(), strict=True)
        return float(np.mean([pearson(p, t) for p, t in pairs]))


class Shared(list[Data]):
    """Graphs that copies of a module have in common: weights are averaged in a copy."""

    def __deepcopy__(self, memo: Any) -> Shared:
        """Itself."""
        return self


class PropensityModule(pl.LightningModule):
    """A network together with its loss, score, optimiser and history, as Lightning wants them.

    A network whose ``node_weight`` is below 1 learns bonds too: it has ``nodes_and_edges`` and
    ``bonds`` (:class:`glasslib.baselines.InteractionNetwork`), its graphs have ``bond_y``, and the
    loss is ``node_weight`` times that of the particles and the rest that of all bonds (Shiba et al.),
    these in units of their spread by kind (A-A, A-B, B-B) and time, as particles are by type.

    Beside one whose ``motion_weight`` is not 0, heads learn what else the end points tell; only training
    knows them.
    """

    def __init__(
        self, network: nn.Module, graphs: Sequence[Data], validation: Sequence[Data], options: TrainingOptions
    ):
        super().__init__()
        self.network = network
        self.graphs = Shared(graphs)
        self.validation = Shared(validation)
        self.options = options
        self.history: list[dict[str, float]] = []
        self._scores: list[dict[str, float]] = []
        self._losses: list[Tensor] = []
        self.node_weight = float(getattr(network, "node_weight", 1.0))
        if self.node_weight < 1:
            kinds = [bond_kinds(graph.types, graph.edge_index) for graph in graphs]
            scale: TargetScale = network.bonds  # type: ignore[assignment]
            scale.measure(torch.cat([graph.bond_y for graph in graphs]), torch.cat(kinds))
        self.motion_weight = float(getattr(network, "motion_weight", 0.0))
        if self.motion_weight:
            size: Any = network.options
            self.motion = MotionHeads(size.hidden, size.width, size.n_times)

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

    def _compared(self, batch: Data) -> tuple[Compared, Compared | None]:
        """The particles that count, and every bond where bonds are learned."""
        if self.node_weight == 1:
            return self._particles(self.network(batch), batch), None
        nodes, edges = self.network.nodes_and_edges(batch)  # type: ignore[operator]
        scale: TargetScale = self.network.bonds  # type: ignore[assignment]
        kinds, graph = bond_kinds(batch.types, batch.edge_index), batch.batch[batch.edge_index[1]]
        bonds = Compared(scale.standardize(edges, kinds), scale.standardize(batch.bond_y, kinds), graph)
        return self._particles(nodes, batch), bonds

    def _particles(self, prediction: Tensor, batch: Data) -> Compared:
        numbers = torch.tensor([TYPE_NAMES.index(t) for t in self.options.particle_type])
        chosen = torch.isin(batch.types, numbers.to(batch.types.device))
        types = batch.types[chosen]
        scale: TargetScale = self.network.targets  # type: ignore[assignment]
        return Compared(
            scale.standardize(prediction[chosen], types),
            scale.standardize(batch.y[chosen], types),
            batch.batch[chosen],
        )

    def _total(self, particles: Compared, bonds: Compared | None) -> Tensor:
        """The loss of particles and bonds, by ``node_weight``."""
        if bonds is None:
            return self._loss(*particles)
        return self.node_weight * self._loss(*particles) + (1 - self.node_weight) * self._loss(*bonds)

    def _with_motion(self, batch: Data) -> Tensor:
        """The loss of particles and of what else they do."""
        network: Any = self.network
        features = network.features(batch)
        representation = network.averaged(features, batch)
        particles = self._particles(network.decoded(representation, batch), batch)
        also = self.motion.loss(features, representation, batch)
        return self._loss(*particles) + self.motion_weight * also

    def training_step(self, batch: Data, _: int) -> Tensor:
        """The loss of one batch."""
        loss = self._with_motion(batch) if self.motion_weight else self._total(*self._compared(batch))
        self._losses.append(loss.detach())
        self.log("loss", loss, prog_bar=True, batch_size=1)
        return loss

    def validation_step(self, batch: Data, _: int) -> None:
        """Loss and Pearson r, averaged over times, of one configuration.

        That of the particles, also where bonds are learned beside them; of bonds A-A shorter than
        1.35 where nothing else is learned.
        """
        particles, bonds = self._compared(batch)
        scores = {"loss": self._total(particles, bonds).item(), "r": particles.r()}
        if bonds is not None:
            chosen = scored_bonds(batch)
            scores["bond_r"] = Compared(*(values[chosen] for values in bonds)).r()
        if self.node_weight == 0:
            scores["r"] = scores["bond_r"]
        self._scores.append(scores)

    def on_validation_epoch_end(self) -> None:
        """Average over configurations and devices; Lightning's callbacks choose by the result."""
        n, devices = len(self.validation), self.trainer.world_size
        # the sampler repeats some where devices do not divide them evenly; each counts once
        own = self._scores[: len(range(self.trainer.global_rank, n, devices))]
        for name in self._scores[0]:
            share = sum(scores[name] for scores in own) * devices / n
            self.log(f"validation_{name}", share, prog_bar=name == "r", sync_dist=True)
        self._scores.clear()

    def on_train_epoch_end(self) -> None:
        """Append to the history; the loss is that of all devices."""
        metrics = self.trainer.callback_metrics
        record: dict[str, float] = {"epoch": self.current_epoch, "loss": math.nan}
        if self._losses:
            loss = torch.stack(self._losses).mean()
            record["loss"] = float(self.trainer.strategy.reduce(loss, reduce_op="mean"))
        for name in ("validation_loss", "validation_r", "validation_bond_r"):
            if name in metrics:
                record[name] = float(metrics[name])
        self.history.append(record)

    def configure_optimizers(self) -> Any:
        """The optimiser that was asked for, with a one-cycle schedule."""
        peak = self.options.learning_rate
        optimizer = OPTIMIZERS[self.options.optimizer](
            self.parameters(), peak, weight_decay=self.options.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            peak,
            total_steps=int(self.trainer.estimated_stepping_batches),
            cycle_momentum="betas" in optimizer.defaults,
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the history with the weights."""
        checkpoint["history"] = self.history

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the history up again."""
        self.history = checkpoint["history"]
