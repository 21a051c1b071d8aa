"""What turns gradients into steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import torch
from torch import Tensor, nn

#: Both sides of a matrix have at least so many entries if it leads from one hidden layer to the next.
HIDDEN = 16


class Muon(torch.optim.Optimizer):
    """Muon for the matrices between hidden layers, AdamW for biases, first and last layers.

    Muon (Jordan et al. 2024, :class:`torch.optim.Muon`) makes all directions of a step equally long.
    It serves where one direction, here what all particles have in common, outweighs what tells them apart.
    Steps are scaled so that learning rates mean what they mean for AdamW.

    Parameters
    ----------
    parameters :
        Of a network; those that need no gradient are left out.
    lr, weight_decay :
        Of both.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, weight_decay: float = 0.0) -> None:
        trained = [p for p in parameters if p.requires_grad]
        hidden = [p for p in trained if _is_hidden(p)]
        others = [p for p in trained if not _is_hidden(p)]
        parts: list[torch.optim.Optimizer] = []
        if hidden:
            parts.append(torch.optim.Muon(hidden, lr, weight_decay, adjust_lr_fn="match_rms_adamw"))
        if others:
            parts.append(torch.optim.AdamW(others, lr, weight_decay=weight_decay))
        super().__init__([{"params": part.param_groups[0]["params"]} for part in parts], {"lr": lr})
        self.param_groups = [part.param_groups[0] for part in parts]
        self._parts = parts
        self._share()

    def _share(self) -> None:
        """Schedules and checkpoints see one optimiser: both parts work on its groups and its state."""
        for part, group in zip(self._parts, self.param_groups, strict=True):
            part.param_groups, part.state = [group], self.state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up where a checkpoint ended."""
        super().load_state_dict(state_dict)
        self._share()

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:  # type: ignore[override]
        """One step of both."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self._parts:
            part.step()
        return loss


def _is_hidden(p: nn.Parameter) -> bool:
    return p.ndim == 2 and min(p.shape) >= HIDDEN


class _Make(Protocol):
    def __call__(
        self, parameters: Iterable[nn.Parameter], /, lr: float, *, weight_decay: float
    ) -> torch.optim.Optimizer: ...


#: By the name that an option has.
OPTIMIZERS: dict[str, _Make] = {"adamw": torch.optim.AdamW, "muon": Muon}
