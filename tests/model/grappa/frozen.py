"""Two events and what SPINE's shower network made of them; see data/README.md."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spine.model.grappa import Clusters, GrapPA, GrapPALossOptions, GrapPAOptions, grappa_network
from spine.schema import Event, Ragged, Table, Tensor
from spine.schema.truth_records import ParticleLabel

FROZEN = np.load(Path(__file__).parent / "data" / "shower.npz")
COLUMNS = ("particle", "group", "interaction", "pid", "group_primary", "interaction_primary", "shape")
NETWORKS = ("shower", "track", "inter")
MLP = {
    "depth": 3,
    "width": 64,
    "activation": {"name": "lrelu", "negative_slope": 0.1},
    "normalization": "batch_norm",
}
LENGTHS = {
    "shower": [500, 0, 500, 500, 0, 0, 0, 25, 0, 25],
    "track": 100,
    "inter": [500, 500, 0, 0, 25, 25, 25, 0, 0, 0],
}
SHAPES = {
    "shower": ["shower", "michel", "delta"],
    "track": ["track"],
    "inter": ["shower", "track", "michel", "delta"],
}
LOSS = {
    "node_loss": {"name": "shower_primary", "high_purity": True, "use_group_pred": True},
    "edge_loss": {"name": "channel", "target": "group", "high_purity": True},
}


def options(network: str = "shower") -> GrapPAOptions:
    """Options of one of the networks; the layers are those of the shower network."""
    return GrapPAOptions.model_validate(
        {
            "nodes": {"source": "cluster", "shapes": SHAPES[network], "make_groups": True, "grouping_method": "score"},
            "graph": {"name": "complete", "max_length": LENGTHS[network], "dist_algorithm": "iterative"},
            "node_encoder": {
                "name": "geo",
                "add_value": True,
                "add_shape": network != "track",
                "add_points": True,
                "add_local_dirs": True,
                "add_local_dedxs": True,
                "dir_max_dist": -1,
                "dedx_max_dist": -1,
            },
            "edge_encoder": {"provider": "geo", "use_numpy": True},
            "gnn_model": {
                "name": "meta",
                "node_feats": 32 if network == "track" else 33,
                "edge_feats": 19,
                "node_pred": 2,
                "edge_pred": 2,
                "edge_layer": {"name": "mlp", "mlp": MLP},
                "node_layer": {
                    "name": "mlp",
                    "reduction": "max",
                    "attention": False,
                    "message_mlp": MLP,
                    "aggr_mlp": MLP,
                },
            },
        }
    )


def loss_options() -> GrapPALossOptions:
    """Losses of the shower network."""
    return GrapPALossOptions.model_validate(LOSS)


def network() -> GrapPA:
    """The shower network with its parameters, in evaluation; every name must match."""
    net = grappa_network(options())
    weights = {k[8:]: torch.from_numpy(FROZEN[k]) for k in FROZEN.files if k.startswith("weights/")}
    state = net.state_dict()
    net.load_state_dict({k: v.to(state[k].dtype) for k, v in weights.items()})
    return net.eval()


@lru_cache
def ragged(name: str) -> Ragged:
    """Lists of rows."""
    return Ragged(FROZEN[f"{name}/values"].astype(np.int32), FROZEN[f"{name}/offsets"].astype(np.int64))


def nodes_of(network: str) -> tuple[Ragged, NDArray[np.int64]]:
    """Clusters of event 1 that a network takes, and their classes."""
    level = "particle" if network == "inter" else "fragment"
    shapes = FROZEN[f"1/{level}_shapes"].astype(np.int64)
    rows = np.flatnonzero(np.isin(shapes, options(network).nodes.shapes))
    return ragged(f"1/{level}_clusts")[rows], shapes[rows]


def clusters(network: str) -> Clusters:
    """Input of a network for event 1, with the ends that SPINE found."""
    clusts, shapes = nodes_of(network)
    return Clusters.select(
        FROZEN["1/coords"], FROZEN["1/value"], clusts, shapes, FROZEN[f"1/{network}/ends"].astype(np.float32)
    )


def event(number: int) -> Event:
    """An event with truth; the second one with proposed points and fragments too."""
    get: dict[str, NDArray[Any]] = {
        key.partition("/")[2]: FROZEN[key] for key in FROZEN.files if key.startswith(f"{number}/")
    }
    coords = get["coords"].astype(np.int32)
    rows = np.column_stack([get["value"], get["cluster"], get["particle_index"]]).astype(np.float32)
    table = Table(ParticleLabel, len(get["labels"]), {name: get["labels"][:, i] for i, name in enumerate(COLUMNS)})
    found: dict[str, Any] = {
        "data": Tensor(coords, get["value"][:, None]),
        "clust_label": Tensor(coords, rows, ("value", "cluster", "particle_index"), table),
        "coord_label": Tensor(
            get["ends"], np.column_stack([get["time"], get["endshape"]]).astype(np.float32), ("time", "shape")
        ),
    }
    if number == 1:
        found["ppn_points"] = np.insert(get["ppn"], [3] * 5, 0.0, axis=1)
        found["fragment_clusts"] = ragged("1/fragment_clusts")
        found["fragment_shapes"] = get["fragment_shapes"].astype(np.int64)
    return Event(found, entry=number, source="shower.npz")


def same_partition(first: NDArray[Any], second: NDArray[Any]) -> bool:
    """Whether two labellings divide the rows into the same sets."""
    pairs = np.unique(np.column_stack([first, second]), axis=0)
    return len(pairs) == len(np.unique(first)) == len(np.unique(second))
