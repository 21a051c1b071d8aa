"""The plain graph networks as predictors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch_geometric.data import Data

from glasslib.baselines import InteractionNetwork
from glasslib.errors import GlassError
from glasslib.evaluation import Score, bootstrap_interval, common_times, pearson
from glasslib.glass import Glass
from glasslib.graph import GraphOptions, Structure, build_graph
from glasslib.predictor.network import NetworkPredictor
from glasslib.targets import scored_bonds
from glasslib.training import TrainingOptions

#: Published (BOTAN): Adam at a constant 1e-4, clip 1, no decay, the plain mean squared error of all
#: particles in sigma_AA, 1000 epochs of 400 configurations. Here: clip and decay the same; a one-cycle
#: schedule that peaks ten times higher, for runs of far fewer steps; and a tenth of the offset's weight,
#: because in 10 epochs of 8 configurations at T = 0.44 (one seed, node_weight 0.4, r on 2 validation
#: configurations) it reached r = .38 for particles and .31 for bonds, weight 1 no more than .33 and .28.
#: At 3e-3 they were .36 and .38, but training is less steady.
TRAINING = TrainingOptions(learning_rate=1e-3, weight_decay=0.0, offset_weight=0.1)


class InteractionPredictor(NetworkPredictor):
    """BOTAN's or Bapst et al.'s network, trained on configurations and asked about others.

    BOTAN as published (Shiba et al., J. Chem. Phys. 158, 084503 (2023)) has ``node_weight=0.4`` and
    starts from weights trained on bonds alone; both need ``end_positions`` in training.

    Parameters
    ----------
    kind :
        ``"botan"`` or ``"bapst"``.
    structure :
        Positions that span the graph: ``"thermal"``, as published, or ``"inherent"``.
    training :
        How it is trained; by default :data:`TRAINING`.
    node_weight :
        Share p of the particles in the loss ``p * MSE(particles) + (1 - p) * MSE(bonds)``, in units
        of their spreads (published: in sigma_AA). 1 learns particles alone, 0 bonds alone.
    pretraining_epochs :
        Epochs on bonds alone to start from, in the folder ``pretraining`` of the run's directory.

    Raises
    ------
    GlassError
        When options make no sense, or Bapst et al.'s network is to learn bonds.
    """

    FORMAT = "glasslib interaction 3"

    def __init__(
        self,
        kind: Literal["botan", "bapst"] = "botan",
        structure: Structure = "thermal",
        training: TrainingOptions | None = None,
        *,
        node_weight: float = 1.0,
        pretraining_epochs: int = 0,
    ) -> None:
        super().__init__(training or TRAINING)
        if pretraining_epochs < 0:
            raise GlassError(f"expected 0 or more, got {pretraining_epochs}", field="pretraining_epochs")
        if structure == "both":
            raise GlassError("these networks see one structure, got 'both'", field="structure")
        if pretraining_epochs and kind == "bapst":
            raise GlassError("only BOTAN's network learns bonds", field="pretraining_epochs")
        self.graph_options = GraphOptions(
            structure, cutoff=2.0, energy=False, displacement=False, averaging_cutoff=0
        )
        self.kind: Literal["botan", "bapst"] = kind
        self.node_weight, self.pretraining_epochs = node_weight, pretraining_epochs
        #: As ``history``, of the pre-training.
        self.pretraining_history: list[dict[str, float]] = []
        self._start: dict[str, torch.Tensor] | None = None
        self.make_network(1)  # refuses what makes no sense before anything is trained

    def describe(self) -> dict[str, Any]:
        """What is shown to which network, JSON-like."""
        return {
            "kind": self.kind,
            "structure": self.graph_options.structure,
            "node_weight": self.node_weight,
            "pretraining_epochs": self.pretraining_epochs,
        }

    @classmethod
    def from_description(cls, description: dict[str, Any], training: TrainingOptions) -> Self:
        """The predictor, untrained, that :meth:`describe` described."""
        return cls(**description, training=training)

    def prepare(self, glass: Glass) -> Data:
        """The graph of a configuration; with its bonds where they are learned and known."""
        bonds = self.node_weight < 1 and glass.end_positions is not None
        return build_graph(glass, self.graph_options, bonds=bonds)

    def make_network(self, n_times: int) -> InteractionNetwork:
        """An untrained network, or while fitting a pre-trained one."""
        network = InteractionNetwork(self.kind, n_times, self.node_weight)
        if self._start is not None:
            network.load_state_dict(self._start)
        return network

    def fit(
        self,
        glasses: Sequence[Glass],
        *,
        directory: str | Path | None = None,
        progress: bool = True,
        **devices: Any,
    ) -> Self:
        """Train as any network, after the pre-training if there is one.

        See :meth:`NetworkPredictor.fit`. A run that was cut off continues in whichever of the two it was.

        Raises
        ------
        GlassError
            Also when bonds are to be learned and a configuration lacks ``end_positions``.
        """
        if self.node_weight < 1 or self.pretraining_epochs:
            for glass in glasses:
                glass.require("end_positions")
        if self.pretraining_epochs:
            folder = None if directory is None else Path(directory) / "pretraining"
            first = self._on_bonds_alone().fit(glasses, directory=folder, progress=progress, **devices)
            self._start, self.pretraining_history = first.trained().state_dict(), first.history
        try:
            return super().fit(glasses, directory=directory, progress=progress, **devices)
        finally:
            self._start = None

    def _on_bonds_alone(self) -> Self:
        # stopping early would end it at another epoch when it is called upon again
        epochs = self.pretraining_epochs
        training = replace(self.training_options, epochs=epochs, patience=epochs)
        return type(self)(self.kind, self.graph_options.structure, training, node_weight=0.0)

    def predict(self, glass: Glass) -> NDArray[np.float64]:
        """Propensity ``(n_times, n_particles)``, in sigma_AA, at ``self.times``."""
        if self.node_weight == 0:
            raise GlassError(
                "was trained on bonds alone",
                field="node_weight",
                remedy="Ask predict_bonds",
            )
        # what became of the bonds is not needed
        return super().predict(glass.replace(end_positions=None))

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
            When a configuration lacks ``end_positions``.
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
            _, edges = network.nodes_and_edges(graph.to(device))  # type: ignore[operator]
        stretching: NDArray[np.float64] = edges.T.double().cpu().numpy()
        return stretching


def _by_time(guess: NDArray[np.floating[Any]], truth: NDArray[np.floating[Any]]) -> list[float]:
    return [pearson(*rows) for rows in zip(guess, truth, strict=True)]
