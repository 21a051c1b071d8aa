"""The whole SE(3) network against the plain graph networks: a training step and a prediction.

    python benchmarks/network.py

On one graph of 4096 particles (r_c = 2): the SE(3) network as it is trained, BOTAN's network and Bapst et
al.'s, at their published sizes, these in mixed precision (bfloat16) too. They take turns, the median counts.
Writes results/network.json.
"""

from __future__ import annotations

import argparse
import json
import statistics

import numpy as np
import torch
from convolution import CUTOFF, RESULTS, liquid, seconds
from torch import nn

from glasslib.baselines import InteractionNetwork
from glasslib.equivariant import SE3Network
from glasslib.glass import Glass
from glasslib.graph import GraphOptions, build_graph


def graph(n: int):
    """Of about n particles; energies and displacements are made up, as they cost the same."""
    positions, box = liquid(n)
    rng = np.random.default_rng(0)
    glass = Glass(
        positions=positions,
        types=(rng.random(len(positions)) < 0.2).astype(np.int8),
        box=box,
        inherent_positions=positions,
        inherent_energies=rng.normal(size=len(positions)),
    )
    return build_graph(glass, GraphOptions(cutoff=CUTOFF))


def training_step(network: nn.Module, data, half: bool):
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-9)

    def step() -> None:
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            predicted = network(data)
        predicted.float().square().mean().backward()
        optimizer.step()

    return step


def prediction(network: nn.Module, data, half: bool):
    def predict() -> None:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=half):
            network(data)

    return predict


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--particles", type=int, default=4096)
    parser.add_argument("--turns", type=int, default=7)
    options = parser.parse_args()
    data = graph(options.particles)
    torch.manual_seed(0)
    networks = {
        "SE(3)": SE3Network(),
        "BOTAN": InteractionNetwork("botan"),
        "Bapst": InteractionNetwork("bapst"),
    }
    half = {f"{name}, bf16": networks[name] for name in ("BOTAN", "Bapst")}
    networks |= half
    found = {"particles": data.num_nodes, "pairs": data.num_edges, "threads": torch.get_num_threads()}
    print(f"N = {data.num_nodes}, {data.num_edges} pairs, median of {options.turns}")
    for what, make in {"training step": training_step, "prediction": prediction}.items():
        runs = {name: make(network, data, name in half) for name, network in networks.items()}
        times: dict[str, list[float]] = {name: [] for name in runs}
        for run in runs.values():
            run()
        for _ in range(options.turns):
            for name, run in runs.items():
                times[name].append(seconds(run))
        found[what] = times
        ours = statistics.median(times["SE(3)"])
        for name, values in times.items():
            weights = sum(p.numel() for p in networks[name].parameters())
            median = statistics.median(values)
            print(f"  {what:<14} {name:<11} {weights:>7} weights {median:.3f} s {median / ours:.2f} x SE(3)")
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "network.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
