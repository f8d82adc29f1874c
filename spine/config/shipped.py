"""Weights that come with the package."""

from __future__ import annotations

from pathlib import Path

__all__ = ["weights_file"]

PREFIX = "shipped:"
FOLDER = Path(__file__).resolve().parents[1] / "weights"


def weights_file(name: str) -> Path:
    """File of weights: ``shipped:NAME`` is one of the package, everything else a path. It need not exist."""
    if name.startswith(PREFIX):
        return FOLDER / f"{name.removeprefix(PREFIX)}.ckpt"
    return Path(name).expanduser()
