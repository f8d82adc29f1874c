"""Options of Graph-SPICE and of its loss, named as in SPINE."""

from __future__ import annotations

from typing import Annotated, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from spine.model.layer_config import Choice, UResNetConfig
from spine.model.shape_names import ShapeName
from spine.schema import Shape
from spine.steps.step import StepConfig

__all__ = [
    "BilinearConfig",
    "ConstructorConfig",
    "DefaultKernelConfig",
    "EmbedderConfig",
    "GraphConfig",
    "GraphSpiceConfig",
    "GraphSpiceLossConfig",
    "KernelConfig",
    "KnnGraphConfig",
    "KnnOrphanConfig",
    "MLPConfig",
    "MLPKernelConfig",
    "OrphanConfig",
    "RadiusGraphConfig",
    "RadiusOrphanConfig",
]

Metric: TypeAlias = Literal["euclidean", "cityblock", "chebyshev"]
Positive: TypeAlias = Literal["exp", "softplus"]


def _kind(value: object) -> object:
    """The kind of a thing may be called ``provider`` too, and its options may stand in ``config``."""
    if isinstance(value, dict) and "provider" in value and "name" not in value:
        rest = {key: item for key, item in value.items() if key != "provider"}
        rest = rest["config"] if set(rest) == {"config"} else rest
        return {"name": value["provider"], **rest}
    return value


class EmbedderConfig(StepConfig):
    """Options of the network that gives each voxel its features."""

    uresnet: UResNetConfig = Field(description="Backbone")
    predict_semantics: bool = Field(False, description="Classify voxels too")
    num_classes: int | None = Field(None, ge=1, description="Number of classes, when voxels are classified")
    coord_conv: bool = Field(True, description="Give the network the position of voxels beside their charge")
    covariance_mode: Positive = Field("softplus", description="What makes the extent of a cluster positive")
    occupancy_mode: Positive = Field("softplus", description="What makes the number of voxels positive")
    feature_embedding_dim: int = Field(16, ge=1, description="Number of free features")
    spatial_embedding_dim: int = Field(3, ge=1, description="Number of spatial features")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.uresnet.spatial_size is None:
            raise ValueError("uresnet.spatial_size is needed to scale coordinates to -1 .. 1")
        if self.predict_semantics and self.num_classes is None:
            raise ValueError("num_classes is needed to classify voxels")
        expected = 1 + (self.uresnet.data_dim if self.coord_conv else 0)
        if self.uresnet.num_input != expected:
            raise ValueError(f"uresnet.num_input is {self.uresnet.num_input}, but the network is given {expected}")
        return self


class BilinearConfig(StepConfig):
    """Kernel with one learnt matrix."""

    name: Literal["bilinear"]
    num_features: int = Field(ge=1, description="Features per voxel")
    bias: bool = Field(False, description="Add a learnt number")


class DefaultKernelConfig(StepConfig):
    """Kernel without weights, from distances in the space of the heads."""

    name: Literal["default"]
    num_features: int = Field(ge=1, description="Number of free features per voxel")
    eps: float = Field(1e-3, gt=0, description="Smallest extent and occupancy")


class MLPConfig(StepConfig):
    """Options of a stack of dense layers."""

    depth: int = Field(2, ge=1, description="Number of layers")
    width: int | tuple[int, ...] = Field(32, description="Numbers out of each layer")
    activation: Choice = Field(Choice(name="elu"), description="Activation")
    normalization: Choice = Field(Choice(name="batch_norm"), description="Normalisation")

    @property
    def widths(self) -> tuple[int, ...]:
        """Numbers out of each layer."""
        return (self.width,) * self.depth if isinstance(self.width, int) else self.width

    @model_validator(mode="after")
    def _lengths(self) -> Self:
        if len(self.widths) != self.depth or min(self.widths) < 1:
            raise ValueError("width needs one positive value, or one for each layer")
        return self


class MLPKernelConfig(StepConfig):
    """Kernel made of dense layers."""

    name: Literal["mlp"]
    num_features: int = Field(ge=1, description="Features per voxel")
    bias: bool = Field(False, description="Bias of the last layer")
    mlp: MLPConfig = Field(MLPConfig(), description="Dense layers")


KernelConfig: TypeAlias = Annotated[
    Annotated[BilinearConfig | DefaultKernelConfig | MLPKernelConfig, Field(discriminator="name")],
    BeforeValidator(_kind),
]


class RadiusGraphConfig(StepConfig):
    """Edges between voxels that are near each other."""

    name: Literal["radius"]
    r: float = Field(gt=0, description="Voxels nearer than this are joined (voxels)")
    max_num_neighbors: int = Field(32, ge=1, description="Most edges into a voxel; the nearest are kept")


class KnnGraphConfig(StepConfig):
    """Edges from the nearest voxels."""

    name: Literal["knn"]
    k: int = Field(ge=1, description="Number of edges into a voxel")


GraphConfig: TypeAlias = Annotated[
    Annotated[RadiusGraphConfig | KnnGraphConfig, Field(discriminator="name")], BeforeValidator(_kind)
]


class RadiusOrphanConfig(StepConfig):
    """Small clusters join what most of the voxels around them belong to."""

    mode: Literal["radius"]
    radius: float = Field(gt=0, description="Voxels nearer than this vote (voxels)")
    metric: Metric = Field("euclidean", description="Distance between voxels")
    iterate: bool = Field(True, description="Let voxels that have been assigned vote in the next round")
    assign_all: bool = Field(True, description="Make clusters of those that remain")


class KnnOrphanConfig(StepConfig):
    """Small clusters join what most of the nearest voxels belong to."""

    mode: Literal["knn"]
    k: int = Field(ge=1, description="Number of voxels that vote")
    assign_all: bool = Field(True, description="Has no effect: all are assigned where there is a cluster")


OrphanConfig: TypeAlias = Annotated[RadiusOrphanConfig | KnnOrphanConfig, Field(discriminator="mode")]


class ConstructorConfig(StepConfig):
    """Options of the graph and of the clusters."""

    graph: GraphConfig = Field(description="Edges")
    edge_threshold: float = Field(ge=0, le=1, description="Score at which edges are cut")
    min_size: int = Field(0, ge=0, description="Smaller clusters are taken apart (number of voxels)")
    orphan: OrphanConfig | None = Field(None, description="What becomes of their voxels")
    label_edges: bool = Field(False, description="Has no effect: the loss labels edges")
    target_col: str = Field("cluster", description="Label that voxels of a cluster share")


class GraphSpiceConfig(StepConfig):
    """Options of Graph-SPICE."""

    embedder: EmbedderConfig = Field(description="Network that gives voxels their features")
    kernel: KernelConfig = Field(description="What turns the features of two voxels into a score")
    constructor: ConstructorConfig = Field(description="Graph and clusters")
    shapes: tuple[ShapeName, ...] = Field(
        (Shape.SHOWER, Shape.TRACK, Shape.MICHEL, Shape.DELTA), description="Semantic classes to cluster"
    )
    use_raw_features: bool = Field(False, description="Feed the kernel with the features of the backbone")
    invert: bool = Field(True, description="A score of 0 joins voxels and 1 parts them")
    make_clusters: bool = Field(False, description="Has no effect: clusters are made where they are asked for")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        embedder, dimension = self.embedder, self.embedder.uresnet.data_dim
        if not self.use_raw_features and embedder.spatial_embedding_dim != dimension:
            raise ValueError(f"spatial_embedding_dim must be the number of axes, {dimension}")
        width = embedder.spatial_embedding_dim + embedder.feature_embedding_dim + 3
        width = embedder.uresnet.filters if self.use_raw_features else width
        wanted = self.kernel.num_features + (6 if isinstance(self.kernel, DefaultKernelConfig) else 0)
        if wanted != width:
            raise ValueError(f"the kernel takes {wanted} features per voxel, but the embedder gives {width}")
        return self


class GraphSpiceLossConfig(StepConfig):
    """Options of the loss."""

    name: Literal["edge"] = Field("edge", description="Kind of loss")
    loss: Choice = Field(Choice(name="binary_log_dice_ce"), description="Loss of the edges")
    invert: bool = Field(True, description="A score of 0 joins voxels and 1 parts them")
    balance_loss: bool = Field(False, description="Weight edges so that both kinds count the same")
    equal_sampling: bool = Field(False, description="Draw as many edges of one kind as of the other")
    min_sample_edges: int = Field(1000, ge=1, description="Fewest edges of each kind that are drawn")
    metric: Literal["iou"] | None = Field("iou", description="Further number to log")
    evaluate_clustering_metrics: bool = Field(False, description="Compare clusters with the truth as well")
