"""Providers with networks: semantic classes and points of interest from U-ResNet and PPN, fragments from Graph-SPICE.

Events are taken together, as many as the caller gives at once; scores depend on that in the last digits only.
"""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import nn

from spine.errors import ConfigError
from spine.model.chain.formation import Fragments
from spine.model.chain.provider import Networks, Result, provider
from spine.model.graph_spice import GraphSpice, GraphSpiceOutput
from spine.model.point_prediction import PointPredictionConfig, ProposedPoints, predict_points
from spine.model.ppn import PointOutput, UResNetPPN, UResNetPPNOutput
from spine.model.uresnet import Segmentation, UResNetSegmentation, UResNetShape, image_tensor
from spine.ops.segments import lengths_to_offsets
from spine.schema import Block, Event, Ragged, Shape
from spine.sparse import SparseTensor
from spine.steps.step import StepConfig

__all__ = ["GraphSpiceFragmentation", "NetworkSegmentation", "graph_spice", "network_of", "uresnet", "voxel_table"]

Network = TypeVar("Network", bound=nn.Module)
Array = NDArray[Any]


class NetworkSegmentation(StepConfig):
    """Options of the classes from a network."""

    point_proposal: Literal["ppn"] | None = Field(None, description="Find points of interest with the same network")
    ppn_predictor: PointPredictionConfig = Field(PointPredictionConfig(), description="Options of the points")


class GraphSpiceFragmentation(StepConfig):
    """No options: those of the network decide."""


def network_of(networks: Networks, kind: type[Network] | tuple[type[Network], ...], mode: str) -> Network:
    """The one network of a kind among those that a stage uses.

    Raises
    ------
    ConfigError
        When the stage uses none or several.
    """
    found = [net for net in networks.values() if isinstance(net, kind)]
    if len(found) != 1:
        raise ConfigError(
            f"mode {mode!r} needs one network of its kind", got=", ".join(networks) or "no network",
            mend="name it under 'uses' of the stage",
        )  # fmt: skip
    network: Network = found[0]
    return network


def voxel_table(events: list[Event], features: int, network: nn.Module) -> torch.Tensor:
    """(N, 1 + 3 + F) batch index, voxel coordinates and features of several events, where the network is."""
    like = next(network.parameters())
    rows = [np.column_stack([e["data"].coords, e["data"].features[:, :features]]) for e in events]
    lengths = [len(r) for r in rows]
    batch = np.repeat(np.arange(len(events)), lengths)
    table = np.column_stack([batch, np.concatenate([np.empty((0, 3 + features)), *rows])])
    return torch.from_numpy(table.astype(np.float32)).to(device=like.device, dtype=like.dtype)


def _made(cfg: NetworkSegmentation) -> tuple[str, ...]:
    return ("seg_pred", "segmentation", *(("ppn_points", "ppn_pred") if cfg.point_proposal else ()))


@provider("segmentation", "uresnet", requires=("data",), provides=_made, per="block")
def uresnet(block: Block, cfg: NetworkSegmentation, networks: Networks) -> list[Result]:
    """Semantic class of each voxel, and points of interest.

    Voxels that the network takes for ghosts get the class of ghosts.
    """
    network, shape = _segmenter(networks)
    events = list(block)
    table = voxel_table(events, shape.num_input, network)
    with torch.no_grad():
        out = network(image_tensor(table, shape, batch_size=len(events)))
    whole = out if isinstance(out, UResNetPPNOutput) else UResNetPPNOutput(out)
    products = _segmentation_products(whole.segmentation)
    if cfg.point_proposal and whole.ppn is None:
        raise ConfigError(
            "the network proposes no points", mend="use a network uresnet_ppn, or leave point_proposal out"
        )
    threshold = 0.5
    if cfg.point_proposal and whole.ppn is not None:
        products |= _point_products(whole.ppn)
        threshold = whole.ppn.proposals.threshold
    results = _by_event(products, [len(event["data"]) for event in events])
    if cfg.point_proposal:
        for event, result in zip(events, results, strict=True):
            result["ppn_pred"] = _points(event, result, threshold, cfg.ppn_predictor)
    return list(results)


def _segmenter(networks: Networks) -> tuple[nn.Module, UResNetShape]:
    """Network of the stage, and the size of its backbone."""
    kinds: tuple[type[UResNetPPN | UResNetSegmentation], ...] = (UResNetPPN, UResNetSegmentation)
    network = network_of(networks, kinds, "uresnet")
    segmentation = network.uresnet if isinstance(network, UResNetPPN) else network
    return network, segmentation.backbone.shape


def _rows(tensor: SparseTensor) -> Array:
    return np.asarray(tensor.aligned_features().float().cpu().numpy())


def _segmentation_products(out: Segmentation) -> dict[str, Array]:
    logits = _rows(out.logits)
    products = {"segmentation": logits, "seg_pred": logits.argmax(axis=1).astype(np.int64)}
    if out.ghost is not None:
        products["ghost"] = _rows(out.ghost)
        products["ghost_pred"] = products["ghost"].argmax(axis=1).astype(np.int64)
        products["seg_pred"] = np.where(products["ghost_pred"] == 1, int(Shape.GHOST), products["seg_pred"])
    return products


def _point_products(out: PointOutput) -> dict[str, Array]:
    products = {"ppn_points": _rows(out.points)}
    if out.endpoints is not None:
        products["ppn_classify_endpoints"] = _rows(out.endpoints)
    return products


def _by_event(products: dict[str, Array], lengths: list[int]) -> list[dict[str, Any]]:
    """Rows of each event."""
    bounds = np.cumsum(lengths)[:-1]
    parts = {name: np.split(values, bounds) for name, values in products.items()}
    return [{name: part[i] for name, part in parts.items()} for i in range(len(lengths))]


def _points(event: Event, result: dict[str, Any], threshold: float, cfg: PointPredictionConfig) -> Array:
    real = result.get("ghost_pred", np.zeros(len(event["data"]), dtype=np.int64)) == 0
    voxels, raw, logits = event["data"].coords[real], result["ppn_points"][real], result["segmentation"][real]
    return predict_points(ProposedPoints(voxels, raw, logits, threshold), cfg)


@provider(
    "fragmentation", "graph_spice", requires=("data", "seg_pred"), provides=("fragment_clusts", "fragment_shapes"),
    per="block",
)  # fmt: skip
def graph_spice(block: Block, cfg: GraphSpiceFragmentation, networks: Networks) -> list[Fragments]:
    """Connected components of the scored graph of each semantic class, class by class."""
    del cfg
    network: GraphSpice = network_of(networks, GraphSpice, "graph_spice")
    events = list(block)
    classes = np.concatenate([np.empty(0, np.int64), *(np.asarray(e["seg_pred"], np.int64) for e in events)])
    table = voxel_table(events, 1, network)
    with torch.no_grad():
        out = network(table, torch.from_numpy(classes).to(table.device), batch_size=len(events))
    return _fragments(network, out, [len(event["data"]) for event in events])


def _fragments(network: GraphSpice, out: GraphSpiceOutput, lengths: list[int]) -> list[Fragments]:
    clusters = network.cluster(out)
    rows = out.rows.cpu().numpy()[clusters.clusts.values]
    shapes = np.array(network.shapes, dtype=np.int64)
    owners, places = clusters.groups // len(shapes), clusters.groups % len(shapes)
    first = lengths_to_offsets(np.array(lengths, dtype=np.int64))
    fragments = []
    for i in range(len(lengths)):
        low, high = np.searchsorted(owners, [i, i + 1])
        bounds = clusters.clusts.offsets[low : high + 1]
        values = rows[bounds[0] : bounds[-1]] - first[i]
        fragments.append(Fragments(Ragged(values, bounds - bounds[0]), shapes[places[low:high]]))
    return fragments
