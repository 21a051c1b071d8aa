"""What networks that learn bonds beside particles have in common as predictors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch_geometric.data import Data

from glasslib.errors import GlassError
from glasslib.evaluation import Score, bootstrap_interval, common_times, pearson
from glasslib.glass import Glass
from glasslib.graph import GraphOptions, build_graph, knows_bonds
from glasslib.predictor.network import NetworkPredictor
from glasslib.targets import scored_bonds
from glasslib.training import TrainingOptions


class BondPredictor(NetworkPredictor):
    """A network that can learn how bonds stretch, beside how far particles move or before it.

    After Shiba et al., J. Chem. Phys. 158, 084503 (2023).

    Parameters
    ----------
    training :
        How it is trained.
    node_weight :
        Share p of the particles in the loss ``p * MSE(particles) + (1 - p) * MSE(bonds)``, in units
        of their spreads (published: in sigma_AA). 1 learns particles alone, 0 bonds alone.
    pretraining_epochs :
        Epochs on bonds alone to start from, in the folder ``pretraining`` of the run's directory.

    Raises
    ------
    GlassError
        When options make no sense.
    """

    graph_options: GraphOptions

    def __init__(
        self, training: TrainingOptions | None, *, node_weight: float = 1.0, pretraining_epochs: int = 0
    ) -> None:
        super().__init__(training)
        if not 0 <= node_weight <= 1:
            raise GlassError(f"expected 0 to 1, got {node_weight}", field="node_weight")
        if pretraining_epochs < 0:
            raise GlassError(f"expected 0 or more, got {pretraining_epochs}", field="pretraining_epochs")
        self.node_weight, self.pretraining_epochs = node_weight, pretraining_epochs
        #: As ``history``, of the pre-training.
        self.pretraining_history: list[dict[str, float]] = []

    @property
    def learns_bonds(self) -> bool:
        """Whether bonds are learned, now or before."""
        return self.node_weight < 1 or self.pretraining_epochs > 0

    def prepare(self, glass: Glass) -> Data:
        """The graph of a configuration."""
        return build_graph(glass, self.graph_options)

    def teach(self, glass: Glass) -> Data:
        """The graph of a configuration, with its bonds where they are learned."""
        return build_graph(glass, self.graph_options, bonds=self.node_weight < 1)

    def fit(
        self,
        glasses: Sequence[Glass],
        *,
        directory: str | Path | None = None,
        start: NetworkPredictor | None = None,
        progress: bool = True,
        **devices: Any,
    ) -> Self:
        """Train as any network, after the pre-training if there is one.

        See :meth:`NetworkPredictor.fit`. A run that was cut off continues in whichever of the two it was.

        Raises
        ------
        GlassError
            Also when bonds are to be learned and a configuration knows neither ``end_positions`` nor
            ``bonds``, and when there are two starts, a pre-training and a trained predictor.
        """
        if self.learns_bonds:
            for glass in glasses:
                if not knows_bonds(glass):
                    glass.require("end_positions")
        if self.pretraining_epochs:
            if start is not None:
                raise GlassError("start from a trained predictor or from bonds, not both", field="start")
            folder = None if directory is None else Path(directory) / "pretraining"
            start = self._on_bonds_alone().fit(glasses, directory=folder, progress=progress, **devices)
            self.pretraining_history = start.history
        return super().fit(glasses, directory=directory, start=start, progress=progress, **devices)

    def _on_bonds_alone(self) -> Self:
        # stopping early would end it at another epoch when it is called upon again
        epochs = self.pretraining_epochs
        training = replace(self.training_options, epochs=epochs, patience=epochs)
        alone = {"node_weight": 0.0, "pretraining_epochs": 0}
        return type(self).from_description(self.describe() | alone, training)

    def predict(self, glass: Glass) -> NDArray[np.float64]:
        """Propensity ``(n_times, n_particles)``, in sigma_AA, at ``self.times``."""
        if self.node_weight == 0:
            raise GlassError(
                "was trained on bonds alone",
                field="node_weight",
                remedy="Ask predict_bonds",
            )
        return super().predict(glass)

    def predict_bonds(self, glass: Glass) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """How much further apart neighbours will be.

        Returns
        -------
        pairs : (2, n_edges)
            Particles j and i, every pair in both orders, sorted by i.
        stretching : (n_times, n_edges)
            As :func:`glasslib.graph.bond_stretching`, in sigma_AA, at ``self.times``.
        """
        graph = build_graph(glass, self.graph_options)
        pairs: NDArray[np.int64] = graph.edge_index.numpy()
        return pairs, self._stretching(graph)

    def score_bonds(self, glasses: Sequence[Glass]) -> Score:
        """Agreement of :meth:`predict_bonds` with what became of the A-A bonds shorter than 1.35.

        Raises
        ------
        GlassError
            When a configuration knows neither ``end_positions`` nor ``bonds``.
        """
        times = common_times(glasses)
        pairs = []
        for glass in glasses:
            graph = build_graph(glass, self.graph_options, bonds=True)
            chosen, truth = scored_bonds(graph).numpy(), graph.bond_y.T.numpy()
            pairs.append((self._stretching(graph)[:, chosen], truth[:, chosen]))
        each = np.array([_by_time(guess, truth) for guess, truth in pairs])
        pooled = _by_time(*(np.concatenate(side, axis=1) for side in zip(*pairs, strict=True)))
        return Score(times, each, each.mean(0), np.array(pooled), bootstrap_interval(each))

    def _stretching(self, graph: Data) -> NDArray[np.float64]:
        if self.node_weight == 1:
            raise GlassError(
                "was trained on particles alone", field="node_weight", remedy="Train with less, such as 0.4"
            )
        network = self.trained().eval()
        device = next(network.parameters()).device
        with torch.no_grad():
            _, edges = network.nodes_and_edges(graph.to(device))
        stretching: NDArray[np.float64] = edges.T.double().cpu().numpy()
        return stretching


def _by_time(guess: NDArray[np.floating[Any]], truth: NDArray[np.floating[Any]]) -> list[float]:
    return [pearson(*rows) for rows in zip(guess, truth, strict=True)]
