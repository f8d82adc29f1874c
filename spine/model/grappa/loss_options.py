"""Options of the losses of graph networks, under the names of SPINE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from spine.steps.step import StepConfig

__all__ = [
    "ChannelOptions",
    "ClassOptions",
    "GrapPALossOptions",
    "NodeLossOptions",
    "OrientOptions",
    "QualityOptions",
    "RegressionOptions",
    "ShowerPrimaryOptions",
    "VertexOptions",
]

ClassLossName: TypeAlias = Literal["ce", "mm"]
RegressionLossName: TypeAlias = Literal["mse", "l2", "l1", "huber", "log_rmse", "berhu", "edl"]
Threshold: TypeAlias = float | tuple[float, ...] | None

_LONG = {"classification": "class", "regression": "reg", "orientation": "orient"}


def _plain_name(value: Any) -> Any:
    """The name of a function given as a block with nothing but its name."""
    if isinstance(value, Mapping) and set(value) <= {"name", "provider"} and value:
        return next(iter(value.values()))
    return value


def _named(value: Any) -> Any:
    """A block with its short name under ``name``."""
    if not isinstance(value, Mapping):
        return value
    block = {("name" if key == "provider" else key): option for key, option in value.items()}
    return {**block, "name": _LONG.get(block["name"], block["name"])} if "name" in block else block


ClassLoss: TypeAlias = Annotated[ClassLossName, BeforeValidator(_plain_name)]
RegressionLoss: TypeAlias = Annotated[RegressionLossName, BeforeValidator(_plain_name)]


class QualityOptions(StepConfig):
    """How well a node must agree with a true instance to be trained on; a list has one value per class."""

    min_iou: Threshold = Field(None, description="Least voxels in common over voxels in either")
    min_purity: Threshold = Field(None, description="Least share of the node in the instance")
    min_efficiency: Threshold = Field(None, description="Least share of the instance in the node")
    match_target: str | None = Field(None, description="Label of the instances")

    @property
    def active(self) -> bool:
        """Whether anything is asked for."""
        return any(limit is not None for limit in (self.min_iou, self.min_purity, self.min_efficiency))

    @property
    def by_class(self) -> bool:
        """Whether a limit depends on the class."""
        return any(isinstance(limit, tuple) for limit in (self.min_iou, self.min_purity, self.min_efficiency))


class ClassOptions(QualityOptions):
    """Classification of nodes."""

    name: Literal["class"] = Field("class", description="Kind of loss")
    target: str = Field(description="Label to predict")
    loss: ClassLoss = Field("ce", description="Function")
    balance_loss: bool = Field(False, description="Weight classes by their number")
    weights: tuple[float, ...] | None = Field(None, description="Weights of the classes")
    use_closest: bool = Field(False, description="Only the node nearest to the start of a group keeps its class")
    secondary_label: int | tuple[int, ...] = Field(-1, description="Class of the others, one per class if a list")


class ShowerPrimaryOptions(QualityOptions):
    """Which node of a shower is its first."""

    name: Literal["shower_primary"] = Field("shower_primary", description="Kind of loss")
    loss: ClassLoss = Field("ce", description="Function")
    balance_loss: bool = Field(False, description="Weight classes by their number")
    high_purity: bool = Field(False, description="Only groups with exactly one primary")
    use_closest: bool = Field(False, description="Of several primaries take the one nearest to the start")
    use_group_pred: bool = Field(False, description="Take predicted groups for that, not true ones")


class OrientOptions(QualityOptions):
    """Whether the start of a track comes before its end."""

    name: Literal["orient"] = Field("orient", description="Kind of loss")
    loss: ClassLoss = Field("ce", description="Function")


class RegressionOptions(QualityOptions):
    """Regression of a label of nodes."""

    name: Literal["reg"] = Field("reg", description="Kind of loss")
    target: str = Field(description="Label to predict")
    loss: RegressionLoss = Field("mse", description="Function")
    quality_target: str = Field("pid", description="Label that says which class a limit is for")
    quality_num_classes: int | None = Field(None, ge=1, description="Number of its values")


class VertexOptions(QualityOptions):
    """Primaries, and where they come from."""

    name: Literal["vertex"] = Field("vertex", description="Kind of loss")
    balance_primary_loss: bool = Field(False, description="Weight classes by their number")
    primary_loss: ClassLoss = Field("ce", description="Function of the primaries")
    regression_loss: RegressionLoss = Field("mse", description="Function of the positions")
    only_contained: bool = Field(True, description="Only vertices in the detector")
    normalize_positions: bool = Field(False, description="Positions as a share of the image")
    use_anchor_points: bool = Field(False, description="Positions from the nearer end of the node")
    return_vertex_labels: bool = Field(False, description="Accepted for SPINE's files, without effect")


class ChannelOptions(QualityOptions):
    """Which edges connect nodes of one instance."""

    name: Literal["channel"] = Field("channel", description="Kind of loss")
    target: str = Field(description="Label of the instances")
    mode: Literal["group", "forest", "particle_forest"] = Field(
        "group", description="All edges in a group, those of its best tree, or those between parent and child"
    )
    loss: ClassLoss = Field("ce", description="Function")
    balance_loss: bool = Field(False, description="Weight classes by their number")
    high_purity: bool = Field(False, description="Only nodes of showers with exactly one primary")


NodeLossOptions: TypeAlias = Annotated[
    ClassOptions | ShowerPrimaryOptions | OrientOptions | RegressionOptions | VertexOptions,
    Field(discriminator="name"),
    BeforeValidator(_named),
]
EdgeLossOptions: TypeAlias = Annotated[ChannelOptions, BeforeValidator(_named)]


def _tasks(value: Any) -> Any:
    """Losses by task; the one without a name has the empty one."""
    if not isinstance(value, Mapping):
        return value
    return {"": value} if {"name", "provider"} & set(value) else dict(value)


class GrapPALossOptions(StepConfig):
    """Losses of a graph network, named as the predictions they are for."""

    node_loss: Annotated[dict[str, NodeLossOptions], BeforeValidator(_tasks)] = Field(
        default_factory=dict, description="Losses of nodes, by task"
    )
    edge_loss: Annotated[dict[str, EdgeLossOptions], BeforeValidator(_tasks)] = Field(
        default_factory=dict, description="Losses of edges, by task"
    )
