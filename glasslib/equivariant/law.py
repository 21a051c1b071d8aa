"""How irreps turn."""

from __future__ import annotations

import torch
from e3nn import o3
from torch import Tensor


def law(irreps: o3.Irreps | str, turn: Tensor) -> Tensor:
    """The matrix ``(dim, dim)`` by which irreps transform under ``turn`` ``(3, 3)``, a rotation with or
    without an inversion; in float64 (e3nn computes it in torch's default type)."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        matrix: Tensor = o3.Irreps(irreps).D_from_matrix(turn.double())
        return matrix
    finally:
        torch.set_default_dtype(before)
