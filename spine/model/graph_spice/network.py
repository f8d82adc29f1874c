"""Graph-SPICE: clusters of voxels as connected components of a graph whose edges a network scores.

After Koh et al., "Scalable, proposal-free instance segmentation network for 3D pixel clustering and particle
trajectory reconstruction in liquid argon time projection chambers", arXiv:2007.03083 (2020). Names and shapes of all
parameters are those of SPINE, so that its checkpoints load.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spine.errors import ConfigError, DataError
from spine.model.graph_spice.clustering import NodeClusters, cluster_nodes, edges_on
from spine.model.graph_spice.config import (
    BilinearConfig,
    ConstructorConfig,
    DefaultKernelConfig,
    EmbedderConfig,
    GraphSpiceConfig,
    KernelConfig,
    KnnGraphConfig,
)
from spine.model.graph_spice.embedder import Embedding, GraphSpiceEmbedder, Heads
from spine.model.graph_spice.graph import knn_edges, radius_edges
from spine.model.graph_spice.kernel import MLP, BilinearKernel, DefaultKernel, MLPKernel
from spine.model.layer_config import build_uresnet, layer_maker
from spine.sparse import nn as snn

__all__ = ["GraphSpice", "GraphSpiceOutput", "build_graph_spice"]

DENSE_ACTIVATIONS: dict[str, Callable[..., nn.Module]] = {
    "none": nn.Identity,
    "elu": nn.ELU,
    "relu": nn.ReLU,
    "lrelu": nn.LeakyReLU,
    "prelu": nn.PReLU,
    "selu": nn.SELU,
    "celu": nn.CELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softmax": nn.Softmax,
    "softplus": nn.Softplus,
    "mish": snn.Mish,
}
DENSE_NORMS: dict[str, Callable[..., nn.Module]] = {
    "none": lambda _width, **_options: nn.Identity(),
    "batch_norm": nn.BatchNorm1d,
    "layer_norm": nn.LayerNorm,
}


@dataclass(frozen=True)
class GraphSpiceOutput:
    """Scored graph of the voxels of some semantic classes.

    Parameters
    ----------
    rows : torch.Tensor
        (M,) int64 rows of the table that are nodes, in rising order.
    voxels : torch.Tensor
        (M, 1 + D) int64 group of each node, batch index times the number of shapes plus the place of its class among
        them, and its coordinates.
    embedding : Embedding
        Features of the nodes.
    edges : torch.Tensor
        (E, 2) int64 source and target among the nodes.
    logits : torch.Tensor
        (E,) scores before the sigmoid.
    shapes : tuple of int
        Semantic classes.
    """

    rows: Tensor
    voxels: Tensor
    embedding: Embedding
    edges: Tensor
    logits: Tensor
    shapes: tuple[int, ...]

    @property
    def scores(self) -> Tensor:
        """(E,) scores between 0 and 1."""
        return torch.sigmoid(self.logits)


class GraphSpice(nn.Module):
    """Embeds voxels, joins those that are near, and scores the edges.

    Parameters
    ----------
    embedder : GraphSpiceEmbedder
        Features of voxels.
    kernel_fn : torch.nn.Module
        Takes (N, F) features and (E, 2) edges, gives (E,) logits.
    constructor : ConstructorConfig
        Options of graph and clusters.
    shapes : sequence of int
        Semantic classes to cluster.
    invert : bool
        Whether a score of 0 joins voxels and 1 parts them.
    """

    def __init__(
        self,
        embedder: GraphSpiceEmbedder,
        kernel_fn: nn.Module,
        constructor: ConstructorConfig,
        shapes: Sequence[int],
        invert: bool = True,
    ) -> None:
        super().__init__()
        self.embedder, self.kernel_fn = embedder, kernel_fn
        self.constructor, self.shapes, self.invert = constructor, tuple(int(s) for s in shapes), invert

    def forward(self, table: Tensor, classes: Tensor, batch_size: int | None = None) -> GraphSpiceOutput:
        """Score the edges between the voxels of each event and class.

        Parameters
        ----------
        table : torch.Tensor
            (N, 1 + D + 1 or more) batch index, voxel coordinates, charge.
        classes : torch.Tensor
            (N,) semantic class of each voxel.
        batch_size : int, optional
            Number of batch entries, empty ones included.

        Returns
        -------
        GraphSpiceOutput

        Raises
        ------
        DataError
            When rows do not match, or a voxel occurs twice.
        """
        if len(classes) != len(table):
            raise DataError("voxels and classes have different rows", got=len(classes), expected=len(table))
        places = classes.new_full((int(max(self.shapes)) + 1,), -1, dtype=torch.int64)
        places[list(self.shapes)] = torch.arange(len(self.shapes), device=places.device)
        known = (classes >= 0) & (classes < len(places))
        place = torch.where(known, places[torch.where(known, classes, 0).long()], -1)
        rows = torch.nonzero(place >= 0).squeeze(1)
        table = table[rows]
        voxels = torch.floor(table[:, : 1 + self.embedder.dimension]).long()
        voxels[:, 0] = voxels[:, 0] * len(self.shapes) + place[rows]
        embedding: Embedding = self.embedder(table, batch_size)
        edges = self._edges(voxels)
        logits: Tensor = self.kernel_fn(embedding.node_features, edges)
        return GraphSpiceOutput(rows, voxels, embedding, edges, logits, self.shapes)

    def _edges(self, voxels: Tensor) -> Tensor:
        graph = self.constructor.graph
        if isinstance(graph, KnnGraphConfig):
            return knn_edges(voxels, graph.k)
        return radius_edges(voxels, graph.r, graph.max_num_neighbors)

    def cluster(self, output: GraphSpiceOutput) -> NodeClusters:
        """Clusters of the nodes; group ``g`` is class ``shapes[g % S]`` of batch entry ``g // S``."""
        scores = output.scores.detach().cpu().numpy()
        on = edges_on(scores, self.constructor.edge_threshold, self.invert)
        return cluster_nodes(output.voxels.cpu().numpy(), output.edges.cpu().numpy(), on, self.constructor)


def build_graph_spice(cfg: GraphSpiceConfig) -> GraphSpice:
    """Graph-SPICE with random weights."""
    embedder = _build_embedder(cfg.embedder, cfg.use_raw_features)
    return GraphSpice(embedder, _build_kernel(cfg.kernel), cfg.constructor, cfg.shapes, cfg.invert)


def _build_embedder(cfg: EmbedderConfig, raw: bool) -> GraphSpiceEmbedder:
    if cfg.uresnet.spatial_size is None:
        raise ConfigError("the embedder needs the size of the image", where="embedder.uresnet.spatial_size")
    sizes = (cfg.spatial_embedding_dim, cfg.feature_embedding_dim)
    heads = None if raw else Heads(*sizes, cfg.covariance_mode, cfg.occupancy_mode)
    classes = cfg.num_classes if cfg.predict_semantics else None
    return GraphSpiceEmbedder(build_uresnet(cfg.uresnet), cfg.uresnet.spatial_size, heads, classes)


def _build_kernel(cfg: KernelConfig) -> nn.Module:
    if isinstance(cfg, BilinearConfig):
        return BilinearKernel(cfg.num_features, cfg.bias)
    if isinstance(cfg, DefaultKernelConfig):
        return DefaultKernel(cfg.num_features, cfg.eps)
    norm = layer_maker(DENSE_NORMS, cfg.mlp.normalization, 1)
    activation = layer_maker(DENSE_ACTIVATIONS, cfg.mlp.activation)
    return MLPKernel(MLP(cfg.num_features, cfg.mlp.widths, norm, activation), cfg.bias)
