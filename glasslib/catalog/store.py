"""The cache: where files lie, fetching what is missing, checking what is there."""

from __future__ import annotations

import contextlib
import gzip
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import pooch

from glasslib.catalog import transfer
from glasslib.catalog.records import DataFile, Dataset, bundled_folder, datasets, deepmind_file
from glasslib.errors import GlassError
from glasslib.glass import Glass
from glasslib.readers import iterate
from glasslib.readers import load as read
from glasslib.readers.boundary import opened, reading

SPLITS = ("train", "test")


def cache_folder() -> Path:
    """Where downloads lie: the environment variable GLASSLIB_CACHE, or the system's place for caches.

    The folder may be read-only as long as nothing has to be fetched.
    """
    return Path(os.environ.get("GLASSLIB_CACHE") or pooch.os_cache("glasslib")).expanduser()


def dataset(name: str) -> Dataset:
    """A data set by name."""
    known = datasets()
    if name not in known:
        raise GlassError(f"no data set is called {name!r}", remedy=f"The names are {', '.join(known)}")
    return known[name]


def paths(
    name: str,
    split: str | None = None,
    *,
    temperature: float | None = None,
    limit: int | None = None,
    only_cached: bool = False,
    files: Sequence[str] | None = None,
) -> list[Path]:
    """Where the files of a data set lie, or will lie once fetched.

    Parameters
    ----------
    name :
        One of :func:`datasets`.
    split :
        ``"train"``, ``"test"``, or None for all.
    temperature :
        Only files of this temperature.
    limit :
        At most so many files.
    only_cached :
        Only files that are there already.
    files :
        For ``"deepmind"``: names in the bucket, such as ``"public_dataset/.../train/....pickle"``. Without
        them, the sample and whatever lies in the cache.

    Raises
    ------
    GlassError
        For an unknown name or split, and when no file fits.
    """
    return [_path(file) for file in _select(name, split, temperature, limit, only_cached, files)]


def is_cached(
    name: str,
    split: str | None = None,
    *,
    temperature: float | None = None,
    files: Sequence[str] | None = None,
) -> bool:
    """Whether every file is there, so that nothing would be fetched."""
    try:
        return all(path.exists() for path in paths(name, split, temperature=temperature, files=files))
    except GlassError:
        dataset(name)
        return False


def fetch(
    name: str,
    split: str | None = None,
    *,
    temperature: float | None = None,
    limit: int | None = None,
    only_cached: bool = False,
    files: Sequence[str] | None = None,
    progress: bool = True,
) -> list[Path]:
    """Fetch what is missing of a data set, check it against its checksums, and say where it lies.

    Parameters are those of :func:`paths`; ``progress`` shows a bar on stderr.

    Raises
    ------
    GlassError
        When a file can be neither found nor fetched (says where to put it by hand), or is not as published.
    """
    chosen = _select(name, split, temperature, limit, only_cached, files)
    for file in chosen:
        if not _path(file).exists():
            _fetch(file, progress)
        _check_sum(file, _path(file))
    return [_path(file) for file in chosen]


def load(
    name: str,
    split: str | None = None,
    *,
    temperature: float | None = None,
    limit: int | None = None,
    only_cached: bool = False,
    files: Sequence[str] | None = None,
    progress: bool = True,
) -> list[Glass]:
    """The configurations of a data set, fetched first where they are missing.

    Parameters are those of :func:`fetch`, but ``limit`` counts configurations. A GlassBench archive is read
    in its own order, up to the limit.

    Raises
    ------
    GlassError
        As :func:`fetch`, and when a file is damaged.

    Examples
    --------
    >>> from glasslib import catalog
    >>> train = catalog.load("bundled", "train", temperature=0.56, limit=4)  # doctest: +SKIP
    """
    is_archive = name.startswith("glassbench")
    found = fetch(
        name,
        None if is_archive else split,
        temperature=temperature,
        limit=None if is_archive else limit,
        only_cached=only_cached,
        files=files,
        progress=progress,
    )
    if not is_archive:
        return [read(path) for path in found]
    _check_choice(split, limit)
    glasses = []
    (path,) = found
    for _, glass in iterate(path, prefix=f"{path.name.removesuffix('.tar.gz')}/{split}/" if split else ""):
        glasses.append(glass)
        if len(glasses) == limit:
            break
    return glasses


def verify(name: str, split: str | None = None) -> list[Path]:
    """Check every file of a data set that is there; returns them.

    Against the published SHA-256 where there is one; otherwise against the checksum inside the file itself
    (gzip), or by reading it.

    Raises
    ------
    GlassError
        At the first file that is not as it should be, and when none is there.
    """
    chosen = _select(name, None if name.startswith("glassbench") else split, None, None, True, None)
    for file in chosen:
        path = _path(file)
        if file.sha256:
            _check_sum(file, path)
        elif path.suffix == ".gz":
            with opened(path) as raw, reading(str(path)), gzip.open(raw) as stream:
                while stream.read(transfer.CHUNK):
                    pass
        else:
            read(path)
    return [_path(file) for file in chosen]


def _path(file: DataFile) -> Path:
    return (cache_folder() if file.url else bundled_folder()) / file.path


def _check_choice(split: str | None, limit: int | None) -> None:
    if split is not None and split not in SPLITS:
        raise GlassError(f"expected 'train' or 'test', got {split!r}", field="split")
    if limit is not None and limit < 1:
        raise GlassError(f"expected at least 1, got {limit}", field="limit")


def _select(
    name: str,
    split: str | None,
    temperature: float | None,
    limit: int | None,
    only_cached: bool,
    files: Sequence[str] | None,
) -> list[DataFile]:
    _check_choice(split, limit)
    chosen = list(dataset(name).files)
    if files is not None:
        if name != "deepmind":
            raise GlassError(f"{name!r} takes no names of files", field="files", remedy="Use split and limit")
        chosen = [deepmind_file(path) for path in files]
    elif name == "deepmind":
        folder = cache_folder()
        found = (path.relative_to(folder / name).as_posix() for path in (folder / name).rglob("*.pickle"))
        known = {file.path for file in chosen}
        chosen += [file for path in sorted(found) if (file := deepmind_file(path)).path not in known]
    elif name.startswith("glassbench") and split is not None:
        split = None  # one archive holds both
    chosen = [file for file in chosen if split in (None, file.split)]
    if temperature is not None:
        chosen = [file for file in chosen if file.temperature in (None, temperature)]
    if only_cached:
        chosen = [file for file in chosen if _path(file).exists()]
    if not chosen:
        asked = f"split {split!r}" if temperature is None else f"split {split!r} at T = {temperature:g}"
        where = f" in {cache_folder()}" if only_cached else ""
        remedy = f"Run `python -m glasslib.catalog fetch {name}`" if only_cached else "See catalog.datasets()"
        raise GlassError(f"has no file for {asked}{where}", source=f"data set {name!r}", remedy=remedy)
    return chosen[:limit]


def _fetch(file: DataFile, progress: bool) -> None:
    target = _path(file)
    if file.url is None:
        raise GlassError("is missing from the package", source=target, remedy="Install glasslib again")
    try:
        if file.member is None:
            url = file.url
            transfer.install(
                target,
                lambda part: transfer.download(url, part, progress=progress),
                lambda part: _check_sum(file, part) if file.sha256 else _check_reads(part, target),
            )
        else:
            _fetch_member(file.url, file.member, target, progress)
    except transfer.Unreachable as error:
        inside = f" (its member {file.member})" if file.member else ""
        raise GlassError(
            f"is not in the cache and cannot be fetched from {file.url}{inside}: {error}",
            source=target.name,
            remedy=f"Try again once online; or download it by hand and put it at {target}, "
            f"or set GLASSLIB_CACHE to a folder that holds {file.path}",
        ) from error


def _fetch_member(url: str, name: str, target: Path, progress: bool) -> None:
    member = transfer.find_member(url, name)

    def bring(part: Path) -> None:
        raw = part.with_name(f"{target.name}.deflated.part") if member.deflated else part
        transfer.download(url, raw, member.span, progress=progress)
        if member.deflated:
            with contextlib.suppress(zlib.error):  # what is damaged will fail the check
                member.unpack(raw, part)
            raw.unlink()

    transfer.install(target, bring, member.check)


def _check_sum(file: DataFile, path: Path) -> None:
    if file.sha256 is None:
        return
    with reading(str(path)):
        found = pooch.file_hash(str(path))
    if found != file.sha256:
        is_new = path.suffix == ".part"
        raise GlassError(
            f"expected SHA-256 {file.sha256}, got {found}: this is not the published file",
            source=path.with_suffix("") if is_new else path,
            remedy="The download was discarded; try again later"
            if is_new
            else "Delete it and fetch it again",
        )


def _check_reads(path: Path, target: Path) -> None:
    """Stands in for a checksum where none is published: a pickle that is cut short does not read."""
    try:
        read(path)
    except GlassError as error:
        remedy = "The download was discarded; try again later"
        raise GlassError(error.problem, source=target, field=error.field, remedy=remedy) from error
