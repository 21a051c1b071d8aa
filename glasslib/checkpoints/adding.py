"""From the directory of a training run to a checkpoint with a card."""

from __future__ import annotations

import argparse
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from glasslib import __version__, catalog, train
from glasslib.checkpoints.card import Card
from glasslib.checkpoints.conditions import ranges
from glasslib.checkpoints.shelf import MAX_TOTAL, SUMS, checksum, read_predictor, shipped_folder, sums
from glasslib.errors import GlassError
from glasslib.evaluation import Score, ceiling, evaluate, load_scores
from glasslib.glass import Glass
from glasslib.predictor import NetworkPredictor
from glasslib.readers.boundary import atomic_write, opened, reading
from glasslib.training import split

#: In tables of scores, the rows that are not the model.
_REFERENCES = ("constant", "energy alone", "ceiling")
#: Between these the table of all cards stands in README.md.
_START, _END = "<!-- cards -->", "<!-- end of cards -->"
#: Largest difference between the noted test score and the same on this machine.
_AGREEMENT = 2e-3


def add(
    name: str,
    run: str | Path,
    *,
    scores: str | Path | None = None,
    commit: str | None = None,
    folder: Path | None = None,
    force: bool = False,
    progress: bool = True,
) -> Card:
    """Ship the model of a finished run: its file, its card, the checksums and the table of cards.

    The training and test configurations that the run's command names are read again: they give the trained
    ranges and the validation score by time, and the test score has to come out as the run noted it.

    Parameters
    ----------
    name :
        Of the checkpoint.
    run :
        A directory written by ``python -m glasslib.train``: ``model.pt``, ``run.json``, ``history.json``,
        ``scores.json``.
    scores :
        Takes the place of the directory's ``scores.json``.
    commit :
        Of the code that trained it; by default that of the repository in which the run lies, unless it
        came after the run began.
    folder :
        Where it goes; by default into the package.
    force :
        Replace a checkpoint of the same name.
    progress :
        Show bars.

    Raises
    ------
    GlassError
        When the run is not finished, or its data, model and scores do not belong together, when the name is
        taken, and when all checkpoints together would become too large.
    """
    run, folder = Path(run), folder or shipped_folder()
    model, target = run / "model.pt", folder / f"{name}.pt"
    _require_room(name, model, target, force)
    predictor, noted, history = read_predictor(model), _json(run / "run.json"), _json(run / "history.json")
    title, said, options = _scores(Path(scores) if scores else run / "scores.json")
    times, sources = noted["label"]["times"], noted["label"]["sources"]

    glasses, tests = (train.read(options, part, progress) for part in ("train", "test"))
    glasses = [glass for glass in glasses if _source(glass) in sources]  # the data set may have grown
    _require_same(glasses, predictor, noted, run)
    training = predictor.training_options
    chosen, held_out = split(len(glasses), training.validation, training.seed)
    test = evaluate(predictor, tests, progress=progress)
    if test.mean.shape != said.mean.shape or not np.allclose(test.mean, said.mean, atol=_AGREEMENT, rtol=0):
        raise GlassError(
            f"test r {said.mean.round(3)} was noted, but the model has {test.mean.round(3)}", source=run
        )
    found = {"test": _rounded(test, "mean", "interval", "pooled")}
    if held_out:
        validation = evaluate(predictor, [glasses[k] for k in held_out], progress=progress)
        found["validation"] = _rounded(validation, "mean", "pooled")
    if all(glass.propensity_halves is not None for glass in tests):
        found["ceiling"] = _rounded(ceiling(tests), "mean", "pooled")
    known, named = catalog.datasets(), {entry.partition(":")[0] for entry in options.data}
    entries = [known[name] for name in sorted(named & known.keys())]
    card = Card(
        name=name,
        sha256=checksum(model),
        predictor=title,
        n_parameters=predictor.n_parameters,
        particle_type=training.particle_type,
        times=tuple(times),
        data={
            "name": ", ".join(options.data),
            "licence": "; ".join(entry.licence for entry in entries),
            "citation": " ".join(entry.citation for entry in entries),
            "temperature": options.temperature,
            "train": [sources[k] for k in chosen],
            "validation": [sources[k] for k in held_out],
            "test": [_source(glass) for glass in tests],
        },
        training={
            "command": options.command,
            "seed": training.seed,
            "commit": commit or _commit(run),
            "glasslib": __version__,
            "epochs": len(history),
            "best_epoch": int(
                max(history, key=lambda epoch: epoch.get("validation_r", epoch["epoch"]))["epoch"]
            ),
        },
        scores=found,
        ranges={key: (round(low, 6), round(high, 6)) for key, (low, high) in ranges(glasses).items()},
    )
    with opened(model) as source, atomic_write(target) as file:
        shutil.copyfileobj(source, file)
    card.save(folder / f"{name}.json")
    write_lists(folder)
    return card


def write_lists(folder: Path) -> None:
    """SHA256SUMS of all models and cards of a folder, and the table of cards in its README.md."""
    files = sorted([*folder.glob("*.pt"), *folder.glob("*.json")])
    table = "\n".join([_START, *_table([Card.load(p) for p in files if p.suffix == ".json"]), _END])
    readme = folder / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.exists() else f"{_START}\n{_END}\n"
    start, end = text.find(_START), text.find(_END)
    if start < 0 or end < start:
        raise GlassError(f"has no {_START} ... {_END}", source=readme)
    with atomic_write(readme) as file:
        file.write((text[:start] + table + text[end + len(_END) :]).encode())
    with atomic_write(folder / SUMS) as file:  # last: what is listed here has all the rest
        file.write("".join(f"{checksum(path)}  {path.name}\n" for path in files).encode())


def _table(cards: Sequence[Card]) -> list[str]:
    lines = [
        "| name | predictor | trained on | time | r(mean), test | r(mean), validation |",
        "|---|---|---|---|---|---|",
    ]
    for card in cards:
        low, high = card.ranges.get("temperature", (float("nan"),) * 2)
        temperatures = f"T = {low:g}" if low == high else f"T = {low:g} to {high:g}"
        chosen_by = card.scores.get("validation", {"mean": []})["mean"]
        numbers = (card.times, card.scores["test"]["mean"], chosen_by)
        columns = ("<br>".join(f"{x:.3f}" if k else f"{x:g}" for x in row) for k, row in enumerate(numbers))
        size = f"{card.n_parameters} parameters, seed {card.training['seed']}"
        lines.append(
            f"| `{card.name}` | {card.predictor}; {size} "
            f"| `{card.data['name']}`, {temperatures}, {len(card.data['train'])} configurations "
            f"+ {len(card.data['validation'])} for validation | {' | '.join(columns)} |"
        )
    return lines


def _require_room(name: str, model: Path, target: Path, force: bool) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise GlassError(f"{name!r} cannot be a name: use letters, digits, '.', '_' and '-'")
    if target.exists() and not force and not _cut_off(model, target):
        raise GlassError("is there already", source=target, remedy="Choose another name, or add --force")
    if not model.is_file():
        raise GlassError("is missing", source=model, remedy="Name the directory of a finished run")
    others = (path for path in target.parent.glob("*.pt") if path != target)
    total = sum(path.stat().st_size for path in (model, *others))
    if total > MAX_TOTAL:
        raise GlassError(f"all checkpoints would take {total} bytes, more than {MAX_TOTAL}", source=model)


def _cut_off(model: Path, target: Path) -> bool:
    """Whether ``target`` is what a kill left of adding this very model, whose checksum is not yet listed."""
    same = model.is_file() and checksum(target) == checksum(model)
    return same and target.name not in sums(target.parent)


def _scores(path: Path) -> tuple[str, Score, argparse.Namespace]:
    """What the model is called, its test score, and the options of the command that trained it."""
    rows = {name: row for name, row in load_scores(path).items() if name not in _REFERENCES}
    command = _json(path).get("command")
    if len(rows) != 1 or not isinstance(command, str):
        raise GlassError("names no command, or no model", source=path, remedy="Run python -m glasslib.train")
    try:
        options = train.parser().parse_args(shlex.split(command)[3:])  # after python -m glasslib.train
    except SystemExit as error:
        raise GlassError(f"names a command that is not understood: {command}", source=path) from error
    options.command = command
    ((title, score),) = rows.items()
    return title, score, options


def _require_same(
    glasses: Sequence[Glass], predictor: NetworkPredictor, noted: dict[str, Any], run: Path
) -> None:
    sources = [_source(glass) for glass in glasses]
    # options that came later have their defaults in either
    same = type(predictor).from_description(noted["label"]["options"], predictor.training_options)
    if sources != noted["label"]["sources"] or predictor.describe() != same.describe():
        raise GlassError("the data or the model are not those of this run", source=run / "run.json")


def _source(glass: Glass) -> str | None:
    return Path(glass.source).name if glass.source else None


def _rounded(score: Score, *fields: str) -> dict[str, Any]:
    return {field: getattr(score, field).round(4).tolist() for field in fields}


def _json(path: Path) -> Any:
    with opened(path) as file, reading(str(path)):
        return json.loads(file.read())


def _commit(run: Path) -> str | None:
    """HEAD of the repository in which a run lies; None outside of one, and when the run began before it."""
    words = ["git", "-C", str(run), "show", "-s", "--format=%H %ct", "HEAD"]
    try:
        told = subprocess.run(words, capture_output=True, text=True, check=True, timeout=10).stdout
        commit, seconds = told.split()
        return commit if (run / "run.json").stat().st_mtime >= int(seconds) else None
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
