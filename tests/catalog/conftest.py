"""A web server on this machine that can misbehave, and a data set that it publishes."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from glasslib import catalog
from glasslib.catalog import store, transfer

CONTENT = bytes(range(256)) * 4096  # 1 MiB


class Server(ThreadingHTTPServer):
    """Serves ``files``; counts ``requests`` and ``served`` bytes."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.ranges = True
        self.drop_after: list[int] = []  # bytes after which each of the next answers breaks off
        self.pause = 0.0  # seconds between blocks
        self.refuse: int | None = None  # status of every answer
        self.requests: list[str] = []
        self.served = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is what some tests want."""


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        server = self.server
        wanted = self.headers.get("Range", "")
        server.requests.append(wanted)
        content = server.files.get(self.path)
        if server.refuse or content is None:
            self.send_error(server.refuse or 404)
            return
        start, stop = 0, len(content)
        if wanted and server.ranges:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, stop = int(first), min(int(last or stop) + 1 if last else stop, stop)
            if start >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{stop - 1}/{len(content)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(stop - start))
        self.end_headers()
        if server.drop_after:
            stop = min(stop, start + server.drop_after.pop(0))
        for at in range(start, stop, 2**16):
            block = content[at : min(at + 2**16, stop)]
            self.wfile.write(block)
            server.served += len(block)
            time.sleep(server.pause)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("GLASSLIB_CACHE", str(folder))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(transfer, "BACKOFF", 0.01)
    return folder


@pytest.fixture
def published(server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch) -> catalog.Dataset:
    """The data set "toy": one file of 1 MiB on the server."""
    server.files["/toy.npz"] = CONTENT
    file = catalog.DataFile(
        "toy/toy.npz", f"{server.url}/toy.npz", sha256=hashlib.sha256(CONTENT).hexdigest(), split="train"
    )
    toy = catalog.Dataset("toy", "for tests", "MIT", "nobody", server.url, len(CONTENT), (file,))
    monkeypatch.setattr(store, "datasets", lambda: {"toy": toy})
    return toy
