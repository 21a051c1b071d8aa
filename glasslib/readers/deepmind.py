"""The data of Bapst et al., Nature Physics 16, 448 (2020): pickled dictionaries."""

from __future__ import annotations

from typing import Any, TypeGuard

import numpy as np

from glasslib.errors import GlassError
from glasslib.glass import FloatArray, Glass, require_floats, wrap
from glasslib.readers.replicas import propensities
from glasslib.readers.safe_pickle import load_pickle


def read_deepmind(data: bytes, source: str) -> Glass:
    """A DeepMind file: pickle, protocol 3.

    One dictionary with ``positions`` (n_particles, 3), ``types``, ``box`` (3,), ``time`` (all sampled times),
    ``time_indices`` (which of them the 10 rows of targets belong to; not in order), ``is_values`` (the
    intermediate scattering function there), ``trajectory_target_positions`` (10 lists of 30 arrays
    (n_particles, 3)), ``metadata``, and in some files ``targets`` (10, n_particles), the propensity. Rows are
    sorted by time here. Positions may lie outside the box: start and end points are moved back together.

    Parameters
    ----------
    data :
        The whole file.
    source :
        Its name, for errors.

    Raises
    ------
    GlassError
        When the pickle is damaged, asks for more than data, or lacks an entry.
    """
    content = load_pickle(data, source)
    if not isinstance(content, dict):
        raise GlassError("expected a pickled dictionary", source=source)
    entries = _Entries(content, source)
    times, order = entries.times()
    start = entries.floats("positions", (None, 3))
    box = entries.floats("box", (3,))
    if not (box > 0).all():
        raise GlassError("expected three positive edge lengths", source=source, field="box")
    metadata = entries.content.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}

    ends = propensity = halves = None
    if "trajectory_target_positions" in content:
        ends = entries.end_points(len(order), start.shape, len(data))[order]
        propensity, halves = propensities(start, ends)
        ends += wrap(start, box) - start
    if "targets" in content:
        propensity = entries.floats("targets", (len(order), len(start)))[order]
    if propensity is None:
        entries["trajectory_target_positions"]
    provenance = {key: metadata[key] for key in ("fluid", "pressure") if _is_plain(metadata.get(key))}
    if "is_values" in content:
        provenance["is_values"] = entries.floats("is_values", (len(order),))[order].tolist()
    return Glass(
        positions=start,
        types=entries.array("types"),
        box=box,
        temperature=metadata["temperature"] if _is_number(metadata.get("temperature")) else None,
        times=times[order],
        propensity=propensity,
        propensity_halves=halves,
        end_positions=ends,
        provenance={"format": "DeepMind", **provenance},
        source=source,
    )


class _Entries:
    """Entries of the pickled dictionary, looked at with suspicion."""

    def __init__(self, content: dict[str, Any], source: str) -> None:
        self.content = content
        self.source = source

    def __getitem__(self, name: str) -> Any:
        if name not in self.content:
            raise self.error(name, "is missing", "Check that this is a file of the DeepMind data")
        return self.content[name]

    def error(self, name: str, problem: str, remedy: str | None = None) -> GlassError:
        return GlassError(problem, source=self.source, field=name, remedy=remedy)

    def array(self, name: str) -> np.ndarray[Any, Any]:
        value = self[name]
        if isinstance(value, list) and all(map(_is_number, value)):
            value = np.array(value, dtype=np.float64)
        if not isinstance(value, np.ndarray):
            raise self.error(name, f"expected an array, got {type(value).__name__}")
        return value

    def floats(self, name: str, shape: tuple[int | None, ...]) -> FloatArray:
        return require_floats(self.array(name), self.source, name, shape)

    def times(self) -> tuple[FloatArray, Any]:
        """The time of each row of targets, and the order that sorts them."""
        grid = self.floats("time", (None,))
        indices = self.floats("time_indices", (None,))
        if not np.isin(indices, np.arange(len(grid))).all():
            raise self.error(
                "time_indices", f"expected whole numbers below {len(grid)}, the length of `time`"
            )
        times = grid[indices.astype(int)]
        return times, np.argsort(times, kind="stable")

    def end_points(self, n_times: int, shape: tuple[int, ...], size: int) -> FloatArray:
        """End points ``(n_times, n_replicas, n_particles, 3)`` from lists of lists of arrays."""
        name = "trajectory_target_positions"
        rows = self[name]
        if isinstance(rows, np.ndarray):
            return require_floats(rows, self.source, name, (n_times, None, *shape))
        if not (
            isinstance(rows, list) and len(rows) == n_times and all(isinstance(row, list) for row in rows)
        ):
            raise self.error(name, f"expected {n_times} lists, one per entry of `time_indices`")
        n_replicas = len(rows[0]) if rows else 0
        if n_replicas == 0 or any(len(row) != n_replicas for row in rows):
            raise self.error(name, "expected the same number of trajectories, at least one, at every time")
        if any(not isinstance(ends, np.ndarray) or ends.shape != shape for row in rows for ends in row):
            raise self.error(name, f"expected arrays of shape {shape}")
        if sum(ends.nbytes for row in rows for ends in row) > size:
            raise self.error(name, "holds one array many times over")
        return require_floats(rows, self.source, name, (n_times, n_replicas, *shape))


def _is_number(value: Any) -> TypeGuard[float]:
    return type(value) in (int, float) and abs(value) < 1e300


def _is_plain(value: Any) -> bool:
    return isinstance(value, str) or _is_number(value)
