"""What distances and directions are, learned by an encoder of edges before anything else."""

from __future__ import annotations

import torch
from e3nn import o3
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from glasslib.equivariant.basis import GaussianBasis

#: Vectors of a step, and the peak of its one-cycle schedule.
BATCH, LEARNING_RATE = 4096, 1e-2

#: Gaussian shells asked for at l = 0, where g(r) has its structure, and in every component of l = 1, 2.
N_SHELLS, N_DIRECTED_SHELLS = 26, 7


def learn_geometry(
    encoder: nn.Sequential,
    vectors: Tensor,
    cutoff: float,
    steps: int,
    *,
    seed: int = 0,
    progress: bool = True,
) -> float:
    """Teach a perceptron of relative vectors what the experts' descriptors are made of.

    A perceptron as it is drawn at random hardly tells distances apart: summed over neighbours, the
    64 outputs of an untrained encoder give a line r = .15 (T = 0.64, tau_alpha, inherent) where as
    many Gaussian shells give .29, and gradient descent from the propensity alone takes hundreds of steps to
    find them. Here the kinks of the first layer are spread over the sphere of radius ``cutoff``, and both
    layers are fitted so that a linear read-out, which is then dropped, gives Gaussian shells and, more
    coarsely, their products with spherical harmonics (l = 1, 2). No propensity is used.

    Parameters
    ----------
    encoder :
        Linear, ReLU, linear, ReLU; changed in place.
    vectors : (n, 3)
        Of pairs closer than ``cutoff``, in sigma_AA.
    steps :
        Of :data:`BATCH` vectors each.
    seed :
        Of both matrices and the batches; the read-out comes from torch's own generator.
    progress :
        Show a bar.

    Returns
    -------
    float
        Share of the variance that the read-out leaves unexplained, averaged over what was asked for.
    """
    draw = torch.Generator().manual_seed(seed)
    first, second = (layer for layer in encoder if isinstance(layer, nn.Linear))
    with torch.no_grad():
        first.weight.copy_(functional.normalize(torch.randn(first.weight.shape, generator=draw)))
        first.bias.copy_((2 * torch.rand(first.bias.shape, generator=draw) - 1) * cutoff)
        nn.init.kaiming_normal_(second.weight, generator=draw)
        asked = described(vectors, cutoff)
        asked = (asked - asked.mean(0)) / asked.std(0)
    read_out = nn.Linear(second.out_features, asked.shape[1])
    weights = [*encoder.parameters(), *read_out.parameters()]
    optimizer = torch.optim.AdamW(weights, LEARNING_RATE, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=steps)
    for _ in tqdm(range(steps), desc="geometry", disable=not progress):
        chosen = torch.randint(len(vectors), (BATCH,), generator=draw)
        loss = functional.mse_loss(read_out(encoder(vectors[chosen])), asked[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        return functional.mse_loss(read_out(encoder(vectors)), asked).item()


def described(vectors: Tensor, cutoff: float) -> Tensor:
    """Gaussian shells of vectors ``(n, 3)``, and coarser ones times spherical harmonics: ``(n, 82)``."""
    length = vectors.norm(dim=1)
    harmonics = o3.spherical_harmonics([1, 2], vectors, normalize=True)
    directed = GaussianBasis(N_DIRECTED_SHELLS, cutoff)(length)[:, :, None] * harmonics[:, None]
    return torch.cat([GaussianBasis(N_SHELLS, cutoff)(length), directed.flatten(1)], dim=1)
