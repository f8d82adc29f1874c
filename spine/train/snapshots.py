"""Snapshots of a training in its directory: written whole, found again, the newest and the best kept."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from spine.errors import DataError
from spine.model.checkpoint import Checkpoint, read_checkpoint, sidecar_of, write_checkpoint
from spine.store.atomic import atomic_file

__all__ = ["WEIGHTS", "Snapshots"]

log = logging.getLogger("spine")

WEIGHTS = "weights.ckpt"
"""The result of a training."""


@dataclass(frozen=True)
class Snapshots:
    """Snapshots of a training.

    Parameters
    ----------
    folder : Path
        Where they are.
    prefix : str
        First part of their names.
    keep : int
        How many of the newest stay.
    """

    folder: Path
    prefix: str = "snapshot"
    keep: int = 3

    def path(self, step: int) -> Path:
        """File of the snapshot after a step."""
        return self.folder / f"{self.prefix}-{step}.ckpt"

    @property
    def best(self) -> Path:
        """File of the best snapshot."""
        return self.folder / f"{self.prefix}-best.ckpt"

    def steps(self) -> list[int]:
        """Steps of which there are snapshots, in rising order."""
        pattern = re.compile(re.escape(self.prefix) + r"-(\d+)\.ckpt")
        found = [pattern.fullmatch(path.name) for path in self.folder.glob(f"{self.prefix}-*.ckpt")]
        return sorted(int(match[1]) for match in found if match)

    def newest(self) -> Checkpoint | None:
        """The newest snapshot that is intact; broken ones are named in the log."""
        for step in reversed(self.steps()):
            path = self.path(step)
            if not sidecar_of(path).is_file():
                log.warning("train: %s has no SHA-256 beside it and is passed over", path)
                continue
            try:
                return read_checkpoint(path)
            except DataError as error:
                log.warning("train: %s is passed over: %s", path, error.what)
        return None

    def write(
        self, step: int, state: Mapping[str, Tensor], parts: Mapping[str, object], best: bool, world: int
    ) -> Path:
        """Write a snapshot, as the best one too if it is, and remove old ones."""
        path = self.path(step)
        digest = write_checkpoint(path, Checkpoint(state, {"global_step": step, **parts}), world)
        if best:
            with atomic_file(self.best) as temporary:
                shutil.copyfile(path, temporary)
                sidecar_of(self.best).unlink(missing_ok=True)
            with atomic_file(sidecar_of(self.best)) as temporary:
                temporary.write_text(f"{digest}  {self.best.name}\n", encoding="utf-8")
        for old in self.steps()[: -self.keep]:
            self._remove(self.path(old))
        return path

    def clear(self) -> None:
        """Remove all snapshots: a training begins anew."""
        for path in (*map(self.path, self.steps()), self.best):
            self._remove(path)

    def _remove(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        sidecar_of(path).unlink(missing_ok=True)
