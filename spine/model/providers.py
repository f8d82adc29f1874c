"""Providers with networks: ghosts, semantic classes and points of interest from U-ResNet and PPN, fragments from
Graph-SPICE.

Events are taken together, as many as the caller gives at once; scores depend on that in the last digits only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Self, TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import nn

from spine.errors import ConfigError, DataError
from spine.model.bayes import BayesianSegmentation, BayesianUResNet
from spine.model.chain.deghost import DeghostConfig, charge_made, deghosted
from spine.model.chain.formation import Fragments
from spine.model.chain.image import kept_products
from spine.model.chain.label_adaptation import AdaptationConfig, adapted_clusters
from spine.model.chain.provider import Networks, Result, provider
from spine.model.chain.rows import image_of
from spine.model.graph_spice import GraphSpice, GraphSpiceOutput
from spine.model.point_prediction import PointPredictionConfig, ProposedPoints, predict_points
from spine.model.ppn import UResNetPPN, UResNetPPNOutput
from spine.model.uresnet import Segmentation, UResNetSegmentation, image_tensor
from spine.ops.segments import lengths_to_offsets
from spine.schema import Block, Event, Ragged, Tensor
from spine.sparse import SparseTensor
from spine.steps.step import StepConfig

__all__ = [
    "GraphSpiceFragmentation",
    "NetworkDeghost",
    "NetworkSegmentation",
    "deghost",
    "graph_spice",
    "image_table",
    "network_of",
    "uresnet",
    "voxel_table",
]

Network = TypeVar("Network", bound=nn.Module)
Array = NDArray[Any]
Segmenter: TypeAlias = UResNetPPN | UResNetSegmentation | BayesianUResNet
CERTAINTY = {
    "standard": (),
    "mc_dropout": ("softmax",),
    "evidential": ("evidence", "concentration", "expected_probability", "uncertainty"),
}
"""Products that tell how sure a network is, by its mode."""


class NetworkSegmentation(StepConfig):
    """Options of the classes from a network."""

    point_proposal: Literal["ppn"] | None = Field(None, description="Find points of interest with the same network")
    ppn_predictor: PointPredictionConfig = Field(PointPredictionConfig(), description="Options of the points")
    adapt_labels: bool | AdaptationConfig | None = Field(
        None, description="Adapt true clusters to the predicted classes, where there is truth; on if left out"
    )

    seed: int = Field(0, ge=0, description="Seed of networks that draw at random, the same for each event")

    @property
    def adaptation(self) -> AdaptationConfig | None:
        """Options of the adaptation, None when it is off."""
        if isinstance(self.adapt_labels, AdaptationConfig):
            return self.adapt_labels
        return None if self.adapt_labels is False else AdaptationConfig()


class NetworkDeghost(DeghostConfig):
    """Options of taking out ghosts that a network finds."""

    @model_validator(mode="after")
    def _no_truth(self) -> Self:
        if self.charge_rescaling == "label":
            raise ValueError("charge_rescaling 'label' goes with mode 'label'")
        return self


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


def voxel_table(events: Sequence[Event], features: int, network: nn.Module) -> torch.Tensor:
    """(N, 1 + 3 + F) batch index, voxel coordinates and features of the images of events, where the network is.

    Raises
    ------
    DataError
        When an image has fewer features.
    """
    return image_table([image_of(event) for event in events], features, network)


def image_table(images: Sequence[Tensor], features: int, network: nn.Module) -> torch.Tensor:
    """The same as `voxel_table`, of images."""
    like = next(network.parameters())
    if short := [image for image in images if image.features.shape[1] < features]:
        raise DataError(
            "the image has too few features for the network", got=short[0].features.shape[1], expected=features
        )
    rows = [np.column_stack([image.coords, image.features[:, :features]]) for image in images]
    batch = np.repeat(np.arange(len(images)), [len(r) for r in rows])
    table = np.column_stack([batch, np.concatenate([np.empty((0, 3 + features)), *rows])])
    return torch.from_numpy(table.astype(np.float32)).to(device=like.device, dtype=like.dtype)


@provider("deghost", "uresnet", requires=("data",), provides=charge_made, per="block")
def deghost(block: Block, cfg: NetworkDeghost, networks: Networks) -> list[Result]:
    """Take out the voxels that a network of two classes takes for ghosts (class 1)."""
    network = network_of(networks, UResNetSegmentation, "uresnet")
    events, shape = list(block), network.backbone.shape
    table = image_table([event["data"] for event in events], shape.num_input, network)
    with torch.no_grad():
        out: Segmentation = network(image_tensor(table, shape, batch_size=len(events)))
    scores = _by_event({"ghost": _rows(out.logits)}, [len(event["data"]) for event in events])
    return [_without_ghosts(event, one["ghost"], cfg) for event, one in zip(events, scores, strict=True)]


def _without_ghosts(event: Event, scores: Array, cfg: DeghostConfig) -> Result:
    if scores.shape[1] != 2:
        raise ConfigError(
            "the network that finds ghosts tells two classes", got=scores.shape[1], mend="set 'num_classes: 2'"
        )
    return {**deghosted(event, scores.argmax(axis=1).astype(np.int64), cfg), "ghost": scores}


def _further(cfg: NetworkSegmentation, networks: Networks) -> tuple[str, ...]:
    """Products that only some networks make."""
    network = _segmenter(networks)
    made: list[str] = []
    if network.ghost:
        made += ["data_adapt", "orig_index", "ghost", "ghost_pred"]
    if isinstance(network, BayesianUResNet):
        made += CERTAINTY[network.mode]
    if isinstance(network, UResNetPPN):
        made += ["ppn_classify_endpoints"] if network.ppn is not None and network.ppn.ppn_endpoint is not None else []
        made += ["vertex_points"] if network.proposes_vertices else []
    if cfg.point_proposal and not (isinstance(network, UResNetPPN) and network.ppn is not None):
        raise ConfigError(
            "the network proposes no points", mend="use a network uresnet_ppn, or leave point_proposal out"
        )
    return tuple(made)


def _made(cfg: NetworkSegmentation) -> tuple[str, ...]:
    return ("seg_pred", "segmentation", *(("ppn_points", "ppn_pred") if cfg.point_proposal else ()))


@provider(
    "segmentation", "uresnet", requires=("data",), provides=_made, per="block", further=_further,
    replaces=("data_adapt", "orig_index", "ghost", "ghost_pred"),
)  # fmt: skip
def uresnet(block: Block, cfg: NetworkSegmentation, networks: Networks) -> list[Result]:
    """Semantic class of each voxel, and points of interest and vertices where the network proposes them.

    Voxels that the network takes for ghosts are taken out of the image. Where the event has true classes and true
    clusters, these are adapted to what was predicted.
    """
    network = _segmenter(networks)
    events = list(block)
    if isinstance(network, BayesianUResNet) and network.is_random:
        return [_segmented([event], cfg, network)[0] for event in events]
    return _segmented(events, cfg, network)


def _segmented(events: list[Event], cfg: NetworkSegmentation, network: Segmenter) -> list[Result]:
    """Products of events that the network looks at together; what it draws at random is the same each time."""
    images = [image_of(event) for event in events]
    table = image_table(images, network.shape.num_input, network)
    with torch.no_grad(), torch.random.fork_rng([table.device] if table.is_cuda else []):
        torch.manual_seed(cfg.seed)
        out = network(image_tensor(table, network.shape, batch_size=len(events)))
    whole = out if isinstance(out, UResNetPPNOutput) else UResNetPPNOutput(out)
    results = _by_event(_segmentation_products(whole.segmentation), [len(image) for image in images])
    if whole.segmentation.ghost is not None:
        for event, image, result in zip(events, images, results, strict=True):
            _take_ghosts_out(event, image, result)
    proposed = _by_event(_proposals(whole, cfg), [len(result["seg_pred"]) for result in results])
    threshold = 0.5 if whole.ppn is None else whole.ppn.proposals.threshold
    for event, result, more in zip(events, results, proposed, strict=True):
        result.update(more)
        _finish(event, result, threshold, cfg)
    return list(results)


def _segmenter(networks: Networks) -> Segmenter:
    """Network of the stage."""
    kinds: tuple[type[Segmenter], ...] = (UResNetPPN, UResNetSegmentation, BayesianUResNet)
    return network_of(networks, kinds, "uresnet")


def _rows(tensor: SparseTensor) -> Array:
    return np.asarray(tensor.aligned_features().float().cpu().numpy())


def _segmentation_products(out: Segmentation) -> dict[str, Array]:
    logits = _rows(out.logits)
    products = {"segmentation": logits, "seg_pred": logits.argmax(axis=1).astype(np.int64)}
    if isinstance(out, BayesianSegmentation):
        products |= {name: _rows(values) for name, values in out.certainty.items()}
        if "uncertainty" in products:
            products["uncertainty"] = products["uncertainty"][:, 0]
    if out.ghost is not None:
        products["ghost"] = _rows(out.ghost)
        products["ghost_pred"] = products["ghost"].argmax(axis=1).astype(np.int64)
    return products


def _take_ghosts_out(event: Event, image: Tensor, result: dict[str, Any]) -> None:
    keep = result["ghost_pred"] == 0
    result.update(kept_products(event, image, keep))
    for name in ("segmentation", "seg_pred"):
        result[name] = result[name][keep]


def _proposals(out: UResNetPPNOutput, cfg: NetworkSegmentation) -> dict[str, Array]:
    """Points and vertices proposed at the voxels that are no ghosts."""
    products: dict[str, Array] = {}
    if cfg.point_proposal and out.ppn is not None:
        products["ppn_points"] = _rows(out.ppn.points)
        if out.ppn.endpoints is not None:
            products["ppn_classify_endpoints"] = _rows(out.ppn.endpoints)
    if out.vertex is not None:
        products["vertex_points"] = _rows(out.vertex.points)
    return products


def _by_event(products: dict[str, Array], lengths: list[int]) -> list[dict[str, Any]]:
    """Rows of each event."""
    bounds = np.cumsum(lengths)[:-1]
    parts = {name: np.split(values, bounds) for name, values in products.items()}
    return [{name: part[i] for name, part in parts.items()} for i in range(len(lengths))]


def _finish(event: Event, result: dict[str, Any], threshold: float, cfg: NetworkSegmentation) -> None:
    """Add what follows from the scores of one event."""
    image: Tensor = result.get("data_adapt", image_of(event))
    if cfg.point_proposal:
        proposed = ProposedPoints(image.coords, result["ppn_points"], result["segmentation"], threshold)
        result["ppn_pred"] = predict_points(proposed, cfg.ppn_predictor)
    if cfg.adaptation is not None and "seg_label" in event and "clust_label" in event:
        truth = (event["clust_label"], event["seg_label"])
        result["clust_label_adapt"] = adapted_clusters(*truth, image, result["seg_pred"], cfg.adaptation)


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
    return _fragments(network, out, [len(image_of(event)) for event in events])


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
