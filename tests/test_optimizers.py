"""Muon with AdamW: what torch's own two do apart, as one optimiser with one state."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from glasslib import GlassError
from glasslib.training import TrainingOptions
from glasslib.training.optimizers import OPTIMIZERS, Muon


def network():
    """A first layer of 3, hidden ones, a last one of 2, and one that takes no gradient."""
    torch.manual_seed(0)
    layers = [nn.Linear(3, 32), nn.ReLU(), nn.Linear(32, 24), nn.ReLU(), nn.Linear(24, 16), nn.Linear(16, 2)]
    made = nn.Sequential(*layers, nn.Linear(20, 20).requires_grad_(False)).double()
    return made


def steps(made, optimizers, n, schedules=(), seed=0):
    draw = torch.Generator().manual_seed(seed)
    for _ in range(n):
        x = torch.randn(50, 3, generator=draw, dtype=torch.float64)
        loss = (made[:-1](x) - x[:, :2].square()).square().mean()
        made.zero_grad()
        loss.backward()
        for each in (*optimizers, *schedules):
            each.step()
    return [p.detach().clone() for p in made.parameters()]


def cycle(optimizer, n=20):
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=n, cycle_momentum=False)


def test_it_does_what_both_do_apart_also_under_a_schedule():
    together, apart = network(), network()
    hidden = [apart[2].weight, apart[4].weight]
    others = [p for p in apart.parameters() if p.requires_grad and all(p is not h for h in hidden)]
    ours = Muon(together.parameters(), 0.01, weight_decay=0.1)
    theirs = [
        torch.optim.Muon(hidden, 0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, 0.01, weight_decay=0.1),
    ]
    found = steps(together, [ours], 10, [cycle(ours)])
    expected = steps(apart, theirs, 10, [cycle(each) for each in theirs])
    start = list(network().parameters())
    for one, other, before in zip(found, expected, start, strict=True):
        assert torch.equal(one, other)
        assert torch.equal(one, before) != before.requires_grad
    assert len({group["lr"] for group in ours.param_groups}) == 1
    assert ours.param_groups[0]["lr"] != 0.01


def test_what_a_checkpoint_keeps_goes_on_as_if_nothing_had_happened():
    unbroken = network()
    whole = Muon(unbroken.parameters(), 0.01)
    schedule = cycle(whole)
    steps(unbroken, [whole], 6, [schedule])
    kept = copy.deepcopy((unbroken.state_dict(), whole.state_dict(), schedule.state_dict()))
    expected = steps(unbroken, [whole], 6, [schedule], seed=1)

    again = network()
    resumed = Muon(again.parameters(), 0.5)
    taken_up = cycle(resumed)
    for part, state in zip((again, resumed, taken_up), kept, strict=True):
        part.load_state_dict(state)
    for one, other in zip(steps(again, [resumed], 6, [taken_up], seed=1), expected, strict=True):
        assert torch.equal(one, other)


def test_a_network_without_hidden_matrices_is_left_to_adamw():
    made, plain = nn.Linear(3, 2), nn.Linear(3, 2)
    plain.load_state_dict(made.state_dict())
    x = torch.randn(10, 3)
    for each, optimizer in ((made, Muon), (plain, torch.optim.AdamW)):
        each(x).square().mean().backward()
        assert optimizer(each.parameters(), 0.1, weight_decay=0.0).step(lambda: torch.ones(())) == 1
    assert torch.equal(made.weight, plain.weight)


def test_an_unknown_one_is_named():
    assert set(OPTIMIZERS) == {"adamw", "muon"}
    with pytest.raises(GlassError, match="optimizer: expected adamw or muon, got 'sgd'"):
        TrainingOptions(optimizer="sgd")
