"""A training step of the equivariant network's layers: ours against the same layers made with e3nn.

    python benchmarks/convolution.py                 # N = 4096, all ways
    python benchmarks/convolution.py --sizes         # also cost against N (ours), a figure with the exponent
    python benchmarks/convolution.py --memory        # also peak memory: a step, a million particles

Three layers (convolution, self-interaction, gate), 32 scalars, 16 vectors, 8 of l = 2, 8 radial functions,
r_c = 2: the same weights and, to rounding, the same outputs in every row. A step is forward, backward and
AdamW, with harmonics and radial functions made anew, as in training. Ways to get there:

fast                 glasslib's FactorisedConvolution
readable             glasslib's Convolution, pair by pair
e3nn, usual form     o3.TensorProduct with weights made for each pair (uvw), 4800 weights a pair
e3nn, weights after  o3.TensorProduct without weights on each pair, summed over neighbours for each radial
                     function, then the weights on particles: the cheapest way we found with e3nn
the same compiled    its products under torch.compile, as e3nn recommends

The floor is the time of one large matrix product with as many operations as those of `fast`, measured on
the spot. Each way has a process of its own, the median counts. Writes results/convolution.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import e3nn
import numpy as np
import torch
from e3nn import o3
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from glasslib import catalog
from glasslib.equivariant import (
    Convolution,
    FactorisedConvolution,
    GaussianBasis,
    Neighborhoods,
    neighborhoods,
)
from glasslib.equivariant.network import Layer, NetworkOptions
from glasslib.glass import wrap
from glasslib.neighbors import neighbor_pairs
from glasslib.plots import curves

RESULTS = Path(__file__).parent / "results"
CUTOFF, N_RADIAL = 2.0, 8
HIDDEN = {
    1: "32x0e + 16x1o",
    2: "32x0e + 16x1o + 8x2e",
    3: "32x0e + 16x1o + 8x2e + 4x3o",
}


def liquid(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions and box of about n particles at the liquid's density: a shipped glass, repeated or cut."""
    (glass,) = catalog.load("bundled", "test", temperature=0.64, limit=1)
    assert glass.inherent_positions is not None
    positions, box = wrap(glass.inherent_positions, glass.box), glass.box
    while len(positions) < n:
        axis = int(box.argmin())
        shift = np.eye(3)[axis] * box
        positions, box = np.concatenate([positions, positions + shift]), box + shift
    side = box * (n / len(positions)) ** (1 / 3) if n < len(positions) else box
    return positions[(positions < side).all(axis=1)], side


class Edges:
    """What e3nn's ways are given: pairs, their harmonics and radial functions."""

    def __init__(self, index: Tensor, vector: Tensor, n: int, l_max: int) -> None:
        self.index, self.n = index, n
        self.radial = GaussianBasis(N_RADIAL, CUTOFF)(vector.norm(dim=1))
        self.harmonics = o3.spherical_harmonics(list(range(l_max + 1)), vector, True, "component")


class E3nnWeightsOnPairs(Convolution):
    """Weights for each pair, then o3.TensorProduct."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.order = sorted(self.paths, key=lambda path: path.out)
        self.product = o3.TensorProduct(
            o3.Irreps([(1, (l1, (-1) ** l1)) for l1 in range(self.l_max + 1)]),
            self.irreps_in,
            self.irreps_out,
            [(p.l1, p.entry, p.out, "uvw", True) for p in self.order],
            path_normalization="none",
            shared_weights=False,
            internal_weights=False,
        )

    def forward(self, features: Tensor, edges: Edges) -> Tensor:
        weights = self.scaled_weights()
        flat = torch.cat([weights[p.out][p.rows].reshape(N_RADIAL, -1) for p in self.order], dim=1)
        j, i = edges.index
        messages = self.product(edges.harmonics, features[j], edges.radial @ flat)
        return messages.new_zeros(edges.n, messages.shape[1]).index_add(0, i, messages) * self.scale


class E3nnWeightsAfter(Convolution):
    """o3.TensorProduct without weights on pairs, a sum for each radial function, then the weights."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        found = {(p.l1, p.entry, self.irreps_out[p.out].ir): None for p in self.paths}
        self.products = list(found)
        between = o3.Irreps([(self.irreps_in[entry].mul, ir) for _, entry, ir in self.products])
        self.pieces = between.slices()
        self.product = o3.TensorProduct(
            o3.Irreps([(1, (l1, (-1) ** l1)) for l1 in range(self.l_max + 1)]),
            self.irreps_in,
            between,
            [(l1, entry, k, "uvv", False) for k, (l1, entry, _) in enumerate(self.products)],
            path_normalization="none",
        )

    def forward(self, features: Tensor, edges: Edges) -> Tensor:
        j, i = edges.index
        messages = self.product(edges.harmonics, features[j])
        zero = messages.new_zeros(edges.n, messages.shape[1])
        sums = torch.stack(
            [zero.index_add(0, i, messages * edges.radial[:, k : k + 1]) for k in range(N_RADIAL)], dim=1
        )
        outputs = []
        for out, ((_, ir), weight) in enumerate(zip(self.irreps_out, self.scaled_weights(), strict=True)):
            columns = []
            for path in self.paths:
                if path.out == out:
                    piece = sums[:, :, self.pieces[self.products.index((path.l1, path.entry, ir))]]
                    columns.append(piece.unflatten(2, (-1, ir.dim)).flatten(1, 2))
            outputs.append(torch.einsum("nrm,rc->ncm", torch.cat(columns, dim=1), weight).flatten(1))
        return torch.cat(outputs, dim=1) * self.scale


def stack(form: type[Convolution], l_max: int) -> nn.ModuleList:
    """Three layers with the given form of the convolution; the same weights for every form."""
    torch.manual_seed(0)
    options = NetworkOptions(hidden=HIDDEN[l_max], l_max=l_max, n_radial=N_RADIAL, cutoff=CUTOFF)
    inputs, hidden = o3.Irreps("3x0e + 1x1o"), o3.Irreps(options.hidden)
    layers = nn.ModuleList(Layer(hidden if k else inputs, hidden, options) for k in range(3))
    for layer in layers:
        ours = layer.convolution
        layer.convolution = form(
            ours.irreps_in, ours.irreps_out, l_max=l_max, n_radial=N_RADIAL, n_neighbors=options.n_neighbors
        )
        layer.convolution.load_state_dict(ours.state_dict(), strict=False)
    return layers


def training_step(layers: nn.ModuleList, inputs: Tensor, geometry: Callable) -> Callable[[], Tensor]:
    """A function that does one step and returns the outputs."""
    optimizer = torch.optim.AdamW(layers.parameters(), lr=1e-9)

    def step() -> Tensor:
        optimizer.zero_grad()
        features, around = inputs, geometry()
        for layer in layers:
            features = layer(features, around)
        features.square().mean().backward()
        optimizer.step()
        return features.detach()

    return step


def seconds(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return time.perf_counter() - begin


class Setting:
    """Particles, their pairs, inputs."""

    def __init__(self, n: int, l_max: int) -> None:
        positions, box = liquid(n)
        self.n, self.l_max = len(positions), l_max
        begin = time.perf_counter()
        index, vector = neighbor_pairs(positions, box, CUTOFF)
        self.index, self.vector = torch.from_numpy(index), torch.tensor(vector, dtype=torch.float32)
        self.neighborhoods()
        self.build_seconds = time.perf_counter() - begin
        self.inputs = torch.randn(self.n, 6, generator=torch.Generator().manual_seed(1))

    def step(self, form: type[Convolution], compiled: bool = False) -> Callable[[], Tensor]:
        layers = stack(form, self.l_max)
        if compiled:
            for layer in layers:
                layer.convolution.product = torch.compile(layer.convolution.product, dynamic=False)
        ours = form in (Convolution, FactorisedConvolution)
        return training_step(layers, self.inputs, self.neighborhoods if ours else self.edges)

    def neighborhoods(self) -> Neighborhoods:
        basis = GaussianBasis(N_RADIAL, CUTOFF)
        return neighborhoods(self.index, self.vector, self.n, basis, self.l_max)

    def edges(self) -> Edges:
        return Edges(self.index, self.vector, self.n, self.l_max)


def floor(step: Callable[[], object]) -> tuple[float, float]:
    """Operations of a step, and seconds that one matrix product with as many takes."""
    with FlopCounterMode(display=False) as counter:
        step()
    operations = counter.get_total_flops()
    a = torch.randn(2048, 2048)
    rate = 2 * 2048**3 / min(seconds(lambda: a @ a) for _ in range(5))
    return operations, operations / rate


WAYS: dict[str, tuple[type[Convolution], bool]] = {
    "fast": (FactorisedConvolution, False),
    "e3nn, weights after": (E3nnWeightsAfter, False),
    "the same compiled": (E3nnWeightsAfter, True),
    "readable": (Convolution, False),
    "e3nn, usual form": (E3nnWeightsOnPairs, False),
}


def one_way(n: int, l_max: int, way: str, turns: int, outputs: Path) -> dict:
    """Times of some steps in this process; the outputs go to a file."""
    setting = Setting(n, l_max)
    step = setting.step(*WAYS[way])
    torch.save(step(), outputs)  # the first step compiles and warms up
    found = {"n": setting.n, "pairs": len(setting.vector), "build_seconds": setting.build_seconds}
    found["seconds"] = [seconds(step) for _ in range(turns)]
    if way == "fast":
        found["operations"], found["floor_seconds"] = floor(step)
    return found


def compare(n: int, l_max: int, ways: list[str], turns: int) -> dict:
    """Each way in a process of its own (compiled code brings threads that would disturb the others)."""
    rows: dict[str, dict] = {}
    with tempfile.TemporaryDirectory() as folder:
        for way in ways:
            path = Path(folder, way)
            task = ["--task", "way", "--of", str(n), str(l_max), way, str(path), "--turns", str(turns)]
            rows[way] = in_a_process(task)
        outputs = {way: torch.load(Path(folder, way)) for way in ways}
    for way, output in outputs.items():
        gap = (output - outputs["fast"]).abs().max() / outputs["fast"].abs().max()
        assert gap < 1e-4, f"{way} differs from fast by {gap:.1e}"
    ours, least = rows["fast"], rows["fast"]["floor_seconds"]
    median = {way: statistics.median(row["seconds"]) for way, row in rows.items()}
    weights = sum(p.numel() for p in stack(FactorisedConvolution, l_max).parameters())
    print(f"\nN = {ours['n']}, {ours['pairs']} pairs, l_max = {l_max}, {weights} weights")
    for way, value in median.items():
        print(f"  {way:<20} {value:8.3f} s   {value / median['fast']:7.1f} x fast")
    print(f"  floor: {ours['operations'] / 1e9:.1f} GFLOP in {least:.3f} s; fast takes", end=" ")
    print(f"{median['fast'] / least:.1f} times that")
    print(f"  graph build: {ours['build_seconds'] / median['fast']:.0%} of a step", flush=True)
    return {"l_max": l_max, "weights": weights, "threads": torch.get_num_threads(), "ways": rows}


def in_a_process(arguments: list[str]) -> dict:
    """What this script prints when it is run with other arguments."""
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict = json.loads(done.stdout.splitlines()[-1])
    return found


def against_size(l_max: int, turns: int) -> list[dict[str, float]]:
    """Cost of a step of ours from 512 to 32768 particles."""
    rows = []
    for n in (512, 1024, 2048, 4096, 8192, 16384, 32768):
        setting = Setting(n, l_max)
        step = setting.step(FactorisedConvolution)
        step()
        rows.append({"n": setting.n, "seconds": statistics.median(seconds(step) for _ in range(turns))})
        print(f"  N = {setting.n:>6}: {rows[-1]['seconds']:.3f} s", flush=True)
    return rows


def exponent(rows: list[dict[str, float]]) -> float:
    """Of cost against N, by least squares on logarithms from N = 2048 on, where overhead no longer counts."""
    large = [row for row in rows if row["n"] > 1500]
    slope, _ = np.polyfit(*(np.log([row[key] for row in large]) for key in ("n", "seconds")), 1)
    return float(slope)


def memory(task: str) -> dict:
    """Peak memory in GB of this process after one task, and what importing alone took (Linux)."""

    def peak() -> float:  # getrusage would count the process that started this one
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1e6

    at_start = peak()
    if task == "step":
        step = Setting(4096, 2).step(FactorisedConvolution)
        for _ in range(3):
            step()
    else:
        setting = Setting(1_000_000, 2)
        with torch.no_grad():
            features, around = setting.inputs, setting.neighborhoods()
            for layer in stack(FactorisedConvolution, 2):
                features = layer(features, around)
        assert features.isfinite().all()
    return {"task": task, "peak_gb": peak(), "after_imports_gb": at_start}


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--l-max", type=int, nargs="+", default=[1, 2, 3], help="at N = 4096, default 1 2 3")
    parser.add_argument("--no-compile", action="store_true", help="without the compiled rows")
    parser.add_argument("--sizes", action="store_true", help="also cost against N")
    parser.add_argument("--memory", action="store_true", help="also peak memory")
    parser.add_argument("--task", choices=("way", "step", "million"), help=argparse.SUPPRESS)
    parser.add_argument("--of", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task == "way":
        n, l_max, way, path = options.of
        print(json.dumps(one_way(int(n), int(l_max), way, options.turns, Path(path))))
        return
    if options.task:
        print(json.dumps(memory(options.task)))
        return
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / "convolution.json"
    found: dict = json.loads(path.read_text()) if path.exists() else {}
    found |= {"torch": torch.__version__, "e3nn": e3nn.__version__}
    compared = found.setdefault("comparisons", {})  # what is not compared anew stays
    every = [way for way, (_, compiled) in WAYS.items() if not (compiled and options.no_compile)]
    if 2 in options.l_max:
        compared["N = 512, l_max = 2"] = compare(512, 2, every, options.turns)
    for l_max in options.l_max:
        compared[f"N = 4096, l_max = {l_max}"] = compare(4096, l_max, every[:-2], options.turns)
    if options.sizes:
        print("\ncost against N, l_max = 2")
        found["sizes"] = against_size(2, options.turns)
        found["exponent"] = exponent(found["sizes"])
        print(f"  exponent {found['exponent']:.2f}")
        line = ([row["n"] for row in found["sizes"]], [row["seconds"] for row in found["sizes"]])
        name = f"N^{found['exponent']:.2f}"
        figure = curves({name: line}, "particles", "seconds a training step", log_x=True, log_y=True)
        figure.write_html(RESULTS / "convolution.html", include_plotlyjs="cdn")
    if options.memory:
        found["memory"] = [in_a_process(["--task", task]) for task in ("step", "million")]
        print(*found["memory"], sep="\n")
    path.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
