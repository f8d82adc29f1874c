"""Files that a configuration gives by URL: downloaded once, checked, kept where SPINE keeps them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlparse

from spine.config.peer.document import Download
from spine.errors import ConfigError, DataError

__all__ = ["cache_folder", "cached_name", "fetch"]

MOST_SECONDS: Final = 3600.0
"""How long another process that downloads the same file is waited for."""
FOLDER_MODE: Final = 0o775
FILE_MODE: Final = 0o664


def cache_folder() -> Path:
    """Where downloads are kept: ``SPINE_CACHE_DIR``, else below the directory of the production, else ``weights``."""
    if os.environ.get("SPINE_CACHE_DIR"):
        return Path(os.environ["SPINE_CACHE_DIR"])
    for variable in ("SPINE_PROD_BASEDIR", "SPINE_BASEDIR"):
        if os.environ.get(variable):
            return Path(os.environ[variable]) / ".cache" / "weights"
    return Path.cwd() / "weights"


def cached_name(url: str) -> str:
    """Name of a download in the cache."""
    return hashlib.sha256(url.encode()).hexdigest()[:16] + Path(urlparse(url).path).suffix


@contextmanager
def _alone(lock: Path, most: float) -> Iterator[None]:
    """Hold a lock file, so that one process at a time downloads."""
    with lock.open("w") as stream:
        start = time.monotonic()
        while True:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() - start > most:
                    raise DataError("another process downloads the file for too long", where=lock, got=most) from None
                time.sleep(0.2)
        yield


def fetch(download: Download, folder: Path | None = None, most_seconds: float = MOST_SECONDS) -> Path:
    """The file of a URL.

    Parameters
    ----------
    download : Download
        URL and, if given, SHA-256 of the file.
    folder : Path, optional
        Where it is kept, by default `cache_folder`.
    most_seconds : float
        How long another process that downloads it is waited for.

    Returns
    -------
    Path
        The file, complete and, when a digest is given, checked.

    Raises
    ------
    ConfigError
        When the directory cannot be made.
    DataError
        When the file cannot be downloaded, or is not what its digest says.
    """
    import pooch

    place = cache_folder() if folder is None else folder
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        mend = "set SPINE_CACHE_DIR"
        raise ConfigError("downloads cannot be kept", where=place, got=error.strerror, mend=mend) from error
    name = cached_name(download.url)
    digest = f"sha256:{download.sha256.lower()}" if download.sha256 else None
    with _alone(place / f".{name}.lock", most_seconds):
        try:
            path = Path(pooch.retrieve(download.url, known_hash=digest, fname=name, path=place))
        except (OSError, ValueError) as error:
            raise DataError("the file cannot be downloaded", where=download.url, got=str(error)) from error
    _share(place, path)
    return path


def _share(folder: Path, path: Path) -> None:
    """Let the group use what this process owns in a shared cache."""
    for item, mode in ((folder, FOLDER_MODE), (path, FILE_MODE)):
        if item.stat().st_uid == os.getuid():
            item.chmod(mode)
