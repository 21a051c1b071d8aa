"""Downloads: whole or not at all, whatever the server does."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from glasslib import GlassError, catalog
from glasslib.catalog import store
from tests.trouble import forbidden, limited_files, script, small_disk

FETCH = """
import sys
from glasslib.catalog import DataFile, Dataset, fetch, store
file = DataFile("toy/toy.npz", sys.argv[1] + "/toy.npz", sha256=sys.argv[2], split="train")
store.datasets = lambda: {"toy": Dataset("toy", "", "", "", "", 0, (file,))}
print(fetch("toy", progress=False)[0])
"""


def arrived(cache: Path) -> list[str]:
    return sorted(os.listdir(cache / "toy"))


def in_a_process(dataset: catalog.Dataset) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", FETCH, dataset.homepage, str(dataset.files[0].sha256)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def test_good_download(server: Any, published: catalog.Dataset, cache: Path, capsys: Any) -> None:
    assert not catalog.is_cached("toy")
    (path,) = catalog.fetch("toy", "train")
    assert path == cache / "toy/toy.npz"
    assert path.read_bytes() == server.files["/toy.npz"]
    assert arrived(cache) == ["toy.npz"]
    assert "toy.npz: 100%" in capsys.readouterr().err
    assert catalog.is_cached("toy")
    catalog.fetch("toy")
    assert len(server.requests) == 1
    assert catalog.verify("toy") == [path]


def test_dropped_connection_is_resumed(server: Any, published: catalog.Dataset, cache: Path) -> None:
    server.drop_after = [2**18, 0, 2**17]
    (path,) = catalog.fetch("toy", progress=False)
    assert path.read_bytes() == server.files["/toy.npz"]
    assert server.requests == ["", "bytes=262144-", "bytes=262144-", "bytes=393216-"]
    assert server.served == len(server.files["/toy.npz"])


def test_server_without_ranges_starts_again(server: Any, published: catalog.Dataset, cache: Path) -> None:
    server.ranges, server.drop_after = False, [2**18]
    (path,) = catalog.fetch("toy", progress=False)
    assert path.read_bytes() == server.files["/toy.npz"]


@pytest.mark.parametrize("left", [b"other bytes", b"x" * 2**20, b"y" * (2**20 + 5)])
def test_a_wrong_part_from_earlier_is_replaced(
    left: bytes, server: Any, published: catalog.Dataset, cache: Path
) -> None:
    (cache / "toy").mkdir(parents=True)
    (cache / "toy/toy.npz.part").write_bytes(left)
    (path,) = catalog.fetch("toy", progress=False)
    assert path.read_bytes() == server.files["/toy.npz"]
    assert arrived(cache) == ["toy.npz"]


def test_a_complete_part_needs_no_download(server: Any, published: catalog.Dataset, cache: Path) -> None:
    (cache / "toy").mkdir(parents=True)
    (cache / "toy/toy.npz.part").write_bytes(server.files["/toy.npz"])
    catalog.fetch("toy", progress=False)
    assert server.served == 0


def test_wrong_bytes(server: Any, published: catalog.Dataset, cache: Path) -> None:
    server.files["/toy.npz"] = b"something else"
    with pytest.raises(GlassError, match=r"toy.npz: expected SHA-256 \w{64}, got \w{64}.*was discarded"):
        catalog.fetch("toy", progress=False)
    assert not any(name.endswith((".npz", ".part")) for name in arrived(cache))


def test_wrong_file_in_the_cache(server: Any, published: catalog.Dataset, cache: Path) -> None:
    (cache / "toy").mkdir(parents=True)
    (cache / "toy/toy.npz").write_bytes(b"put here by hand")
    for look in (catalog.fetch, catalog.verify):
        with pytest.raises(GlassError, match=r"expected SHA-256.*Delete it and fetch it again"):
            look("toy")
    assert server.requests == []


def test_refusal_is_final(server: Any, published: catalog.Dataset, cache: Path) -> None:
    server.files.clear()
    with pytest.raises(GlassError, match=r"the server answered 404.*put it at .*toy\.npz") as error:
        catalog.fetch("toy", progress=False)
    assert len(server.requests) == 1
    assert f"{server.url}/toy.npz" in str(error.value)


def test_a_busy_server_is_asked_again(server: Any, published: catalog.Dataset, cache: Path) -> None:
    server.refuse = 503
    with pytest.raises(GlassError, match="the server answered 503"):
        catalog.fetch("toy", progress=False)
    assert len(server.requests) == 4


def test_offline(server: Any, published: catalog.Dataset, cache: Path) -> None:
    server.server_close()
    with pytest.raises(GlassError, match=r"cannot be fetched from .* no connection") as error:
        catalog.load("toy", progress=False)
    for part in (str(cache / "toy/toy.npz"), published.files[0].url, "GLASSLIB_CACHE", "by hand"):
        assert part in str(error.value)
    with pytest.raises(GlassError, match="no file for split 'train' in"):
        catalog.load("toy", "train", only_cached=True)


def test_a_cache_that_cannot_be_written(server: Any, published: catalog.Dataset, cache: Path) -> None:
    cache.write_text("a file stands in its place")
    with pytest.raises(GlassError, match="the cache cannot be written"):
        catalog.fetch("toy", progress=False)


def test_two_processes_at_once(server: Any, published: catalog.Dataset, cache: Path) -> None:
    server.pause = 0.02
    processes = [in_a_process(published), in_a_process(published)]
    assert [process.communicate()[0].strip() for process in processes] == [str(cache / "toy/toy.npz")] * 2
    assert len(server.requests) == 1
    assert arrived(cache) == ["toy.npz"]


def test_killed_in_the_middle(server: Any, published: catalog.Dataset, cache: Path) -> None:
    server.pause = 0.1
    process = in_a_process(published)
    part = cache / "toy/toy.npz.part"
    deadline = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not (cache / "toy/toy.npz").exists()
    have = part.stat().st_size
    assert 0 < have < len(server.files["/toy.npz"])
    server.pause = 0.0
    catalog.fetch("toy", progress=False)
    assert server.requests[-1] == f"bytes={have}-"
    assert arrived(cache) == ["toy.npz"]


@pytest.mark.parametrize("kind", [small_disk, limited_files])
def test_on_a_full_disk_it_says_so_and_then_continues(
    kind: Any, server: Any, published: catalog.Dataset, cache: Path
) -> None:
    cache.mkdir()
    with kind(cache) as disk:
        with (
            disk.with_room_for(2**19),
            pytest.raises(
                GlassError, match=rf"toy.npz: the cache cannot be written: {disk.message}. Make room"
            ),
        ):
            catalog.fetch("toy", progress=False)
        have = (cache / "toy/toy.npz.part").stat().st_size
        assert 2**18 < have <= 2**19
        (path,) = catalog.fetch("toy", progress=False)
        assert server.requests[-1] == f"bytes={have}-"
        assert path.read_bytes() == server.files["/toy.npz"]
        assert arrived(cache) == ["toy.npz"]


def test_a_forbidden_cache(server: Any, published: catalog.Dataset, cache: Path) -> None:
    cache.mkdir()
    with (
        forbidden(cache),
        pytest.raises(GlassError, match=r"cannot be written: Permission denied.*GLASSLIB_CACHE"),
    ):
        catalog.fetch("toy", progress=False)
    assert not os.listdir(cache)


KILLER = """
import random, sys
from glasslib.catalog import DataFile, Dataset, fetch, store
from tests.trouble import in_a_fork
file = DataFile("toy/toy", sys.argv[1] + "/all.zip", "KA/deflated")
store.datasets = lambda: {"toy": Dataset("toy", "", "", "", "", 0, (file,))}
chance, kills, patience = random.Random(1), 0, 0.1
while not in_a_fork(lambda: fetch("toy", progress=False), kill_after=chance.uniform(0, patience)):
    kills += 1
    patience *= 1.2
print(kills)
"""


def test_killed_at_random_moments_again_and_again(server: Any, cache: Path) -> None:
    content, packed = os.urandom(2**20), io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("KA/deflated", content)
    server.files["/all.zip"], server.pause = packed.getvalue(), 0.02
    assert int(script(KILLER, server.url)) > 3
    assert (cache / "toy/toy").read_bytes() == content
    assert arrived(cache) == ["toy"]
    assert server.served < 3 * len(content), "what had arrived was not fetched again each time"


@pytest.fixture
def remote_zip(server: Any, cache: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Data sets "stored" and "deflated", each one member of a zip of 4 MiB."""
    contents = {"stored": os.urandom(200_000), "deflated": b"compress me " * 20_000}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("before.bin", os.urandom(2**21))
        archive.writestr("KA/stored", contents["stored"])
        archive.writestr("KA/deflated", contents["deflated"], zipfile.ZIP_DEFLATED)
        archive.writestr("after.bin", os.urandom(2**21))
    server.files["/all.zip"] = packed.getvalue()
    known = {
        name: catalog.Dataset(
            name, "", "", "", "", 0, (catalog.DataFile(f"toy/{name}", f"{server.url}/all.zip", f"KA/{name}"),)
        )
        for name in (*contents, "absent")
    }
    monkeypatch.setattr(store, "datasets", lambda: known)
    return contents


@pytest.mark.parametrize("name", ["stored", "deflated"])
def test_one_member_of_a_remote_zip(
    name: str, server: Any, remote_zip: dict[str, bytes], cache: Path
) -> None:
    (path,) = catalog.fetch(name, progress=False)
    assert path.read_bytes() == remote_zip[name]
    assert arrived(cache) == [name]
    assert server.served < 0.1 * len(server.files["/all.zip"])


@pytest.mark.parametrize("name", ["stored", "deflated"])
def test_a_damaged_member_is_refused(
    name: str, server: Any, remote_zip: dict[str, bytes], cache: Path
) -> None:
    content = bytearray(server.files["/all.zip"])
    content[content.find(f"KA/{name}".encode()) + 100] ^= 255
    server.files["/all.zip"] = bytes(content)
    with pytest.raises(GlassError, match="with CRC-32"):
        catalog.fetch(name, progress=False)
    assert not any(entry.endswith((name, "part")) for entry in arrived(cache))


def test_a_dropped_member_is_resumed(server: Any, remote_zip: dict[str, bytes], cache: Path) -> None:
    catalog.fetch("deflated", progress=False)
    looked_up = len(server.requests)
    server.drop_after = [10**9] * (looked_up - 1) + [70_000]
    (path,) = catalog.fetch("stored", progress=False)
    assert path.read_bytes() == remote_zip["stored"]
    assert len(server.requests) == 2 * looked_up + 1


def test_a_remote_zip_that_will_not_do(server: Any, remote_zip: dict[str, bytes], cache: Path) -> None:
    with pytest.raises(GlassError, match=r"member KA/absent.*There is no item named"):
        catalog.fetch("absent", progress=False)
    server.ranges = False
    with pytest.raises(GlassError, match="does not serve parts"):
        catalog.fetch("stored", progress=False)
    server.ranges, server.files["/all.zip"] = True, b"no zip at all" * 10
    with pytest.raises(GlassError, match="the archive is not as expected"):
        catalog.fetch("stored", progress=False)


def test_zip64_directory(server: Any, remote_zip: dict[str, bytes], cache: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("before.bin", os.urandom(2**20))
        archive.writestr("KA/stored", remote_zip["stored"])
    assert b"PK\x06\x06" in packed.getvalue()
    server.files["/all.zip"] = packed.getvalue()
    (path,) = catalog.fetch("stored", progress=False)
    assert path.read_bytes() == remote_zip["stored"]
