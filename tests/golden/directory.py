"""A directory of golden files: configuration, weights, and what SPINE computed for each event."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import h5py
import numpy as np
import torch
import yaml
from numpy.typing import NDArray
from torch import nn

from spine.errors import DataError
from spine.model.chain import Plan
from spine.model.networks import make_networks, network_names
from spine.model.weights import WeightSource, load_weights

__all__ = ["Case", "Golden"]

Array = NDArray[Any]
Made = TypeVar("Made")


@dataclass(frozen=True)
class Golden:
    """A directory with ``*.ckpt``, ``inputs``, ``outputs`` and ``reco``.

    Parameters
    ----------
    path : Path
        The directory.
    chain : list of Plan
        The chain of the configuration, once it has been built.
    """

    path: Path
    chain: list[Plan] = field(default_factory=list)
    _networks: dict[str, nn.Module] = field(default_factory=dict)

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """Configuration of the chain; the only YAML file in ``reco``."""
        text = self._only("reco/*.yaml").read_text(encoding="utf-8")
        config: Mapping[str, Any] = yaml.safe_load(text)
        return config

    @property
    def modules(self) -> Mapping[str, Any]:
        """Options of the networks by name."""
        modules: Mapping[str, Any] = self.config["model"]["modules"]
        return modules

    @property
    def weights(self) -> Path:
        """The only checkpoint."""
        return self._only("*.ckpt")

    def _only(self, pattern: str) -> Path:
        found = sorted(self.path.glob(pattern))
        if len(found) != 1:
            raise DataError(f"one file {pattern} is needed", where=self.path, got=len(found))
        return found[0]

    def network(self, prefix: str) -> nn.Module | None:
        """The network whose name starts so, with its weights, in evaluation mode; None when there is none."""
        names = [name for name in network_names(self.modules) if name.startswith(prefix)]
        if not names:
            return None
        name = names[0]
        if name not in self._networks:
            networks = make_networks({name: self.modules[name]})
            load_weights(networks, [WeightSource(str(self.weights), name, name)])
            self._networks[name] = networks[name].eval()
        return self._networks[name]

    def cases(self) -> Iterator[Case]:
        """Every event of every file of outputs."""
        for file in sorted((self.path / "outputs").glob("*.npz")):
            with np.load(file) as arrays:
                names = {name.partition("/")[0] for name in arrays.files}
                for event in sorted(name for name in names if name.startswith("ev") and name[2:].isdigit()):
                    prefix = f"{event}/"
                    content = {n[len(prefix) :]: arrays[n] for n in arrays.files if n.startswith(prefix)}
                    yield Case(self, file.stem, int(event[2:]), content)


@dataclass(frozen=True)
class Case:
    """An event with what SPINE computed.

    Parameters
    ----------
    golden : Golden
        Directory.
    stem : str
        Name of the files of inputs and outputs.
    number : int
        Number of the event.
    arrays : mapping of str to ndarray
        Outputs by name.
    """

    golden: Golden
    stem: str
    number: int
    arrays: Mapping[str, Array]
    _computed: dict[str, Any] = field(default_factory=dict)

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """What ``make`` gives, computed once for this event."""
        if name not in self._computed:
            self._computed[name] = make()
        made: Made = self._computed[name]
        return made

    @property
    def label(self) -> str:
        """Name for people."""
        return f"{self.stem} event {self.number}"

    def __contains__(self, name: str) -> bool:
        return name in self.arrays

    def __getitem__(self, name: str) -> Array:
        return self.arrays[name]

    def ragged(self, name: str) -> tuple[Array, Array]:
        """Values and offsets of lists of numbers."""
        return self.arrays[f"{name}/index"], self.arrays[f"{name}/offsets"]

    @cached_property
    def table(self) -> Array:
        """(N, 5) batch index, voxel coordinates, charge."""
        if "input" in self.arrays:
            return self.arrays["input"]
        with h5py.File(self.golden.path / "inputs" / f"{self.stem}.h5") as file:
            product = file["products/data"]
            low, high = product["event_offsets"][self.number : self.number + 2]
            values = product["values"][low:high]
        return np.column_stack([np.zeros(len(values)), values]).astype(np.float32)

    @property
    def tensor(self) -> torch.Tensor:
        """The same as a tensor."""
        return torch.from_numpy(np.asarray(self.table, dtype=np.float32))

    @property
    def voxels(self) -> Array:
        """(N, 3) int64 coordinates."""
        return self.table[:, 1:4].astype(np.int64)

    @property
    def classes(self) -> Array | None:
        """(N,) semantic class that SPINE predicted for each voxel; later stages start from it."""
        if "seg_pred" in self.arrays:
            return self.arrays["seg_pred"].astype(np.int64)
        return self.arrays["segmentation"].argmax(axis=1) if "segmentation" in self.arrays else None

    def labels(self, name: str) -> Array:
        """(N,) number of the list that holds each voxel, -1 for none."""
        values, offsets = self.ragged(name)
        labels = np.full(len(self.table), -1, dtype=np.int64)
        labels[values] = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        return labels
