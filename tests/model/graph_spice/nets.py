"""A small Graph-SPICE and images for it."""

from __future__ import annotations

from typing import Any

import torch

from spine.model.graph_spice import GraphSpice, GraphSpiceConfig, build_graph_spice

SIZE = 16


def options(**changes: Any) -> GraphSpiceConfig:
    """Options of a small network, with changes."""
    block: dict[str, Any] = {
        "embedder": {
            "uresnet": {"filters": 4, "depth": 2, "reps": 1, "num_input": 4, "input_kernel": 5, "spatial_size": SIZE}
        },
        "kernel": {"name": "bilinear", "num_features": 4},
        "constructor": {
            "graph": {"name": "radius", "r": 1.9},
            "edge_threshold": 0.5,
            "min_size": 3,
            "orphan": {"mode": "radius", "radius": 1.9},
        },
        "use_raw_features": True,
    }
    return GraphSpiceConfig.model_validate({**block, **changes})


def network(**changes: Any) -> GraphSpice:
    """A network with fixed random weights, in double precision and evaluation mode."""
    torch.manual_seed(0)
    return build_graph_spice(options(**changes)).double().eval()


def image(batch: int = 2, count: int = 600, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, 5) table of different voxels in random order, batch by batch, and (N,) classes from -1 to 5."""
    generator = torch.Generator().manual_seed(seed)
    place = torch.randint(0, SIZE // 2, (count, 3), generator=generator)
    entry = torch.randint(0, batch, (count, 1), generator=generator)
    rows = torch.unique(torch.cat([entry, place], 1), dim=0)
    rows = rows[torch.randperm(len(rows), generator=generator)]
    rows = rows[torch.argsort(rows[:, 0], stable=True)]
    charge = torch.rand(len(rows), 1, generator=generator, dtype=torch.float64)
    classes = torch.randint(-1, 6, (len(rows),), generator=generator)
    return torch.cat([rows.double(), charge], 1), classes
