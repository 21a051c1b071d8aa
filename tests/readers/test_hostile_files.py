"""Files that are broken or mean harm: a GlassError, and nothing else happens."""

from __future__ import annotations

import io
import os
import pickle
import struct
import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from glasslib import GlassError, load

RAN: list[str] = []


def trap(*arguments: object) -> None:
    """What must never be called from a file."""
    RAN.append(str(arguments))


class Calls:
    """Pickles to a call."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> object:
        return self.call


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "file"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.parametrize("function", [trap, eval, os.system, getattr, __import__, np.load, np.fromfile])
def test_pickled_calls_do_not_run(function: object, nested: bool, protocol: int, target: Path) -> None:
    witness = target.with_name("witness")
    argument = "0" if function is eval else f"touch {witness}"
    harmful: object = Calls(function, argument)
    if nested:
        harmful = {"positions": [np.zeros(3), ({"deep": harmful},)], "types": Calls(trap, harmful)}
    target.write_bytes(pickle.dumps(harmful, protocol))
    RAN.clear()
    with pytest.raises(GlassError):
        load(target)
    assert RAN == []
    assert not witness.exists()


@pytest.mark.parametrize(
    "program",
    [
        b"\x80\x03cos\nsystem\nX\x04\x00\x00\x00true\x85R.",
        b"\x80\x03cnumpy.core.multiarray\nfromfile\nX\x04\x00\x00\x00true\x85R.",
        b"\x80\x03cnumpy\nload\nX\x04\x00\x00\x00true\x85R.",
        b"\x80\x03cnumpy.core.multiarray\n_reconstruct\ncnumpy\nmatrix\nK\x00\x85C\x01b\x87R.",
        b"\x80\x04\x8c\x05numpy\x8c\x0bndarray.all\x93.",  # dotted names reach attributes in protocol 4
        b"\x80\x04\x8c\x13numpy.core.multiarray\x8c\x0c_reconstruct\x93)\x81.",  # NEWOBJ
        b"\x80\x03cnumpy\ndtype\nX\x02\x00\x00\x00O8K\x00K\x01\x87R.",
        b"\x80\x03cnumpy\ndtype\nX\x02\x00\x00\x00f8K\x00K\x01\x87R}X\x08\x00\x00\x00metadataK\x01sb.",
        b"\x80\x03c_codecs\nencode\nX\x02\x00\x00\x00aaX\x05\x00\x00\x00rot13\x86R.",
        b"\x80\x02\x82\x01.",  # extension registry
        b"\x80\x03Pposix\n.",  # persistent id
        b"(ios\nsystem\n.",
        b"\x80\x03(X\x04\x00\x00\x00truecos\nsystem\no.",
    ],
)
def test_smuggled_instructions_are_refused(program: bytes, target: Path) -> None:
    target.write_bytes(program)
    with pytest.raises(GlassError):
        load(target)


@pytest.mark.parametrize(
    "program",
    {
        "huge bytes": b"\x80\x03B\xff\xff\xff\x7f.",
        "huge bytes, 64 bit": b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b".",
        "huge long": b"\x80\x02\x8b\xff\xff\xff\x7f.",
        "huge memo": b"\x80\x03]r\xff\xff\xff\x7f.",
        "deep lists": b"\x80\x03" + b"]" * 200_000 + b"a" * 199_999 + b".",
        "deep tuples as a key": b"\x80\x03})" + b"\x85" * 200_000 + b"K\x01s.",
        "a list in itself": b"\x80\x03]q\x00h\x00a.",
        "empty stack": b"\x80\x03a.",
        "no mark": b"\x80\x03K\x01t.",
        "no stop": b"\x80\x03]",
        "nothing": b"\x80",
        "a shape that overflows": pickle.dumps(np.zeros(3), 3).replace(
            b"K\x03\x85", b"J\xff\xff\xff\x7f\x85"
        ),
        "text repeated": b"\x80\x02c_codecs\nencode\nq\x00X\x00\x10\x00\x00"
        + b"a" * 4096
        + b"q\x01X\x06\x00\x00\x00latin1q\x02\x86q\x03"
        + b"h\x00h\x03R" * 1000
        + b".",
    }.items(),
    ids=lambda item: item[0],
)
def test_pickles_that_would_exhaust_the_machine(program: tuple[str, bytes], target: Path) -> None:
    target.write_bytes(program[1])
    with pytest.raises(GlassError):
        load(target)


def test_one_array_pickled_many_times_over(make: SimpleNamespace, target: Path) -> None:
    content = make.deepmind()
    one = content["trajectory_target_positions"][0][0]
    content["trajectory_target_positions"] = [[one] * 100_000] * 3
    target.write_bytes(make.pickled(content))
    with pytest.raises(GlassError, match="many times over"):
        load(target)


def npy(header: str, data: bytes = b"") -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode("latin1") + data


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000, 3)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (18446744073709551616, 0)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, -3)}",
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (3,)}",
        "{'descr': '<f16', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '<c16', 'fortran_order': False, 'shape': (1,)}",
        "{'descr': '\\d', 'fortran_order': False, 'shape': (1,)}",
        "__import__('os').system('true')",
        "(" * 9000,
        "{" * 60000,
    ],
)
def test_npy_headers_that_lie(header: str, make: SimpleNamespace, target: Path) -> None:
    with zipfile.ZipFile(target, "w") as archive:
        for name, array in make.botan().items():
            content = io.BytesIO()
            np.save(content, array)
            lies = npy(header, b"\0" * 24)
            archive.writestr(f"{name}.npy", lies if name == "initial_positions" else content.getvalue())
    with pytest.raises(GlassError, match="initial_positions: "):
        load(target, times=[1.0])


def test_objects_in_an_npz_are_not_unpickled(make: SimpleNamespace, target: Path) -> None:
    with open(target, "wb") as file:
        np.savez(file, **{**make.botan(), "types": np.array([Calls(trap)], dtype=object)})
    RAN.clear()
    with pytest.raises(GlassError, match="types: holds object, not numbers"):
        load(target, times=[1.0])
    assert RAN == []


def test_zip_bomb(make: SimpleNamespace, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in make.botan():
            with archive.open(f"{name}.npy", "w") as member:
                for _ in range(100):
                    member.write(bytes(2**20))
    with pytest.raises(GlassError, match="would unpack from"):
        load(target)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_exotic_compression(method: int, make: SimpleNamespace, target: Path) -> None:
    with zipfile.ZipFile(target, "w", method) as archive:
        for name in make.botan():
            archive.writestr(f"{name}.npy", b"abc")
    with pytest.raises(GlassError, match="compressed by method"):
        load(target, times=[1.0])


def test_encrypted_member(public_files: dict[str, Path], target: Path) -> None:
    content = bytearray(public_files["botan"].read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(signature)
        while at >= 0:
            content[at + offset] |= 1
            at = content.find(signature, at + 1)
    target.write_bytes(content)
    with pytest.raises(GlassError, match="encrypted"):
        load(target, times=[1.0])


def test_a_flipped_bit_is_noticed(public_files: dict[str, Path], target: Path) -> None:
    content = bytearray(public_files["botan"].read_bytes())
    content[len(content) // 2] ^= 1
    target.write_bytes(content)
    with pytest.raises(GlassError, match=r"positions: cannot be read.*Bad CRC"):
        load(target, times=[1.0])


@pytest.mark.parametrize("name", ["botan", "glassbench", "deepmind", "native", "compact"])
@pytest.mark.parametrize("kept", [0, 1, 10, 200, 0.5, 0.99])
def test_cut_short(name: str, kept: float, public_files: dict[str, Path], target: Path) -> None:
    content = public_files[name].read_bytes()
    target.write_bytes(content[: kept if isinstance(kept, int) else int(kept * len(content))])
    with pytest.raises(GlassError, match="is empty" if kept == 0 else "damaged|no known format"):
        load(target, times=[1.0])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"initial_positions": np.zeros((50, 2))}, "initial_positions: expected shape"),
        ({"positions": np.zeros((4, 49, 3))}, "positions: expected shape"),
        ({"positions": np.zeros((0, 50, 3))}, "positions: holds no trajectories"),
        ({"positions": np.full((4, 50, 3), np.nan)}, "positions: 600 of 600 values are NaN"),
        ({"types": np.full(50, 2)}, "types: expected the integers 0"),
        ({"initial_positions": np.zeros((50, 3))}, "closer than"),
        ({"initial_positions": np.array("text")}, "initial_positions: expected"),
    ],
)
def test_wrong_arrays(
    changes: dict[str, object], message: str, make: SimpleNamespace, tmp_path: Path
) -> None:
    path = tmp_path / "N50T0.44_1_tc07.npz"
    np.savez(path, **{**make.botan(), **changes})
    with pytest.raises(GlassError, match=message) as error:
        load(path)
    assert error.value.source == str(path)


def test_not_a_file(tmp_path: Path) -> None:
    with pytest.raises(GlassError, match="there is no such file"):
        load(tmp_path / "nothing.npz")
    with pytest.raises(GlassError, match="is a folder, not a file"):
        load(tmp_path)
    (tmp_path / "notes.txt").write_text("Dear diary")
    with pytest.raises(GlassError, match=r"is of no known format.*BOTAN.*GlassBench.*DeepMind.*glasslib"):
        load(tmp_path / "notes.txt")
    np.savez(tmp_path / "other.npz", weights=np.ones(3))
    with pytest.raises(GlassError, match="no known format: it holds weights"):
        load(tmp_path / "other.npz")
