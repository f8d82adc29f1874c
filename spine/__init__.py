"""Reconstruction of liquid-argon time-projection chamber images as a chain of file-to-file stages."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from spine.notebook import Run

__version__ = "0.1.0"

__all__ = ["__version__", "demo_file", "open"]


def open(*sources: str | Path, has_truth: bool = True) -> Run:  # noqa: A001
    """Open files of events for a look.

    Parameters
    ----------
    *sources : str or Path
        HDF5 files (either layout; the last one of a chain of stages stands for all) or larcv ROOT files, or patterns
        such as ``results/post/*.h5``.
    has_truth : bool
        False when larcv files hold no truth.

    Returns
    -------
    Run
        Its length is the number of events; ``run[3].show()``, ``run.reco_particles.to_pandas()``,
        ``run.where("is_contained & pid == 2")``, ``run.matches("particle", min_overlap=0.5)``.

    Raises
    ------
    DataError
        When a file is missing, truncated or of another kind.
    """
    run: Run = import_module("spine.notebook").open_run(*sources, has_truth=has_truth)
    return run


def demo_file(folder: str | Path | None = None) -> Path:
    """A file with sixteen synthetic events, reconstructed, with their truth: ``spine.open(spine.demo_file())``.

    Parameters
    ----------
    folder : str or Path, optional
        Where to unpack it; by default ``spine-flow`` in the cache directory of the user.
    """
    path: Path = import_module("spine.notebook.demo").demo_file(folder)
    return path
