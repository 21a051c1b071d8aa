"""How to train, and which configurations choose the best epoch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from glasslib.errors import GlassError
from glasslib.glass import TYPE_NAMES
from glasslib.training.optimizers import OPTIMIZERS


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
        no test configuration ever does. 0: all are trained on, and the last epoch counts.
    learning_rate, weight_decay, clip :
        A one-cycle schedule peaks at ``learning_rate``; gradients are clipped to the norm ``clip``.
    optimizer :
        ``"adamw"``, or ``"muon"`` (:class:`glasslib.training.optimizers.Muon`).
    weight_averaging :
        Decay per step of a moving average of the weights, which takes their place in validation and at the
        end (such as 0.99); 0: none.
    offset_weight :
        How much the mean error of a whole configuration counts in the loss beside the errors of its
        particles relative to it. Below 1, because how fast a configuration is as a whole is hardly
        in its structure, and would be most of the noise in the gradient of a single one.
    batch_size :
        Configurations per step and device.
    particle_type :
        Particles whose propensity is learned and scored: ``"A"``, ``"B"`` or ``"AB"``.
    seed :
        Of everything: weights, the validation split, the order, dropout.
    """

    epochs: int = 120
    patience: int = 60
    validation: float = 0.2
    learning_rate: float = 5e-3
    weight_decay: float = 0.1
    clip: float = 1.0
    optimizer: str = "adamw"
    weight_averaging: float = 0.0
    offset_weight: float = 0.1
    batch_size: int = 1
    particle_type: str = "A"
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("epochs", "patience", "batch_size", "learning_rate", "clip"):
            if not getattr(self, name) > 0:
                raise GlassError(f"expected a positive number, got {getattr(self, name)}", field=name)
        if self.optimizer not in OPTIMIZERS:
            raise GlassError(f"expected {' or '.join(OPTIMIZERS)}, got {self.optimizer!r}", field="optimizer")
        if not 0 <= self.weight_averaging < 1:
            raise GlassError(f"expected 0 to below 1, got {self.weight_averaging}", field="weight_averaging")
        if not 0 <= self.offset_weight <= 1:
            raise GlassError(f"expected 0 to 1, got {self.offset_weight}", field="offset_weight")
        if self.seed < 0:
            raise GlassError(f"expected 0 or more, got {self.seed}", field="seed")
        if not 0 <= self.validation < 1:
            raise GlassError(
                f"expected a fraction from 0 to 1 (not 1 itself), got {self.validation}", field="validation"
            )
        if not self.particle_type or not set(self.particle_type) <= set(TYPE_NAMES):
            raise GlassError(f"expected 'A', 'B' or 'AB', got {self.particle_type!r}", field="particle_type")


def split(n: int, fraction: float, seed: int) -> tuple[list[int], list[int]]:
    """Indices of training and of validation configurations (none where ``fraction`` is 0), by seed.

    Raises
    ------
    GlassError
        With too few configurations.
    """
    if n < (2 if fraction else 1):
        raise GlassError(
            f"{n} configuration(s) cannot be split into training and validation",
            remedy="Give at least two, or set validation=0 to train on all of them",
        )
    if not fraction:
        return list(range(n)), []
    order = np.random.default_rng(seed).permutation(n).tolist()
    n_validation = min(max(round(n * fraction), 1), n - 1)
    return sorted(order[n_validation:]), sorted(order[:n_validation])
