"""The plain graph networks as predictors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self

from torch import nn
from torch_geometric.data import Data

from glasslib.baselines import InteractionNetwork
from glasslib.baselines.geometry import learn_geometry
from glasslib.errors import GlassError
from glasslib.graph import GraphOptions, Structure
from glasslib.predictor.bonds import BondPredictor
from glasslib.training import TrainingOptions

#: Published (BOTAN): Adam at a constant 1e-4, clip 1, no decay, the plain mean squared error of all
#: particles in sigma_AA, 1000 epochs of 400 configurations. Here: clip and decay the same; a one-cycle
#: schedule that peaks ten times higher, for runs of far fewer steps; and a tenth of the offset's weight,
#: because in 10 epochs of 8 configurations at T = 0.44 (one seed, node_weight 0.4, r on 2 validation
#: configurations) it reached r = .38 for particles and .31 for bonds, weight 1 no more than .33 and .28.
#: At 3e-3 they were .36 and .38, but training is less steady.
TRAINING = TrainingOptions(learning_rate=1e-3, weight_decay=0.0, offset_weight=0.1)


class InteractionPredictor(BondPredictor):
    """BOTAN's or Bapst et al.'s network, trained on configurations and asked about others.

    BOTAN as published (Shiba et al., J. Chem. Phys. 158, 084503 (2023)) has ``node_weight=0.4`` and
    starts from weights trained on bonds alone; both need ``end_positions`` or ``bonds`` in training.

    Parameters
    ----------
    kind :
        ``"botan"`` or ``"bapst"``.
    structure :
        Positions that span the graph: ``"thermal"``, as published, or ``"inherent"``.
    training :
        How it is trained; by default :data:`TRAINING`.
    geometry_steps :
        Before all else the encoder of edges learns distances and directions in so many steps
        (:func:`~glasslib.baselines.geometry.learn_geometry`; 1500 take half a minute). 0, as published: not.
    node_weight, pretraining_epochs :
        Of :class:`~glasslib.predictor.bonds.BondPredictor`.

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
        geometry_steps: int = 0,
        node_weight: float = 1.0,
        pretraining_epochs: int = 0,
    ) -> None:
        super().__init__(training or TRAINING, node_weight=node_weight, pretraining_epochs=pretraining_epochs)
        if structure == "both":
            raise GlassError("these networks see one structure, got 'both'", field="structure")
        if self.learns_bonds and kind == "bapst":
            raise GlassError("only BOTAN's network learns bonds", field="node_weight, pretraining_epochs")
        self.graph_options = GraphOptions(
            structure, cutoff=2.0, energy=False, displacement=False, averaging_cutoff=0
        )
        if geometry_steps < 0:
            raise GlassError(f"expected 0 or more, got {geometry_steps}", field="geometry_steps")
        self.kind: Literal["botan", "bapst"] = kind
        self.geometry_steps = geometry_steps
        self.make_network(1)  # refuses what makes no sense before anything is trained

    def describe(self) -> dict[str, Any]:
        """What is shown to which network, JSON-like."""
        return {
            "kind": self.kind,
            "structure": self.graph_options.structure,
            "geometry_steps": self.geometry_steps,
            "node_weight": self.node_weight,
            "pretraining_epochs": self.pretraining_epochs,
        }

    @classmethod
    def from_description(cls, description: dict[str, Any], training: TrainingOptions) -> Self:
        """The predictor, untrained, that :meth:`describe` described."""
        return cls(**description, training=training)

    def make_network(self, n_times: int) -> InteractionNetwork:
        """An untrained network."""
        return InteractionNetwork(self.kind, n_times, self.node_weight)

    def begin(self, network: nn.Module, progress: bool, training: Sequence[Data]) -> None:
        """Let the encoder of edges learn geometry, from the vectors of one training configuration."""
        if not self.geometry_steps:
            return
        learn_geometry(
            network.encode_edges,  # type: ignore[arg-type]
            training[0].edge_vector,
            self.graph_options.cutoff,
            self.geometry_steps,
            seed=self.training_options.seed,
            progress=progress,
        )
