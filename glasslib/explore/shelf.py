"""What a glass explorer can show: configurations, predictions and features, each made once and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from glasslib import catalog, checkpoints
from glasslib.errors import GlassError
from glasslib.evaluation import pearson
from glasslib.explore.background import Later
from glasslib.explore.colouring import Colouring
from glasslib.explore.particle import L_MAX, SHELL_WIDTH
from glasslib.features import Shells, bond_order_parameters, coarse_grain, radial_densities
from glasslib.glass import TYPE_NAMES, FloatArray, Glass
from glasslib.predictor import NetworkPredictor
from glasslib.readers import load
from glasslib.simulate import expected_tau, inherent_structure

#: What can be shown of every particle.
FEATURES = (
    "type",
    "energy",
    "displacement",
    *(f"density of {name}" for name in TYPE_NAMES),
    *(f"bond order q{degree}" for degree in range(1, L_MAX + 1)),
)
COLOURINGS = ("measured", "predicted", "error", *FEATURES)

#: Times of a network and of the data are the same time if they differ by less than this share, each in units
#: of its own tau_alpha.
SAME_TIME = 0.06

#: Data set, temperature and name of a configuration.
Key = tuple[str, str, str]


class Shelf:
    """Configurations by data set, temperature and name; what networks say of them; their features.

    Parameters
    ----------
    glasses :
        Further configurations by a name of their own, beside the data sets of the catalogue that are there.
    predictors :
        Further trained networks by name, beside the checkpoints that ship with the package.
    ready :
        Called, in another thread, whenever something has arrived that was not there when asked for.
    """

    def __init__(
        self,
        glasses: Mapping[str, Sequence[Glass]] | None = None,
        predictors: Mapping[str, NetworkPredictor] | None = None,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        self._own = {name: list(each) for name, each in (glasses or {}).items()}
        self._predictors = dict(predictors or {})
        self._files = _cached_files()
        self._later = Later(ready)
        self.wait = self._later.wait
        self._load = lru_cache(8)(self._read)
        self._trained = lru_cache(8)(self._take)

    @property
    def busy(self) -> bool:
        """Whether something is being computed."""
        return self._later.busy

    def data_sets(self) -> list[str]:
        """Names: what was given, then the catalogue's that need not be fetched."""
        return [*self._own, *self._files]

    def temperatures(self, data: str) -> list[str]:
        """Temperatures of a data set, the hottest first; "?" where one is not known."""
        if data in self._own:
            hottest_first = sorted(self._own[data], key=lambda glass: -(glass.temperature or 0))
            return list(dict.fromkeys(map(_temperature, hottest_first)))
        return list(self._files[data])

    def names(self, data: str, temperature: str) -> list[str]:
        """Names of the configurations, such as "test 1"."""
        if data in self._own:
            return [str(k + 1) for k in range(len(self._alike(data, temperature)))]
        return list(self._files[data][temperature])

    def predictors(self) -> list[str]:
        """Names: what was given, then the shipped checkpoints."""
        return [*self._predictors, *checkpoints.names()]

    def usual_predictor(self, temperature: str) -> str:
        """One to begin with: what was given, or the checkpoint trained nearest to a temperature, and among
        those the one with the best validation scores."""
        if self._predictors:
            return next(iter(self._predictors))
        wanted = 0.0 if temperature == "?" else float(temperature)

        def preference(name: str) -> tuple[float, float]:
            card = checkpoints.card(name)
            return abs((_trained_at(card) or 0.0) - wanted), -np.mean(card.scores["validation"]["mean"])

        return min(checkpoints.names(), key=preference)

    def glass(self, data: str, temperature: str, name: str) -> Glass:
        """The configuration, with its inherent structure."""
        glass: Glass = self._load(data, temperature, name)
        return glass

    def prediction(self, predictor: str, key: Key) -> FloatArray | None:
        """Propensity ``(n_times, n_particles)`` at the times of the configuration; None while it is computed.

        NaN at times that the network does not know.
        """
        found: FloatArray | None = self._later.get(
            ("prediction", predictor, key), lambda: self._predict(predictor, self.glass(*key))
        )
        return found

    def knows(self, predictor: str, glass: Glass) -> Any:
        """Mask ``(n_particles,)`` of the particles of a type that the network was trained on."""
        kinds = self._trained(predictor)[0].training_options.particle_type
        return np.isin(glass.types, [TYPE_NAMES.index(kind) for kind in kinds])

    def typical(self, key: Key, kind: int, radius: float, structure: str) -> FloatArray | None:
        """Mean and standard deviation ``(2, l_max)`` of bond order in a shell, of one type; None at first."""
        q = self._later.get(("q", key, radius, structure), lambda: self._bond_order(key, radius, structure))
        if q is None:
            return None
        chosen = q[self.glass(*key).types == kind]
        return np.stack([chosen.mean(axis=0), chosen.std(axis=0)])

    def colouring(
        self,
        what: str,
        key: Key,
        *,
        time: int = 0,
        predictor: str = "",
        radius: float = 1.1,
        averaged: int = 0,
        structure: str = "inherent",
    ) -> Colouring:
        """Colours for one of :data:`COLOURINGS`; without values while they are being computed.

        Parameters
        ----------
        what :
            One of :data:`COLOURINGS`.
        key :
            Data set, temperature and name of the configuration.
        time :
            Index of the time, for propensities.
        predictor :
            Name of the network, for predictions.
        radius :
            Of the shell, for densities and bond order, in sigma_AA; its width is 0.1.
        averaged :
            How often features are averaged over neighbours.
        structure :
            In which features are measured.

        Raises
        ------
        GlassError
            For another name, and where the configuration lacks what it needs.
        """
        glass = self.glass(*key)
        if what in ("measured", "predicted", "error"):
            return self._propensity(what, key, glass, time, predictor)
        if what not in FEATURES:
            raise GlassError(f"expected one of {', '.join(COLOURINGS)}, got {what!r}", field="colour")
        if what == "type":
            return Colouring("type: A discs, B diamonds", glass.types.astype(float), "type")
        unit = {"energy": "ε", "displacement": "σ", "density of A": "G", "density of B": "G"}.get(what, "q")
        in_shell = what.startswith(("density", "bond"))
        title = f"{what} at r = {radius:g} σ" if in_shell else what
        title += f", averaged {averaged} times" if averaged else ""
        found = self._later.get(
            (what, key, radius if in_shell else 0, averaged, structure),
            lambda: self._feature(what, key, radius, averaged, structure),
        )
        return Colouring(title if found is not None else f"{what}: computing …", found, unit=unit)

    def _propensity(self, what: str, key: Key, glass: Glass, time: int, predictor: str) -> Colouring:
        if what == "measured":
            if glass.propensity is None:
                return Colouring("measured: not known here", None, unit="σ")
            title = f"measured, t = {glass.require('times')[time]:g}"
            return Colouring(title, glass.propensity[time], unit="σ")
        said = self.prediction(predictor, key)
        if said is None:
            return Colouring(f"{what}: the network is at work …", None, unit="σ")
        row, known = said[min(time, len(said) - 1)], self.knows(predictor, glass)
        if not np.isfinite(row).all():
            return Colouring(f"{what}: {predictor} does not know this time", None, unit="σ")
        if glass.propensity is None:
            return Colouring(what, row if what == "predicted" else None, unit="σ", known=known)
        truth = glass.propensity[time]
        if what == "error":
            title = f"predicted − measured, spread {np.std((row - truth)[known]):.3f} σ"
            return Colouring(title, row - truth, "difference", "σ", known)
        return Colouring(f"predicted, r = {pearson(row[known], truth[known]):.2f}", row, "value", "σ", known)

    def _alike(self, data: str, temperature: str) -> list[Glass]:
        return [glass for glass in self._own[data] if _temperature(glass) == temperature]

    def _read(self, data: str, temperature: str, name: str) -> Glass:
        if data in self._own:
            glass = self._alike(data, temperature)[int(name) - 1]
        else:
            glass = load(self._files[data][temperature][name])
        return glass if glass.inherent_positions is not None else inherent_structure(glass)

    def _take(self, predictor: str) -> tuple[NetworkPredictor, float | None]:
        """A network and the temperature it was trained at."""
        if predictor in self._predictors:
            return self._predictors[predictor], None
        taken = checkpoints.take(predictor)
        return taken.predictor, _trained_at(taken.card) if taken.card else None

    def _predict(self, name: str, glass: Glass) -> FloatArray:
        predictor, trained_at = self._trained(name)
        said = predictor.predict(glass)
        assert predictor.times is not None
        if glass.times is None:
            return said
        tau = theirs = 1.0
        if trained_at is not None and glass.temperature is not None:
            tau, theirs = expected_tau(glass.temperature), expected_tau(trained_at)
        rows = np.full((len(glass.times), len(glass)), np.nan)
        for k, time in enumerate(glass.times):
            apart = np.abs(np.log(predictor.times / theirs) - np.log(time / tau))
            if apart.min() < SAME_TIME:
                rows[k] = said[apart.argmin()]
        return rows

    def _bond_order(self, key: Key, radius: float, structure: str) -> Any:
        glass = self.glass(*key)
        shells = [Shells(radius, radius, SHELL_WIDTH)]
        return bond_order_parameters(glass.positions_in(structure), glass.box, shells, L_MAX)[:, :, 0]

    def _feature(self, what: str, key: Key, radius: float, averaged: int, structure: str) -> FloatArray:
        glass = self.glass(*key)
        positions, box = glass.positions_in(structure), glass.box
        values: Any
        if what == "energy":
            values = glass.energies_in(structure)
        elif what == "displacement":
            values = np.linalg.norm(glass.displacement(), axis=1)
        elif what.startswith("density"):
            shells = [Shells(radius, radius, SHELL_WIDTH)]
            kind = TYPE_NAMES.index(what[-1])
            values = radial_densities(positions, glass.types, box, shells)[:, kind, 0]
        else:
            values = self._bond_order(key, radius, structure)[:, int(what[-1]) - 1]
        if averaged:
            values = coarse_grain(values[:, None], positions, box, generations=averaged)[-1][:, 0]
        found: FloatArray = np.asarray(values, dtype=float)
        return found


def _temperature(glass: Glass) -> str:
    return f"{glass.temperature:g}" if glass.temperature else "?"


def _trained_at(card: checkpoints.Card) -> float | None:
    """The temperature in the middle of what a network was trained on."""
    return float(np.mean(card.ranges["temperature"])) if "temperature" in card.ranges else None


def _cached_files() -> dict[str, dict[str, dict[str, Any]]]:
    """Paths by data set, temperature and name; only of files that are there, one configuration each."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for name, data in catalog.datasets().items():
        if name == "deepmind" or name.startswith("glassbench"):  # archives, and boxes of other sizes
            continue
        for temperature in sorted({f.temperature for f in data.files if f.temperature}, reverse=True):
            for split in ("test", "train"):
                try:
                    paths = catalog.paths(name, split, temperature=temperature, only_cached=True)
                except GlassError:  # none of them is there
                    continue
                places = found.setdefault(name, {}).setdefault(f"{temperature:g}", {})
                places |= {f"{split} {k}": path for k, path in enumerate(paths, start=1)}
    return found
