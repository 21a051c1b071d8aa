"""One configuration of a glass-forming liquid, checked when it is made.

Units are those of the Lennard-Jones mixture throughout: lengths in sigma_AA, energies in
epsilon_AA, masses 1, times in sqrt(m sigma_AA^2 / epsilon_AA).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from glasslib.bonds import Bonds
from glasslib.errors import GlassError

#: Two particles closer than this (in sigma_AA) cannot come from a simulation of a liquid.
CLOSEST_APPROACH = 0.1

#: Type numbers and their names, in order.
TYPE_NAMES = ("A", "B")

FloatArray = NDArray[np.float64]


_COMPUTE = "Compute it with glasslib.simulate.inherent_structure(glass)"

#: What to do about a missing field.
REMEDIES = {
    "inherent_positions": _COMPUTE,
    "inherent_energies": _COMPUTE,
    "energies": _COMPUTE,
    "end_positions": "BOTAN's files hold them; of bundled configurations glasslib.simulate.bonds ships bonds",
}


@dataclass(frozen=True, eq=False)
class Glass:
    """One configuration: its structure and, where known, how its particles will move.

    Every array is float64 (``types``: int8), read-only and owned by the instance. What is not
    known is None, never an array of zeros.

    Parameters
    ----------
    positions : (n_particles, 3)
        Thermal positions, in sigma_AA. Wrapped into ``[0, box)`` when the Glass is made.
    types : (n_particles,)
        0 for A (the large majority species), 1 for B.
    box : (3,)
        Edge lengths of the periodic, rectangular box, in sigma_AA.
    temperature :
        In epsilon_AA / k_B.
    times : (n_times,)
        Strictly increasing times of ``propensity``, in LJ units.
    propensity : (n_times, n_particles)
        Isoconfigurational mean of the displacement ``|r_i(t) - r_i(0)|``, in sigma_AA.
    propensity_halves : (2, n_times, n_particles)
        The same from either half of the replicas; their agreement bounds what any predictor
        can reach (:func:`glasslib.evaluation.ceiling`).
    inherent_positions : (n_particles, 3)
        Positions in the inherent structure (the nearest minimum of the energy), wrapped.
    inherent_energies, energies : (n_particles,)
        Potential energy of each particle (half of each of its pairs), in epsilon_AA, in the
        inherent structure and in the thermal one.
    cage_positions : (n_particles, 3)
        Positions averaged over the rattling in the cage, wrapped.
    end_positions : (n_times, n_replicas, n_particles, 3)
        Unwrapped end points of the isoconfigurational trajectories, in sigma_AA.
    bonds :
        How pairs of particles stretch, where ``end_positions`` do not tell.
    bond_breaking : (n_times, n_particles)
        Bond-breaking propensity.
    extras :
        Further per-particle arrays whose last axis is ``n_particles`` (for example the
        predictions of others that a data set ships).
    provenance :
        How the data were made; JSON-like.
    source :
        File the configuration was read from; named in errors.

    Raises
    ------
    GlassError
        On NaN, wrong shapes, unknown types, a box that is not positive, times out of order, or
        two particles on one spot; names the source, the field and what was expected.
    """

    positions: FloatArray
    types: NDArray[np.int8]
    box: FloatArray
    temperature: float | None = None
    times: FloatArray | None = None
    propensity: FloatArray | None = None
    propensity_halves: FloatArray | None = None
    inherent_positions: FloatArray | None = None
    inherent_energies: FloatArray | None = None
    energies: FloatArray | None = None
    cage_positions: FloatArray | None = None
    end_positions: FloatArray | None = None
    bonds: Bonds | None = None
    bond_breaking: FloatArray | None = None
    extras: Mapping[str, FloatArray] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    source: str | None = None

    def __post_init__(self) -> None:
        source = None if self.source is None else str(self.source)
        object.__setattr__(self, "source", source)
        positions = require_floats(self.positions, source, "positions", (None, 3))
        n = len(positions)
        if n == 0:
            raise GlassError("holds no particles", source=source, field="positions")
        box = require_floats(self.box, source, "box", (3,))
        if not (box > 0).all():
            raise GlassError(f"expected three positive edge lengths, got {box}", source=source, field="box")
        object.__setattr__(self, "box", _frozen(box))
        object.__setattr__(self, "types", _frozen(_checked_types(self.types, n, source)))

        for name in ("positions", "inherent_positions", "cage_positions"):
            if getattr(self, name) is None:
                continue
            wrapped = wrap(require_floats(getattr(self, name), source, name, (n, 3)), box)
            _require_apart(wrapped, box, source, name)
            object.__setattr__(self, name, _frozen(wrapped))
        for name in ("energies", "inherent_energies"):
            self._set_floats(name, (n,))

        self._set_floats("times", (None,))
        if self.times is not None and (
            len(self.times) == 0 or not (self.times > 0).all() or not (np.diff(self.times) > 0).all()
        ):
            raise GlassError("expected positive, strictly increasing times", source=source, field="times")
        timed = {
            "propensity": (None, n),
            "propensity_halves": (2, None, n),
            "bond_breaking": (None, n),
            "end_positions": (None, None, n, 3),
        }
        for name, shape in timed.items():
            if getattr(self, name) is None:
                continue
            if self.times is None:
                raise GlassError(
                    "is given without times", source=source, field=name, remedy="Give `times`, one per row"
                )
            axis = 1 if name == "propensity_halves" else 0
            full = (*shape[:axis], len(self.times), *shape[axis + 1 :])
            self._set_floats(name, full)
        for name in ("propensity", "propensity_halves"):
            values = getattr(self, name)
            if values is not None and (values < 0).any():
                raise GlassError("a mean displacement is negative", source=source, field=name)

        if self.bonds is not None:
            self.bonds.require_fit(n, 0 if self.times is None else len(self.times), source)
        if self.temperature is not None:
            temperature = float(self.temperature)
            if not (np.isfinite(temperature) and temperature > 0):
                raise GlassError(
                    f"expected a positive number, got {self.temperature}", source=source, field="temperature"
                )
            object.__setattr__(self, "temperature", temperature)
        extras = {
            name: _frozen(require_floats(values, source, name, (..., n)))
            for name, values in self.extras.items()
        }
        object.__setattr__(self, "extras", extras)

    def _set_floats(self, name: str, shape: tuple[Any, ...]) -> None:
        if getattr(self, name) is not None:
            values = _frozen(require_floats(getattr(self, name), self.source, name, shape))
            object.__setattr__(self, name, values)

    def __len__(self) -> int:
        return len(self.positions)

    def __repr__(self) -> str:
        parts = [f"{len(self)} particles", f"box {' x '.join(f'{edge:.4g}' for edge in self.box)}"]
        if self.temperature is not None:
            parts.append(f"T = {self.temperature:g}")
        if self.times is not None:
            parts.append(f"{len(self.times)} times up to {self.times[-1]:g}")
        if self.inherent_positions is not None:
            parts.append("inherent structure")
        return f"Glass({', '.join(parts)})"

    @property
    def density(self) -> float:
        """Number density, in sigma_AA^-3."""
        return float(len(self) / self.box.prod())

    def is_type(self, name: str) -> NDArray[np.bool_]:
        """Mask ``(n_particles,)`` of the particles of type ``"A"`` or ``"B"``."""
        if name not in TYPE_NAMES:
            raise GlassError(f"unknown particle type {name!r}; the types are {', '.join(TYPE_NAMES)}")
        mask: NDArray[np.bool_] = self.types == TYPE_NAMES.index(name)
        return mask

    def require(self, name: str) -> FloatArray:
        """A field that may be None, such as ``"propensity"``; GlassError with a remedy where it is."""
        value: FloatArray | None = getattr(self, name)
        if value is None:
            raise GlassError("is missing", source=self.source, field=name, remedy=REMEDIES.get(name))
        return value

    def positions_in(self, structure: str) -> FloatArray:
        """Positions ``(n_particles, 3)`` in the ``"thermal"`` or the ``"inherent"`` structure."""
        if structure not in ("thermal", "inherent"):
            raise GlassError(f"expected 'thermal' or 'inherent', got {structure!r}", field="structure")
        return self.positions if structure == "thermal" else self.require("inherent_positions")

    def energies_in(self, structure: str) -> FloatArray:
        """Energies ``(n_particles,)`` in the ``"thermal"`` or the ``"inherent"`` structure."""
        return self.require("inherent_energies" if structure == "inherent" else "energies")

    def displacement(self) -> FloatArray:
        """Shortest vectors ``(n_particles, 3)`` from the thermal to the inherent positions."""
        return minimum_image(self.require("inherent_positions") - self.positions, self.box)

    def replace(self, **changes: Any) -> Glass:
        """A copy with some fields changed, checked anew."""
        return dataclasses.replace(self, **changes)

    def at_times(self, times: ArrayLike) -> Glass:
        """A copy that keeps only the given times (each must be one of ``self.times`` to 1e-6)."""
        wanted = np.atleast_1d(np.asarray(times, dtype=float))
        have = np.empty(0) if self.times is None else self.times
        index = []
        for time in wanted:
            match = np.flatnonzero(np.isclose(have, time, rtol=1e-6, atol=0.0))
            if len(match) == 0:
                raise GlassError(
                    f"no data at t = {time:g}; the times are {', '.join(f'{t:g}' for t in have) or 'none'}",
                    source=self.source,
                    field="times",
                )
            index.append(int(match[0]))
        changes: dict[str, Any] = {"times": have[index], "bonds": self.bonds and self.bonds.at(index)}
        for name in ("propensity", "bond_breaking", "end_positions"):
            if getattr(self, name) is not None:
                changes[name] = getattr(self, name)[index]
        if self.propensity_halves is not None:
            changes["propensity_halves"] = self.propensity_halves[:, index]
        return self.replace(**changes)


def wrap(positions: ArrayLike, box: ArrayLike) -> FloatArray:
    """Positions ``(..., 3)`` brought into ``[0, box)``."""
    box = np.asarray(box, dtype=float)
    wrapped = np.mod(np.asarray(positions, dtype=float), box)
    # np.mod of a tiny negative number rounds up to the box edge itself
    return np.where(wrapped >= box, 0.0, wrapped)


def minimum_image(vectors: ArrayLike, box: ArrayLike) -> FloatArray:
    """Vectors ``(..., 3)`` replaced by their shortest periodic image."""
    vectors = np.asarray(vectors, dtype=float)
    box = np.asarray(box, dtype=float)
    shortest: FloatArray = vectors - box * np.round(vectors / box)
    return shortest


def require_floats(values: ArrayLike, source: str | None, name: str, shape: tuple[Any, ...]) -> FloatArray:
    """A float64 copy of the expected shape (None: any length; leading ...: any axes)."""
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise GlassError(
            f"expected numbers, got {type(values).__name__}", source=source, field=name
        ) from error
    if shape and shape[0] is Ellipsis:
        fits = array.ndim >= len(shape) - 1 and array.shape[-(len(shape) - 1) :] == shape[1:]
    else:
        fits = array.ndim == len(shape) and all(
            want is None or want == have for want, have in zip(shape, array.shape, strict=True)
        )
    if not fits:
        wanted = ", ".join("..." if s is Ellipsis else "any" if s is None else str(s) for s in shape)
        raise GlassError(f"expected shape ({wanted}), got {array.shape}", source=source, field=name)
    if not np.isfinite(array).all():
        bad = int(np.size(array) - np.isfinite(array).sum())
        raise GlassError(f"{bad} of {array.size} values are NaN or infinite", source=source, field=name)
    return array


def _checked_types(values: ArrayLike, n: int, source: str | None) -> NDArray[np.int8]:
    array = np.asarray(values)
    if array.shape != (n,):
        raise GlassError(f"expected shape ({n},), got {array.shape}", source=source, field="types")
    if array.dtype.kind not in "iu" or not np.isin(array, range(len(TYPE_NAMES))).all():
        found = ", ".join(str(t) for t in np.unique(array)[:5])
        raise GlassError(f"expected the integers 0 (A) and 1 (B), got {found}", source=source, field="types")
    return array.astype(np.int8)


def _require_apart(positions: FloatArray, box: FloatArray, source: str | None, name: str) -> None:
    if len(positions) < 2:
        return
    radius = min(CLOSEST_APPROACH, float(box.min()) / 2.1)
    distance, nearest = cKDTree(positions, boxsize=box).query(positions, k=2, distance_upper_bound=radius)
    close = np.flatnonzero(np.isfinite(distance[:, 1]))
    if len(close):
        i = close[0]
        j = next(other for other in nearest[i] if other != i)
        raise GlassError(
            f"particles {i} and {j} are closer than {CLOSEST_APPROACH} sigma",
            source=source,
            field=name,
            remedy="Check the box and the units (lengths are in sigma_AA)",
        )


def _frozen(array: Any) -> Any:
    array.setflags(write=False)
    return array
