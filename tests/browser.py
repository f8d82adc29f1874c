"""A headless Chromium for tests of pages: through chromedriver, with what its console says."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

CHROMIUM = shutil.which("chromium")
DRIVER = shutil.which("chromedriver")

needs_browser = pytest.mark.skipif(
    CHROMIUM is None or DRIVER is None,
    reason="no chromium and chromium-driver here; .ci/browser installs them on Debian",
)

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--use-gl=angle", "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--window-size=1200,680",
)  # fmt: skip


class Browser:
    """A browser with one page.

    Parameters
    ----------
    folder : Path
        For its profile.
    *flags : str
        Further flags of Chromium.
    """

    def __init__(self, folder: Path, *flags: str) -> None:
        self._arguments = [*FLAGS, f"--user-data-dir={folder / 'profile'}", *flags]

    def __enter__(self) -> Self:
        assert DRIVER is not None
        self._driver = subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, text=True)
        assert self._driver.stdout is not None
        lines = iter(self._driver.stdout.readline, "")
        port = next(found[1] for line in lines if (found := re.search(r"successfully on port (\d+)", line)))
        self._address = f"http://127.0.0.1:{port}/session"
        options = {"binary": CHROMIUM, "args": self._arguments}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        session = self._ask("", {"capabilities": {"alwaysMatch": wanted}})
        self._address += f"/{session['sessionId']}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._ask("", None, "DELETE")
        finally:
            self._driver.terminate()
            self._driver.communicate(timeout=30)

    def _ask(self, command: str, body: Any = None, method: str = "POST") -> Any:
        data = json.dumps(body if body is not None else {}).encode() if method == "POST" else None
        request = urllib.request.Request(
            self._address + command, data, {"Content-Type": "application/json"}, method=method
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=120) as answer:
            return json.loads(answer.read())["value"]

    def open(self, page: Path, hash_: str = "") -> None:
        """Load a page of the disk."""
        self._ask("/url", {"url": f"{page.as_uri()}{hash_}"})

    def run(self, script: str) -> Any:
        """Value of a script that returns one; a promise is waited for."""
        return self._ask("/execute/sync", {"script": script, "args": []})

    def point(self, x: float, y: float) -> None:
        """Move the pointer to a place of the page."""
        move = {"type": "pointerMove", "duration": 0, "x": round(x), "y": round(y), "origin": "viewport"}
        self._ask("/actions", {"actions": [{"type": "pointer", "id": "mouse", "actions": [move]}]})

    def picture(self, path: Path) -> Path:
        """A PNG of what is seen."""
        path.write_bytes(base64.b64decode(self._ask("/screenshot", method="GET")))
        return path

    def said(self) -> list[str]:
        """What the console got since it was asked last, without notes about drawing by software."""
        entries = self._ask("/se/log", {"type": "browser"})
        return [e["message"] for e in entries if "GL Driver Message" not in e["message"]]
