"""Small events made up for trainings: tracks and a shower from a vertex, seeded, with all their labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spine.config import Config, resolve_config
from spine.schema import Event, Table, Tensor, row_of
from spine.schema.truth_records import ParticleLabel
from spine.store.writer import EventWriter, FileInfo

SIZE = 64
UNET = {"reps": 1, "depth": 3, "filters": 4, "num_classes": 5}
MLP = {"depth": 2, "width": 16}
GEO = {"name": "geo", "add_value": True, "add_shape": True, "add_points": True, "add_local_dirs": True}
LAYERS = {
    "edge_layer": {"name": "mlp", "mlp": MLP},
    "node_layer": {"name": "mlp", "reduction": "max", "message_mlp": MLP, "aggr_mlp": MLP},
}


def _graph(**heads: Any) -> dict[str, Any]:
    return {"name": "meta", "node_feats": 31, "edge_feats": 19, "num_mp": 2, **LAYERS, **heads}


MODULES: dict[str, Any] = {
    "uresnet_ppn": {"uresnet": UNET, "ppn": {}},
    "uresnet_ppn_loss": {"uresnet_loss": {}, "ppn_loss": {"mask_loss": "CE", "resolution": 3.0}},
    "graph_spice": {
        "embedder": {
            "uresnet": {"reps": 1, "depth": 2, "filters": 4, "num_input": 4, "spatial_size": SIZE},
            "feature_embedding_dim": 4,
        },
        "use_raw_features": True,
        "kernel": {"name": "bilinear", "num_features": 4},
        "constructor": {"edge_threshold": 0.1, "min_size": 3, "graph": {"name": "radius", "r": 1.9}},
    },
    "graph_spice_loss": {"name": "edge", "loss": "bce_logits"},
    "grappa_shower": {
        "nodes": {"source": "cluster", "shapes": ["shower", "michel", "delta"], "make_groups": True},
        "graph": {"name": "complete"},
        "node_encoder": GEO,
        "gnn_model": _graph(node_pred=2, edge_pred=2),
    },
    "grappa_shower_loss": {
        "node_loss": {"name": "shower_primary", "high_purity": True, "use_group_pred": True},
        "edge_loss": {"name": "channel", "target": "group", "high_purity": True},
    },
    "grappa_inter": {
        "nodes": {"source": "group", "make_groups": True},
        "graph": {"name": "complete"},
        "node_encoder": GEO,
        "gnn_model": _graph(node_pred={"type": 5, "primary": 2, "orient": 2}, edge_pred=2),
    },
    "grappa_inter_loss": {
        "node_loss": {
            "type": {"name": "class", "target": "pid"},
            "primary": {"name": "class", "target": "inter_primary"},
            "orient": {"name": "orient"},
        },
        "edge_loss": {"name": "channel", "target": "interaction"},
    },
}


def _path(start: NDArray[Any], random: np.random.Generator, length: int, spread: float) -> NDArray[Any]:
    """(n, 3) voxels along a direction."""
    direction = random.normal(size=3)
    steps = np.arange(length)[:, None] * direction / np.linalg.norm(direction)
    voxels = np.floor(start + steps + random.normal(0, spread, (length, 3))).astype(np.int32)
    return voxels[((voxels >= 0) & (voxels < SIZE)).all(axis=1)]


def made_up(entry: int, seed: int = 0) -> Event:
    """An event of six particles: two vertices with a track, and a shower of two fragments each."""
    random = np.random.default_rng([seed, entry])
    vertices = random.uniform(16, SIZE - 16, (2, 3))
    starts = vertices[[0, 0, 0, 1, 1, 1]] + np.array([0, 0, 6, 0, 0, 6])[:, None]
    shapes, groups = np.array([1, 0, 0, 1, 0, 0]), np.array([0, 1, 1, 3, 4, 4])
    paths = [_path(s, random, 24, 0.3 if kind else 1.2) for s, kind in zip(starts, shapes, strict=True)]
    owners = np.repeat(np.arange(6), [len(path) for path in paths])
    coords, first = np.unique(np.concatenate(paths), axis=0, return_index=True)
    owners = owners[first]
    charge = random.gamma(2, 1, len(coords)) * (1 + shapes[owners])
    labels = {
        "particle": np.arange(6), "group": groups, "interaction": np.array([0, 0, 0, 1, 1, 1]), "shape": shapes,
        "pid": np.array([2, 0, 0, 4, 1, 1]), "group_primary": np.array([1, 1, 0, 1, 1, 0]),
        "interaction_primary": np.array([1, 1, 1, 1, 1, 1]),
    }  # fmt: skip
    cluster = np.column_stack([charge, owners, owners]).astype(np.float32)
    ends = np.column_stack(
        [starts, [path[-1] + 0.5 if len(path) else s for path, s in zip(paths, starts, strict=True)]]
    )
    event = Event({}, entry, "made up")
    event["index"] = entry
    event["meta"] = row_of(
        "meta", lower=np.zeros(3), upper=np.full(3, 19.2), size=np.full(3, 0.3), count=np.full(3, SIZE)
    )
    event["data"] = Tensor(coords, charge[:, None].astype(np.float32))
    event["seg_label"] = Tensor(coords, shapes[owners][:, None].astype(np.float32))
    event["clust_label"] = Tensor(
        coords, cluster, ("value", "cluster", "particle_index"), Table(ParticleLabel, 6, labels)
    )  # fmt: skip
    event["coord_label"] = Tensor(
        ends.astype(np.float32), np.column_stack([np.arange(6), shapes]).astype(np.float32), ("time", "shape")
    )
    event["ppn_label"] = Tensor(
        starts.astype(np.float32), np.column_stack([shapes, np.arange(6)]).astype(np.float32), ("shape", "particle")
    )
    event["graph_label"] = np.array([[0, 1], [1, 2], [3, 4], [4, 5]])
    return event


def write_events(path: Path, count: int, seed: int = 0) -> Path:
    """A file of events."""
    with EventWriter(path, FileInfo(stage="test", seed=seed)) as writer:
        writer.append([made_up(entry, seed) for entry in range(count)])
    return path


def configured(modules: str | Sequence[str] = "uresnet_ppn", **blocks: dict[str, Any]) -> Config:
    """A short training."""
    names = [modules] if isinstance(modules, str) else list(modules)
    train = {"modules": names, "loader": {"minibatch_size": 2}, "optimizer": {"provider": "Adam", "lr": 0.01}}
    tree: dict[str, Any] = {
        "base": {"seed": 5, "iterations": 6, "tensorboard": False} | blocks.pop("base", {}),
        "model": {"modules": MODULES} | blocks.pop("model", {}),
        "train": train | blocks.pop("train", {}),
    }
    return resolve_config(tree | blocks)
