"""GrapPA: a graph network that groups clusters and classifies them.

After Drielsma et al., "Clustering of electromagnetic showers and particle interactions with graph neural networks in
liquid argon time projection chambers", Phys. Rev. D 104, 072004 (2021). Names and shapes of all parameters are those
of SPINE, so that its checkpoints load.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from spine.errors import DataError
from spine.model.grappa.layers import GraphState
from spine.model.grappa.meta import MetaLayerGNN
from spine.model.grappa.options import GrapPAOptions
from spine.ops.arrays import IntArray, NumberArray

__all__ = ["GrapPA", "GraphBatch", "GraphPredictions", "PredictionHeads"]


@dataclass(frozen=True)
class GraphBatch:
    """Graphs of some events.

    Parameters
    ----------
    nodes : torch.Tensor
        (C, n) features of nodes, event after event.
    edges : torch.Tensor
        (E, e) features of edges, event after event.
    index : torch.Tensor
        (E, 2) int64 source and target of each edge, counted through all events.
    node_counts, edge_counts : tuple of int
        Nodes and edges of each event.
    graphs : torch.Tensor, optional
        (B, g) features of events.
    """

    nodes: Tensor
    edges: Tensor
    index: Tensor
    node_counts: tuple[int, ...]
    edge_counts: tuple[int, ...]
    graphs: Tensor | None = None

    def __post_init__(self) -> None:
        rows, sums = (len(self.nodes), len(self.edges)), (sum(self.node_counts), sum(self.edge_counts))
        if rows != sums or len(self.index) != len(self.edges):
            raise DataError("features do not match the graph", got=rows, expected=(*sums, len(self.index)))

    @classmethod
    def of_events(
        cls,
        nodes: Sequence[NumberArray],
        edges: Sequence[NumberArray],
        index: Sequence[IntArray],
        device: torch.device | str = "cpu",
    ) -> GraphBatch:
        """Put the graphs of events together.

        Parameters
        ----------
        nodes, edges : sequence of (n, f) and (e, g) float arrays
            Features of each event.
        index : sequence of (e, 2) int64 arrays
            Edges of each event, its nodes counted from 0.
        device : torch.device
            Where to put them.
        """
        counts = [len(one) for one in nodes]
        starts = np.cumsum([0, *counts[:-1]])
        shifted = [one + start for one, start in zip(index, starts, strict=True)]
        features, links, pairs = (torch.from_numpy(np.concatenate(part)).to(device) for part in (nodes, edges, shifted))
        return cls(features, links, pairs, tuple(counts), tuple(len(one) for one in index))


@dataclass(frozen=True)
class GraphPredictions:
    """What the network says about nodes, edges and graphs.

    Parameters
    ----------
    predictions : dict of str to torch.Tensor
        By name: ``node_pred`` or ``node_TASK_pred`` (C, k), ``edge_pred`` (E, k), ``global_pred`` (B, k).
    state : GraphState
        Features after the last update.
    """

    predictions: dict[str, Tensor]
    state: GraphState

    def __getitem__(self, name: str) -> Tensor:
        return self.predictions[name]


@dataclass(frozen=True)
class PredictionHeads:
    """Layers that make predictions, by task; one without a name has the empty name."""

    node: Mapping[str, nn.Module] = field(default_factory=dict)
    edge: Mapping[str, nn.Module] = field(default_factory=dict)
    glob: Mapping[str, nn.Module] = field(default_factory=dict)

    def named(self) -> dict[str, tuple[str, nn.Module]]:
        """What each prediction is made from, and its layer, by the name of the prediction."""
        kinds = (("node", "nodes", self.node), ("edge", "edges", self.edge), ("global", "graphs", self.glob))
        return {
            f"{kind}_{task}_pred" if task else f"{kind}_pred": (features, head)
            for kind, features, heads in kinds
            for task, head in heads.items()
        }


class GrapPA(nn.Module):
    """Updates of the features of graphs, and predictions from them.

    Parameters
    ----------
    gnn : MetaLayerGNN
        Updates.
    heads : PredictionHeads
        Predictions.
    options : GrapPAOptions
        How graphs are made for it; see `spine.model.grappa.aggregate`.
    """

    def __init__(self, gnn: MetaLayerGNN, heads: PredictionHeads, options: GrapPAOptions) -> None:
        super().__init__()
        self.gnn, self.options = gnn, options
        self._made_from: dict[str, str] = {}
        for name, (features, head) in heads.named().items():
            self.add_module(name, head)
            self._made_from[name] = features

    @property
    def prediction_names(self) -> tuple[str, ...]:
        """Names of the predictions."""
        return tuple(self._made_from)

    def forward(self, batch: GraphBatch) -> GraphPredictions:
        """Predict."""
        counts = torch.tensor(batch.node_counts, device=batch.nodes.device)
        owners = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
        source, target = batch.index.unbind(1)
        state = GraphState(batch.nodes, batch.edges, batch.graphs, source, target, owners, len(counts))
        state = self.gnn(state)
        made = {name: self.get_submodule(name)(getattr(state, kind)) for name, kind in self._made_from.items()}
        return GraphPredictions(made, state)
