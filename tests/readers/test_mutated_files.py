"""Thousands of mutated files: always a Glass or a GlassError."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from glasslib import Glass, GlassError, load

thorough = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
PATCHES = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.one_of(
            st.binary(min_size=1, max_size=4), st.sampled_from([b"", b"\xff\xff\xff\x7f", b"c", b"R", b"b"])
        ),
        st.integers(0, 8),
    ),
    min_size=1,
    max_size=6,
)


def outcome(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with contextlib.suppress(GlassError):
        assert isinstance(load(path), Glass)


def patched(content: bytes, patches: list[tuple[float, bytes, int]]) -> bytes:
    """Each patch replaces some bytes at a place by others, of any length."""
    for place, new, dropped in patches:
        at = int(place * len(content))
        content = content[:at] + new + content[at + dropped :]
    return content


@pytest.mark.parametrize("name", ["botan", "glassbench", "deepmind", "native", "compact"])
def test_patched_bytes(name: str, public_files: dict[str, Path], tmp_path: Path) -> None:
    original = public_files[name].read_bytes()
    target = tmp_path / public_files[name].name

    @thorough
    @given(PATCHES, st.floats(0, 1) | st.just(1.0))
    def run(patches: list[tuple[float, bytes, int]], kept: float) -> None:
        content = patched(original, patches)
        outcome(target, content[: int(kept * len(content))])

    run()


def test_patched_real_pickle(deepmind_sample: Path, tmp_path: Path) -> None:
    original = deepmind_sample.read_bytes()

    @thorough
    @given(PATCHES, st.sampled_from([0.01, 0.1, 1.0]))
    def run(patches: list[tuple[float, bytes, int]], reach: float) -> None:
        # the structure stands at the front: aim there more often than at the numbers
        outcome(
            tmp_path / "x", patched(original, [(place * reach, new, gone) for place, new, gone in patches])
        )

    run()


def test_flipped_bits_in_the_headers(public_files: dict[str, Path], tmp_path: Path) -> None:
    original = public_files["native"].read_bytes()
    directory = original.find(b"PK\x01\x02")

    @thorough
    @given(st.integers(directory, len(original) - 1) | st.integers(0, 300), st.integers(1, 255))
    def run(place: int, bits: int) -> None:
        content = bytearray(original)
        content[place] ^= bits
        outcome(tmp_path / "x.npz", bytes(content))

    run()


CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "cut": lambda a: a[:-1] if a.ndim else a,
    "twice": lambda a: np.concatenate([a, a]) if a.ndim else a,
    "transposed": lambda a: a.T,
    "flat": lambda a: a.ravel(),
    "an axis more": lambda a: a[None],
    "nothing left": lambda a: a[:0] if a.ndim else a,
    "one value": lambda a: a.ravel()[0],
    "zero": np.zeros_like,
    "huge": lambda a: a * 1e308 if a.dtype.kind == "f" else a,
    "tiny": lambda a: a * 1e-308 if a.dtype.kind == "f" else a,
    "negative": lambda a: -a if a.dtype.kind == "f" else a,
    "NaN": lambda a: np.full(a.shape, np.nan),
    "infinite": lambda a: np.full(a.shape, np.inf),
    "float16": lambda a: a.astype(np.float16) if a.dtype.kind in "fiu" else a,
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "integers": lambda a: a.astype(np.int64) if a.dtype.kind in "fiu" else a,
    "unsigned": lambda a: a.astype(np.uint8) if a.dtype.kind in "fiu" else a,
    "bool": lambda a: a.astype(bool) if a.dtype.kind in "fiu" else a,
    "complex": lambda a: a.astype(complex) if a.dtype.kind in "fiu" else a,
    "text": lambda a: a.astype(str),
    "bytes": lambda a: np.full(a.shape, b"x"),
    "objects": lambda a: a.astype(object),
    "dates": lambda a: np.zeros(a.shape, "M8[s]"),
    "records": lambda a: np.zeros(a.shape, [("x", float), ("y", int)]),
}


@pytest.mark.parametrize("name", ["botan", "glassbench", "native", "compact"])
def test_changed_arrays(name: str, public_files: dict[str, Path], tmp_path: Path) -> None:
    with np.load(public_files[name]) as archive:
        original = dict(archive)
    target = tmp_path / public_files[name].name
    keys = st.sampled_from(sorted(original))
    change = st.tuples(keys, st.sampled_from(sorted(CHANGES)))
    swap = st.tuples(keys, keys)

    @thorough
    @given(st.lists(change, max_size=2), st.lists(swap, max_size=1), st.lists(keys, max_size=1))
    def run(changes: list[tuple[str, str]], swaps: list[tuple[str, str]], dropped: list[str]) -> None:
        arrays = dict(original)
        for key, how in changes:
            with np.errstate(all="ignore"):
                arrays[key] = CHANGES[how](arrays[key]) if arrays[key].dtype.kind in "fiub" else arrays[key]
        for one, other in swaps:
            arrays[one], arrays[other] = arrays[other], arrays[one]
        for key in dropped:
            arrays.pop(key, None)
        content = io.BytesIO()
        np.savez(content, **arrays)
        outcome(target, content.getvalue())

    run()
