"""Losses of networks on voxels from their options, named as in SPINE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BeforeValidator, Field, ValidationError

from spine.model.ppn_loss import PPNLoss, PPNLossOptions, UResNetPPNLoss, VertexLoss
from spine.model.uresnet_loss import SegmentationLoss, Weighting
from spine.steps.step import StepConfig
from spine.train.tasks import TaskRequest

__all__ = ["PointLossConfig", "SegmentationLossConfig", "UResNetPPNLossConfig", "checked_loss"]

Options = TypeVar("Options", bound=StepConfig)


def _bare(value: Any) -> Any:
    """The name of a function given as a block with nothing but its name, in lower case."""
    if isinstance(value, Mapping) and len(value) == 1 and set(value) <= {"name", "provider"}:
        value = next(iter(value.values()))
    return value.lower() if isinstance(value, str) else value


CrossEntropy = Annotated[Literal["ce"], BeforeValidator(_bare)]


class SegmentationLossConfig(StepConfig):
    """Options of the loss of the segmentation."""

    loss: CrossEntropy = Field("ce", description="Function")
    ghost_label: int = Field(-1, description="Only tell this class from the others; -1 for all classes")
    alpha: float = Field(1.0, ge=0, description="Weight of the classes, where there are ghosts too")
    beta: float = Field(1.0, ge=0, description="Weight of the ghosts")
    balance_loss: bool = Field(False, description="Weight classes by their number")
    weighting_mode: Weighting = Field("const", description="How: const makes rare classes as important as others")
    upweight_points: bool = Field(False, description="Weight voxels near points as much as all others together")
    upweight_radius: float = Field(20.0, gt=0, description="How near that is (voxels)")

    def build(self, num_classes: int) -> SegmentationLoss:
        """The loss."""
        return SegmentationLoss(
            num_classes, None, self.balance_loss, self.ghost_label, self.alpha, self.beta, self.weighting_mode
        )


class PointLossConfig(StepConfig):
    """Options of the loss of proposed points."""

    mask_loss: CrossEntropy = Field("ce", description="Function of the masks")
    resolution: float = Field(5.0, gt=0, description="Voxels nearer than this to a point are asked for it (voxels)")
    point_classes: tuple[int, ...] | None = Field(None, description="Only points of these types count")
    balance_mask_loss: bool = Field(True, description="Weight both values of masks by their number")
    mask_weighting_mode: Weighting = Field("const", description="How")
    balance_type_loss: bool = Field(True, description="Weight types by their number")
    type_weighting_mode: Weighting = Field("const", description="How")
    reg_loss_weight: float = Field(1.0, ge=0, description="Weight of the positions")
    type_loss_weight: float = Field(1.0, ge=0, description="Weight of the types")
    mask_loss_weight: float = Field(1.0, ge=0, description="Weight of the masks")
    endpoint_loss_weight: float = Field(1.0, ge=0, description="Weight of start and end")
    restrict_to_clusters: bool = Field(False, description="Ask a voxel for the points of its own particle only")
    return_mask_labels: bool = Field(False, description="Accepted for SPINE's files, without effect")

    def options(self) -> PPNLossOptions:
        """Options of the loss."""
        return PPNLossOptions(**self.model_dump(exclude={"mask_loss", "return_mask_labels"}))


class UResNetPPNLossConfig(StepConfig):
    """Options of the losses of segmentation with point proposal."""

    uresnet_loss: SegmentationLossConfig = Field(SegmentationLossConfig(), description="Segmentation")
    ppn_loss: PointLossConfig = Field(PointLossConfig(), description="Starts and ends of particles")
    vertex_loss: PointLossConfig = Field(PointLossConfig(), description="Vertices")

    def build(self, num_classes: int, points: bool, vertices: bool) -> UResNetPPNLoss:
        """The loss of a network with those parts."""
        ppn = PPNLoss(self.ppn_loss.options()) if points else None
        vertex = VertexLoss(self.vertex_loss.options()) if vertices else None
        return UResNetPPNLoss(self.uresnet_loss.build(num_classes), ppn, vertex)


def checked_loss(kind: type[Options], request: TaskRequest) -> Options:
    """Options of the loss of a network.

    Raises
    ------
    ConfigError
        When an option is unknown or wrong; lists all of them.
    """
    try:
        return kind.model_validate(dict(request.loss))
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise request.error("options of the loss: " + "; ".join(lines)) from error
