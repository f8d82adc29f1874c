"""Options of graphs, encoders and networks, under the names of SPINE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from spine.model.grappa.closest import DistanceAlgorithm
from spine.model.layer_config import Choice
from spine.model.shape_names import ShapeName
from spine.schema import Shape
from spine.steps.step import StepConfig

__all__ = [
    "AttentionOptions",
    "ConvolutionOptions",
    "EdgeEncoderOptions",
    "EdgeLayerOptions",
    "GNNOptions",
    "GlobalLayerOptions",
    "GrapPAOptions",
    "GraphOptions",
    "HeadOptions",
    "Heads",
    "MLPOptions",
    "MessageOptions",
    "NodeEncoderOptions",
    "NodeLayerOptions",
    "NodeOptions",
]


def _named(value: Any) -> Any:
    """A bare name as a block of options; ``provider`` and ``name`` are the same key."""
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, Mapping) and "provider" in value:
        return {("name" if key == "provider" else key): option for key, option in value.items()}
    return value


class MLPOptions(StepConfig):
    """Hidden layers, each a linear map, a normalisation and an activation."""

    depth: int = Field(ge=1, description="Number of layers")
    width: int | tuple[int, ...] = Field(description="Neurons of each layer")
    activation: Choice = Field(Choice(name="relu"), description="Activation")
    normalization: Choice = Field(Choice(name="batch_norm"), description="Normalisation")

    @model_validator(mode="after")
    def _widths(self) -> Self:
        if isinstance(self.width, tuple) and len(self.width) != self.depth:
            raise ValueError(f"width needs one number, or one for each of the {self.depth} layers")
        return self

    @property
    def widths(self) -> tuple[int, ...]:
        """Neurons of each layer."""
        return self.width if isinstance(self.width, tuple) else (self.width,) * self.depth


class HeadOptions(StepConfig):
    """A prediction made from features."""

    name: Literal["linear", "mlp", "evidential"] = Field("linear", description="Kind of layer")
    out_channels: int = Field(ge=1, description="Number of outputs")
    depth: int | None = Field(None, ge=1, description="Hidden layers (mlp)")
    width: int | tuple[int, ...] | None = Field(None, description="Neurons of each hidden layer (mlp)")
    activation: Choice = Field(Choice(name="relu"), description="Activation (mlp)")
    normalization: Choice = Field(Choice(name="batch_norm"), description="Normalisation (mlp)")
    positive_out: bool = Field(False, description="Make outputs positive (mlp)")
    mlp: MLPOptions | None = Field(None, description="Hidden layers (evidential)")
    eps: float = Field(0.0, ge=0, description="Smallest value of the parameters (evidential)")
    logspace: bool = Field(False, description="The mean is that of a logarithm (evidential)")

    @property
    def hidden(self) -> MLPOptions:
        """Hidden layers.

        Raises
        ------
        ValueError
            When they are not given.
        """
        if self.mlp is not None:
            return self.mlp
        if self.depth is None or self.width is None:
            raise ValueError("the head needs a depth and a width")
        return MLPOptions(
            depth=self.depth, width=self.width, activation=self.activation, normalization=self.normalization
        )


def _head(value: Any) -> Any:
    return {"name": "linear", "out_channels": value} if isinstance(value, int) else _named(value)


def _heads(value: Any) -> Any:
    """Heads by task; the one without a name has the empty one."""
    if value is None or isinstance(value, int):
        return {} if value is None else {"": _head(value)}
    if isinstance(value, Mapping) and {"name", "provider", "out_channels"} & set(value):
        return {"": _head(value)}
    return {key: _head(one) for key, one in value.items()} if isinstance(value, Mapping) else value


Heads: TypeAlias = Annotated[dict[str, HeadOptions], BeforeValidator(_heads)]


class NodeOptions(StepConfig):
    """What the nodes are and what becomes of them."""

    source: str = Field("cluster", description="Label that defines clusters where truth takes their place")
    shapes: tuple[ShapeName, ...] = Field(
        (Shape.SHOWER, Shape.TRACK, Shape.MICHEL, Shape.DELTA), description="Semantic classes of the nodes"
    )
    min_size: int = Field(-1, description="Smallest cluster (number of voxels)")
    make_groups: bool = Field(False, description="Group nodes by the predictions of edges")
    grouping_method: Literal["score", "threshold"] = Field(
        "score", description="Join groups while this raises the likelihood, or all that edges above one half connect"
    )
    grouping_through_track: bool = Field(False, description="Let a shower be connected with one track only")


class GraphOptions(StepConfig):
    """Which clusters are connected."""

    name: Literal["complete", "bipartite", "delaunay", "knn", "mst", "loop"] = Field(description="Kind of graph")
    directed: bool = Field(False, description="One edge per pair instead of one each way")
    max_length: float | tuple[float, ...] | None = Field(
        None, description="Longest edge, exclusive; a list has one per pair of classes, upper triangle (voxels)"
    )
    max_count: int | None = Field(None, ge=0, description="Largest number of edges; beyond it none is kept")
    dist_method: Literal["voxel", "centroid"] = Field("voxel", description="What distances are taken between")
    dist_algorithm: DistanceAlgorithm = Field("brute", description="How closest voxels are found")
    group_by: str | None = Field(None, description="Label between whose values there are no edges")
    k: int = Field(5, ge=1, description="Nearest neighbours (knn)")
    directed_to: Literal["primary", "secondary"] = Field("secondary", description="Sense of the edges (bipartite)")


class NodeEncoderOptions(StepConfig):
    """Features of nodes."""

    name: Literal["geo", "geometric", "empty"] = Field("geo", description="Kind of features")
    use_numpy: bool = Field(True, description="Accepted for SPINE's files, without effect")
    add_value: bool = Field(False, description="Mean and spread of the charge")
    add_shape: bool = Field(False, description="Semantic class")
    add_points: bool = Field(False, description="Start and end points")
    random_order: bool = Field(True, description="Swap true end points at random")
    add_local_dirs: bool = Field(False, description="Directions at the end points")
    dir_max_dist: float | Literal["optimize"] = Field(5.0, description="Radius for directions, all if not positive")
    add_local_dedxs: bool = Field(False, description="Charge per length at the end points")
    dedx_max_dist: float = Field(5.0, description="Radius for charge per length, all if not positive")

    @model_validator(mode="after")
    def _points(self) -> Self:
        if (self.add_local_dirs or self.add_local_dedxs) and not self.add_points:
            raise ValueError("add_local_dirs and add_local_dedxs need add_points")
        return self

    @property
    def size(self) -> int:
        """Number of features."""
        if self.name == "empty":
            return 0
        pairs = 2 * self.add_value + self.add_shape + 6 * (self.add_points + self.add_local_dirs)
        return 16 + pairs + 2 * self.add_local_dedxs


class EdgeEncoderOptions(StepConfig):
    """Features of edges."""

    name: Literal["geo", "geometric", "empty"] = Field("geo", description="Kind of features")
    use_numpy: bool = Field(True, description="Accepted for SPINE's files, without effect")
    use_legacy_distance: bool = Field(False, description="Accepted for SPINE's files, without effect")

    @property
    def size(self) -> int:
        """Number of features."""
        return 0 if self.name == "empty" else 19


class EdgeLayerOptions(StepConfig):
    """Update of edges."""

    name: Literal["mlp"] = Field("mlp", description="Kind of layer")
    mlp: MLPOptions = Field(description="Layers")


class GlobalLayerOptions(StepConfig):
    """Update of what describes the graph as a whole."""

    name: Literal["mlp"] = Field("mlp", description="Kind of layer")
    mlp: MLPOptions = Field(description="Layers")
    reduction: Literal["max", "mean", "sum"] = Field("mean", description="How nodes are put together")


class MessageOptions(StepConfig):
    """Update of nodes by messages along edges."""

    name: Literal["mlp"] = Field("mlp", description="Kind of layer")
    message_mlp: MLPOptions = Field(description="Layers that make messages")
    aggr_mlp: MLPOptions = Field(description="Layers that combine them with the node")
    reduction: Literal["max", "mean", "sum"] = Field("mean", description="How messages are put together")
    attention: bool = Field(False, description="Weight messages by a learnt softmax")


class AttentionOptions(StepConfig):
    """Update of nodes by attention to their neighbours."""

    name: Literal["agnnconv", "gatconv"] = Field(description="Kind of layer")
    out_channels: int | None = Field(None, ge=1, description="Features of the result (gatconv)")
    heads: int = Field(1, ge=1, description="Attentions that are averaged (gatconv)")
    concat: bool = Field(True, description="Must be false with several heads (gatconv)")
    negative_slope: float = Field(0.2, description="Slope of the leaky rectifier of scores (gatconv)")
    add_self_loops: bool = Field(True, description="Let nodes attend to themselves")
    activation: Choice = Field(Choice(name="relu"), description="Activation")
    normalization: Choice = Field(Choice(name="batch_norm"), description="Normalisation")


class ConvolutionOptions(StepConfig):
    """Update of nodes by maps of their neighbours."""

    name: Literal["econv", "nnconv"] = Field(description="Kind of layer")
    out_channels: int | None = Field(None, ge=1, description="Features of the result (nnconv)")
    mlp: MLPOptions = Field(description="Layers")
    aggr: Literal["max", "mean", "sum", "add"] = Field("max", description="How neighbours are put together")


NodeLayerOptions: TypeAlias = Annotated[
    MessageOptions | AttentionOptions | ConvolutionOptions, Field(discriminator="name"), BeforeValidator(_named)
]
Layer = BeforeValidator(_named)


class GNNOptions(StepConfig):
    """The network itself."""

    name: Literal["meta"] = Field("meta", description="Kind of network")
    node_feats: int = Field(0, ge=0, description="Features of nodes")
    edge_feats: int = Field(0, ge=0, description="Features of edges")
    global_feats: int = Field(0, ge=0, description="Features of the graph")
    node_layer: NodeLayerOptions | None = Field(None, description="Update of nodes")
    edge_layer: Annotated[EdgeLayerOptions, Layer] | None = Field(None, description="Update of edges")
    global_layer: Annotated[GlobalLayerOptions, Layer] | None = Field(None, description="Update of the graph")
    node_pred: Heads = Field(default_factory=dict, description="Predictions of nodes, by task")
    edge_pred: Heads = Field(default_factory=dict, description="Predictions of edges, by task")
    global_pred: Heads = Field(default_factory=dict, description="Predictions of the graph, by task")
    num_mp: int = Field(3, ge=1, description="Number of updates")
    input_normalization: Choice = Field(Choice(name="batch_norm"), description="Normalisation of features")


class GrapPAOptions(StepConfig):
    """A graph network that groups clusters and classifies them."""

    nodes: NodeOptions = Field(default_factory=NodeOptions, description="Nodes")
    graph: Annotated[GraphOptions, Layer] = Field(GraphOptions(name="complete"), description="Edges")
    node_encoder: Annotated[NodeEncoderOptions, Layer] = Field(
        default_factory=NodeEncoderOptions, description="Features of nodes"
    )
    edge_encoder: Annotated[EdgeEncoderOptions, Layer] = Field(
        default_factory=EdgeEncoderOptions, description="Features of edges"
    )
    gnn_model: Annotated[GNNOptions, Layer] = Field(description="Network")
    max_edge_count: int | None = Field(None, ge=0, description="Largest number of edges; beyond it none is kept")
    return_features: bool = Field(False, description="Give features too")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for kind, encoder in (("node", self.node_encoder), ("edge", self.edge_encoder)):
            wanted = getattr(self.gnn_model, f"{kind}_feats")
            if encoder.size != wanted:
                raise ValueError(f"the {kind} encoder makes {encoder.size} features, {kind}_feats is {wanted}")
        if self.nodes.make_groups and not self.gnn_model.edge_pred:
            raise ValueError("make_groups needs edge_pred")
        return self

    @property
    def edge_limit(self) -> int | None:
        """Largest number of edges."""
        limits = [one for one in (self.max_edge_count, self.graph.max_count) if one is not None]
        return min(limits, default=None)
