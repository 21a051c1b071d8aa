"""A training step of the equivariant network's layers: ours against the same layers made with e3nn.

    python benchmarks/convolution.py                 # N = 4096, all ways
    python benchmarks/convolution.py --sizes         # also cost against N (ours), a figure with the exponent
    python benchmarks/convolution.py --memory        # also peak memory: a step, a million particles
    python benchmarks/convolution.py --device cuda --tf32 --sizes    # the same on a GPU

Three layers (convolution, self-interaction, gate), 32 scalars, 16 vectors, 8 of l = 2, 8 radial functions,
r_c = 2: the same weights and, to rounding, the same outputs in every row. A step is forward, backward and
AdamW, with harmonics and radial functions made anew, as in training. Ways to get there:

fast                 glasslib's FactorisedConvolution
readable             glasslib's Convolution, pair by pair
e3nn, usual form     o3.TensorProduct with weights made for each pair (uvw), 4800 weights a pair
e3nn, weights after  o3.TensorProduct without weights on each pair, summed over neighbours for each radial
                     function, then the weights on particles: the cheapest way we found with e3nn
the same compiled    its products under torch.compile, as e3nn recommends
cuEquivariance       its products by cuequivariance_torch, where that is installed and on a GPU

The arithmetic floor is the time of one large matrix product with as many operations as those of `fast`,
measured on the spot; on a GPU the time to move the bytes that its operations read and write stands beside
it, at the speed of a large copy. Each way has a process of its own, the median counts. Writes
results/convolution.json (on a GPU convolution-cuda.json).
"""

from __future__ import annotations

import argparse
import importlib.util
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
from other_convolutions import CUTOFF, N_RADIAL, CuEquivariance, E3nnWeightsAfter, E3nnWeightsOnPairs, Edges
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
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


def stack(form: type[Convolution], l_max: int, device: str = "cpu") -> nn.ModuleList:
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
    return layers.to(device)


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
    """Of one call; a GPU's work is waited for."""
    wait = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    wait()
    begin = time.perf_counter()
    run()
    wait()
    return time.perf_counter() - begin


class Setting:
    """Particles, their pairs, inputs, on a device."""

    def __init__(self, n: int, l_max: int, device: str = "cpu") -> None:
        positions, box = liquid(n)
        self.n, self.l_max, self.device = len(positions), l_max, device
        begin = time.perf_counter()
        index, vector = neighbor_pairs(positions, box, CUTOFF)
        self.index = torch.from_numpy(index).to(device)
        self.vector = torch.tensor(vector, dtype=torch.float32, device=device)
        self.neighborhoods()
        self.build_seconds = time.perf_counter() - begin
        self.inputs = torch.randn(self.n, 6, generator=torch.Generator().manual_seed(1)).to(device)

    def step(self, form: type[Convolution], compiled: bool = False) -> Callable[[], Tensor]:
        layers = stack(form, self.l_max, self.device)
        if compiled:
            for layer in layers:
                layer.convolution.product = torch.compile(layer.convolution.product, dynamic=False)
        ours = form in (Convolution, FactorisedConvolution)
        return training_step(layers, self.inputs, self.neighborhoods if ours else self.edges)

    def neighborhoods(self) -> Neighborhoods:
        basis = GaussianBasis(N_RADIAL, CUTOFF).to(self.device)
        return neighborhoods(self.index, self.vector, self.n, basis, self.l_max)

    def edges(self) -> Edges:
        return Edges(self.index, self.vector, self.n, self.l_max)


class BytesMoved(TorchDispatchMode):
    """Adds up the bytes of every tensor that an operation reads or writes; views move nothing."""

    total = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        found = function(*args, **(kwargs or {}))
        if not function.is_view:
            tensors = (x for x in tree_leaves((args, kwargs, found)) if isinstance(x, Tensor))
            self.total += sum(x.numel() * x.element_size() for x in tensors)
        return found


def limits(step: Callable[[], object], device: str) -> dict[str, float]:
    """What a step computes, and how long one matrix product with as many operations takes.

    On a GPU also what it moves, and how long a copy of as many bytes takes; a processor's caches hold most.
    """
    with FlopCounterMode(display=False) as counter:
        step()
    side = 2048 if device == "cpu" else 8192
    a = torch.randn(side, side, device=device)
    rate = 2 * side**3 / min(seconds(lambda: a @ a) for _ in range(5))
    found = {"operations": counter.get_total_flops(), "arithmetic_seconds": counter.get_total_flops() / rate}
    if device != "cpu":
        with BytesMoved() as moved:
            step()
        b = torch.empty(2**30, dtype=torch.uint8, device=device)
        bandwidth = 2 * len(b) / min(seconds(b.clone) for _ in range(5))
        found |= {"bytes": moved.total, "memory_seconds": moved.total / bandwidth}
    return found


WAYS: dict[str, tuple[type[Convolution], bool]] = {
    "fast": (FactorisedConvolution, False),
    "e3nn, weights after": (E3nnWeightsAfter, False),
    "the same compiled": (E3nnWeightsAfter, True),
    "readable": (Convolution, False),
    "cuEquivariance": (CuEquivariance, False),
    "e3nn, usual form": (E3nnWeightsOnPairs, False),
}


def one_way(n: int, l_max: int, way: str, options: argparse.Namespace, outputs: Path) -> dict:
    """Times of some steps in this process; the outputs go to a file."""
    setting = Setting(n, l_max, options.device)
    step = setting.step(*WAYS[way])
    torch.save(step().cpu(), outputs)  # the first step compiles and warms up
    found = {"n": setting.n, "pairs": len(setting.vector), "build_seconds": setting.build_seconds}
    found["seconds"] = [seconds(step) for _ in range(options.turns)]
    if way == "fast":
        found |= limits(step, options.device)
    return found


def compare(n: int, l_max: int, ways: list[str], options: argparse.Namespace) -> dict:
    """Each way in a process of its own (compiled code brings threads that would disturb the others)."""
    rows: dict[str, dict] = {}
    with tempfile.TemporaryDirectory() as folder:
        for way in ways:
            path = Path(folder, way)
            task = ["--task", "way", "--of", str(n), str(l_max), way, str(path)]
            task += ["--turns", str(options.turns), "--device", options.device] + ["--tf32"] * options.tf32
            rows[way] = in_a_process(task)
        outputs = {way: torch.load(Path(folder, way), weights_only=True) for way in ways}
    for way, output in outputs.items():
        gap = (output - outputs["fast"]).abs().max() / outputs["fast"].abs().max()
        assert gap < (1e-2 if options.tf32 else 1e-4), f"{way} differs from fast by {gap:.1e}"
    ours = rows["fast"]
    median = {way: statistics.median(row["seconds"]) for way, row in rows.items()}
    weights = sum(p.numel() for p in stack(FactorisedConvolution, l_max).parameters())
    print(f"\nN = {ours['n']}, {ours['pairs']} pairs, l_max = {l_max}, {weights} weights")
    for way, value in median.items():
        print(f"  {way:<20} {value:8.3f} s   {value / median['fast']:7.1f} x fast")
    for what, amount in (("arithmetic", "operations"), ("memory", "bytes")):
        if amount not in ours:
            continue
        least = ours[f"{what}_seconds"]
        print(f"  {what}: {ours[amount] / 1e9:.1f} G{amount} take {least:.4f} s", end="; ")
        print(f"fast takes {median['fast'] / least:.1f} times that")
    print(f"  graph build: {ours['build_seconds'] / median['fast']:.0%} of a step", flush=True)
    where = torch.cuda.get_device_name() if options.device == "cuda" else f"{torch.get_num_threads()} threads"
    return {"l_max": l_max, "weights": weights, "where": where, "tf32": options.tf32, "ways": rows}


def in_a_process(arguments: list[str]) -> dict:
    """What this script prints when it is run with other arguments."""
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: dict = json.loads(done.stdout.splitlines()[-1])
    return found


def against_size(l_max: int, options: argparse.Namespace) -> list[dict[str, float]]:
    """Cost of a step of ours from 512 to 32768 particles."""
    rows = []
    for n in (512, 1024, 2048, 4096, 8192, 16384, 32768):
        setting = Setting(n, l_max, options.device)
        step = setting.step(FactorisedConvolution)
        step()
        times = [seconds(step) for _ in range(options.turns)]
        rows.append({"n": setting.n, "seconds": statistics.median(times)})
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
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--tf32", action="store_true", help="let a GPU's matrix products round to TF32")
    parser.add_argument("--task", choices=("way", "step", "million"), help=argparse.SUPPRESS)
    parser.add_argument("--of", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        parser.error("this machine has no GPU that torch can use")
    torch.set_float32_matmul_precision("high" if options.tf32 else "highest")
    if options.task == "way":
        n, l_max, way, path = options.of
        print(json.dumps(one_way(int(n), int(l_max), way, options, Path(path))))
        return
    if options.task:
        print(json.dumps(memory(options.task)))
        return
    RESULTS.mkdir(exist_ok=True)
    name = "convolution" if options.device == "cpu" else f"convolution-{options.device}"
    path = RESULTS / f"{name}.json"
    found: dict = json.loads(path.read_text()) if path.exists() else {}
    found |= {"torch": torch.__version__, "e3nn": e3nn.__version__}
    compared = found.setdefault("comparisons", {})  # what is not compared anew stays
    every = [way for way, (_, compiled) in WAYS.items() if not (compiled and options.no_compile)]
    if options.device == "cpu" or not importlib.util.find_spec("cuequivariance_torch"):
        every.remove("cuEquivariance")
    if 2 in options.l_max:
        compared["N = 512, l_max = 2"] = compare(512, 2, every, options)
    lean = [way for way in every if way not in ("readable", "e3nn, usual form")]  # 12 GB a layer
    for l_max in options.l_max:
        compared[f"N = 4096, l_max = {l_max}"] = compare(4096, l_max, lean, options)
    if options.sizes:
        print("\ncost against N, l_max = 2")
        found["sizes"] = against_size(2, options)
        found["exponent"] = exponent(found["sizes"])
        print(f"  exponent {found['exponent']:.2f}")
        line = ([row["n"] for row in found["sizes"]], [row["seconds"] for row in found["sizes"]])
        law = f"N^{found['exponent']:.2f}"
        figure = curves({law: line}, "particles", "seconds a training step", log_x=True, log_y=True)
        figure.write_html(RESULTS / f"{name}.html", include_plotlyjs="cdn")
    if options.memory:
        found["memory"] = [in_a_process(["--task", task]) for task in ("step", "million")]
        print(*found["memory"], sep="\n")
    path.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
