"""Outputs of the peer on synthetic events, for those who have them: set SPINE_GOLDEN to their directory.

They are too large for the repository: a checkpoint of 27 million parameters, four events of about 5,000 voxels, and
outputs of SPINE 1.4.3 with MinkowskiEngine 0.5.4 (CPU, float32, one event per batch).
"""

from __future__ import annotations

import os
from functools import lru_cache, partial
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor

from spine.model.ppn import PPN, UResNetPPN
from spine.model.uresnet import LayerStyle, UResNet, UResNetSegmentation, UResNetShape
from spine.sparse import nn as snn

GOLDEN = Path(os.environ.get("SPINE_GOLDEN", "golden"))
needs_golden = pytest.mark.skipif(
    not (GOLDEN / "full_chain.ckpt").exists(), reason="SPINE_GOLDEN does not name the directory of golden files"
)
SHAPE = UResNetShape(filters=32, depth=5, reps=2)
STYLE = LayerStyle(partial(snn.LeakyReLU, 0.33), partial(snn.BatchNorm, eps=1e-4, momentum=0.01))


@lru_cache
def golden_arrays(name: str, group: str) -> dict[str, Tensor]:
    """Arrays of a golden file below an event or a part, by name."""
    with np.load(GOLDEN / "outputs" / name) as file:
        wanted = [key for key in file.files if key.startswith(group + "/")]
        return {key[len(group) + 1 :]: torch.from_numpy(np.asarray(file[key])) for key in wanted}


def golden_network() -> UResNetPPN:
    """Network with the golden parameters; every name must match."""
    network = UResNetPPN(UResNetSegmentation(UResNet(SHAPE, STYLE), 5), PPN(SHAPE, STYLE, 5))
    state = torch.load(GOLDEN / "full_chain.ckpt", map_location="cpu")["state_dict"]
    prefix = "uresnet_ppn."
    network.load_state_dict({k[len(prefix) :]: v.float() for k, v in state.items() if k.startswith(prefix)})
    return network


def golden_product(name: str, events: int) -> Tensor:
    """(N, 1 + columns) rows of a product of the first events, with the batch index first."""
    with h5py.File(GOLDEN / "inputs" / "ev5k.h5") as file:
        offsets, values = file["products"][name]["event_offsets"][:], file["products"][name]["values"][:]
    batch = np.repeat(np.arange(events), np.diff(offsets[: events + 1]))
    return torch.from_numpy(np.column_stack([batch, values[: offsets[events]]]).astype(np.float32))


def in_coordinate_order(coordinates: Tensor, values: Tensor) -> Tensor:
    """Rows sorted by batch, x, y, z."""
    return values[torch.from_numpy(np.lexsort(coordinates.numpy().T[::-1]))]
