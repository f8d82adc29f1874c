"""Files that a configuration gives by URL: fetched once, checked, one process at a time."""

from __future__ import annotations

import fcntl
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from spine.config.peer.document import Download
from spine.config.peer.download import cached_name, fetch
from spine.errors import ConfigError, DataError

pytest.importorskip("pooch")

CONTENT = b"weights"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class _Handler(http.server.BaseHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200 if self.path == "/a.ckpt" else 404)
        self.end_headers()
        self.wfile.write(CONTENT if self.path == "/a.ckpt" else b"")

    def log_message(self, *args: object) -> None:
        del args


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """A server of one file: its address, and what it was asked for."""
    handler = type("Handler", (_Handler,), {"asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as found:
        thread = threading.Thread(target=found.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{found.server_port}", handler.asked
        found.shutdown()
        thread.join()


def test_once(server: tuple[str, list[str]], tmp_path: Path) -> None:
    address, asked = server
    download = Download(f"{address}/a.ckpt", DIGEST.upper())
    first = fetch(download, tmp_path / "cache")
    assert first.read_bytes() == CONTENT
    assert first.name == cached_name(download.url)
    assert fetch(download, tmp_path / "cache") == first
    assert fetch(Download(download.url), tmp_path / "cache") == first
    assert asked == ["/a.ckpt"]
    first.write_bytes(b"spoilt")
    assert fetch(download, tmp_path / "cache").read_bytes() == CONTENT


def test_failures(server: tuple[str, list[str]], tmp_path: Path) -> None:
    address, _ = server
    with pytest.raises(DataError, match="cannot be downloaded"):
        fetch(Download(f"{address}/a.ckpt", "0" * 64), tmp_path)
    with pytest.raises(DataError, match="cannot be downloaded"):
        fetch(Download(f"{address}/b.ckpt"), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be kept"):
        fetch(Download(f"{address}/a.ckpt"), tmp_path / "file")
    assert not (tmp_path / cached_name(f"{address}/a.ckpt")).exists()


def test_another_process_downloads(server: tuple[str, list[str]], tmp_path: Path) -> None:
    address, _ = server
    url = f"{address}/a.ckpt"
    with (tmp_path / f".{cached_name(url)}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DataError, match="too long"):
            fetch(Download(url), tmp_path, most_seconds=0.1)
    assert fetch(Download(url), tmp_path).read_bytes() == CONTENT
