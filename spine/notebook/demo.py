"""The events that come with the package."""

from __future__ import annotations

import hashlib
import lzma
import os
from importlib.resources import files
from pathlib import Path

from spine.store.atomic import atomic_file

__all__ = ["demo_file"]


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "spine-flow"


def demo_file(folder: str | Path | None = None) -> Path:
    """A file with sixteen synthetic events, reconstructed, with their truth.

    Parameters
    ----------
    folder : str or Path, optional
        Where to unpack it; by default ``spine-flow`` in the cache directory of the user.

    Returns
    -------
    Path
        The file, unpacked unless it was there.
    """
    packed = files("spine.notebook").joinpath("data/demo.h5.xz").read_bytes()
    place = Path(folder) if folder is not None else _cache()
    path = place / f"demo-{hashlib.sha256(packed).hexdigest()[:8]}.h5"
    if not path.exists():
        with atomic_file(path) as temporary:
            temporary.write_bytes(lzma.decompress(packed))
    return path
