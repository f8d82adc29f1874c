"""Numbers of SPINE that are small enough for the repository; see data/README.md."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from spine.model.graph_spice.clustering import cluster_nodes
from spine.model.graph_spice.config import ConstructorConfig
from spine.model.graph_spice.graph import radius_edges
from spine.model.graph_spice.kernel import BilinearKernel
from spine.model.uresnet import FeatureMaps, LayerStyle, UResNet, UResNetShape, image_tensor
from spine.sparse import nn as snn
from spine.sparse import use_backend
from tests.golden.findings import compare_numbers, compare_partitions

REDUCED = np.load(Path(__file__).parent / "data" / "reduced.npz")
CLUSTERS = ConstructorConfig.model_validate(
    {
        "graph": {"name": "radius", "r": 1.9},
        "edge_threshold": 0.1,
        "min_size": 3,
        "orphan": {"mode": "radius", "radius": 1.9, "iterate": True, "assign_all": True},
    }
)


@pytest.mark.parametrize("backend", ["torch", "numba"])
def test_first_resolution_of_the_uresnet(backend: str) -> None:
    style = LayerStyle(partial(snn.LeakyReLU, 0.33), partial(snn.BatchNorm, eps=1e-4, momentum=0.01))
    network = UResNet(UResNetShape(filters=32, depth=1, reps=2), style).eval()
    weights = {name[8:]: torch.from_numpy(REDUCED[name]) for name in REDUCED.files if name.startswith("weights/")}
    network.load_state_dict(
        {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}
    )
    voxels, value = REDUCED["uresnet/voxels"], REDUCED["uresnet/value"]
    table = torch.from_numpy(np.column_stack([np.zeros(len(value)), voxels, value]).astype(np.float32))
    with torch.no_grad(), use_backend(backend):
        maps: FeatureMaps = network(image_tensor(table, network.shape))
    found = maps.encoder_tensors[1].aligned_features().numpy()[REDUCED["uresnet/rows"]]
    assert compare_numbers("encoder_tensors/1", found, REDUCED["uresnet/features"]).good


def test_scores_of_the_bilinear_kernel() -> None:
    kernel = BilinearKernel(32)
    kernel.load_state_dict({"bilin.weight": torch.from_numpy(REDUCED["kernel/weight"])})
    edges = torch.from_numpy(REDUCED["kernel/edges"].astype(np.int64))
    with torch.no_grad():
        found = kernel(torch.from_numpy(REDUCED["kernel/features"]), edges).numpy()
    assert compare_numbers("graph_spice_edge_attr", found, REDUCED["kernel/logits"]).good


@pytest.mark.parametrize("event", [0, 2])
def test_clusters_from_the_edges_that_were_cut(event: int) -> None:
    shapes, voxels = REDUCED[f"{event}/shapes"], REDUCED[f"{event}/voxels"].astype(np.int64)
    nodes = np.column_stack([shapes, voxels]).astype(np.int64)
    edges = radius_edges(torch.from_numpy(nodes), 1.9).numpy()
    assert len(edges) == REDUCED[f"{event}/count"]
    cut = REDUCED[f"{event}/cut"].astype(np.int64)
    on = ~np.isin(edges @ [len(nodes), 1], cut @ [len(nodes), 1])
    assert (~on).sum() == len(cut)
    found = cluster_nodes(nodes, edges, on, CLUSTERS)
    expected = REDUCED[f"{event}/clusters"]
    assert compare_partitions("graph_spice_node_pred", found.labels, expected).differing == 0
    by_number = np.unique(np.column_stack([expected, found.labels]), axis=0)
    assert (np.diff(by_number[:, 1]) == 1).all()
