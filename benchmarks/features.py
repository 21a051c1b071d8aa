"""All expert features of a configuration: ours against libraries that compute comparable ones.

    pip install ase dscribe featomic freud-analysis
    python benchmarks/features.py

N = 4096: radial densities in 57 shells up to 5 for each type, bond-order parameters of degree 1 to 8 in 31
shells up to 4, energy and displacement, all averaged over neighbours 0 to 3 times: 1456 numbers a particle.
The others are asked for less, each for what it can do:

featomic   the same densities and bond-order parameters (its spherical expansion with our Gaussians as radial
           functions, then norms in numpy); no averages, no energy
featomic 8 the same with fewer radial functions, its own: 8 to 4.5 with degrees to 8, 12 to 5.5 without
freud      neighbours, and the bond-order parameters (Steinhardt parameters with our weights, shell by shell,
           each over the pairs that are near it); nothing else
dscribe    densities by ACSF (the same times a cosine), and the power spectrum by SOAP with 8 radial
           functions, which is less than 31 shells; no averages, no energy

pyscal weighs no shells; partycls has these very features, but pip's lacks the compiled part. Where a library
computes the same numbers, the largest difference is printed. Ways take turns, the median counts; `processor`
is the processor time of all threads together, which other programs on the machine hardly lengthen.
Writes results/features.json.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from convolution import RESULTS, liquid

from glasslib.features import FeatureOptions, Shells, bond_order_parameters, features, radial_densities
from glasslib.glass import Glass

OPTIONS = FeatureOptions()
(ANGULAR,) = OPTIONS.angular


def configuration(n: int) -> Glass:
    """About n particles; energies are made up, as they cost the same."""
    positions, box = liquid(n)
    rng = np.random.default_rng(0)
    return Glass(
        positions=positions + rng.normal(0, 0.03, positions.shape),
        types=(rng.random(len(positions)) < 0.2).astype(np.int8),
        box=box,
        inherent_positions=positions,
        inherent_energies=rng.normal(size=len(positions)),
    )


def ours(glass: Glass) -> Callable[[], dict]:
    return lambda: {"count": features(glass).values.shape[1]}


def atoms(glass: Glass):
    import ase

    symbols = np.where(glass.types == 0, "H", "He")
    return ase.Atoms(symbols, glass.inherent_positions, cell=glass.box, pbc=True)


def with_featomic(glass: Glass) -> Callable[[], dict]:
    from featomic import SphericalExpansion
    from featomic.basis import TensorProduct
    from featomic.cutoff import Cutoff, Step
    from featomic.density import DiracDelta
    from featomic.splines import Spline, SplinedRadialBasis

    def calculator(shells: Shells, l_max: int):
        def values(r):
            return np.exp(-(((r[:, None] - shells.radii) / shells.width) ** 2) / 2)

        def derivatives(r):
            return values(r) * (shells.radii - r[:, None]) / shells.width**2

        spline = Spline.with_accuracy(
            start=0, stop=shells.cutoff, values_fn=values, derivatives_fn=derivatives, accuracy=1e-7
        )
        basis = SplinedRadialBasis(spline=spline, max_radial=len(shells) - 1, radius=shells.cutoff)
        return SphericalExpansion(
            cutoff=Cutoff(radius=shells.cutoff, smoothing=Step()),
            density=DiracDelta(center_atom_weight=0.0),
            basis=TensorProduct(max_angular=l_max, radial=basis, spline_accuracy=None),
        )

    expansion = calculator(ANGULAR, OPTIONS.l_max)
    radial = [calculator(shells, 0) for shells in OPTIONS.radial]
    system = atoms(glass)

    def dense(tensors, degree: int, n_radial: int):
        """(n, 2 types, 2 l + 1, n_radial)"""
        values = np.zeros((len(glass), 2, 2 * degree + 1, n_radial))
        for key, block in tensors.items():
            if key["o3_lambda"] == degree:
                values[block.samples["atom"], key["neighbor_type"] - 1] = block.values
        return values

    def run() -> dict:
        found = []
        for calculator, shells in zip(radial, OPTIONS.radial, strict=True):
            found.append(dense(calculator.compute(system), 0, len(shells))[:, :, 0] * np.sqrt(4 * np.pi))
        tensors = expansion.compute(system)
        a = [dense(tensors, degree, len(ANGULAR)).sum(axis=1) for degree in range(OPTIONS.l_max + 1)]
        z = a[0][:, 0] * np.sqrt(4 * np.pi)
        q = [np.linalg.norm(x, axis=1) * np.sqrt(4 * np.pi / (2 * d + 1)) / z for d, x in enumerate(a) if d]
        return {"radial": np.concatenate(found, axis=2), "q": np.stack(q, axis=1)}

    return run


def with_less_of_featomic(glass: Glass) -> Callable[[], dict]:
    from featomic import SphericalExpansion

    def calculator(n_radial: int, l_max: int, cutoff: float):
        return SphericalExpansion(
            cutoff={"radius": cutoff, "smoothing": {"type": "Step"}},
            density={"type": "Gaussian", "width": 0.3},
            basis={
                "type": "TensorProduct",
                "max_angular": l_max,
                "radial": {"type": "Gto", "max_radial": n_radial - 1},
            },
        )

    system = atoms(glass)
    both = calculator(8, OPTIONS.l_max, ANGULAR.cutoff), calculator(12, 0, OPTIONS.cutoff)

    def run() -> dict:
        norms = []
        for tensors in [each.compute(system) for each in both]:
            norms += [np.linalg.norm(block.values, axis=1) for block in tensors.blocks()]
        return {"count": len(norms)}

    return run


def with_freud(glass: Glass) -> Callable[[], dict]:
    import freud

    box, points = freud.box.Box(*glass.box), glass.inherent_positions - glass.box / 2

    def run() -> dict:
        query = freud.locality.AABBQuery(box, points)
        pairs = query.query(points, {"r_max": ANGULAR.cutoff, "exclude_ii": True}).toNeighborList()
        r, index, vectors = pairs.distances, pairs[:], pairs.vectors
        q = []
        for radius in ANGULAR.radii:
            near = np.abs(r - radius) < 5 * ANGULAR.width
            weights = np.exp(-((r[near] - radius) ** 2) / (2 * ANGULAR.width**2))
            shell = freud.locality.NeighborList.from_arrays(
                len(points), len(points), index[near, 0], index[near, 1], vectors[near], weights
            )
            order = freud.order.Steinhardt(list(range(1, OPTIONS.l_max + 1)), weighted=True)
            q.append(order.compute((box, points), shell).particle_order)
        return {"q": np.stack(q, axis=2)}

    return run


def with_dscribe(glass: Glass) -> Callable[[], dict]:
    from dscribe.descriptors import ACSF, SOAP

    system = atoms(glass)
    radial = [
        ACSF(
            r_cut=shells.cutoff,
            g2_params=[[1 / (2 * shells.width**2), radius] for radius in shells.radii],
            species=["H", "He"],
            periodic=True,
        )
        for shells in OPTIONS.radial
    ]
    soap = SOAP(
        species=["H", "He"],
        r_cut=ANGULAR.cutoff,
        n_max=8,
        l_max=OPTIONS.l_max,
        periodic=True,
        compression={"mode": "mu2"},
    )

    def run() -> dict:
        found = [each.create(system) for each in (*radial, soap)]
        return {"count": sum(each.shape[1] for each in found)}

    return run


WAYS = {
    "featomic": with_featomic,
    "featomic 8": with_less_of_featomic,
    "freud": with_freud,
    "dscribe": with_dscribe,
}


def differences(glass: Glass, theirs: dict) -> dict[str, float]:
    """Largest difference from ours in what a library computes, double precision."""
    found = {}
    positions = glass.inherent_positions
    if "radial" in theirs:
        # beyond 5 widths ours is cut: a difference of 4e-6 for each particle there
        mine = radial_densities(positions, glass.types, glass.box, OPTIONS.radial)
        found["radial"] = float(np.abs(mine - theirs["radial"]).max())
    if "q" in theirs:
        mine = bond_order_parameters(
            positions, glass.box, OPTIONS.angular, OPTIONS.l_max, dtype=torch.float64
        )
        # the others leave out or round what is far from a shell: shells must have somebody near
        z = radial_densities(positions, glass.types, glass.box, OPTIONS.angular).sum(axis=1)
        found["q"] = float(np.abs(mine - theirs["q"])[:, :, (z > 0.1).all(axis=0)].max())
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--particles", type=int, default=4096)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--only", nargs="*", choices=[*WAYS], default=[*WAYS])
    options = parser.parse_args()
    glass = configuration(options.particles)
    runs = {"glasslib": ours(glass)}
    runs |= {name: WAYS[name](glass) for name in options.only if importlib.util.find_spec(name.split()[0])}
    found: dict = {"particles": len(glass), "threads": torch.get_num_threads()}
    found["different"] = {}
    for name, run in runs.items():  # also the warm-up
        result = run()
        if name == "glasslib":
            found["features"] = result["count"]
        else:
            found["different"][name] = differences(glass, result)
    wall: dict[str, list[float]] = {name: [] for name in runs}
    processor: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.turns):
        for name, run in runs.items():
            begin, used = time.perf_counter(), time.process_time()
            run()
            wall[name].append(time.perf_counter() - begin)
            processor[name].append(time.process_time() - used)
    found |= {"wall": wall, "processor": processor}
    print(f"N = {len(glass)}, {found['features']} features, median of {options.turns}")
    mine = statistics.median(wall["glasslib"])
    for name in runs:
        median = statistics.median(wall[name])
        print(
            f"  {name:<10} {median:6.2f} s  {median / mine:5.1f} x   processor"
            f" {statistics.median(processor[name]):6.2f} s   {found['different'].get(name, '')}"
        )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "features.json").write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
