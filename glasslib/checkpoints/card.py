"""The card of a checkpoint: what was trained on what, how, and how well it does."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from glasslib.checkpoints.conditions import Ranges
from glasslib.errors import GlassError
from glasslib.readers.boundary import atomic_write, opened, reading

FORMAT = "glasslib checkpoint 1"

#: No card is longer, in bytes.
MAX_SIZE = 2**20


@dataclass(frozen=True)
class Card:
    """What is known about a checkpoint. JSON-like throughout.

    Parameters
    ----------
    name :
        Of the checkpoint.
    sha256 :
        Of the model's file.
    predictor :
        Kind of network, as in tables.
    n_parameters :
        Number of trained numbers.
    particle_type :
        Particles whose propensity was learned; predictions for others mean nothing.
    times :
        At which propensity is predicted, in LJ units.
    data :
        ``name``, ``licence`` and ``citation`` of the data set, ``temperature``, names of the files of
        ``train``, ``validation`` (chose the epoch) and ``test`` (chose nothing).
    training :
        ``command``, ``seed``, git ``commit``, ``glasslib`` version, ``epochs`` run and ``best_epoch``.
    scores :
        Pearson r by time: ``validation`` and ``test``, each ``{"mean": [...], "pooled": [...]}``, with
        ``interval`` (95 % bootstrap interval of the mean) for the test, and ``ceiling`` where known.
    ranges :
        Smallest and largest of each of :data:`glasslib.checkpoints.conditions.QUANTITIES`, and of
        ``n_particles``, among the training configurations (validation included).
    """

    name: str
    sha256: str
    predictor: str
    n_parameters: int
    particle_type: str
    times: tuple[float, ...]
    data: Mapping[str, Any]
    training: Mapping[str, Any]
    scores: Mapping[str, Any]
    ranges: Ranges

    def save(self, path: str | Path) -> None:
        """Write as JSON."""
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=1, allow_nan=False)
        with atomic_write(path) as file:
            file.write(f"{text}\n".encode())

    @classmethod
    def load(cls, path: str | Path) -> Card:
        """Read what :meth:`save` wrote.

        Raises
        ------
        GlassError
            When the file is missing, damaged, or something else.
        """
        source = str(path)
        with opened(path) as file, reading(source):
            content = file.read(MAX_SIZE + 1)
            if len(content) > MAX_SIZE:
                raise GlassError("is too long for a card", source=source)
            values = json.loads(content)
        if not isinstance(values, dict) or values.get("format") != FORMAT:
            raise GlassError(f"is no card: expected the format {FORMAT!r}", source=source)
        return cls(**{field.name: _checked(values, field.name, source) for field in fields(cls)})


def _checked(values: dict[str, Any], name: str, source: str) -> Any:
    """A field of a card, of the type that it should have."""
    value: Any = values.get(name)
    if name in ("name", "sha256", "predictor", "particle_type"):
        sound = isinstance(value, str)
    elif name == "n_parameters":
        sound = type(value) is int
    elif name == "times":
        sound = _numbers(value) and len(value) > 0
        value = tuple(value) if sound else value
    elif name == "ranges":
        sound = isinstance(value, dict) and all(_numbers(pair) and len(pair) == 2 for pair in value.values())
        value = {key: tuple(pair) for key, pair in value.items()} if sound else value
    else:
        sound = isinstance(value, dict)
    if not sound:
        raise GlassError("is missing or of the wrong kind", source=source, field=name)
    return value


def _numbers(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(x, int | float) and not isinstance(x, bool) and math.isfinite(x) for x in value
    )
