"""Weights that come with the package."""

from __future__ import annotations

from pathlib import Path

from spine.errors import ConfigError, did_you_mean

__all__ = ["weights_file"]

PREFIX = "shipped:"
FOLDER = Path(__file__).resolve().parents[1] / "weights"


def weights_file(name: str) -> Path:
    """File of weights: ``shipped:NAME`` is one of the package, everything else a path.

    Raises
    ------
    ConfigError
        When the package has no such weights.
    """
    if not name.startswith(PREFIX):
        return Path(name).expanduser()
    path = FOLDER / f"{name.removeprefix(PREFIX)}.ckpt"
    if not path.is_file():
        known = [PREFIX + file.stem for file in FOLDER.glob("*.ckpt")]
        raise ConfigError("no such weights come with the package", got=name, mend=did_you_mean(name, known))
    return path
