"""Which files are read, and where what comes of them goes."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from glasslib.errors import GlassError
from glasslib.readers.boundary import make_folder, opened, reading

#: Files of a folder that are taken for configurations.
SUFFIXES = (".npz", ".pickle", ".pkl", ".xyz", ".extxyz")
#: Before the suffix of everything that is written, so that a folder's own outputs are not read again.
MARK = ".predicted"

_ENDINGS = {"npz": (".npz",), "xyz": (".xyz", ".extxyz"), "html": (".html", ".htm")}


@dataclass(frozen=True)
class Job:
    """A file to read, and the files to write by kind: ``"npz"``, ``"xyz"``, ``"html"``."""

    source: Path
    targets: Mapping[str, Path]

    def require_free(self, *, force: bool) -> None:
        """GlassError where a file would be overwritten; the input itself never is."""
        for path in self.targets.values():
            if path.exists() and self.source.exists() and path.samefile(self.source):
                raise GlassError("would overwrite its own input", source=path, remedy="Choose another name")
            if path.exists() and not force:
                raise GlassError("is there already", source=path, remedy="Add --force to replace it")
            if path.exists() and not _is_prediction(path):
                raise GlassError("is no prediction, so it is not replaced", source=path)

    def make_folders(self) -> None:
        """The folders of the outputs, where they are missing."""
        for folder in {path.parent for path in self.targets.values()}:
            make_folder(folder)


def jobs(
    files: Sequence[Path],
    out: Path | None,
    xyz: str | Literal[True] | None,
    html: str | Literal[True] | None,
    out_dir: Path | None,
) -> list[Job]:
    """What to do, from the command line; folders stand for the configurations directly in them.

    Parameters
    ----------
    files :
        Files and folders.
    out, xyz, html :
        Paths of the outputs; True for one named after the input.
    out_dir :
        Folder of all outputs named after their inputs; below it, the folders of the inputs as far as they
        differ.

    Raises
    ------
    GlassError
        When a folder holds no configurations, an output has the wrong ending, or two would have one name.
    """
    sources = _sources(files)
    named: dict[str, Path | str | Literal[True] | None] = {"npz": out, "xyz": xyz, "html": html}
    paths = {kind: Path(path) for kind, path in named.items() if path is not None and path is not True}
    several = len(sources) > 1 or any(path.is_dir() for path in files)
    if paths and (several or out_dir):
        raise GlassError(
            "outputs of several files, or in --out-dir, are named after their inputs",
            remedy="Give --xyz and --html without a path, and no --out",
        )
    if several and out_dir is None:
        raise GlassError("several files were given", remedy="Say with --out-dir where the outputs go")
    for kind, path in paths.items():
        if path.suffix not in _ENDINGS[kind]:
            raise GlassError(f"expected a name that ends in {_ENDINGS[kind][0]}", source=path)
        if not path.parent.is_dir():
            raise GlassError("there is no such folder", source=path.parent)
    kinds = [kind for kind in named if named[kind] is True]
    if not paths or out_dir:
        kinds = ["npz", *kinds]  # numbers always, unless another place or form was asked for

    root = Path(os.path.commonpath([path.resolve().parent for path in sources]))
    found: list[Job] = []
    taken: set[Path] = set()
    for source in sources:
        folder = (out_dir or Path()) / source.resolve().parent.relative_to(root)
        targets = {kind: folder / f"{_stem(source)}{MARK}.{kind}" for kind in kinds} | paths
        if not taken.isdisjoint(targets.values()):
            raise GlassError("another file would have outputs of the same name", source=source)
        taken.update(targets.values())
        found.append(Job(source, targets))
    return found


def _is_prediction(path: Path) -> bool:
    """Whether this package wrote the file; all three kinds name the checksum of the network."""
    with opened(path) as file, reading(str(path)):
        return b"checkpoint_sha256" in file.read()


def _sources(files: Sequence[Path]) -> list[Path]:
    """All files, each once, in order."""
    found: dict[Path, Path] = {}
    for path in files:
        inside = _inside(path) if path.is_dir() else [path]
        if not inside:
            raise GlassError(
                "holds no configurations", source=path, remedy=f"They would end in {', '.join(SUFFIXES)}"
            )
        for source in inside:
            found.setdefault(source.resolve(), source)
    return list(found.values())


def _inside(folder: Path) -> list[Path]:
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix in SUFFIXES and not path.name.startswith(".") and MARK not in path.suffixes
    )


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".tar").removesuffix(path.suffix)
