"""Loss of Graph-SPICE: edges between voxels of one cluster are asked to join, all others to part."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from spine.errors import ConfigError, DataError, did_you_mean
from spine.model.graph_spice.binary_loss import BINARY_LOSSES, LogDiceCE
from spine.model.graph_spice.clustering import NodeClusters
from spine.model.graph_spice.config import GraphSpiceLossConfig
from spine.model.graph_spice.network import GraphSpiceOutput
from spine.model.uresnet_loss import Score
from spine.ops.arrays import BoolArray, IntArray
from spine.ops.metrics import adjusted_rand_index, contingency, efficiency, purity

__all__ = ["EdgeSampling", "GraphSpiceLoss", "build_graph_spice_loss", "clustering_metrics"]


@dataclass(frozen=True)
class EdgeSampling:
    """Which edges count, and how much.

    Parameters
    ----------
    balance_loss : bool
        Weight edges with E / (2 * edges of the kind).
    equal_sampling : bool
        Draw as many edges of one kind as of the other.
    min_sample_edges : int
        Fewest edges of each kind that are drawn, some more than once where there are not so many.
    """

    balance_loss: bool = False
    equal_sampling: bool = False
    min_sample_edges: int = 1000

    def draw(self, labels: Tensor) -> Tensor:
        """Edges that count, from (E,) labels 0 or 1: all of them, or a random choice."""
        kinds = [torch.nonzero(labels == kind).squeeze(1) for kind in (0, 1)]
        if not self.equal_sampling or min(len(rows) for rows in kinds) == 0:
            return torch.arange(len(labels), device=labels.device)
        count = max(min(len(rows) for rows in kinds), self.min_sample_edges)
        return torch.cat([rows[_some(len(rows), count, labels.device)] for rows in kinds])

    def weights(self, labels: Tensor) -> Tensor | None:
        """(E,) weights of (E,) labels."""
        if not self.balance_loss:
            return None
        counts = torch.bincount(labels, minlength=2).clamp(min=1)
        return (len(labels) / 2 / counts)[labels]


def _some(available: int, count: int, device: torch.device) -> Tensor:
    if count <= available:
        return torch.randperm(available, device=device)[:count]
    return torch.randint(available, (count,), device=device)


class GraphSpiceLoss(nn.Module):
    """Loss of the edges.

    Parameters
    ----------
    loss : callable
        Takes (E,) logits and (E,) labels; gives (E,) losses or their mean.
    invert : bool
        Whether a score of 0 joins voxels and 1 parts them.
    sampling : EdgeSampling
        Which edges count.
    with_iou : bool
        Log the intersection over union of edges predicted 1 and edges labelled 1.
    """

    def __init__(
        self,
        loss: Callable[[Tensor, Tensor], Tensor] | None = None,
        invert: bool = True,
        sampling: EdgeSampling | None = None,
        with_iou: bool = True,
    ) -> None:
        super().__init__()
        self.loss, self.invert = loss or LogDiceCE(), invert
        self.sampling, self.with_iou = sampling or EdgeSampling(), with_iou

    def forward(self, output: GraphSpiceOutput, clusters: Tensor, found: NodeClusters | None = None) -> Score:
        """Compare edges with the truth.

        Parameters
        ----------
        output : GraphSpiceOutput
            Scored edges.
        clusters : torch.Tensor
            (N,) true cluster of each row of the table that the network was given.
        found : NodeClusters, optional
            Clusters that were found; where given, they are compared with the truth too.

        Returns
        -------
        Score
            With ``count`` (edges), ``iou``, and where clusters are given ``ari``, ``purity`` and ``efficiency``, of
            all and of each class (``ari_0``).
        """
        truth = clusters[output.rows]
        same = (truth[output.edges[:, 0]] == truth[output.edges[:, 1]]).long()
        chosen = self.sampling.draw(same)
        logits, labels = output.logits[chosen], (1 - same if self.invert else same)[chosen]
        predicted = (logits.detach() > 0).long()
        details: dict[str, float] = {"count": len(labels)}
        if self.with_iou:
            details["iou"] = _overlap(predicted == 1, labels == 1)
        if found is not None:
            details |= clustering_metrics(output, truth.cpu().numpy(), found.labels)
        accuracy = float((predicted == labels).float().mean()) if len(labels) else 1.0
        return Score(self._loss(logits, labels), accuracy, details)

    def _loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        if len(labels) == 0:
            return logits.sum()
        losses = self.loss(logits, labels.to(logits.dtype))
        weights = self.sampling.weights(labels)
        return (losses if weights is None else losses * weights).mean()


def _overlap(first: Tensor, second: Tensor) -> float:
    union = int((first | second).sum())
    return int((first & second).sum()) / union if union else 0.0


def clustering_metrics(output: GraphSpiceOutput, truth: IntArray, found: IntArray) -> dict[str, float]:
    """Adjusted Rand index, purity and efficiency of clusters, averaged over events; 1 where there are no voxels.

    ``truth`` and ``found`` are the (M,) int64 clusters of each node.
    """
    if len(truth) != len(found):
        raise DataError("true and found clusters have different rows", got=len(found), expected=len(truth))
    groups = output.voxels[:, 0].cpu().numpy()
    events, places = groups // len(output.shapes), groups % len(output.shapes)
    names = [""] + [f"_{shape}" for shape in output.shapes]
    chosen = [np.ones(len(groups), dtype=np.bool_)] + [places == i for i in range(len(output.shapes))]
    rows: dict[str, list[float]] = {}
    for event, (name, which) in itertools.product(
        range(int(events.max(initial=0)) + 1), zip(names, chosen, strict=True)
    ):
        for metric, value in _agreement(truth, found, which & (events == event)).items():
            rows.setdefault(metric + name, []).append(value)
    return {name: float(np.mean(values)) for name, values in rows.items()}


def _agreement(truth: IntArray, found: IntArray, which: BoolArray) -> dict[str, float]:
    if not which.any():
        return {"ari": 1.0, "purity": 1.0, "efficiency": 1.0}
    table = contingency(truth[which], found[which])
    return {"ari": adjusted_rand_index(table), "purity": purity(table), "efficiency": efficiency(table)}


def build_graph_spice_loss(cfg: GraphSpiceLossConfig) -> GraphSpiceLoss:
    """The loss that a configuration describes; ConfigError when there is none, or it takes no such option."""
    if cfg.loss.name not in BINARY_LOSSES:
        raise ConfigError("unknown loss", got=cfg.loss.name, mend=did_you_mean(cfg.loss.name, BINARY_LOSSES))
    try:
        loss = BINARY_LOSSES[cfg.loss.name](**cfg.loss.options)
        loss(torch.zeros(1), torch.zeros(1))
    except TypeError as error:
        raise ConfigError(f"options of loss {cfg.loss.name!r}: {error}", got=dict(cfg.loss.options)) from error
    sampling = EdgeSampling(cfg.balance_loss, cfg.equal_sampling, cfg.min_sample_edges)
    return GraphSpiceLoss(loss, cfg.invert, sampling, cfg.metric is not None)
