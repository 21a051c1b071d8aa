"""The plain graph networks as predictors."""

from __future__ import annotations

from typing import Any, Literal, Self

from glasslib.baselines import InteractionNetwork
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
        self.kind: Literal["botan", "bapst"] = kind
        self.fresh_network(1)  # refuses what makes no sense before anything is trained

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

    def fresh_network(self, n_times: int) -> InteractionNetwork:
        """A network with random weights."""
        return InteractionNetwork(self.kind, n_times, self.node_weight)
