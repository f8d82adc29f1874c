"""Options of image networks and of their losses, named as in SPINE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from spine.model.grappa.loss_options import QualityOptions
from spine.model.grappa.options import Heads
from spine.model.layer_config import UResNetConfig
from spine.model.shape_names import ShapeName
from spine.schema import Shape
from spine.steps.step import StepConfig

__all__ = [
    "WHOLE",
    "ClassTask",
    "EncoderOptions",
    "ImageLossOptions",
    "ImageOptions",
    "ObjectOptions",
    "RegressionTask",
    "Task",
]

ALIASES = {"clust": "cluster", "part": "particle", "inter": "interaction"}
WHOLE = ("image_pid", "image_energy")
"""Products with one label for the whole event."""
RESERVED = ("objects", "features", "loss", "accuracy")


def _spread(value: Any) -> Any:
    """Options of a block in one level, its kind under ``name``."""
    if not isinstance(value, Mapping):
        return value
    block = {("name" if key == "provider" else key): option for key, option in value.items()}
    nested = block.pop("config", None)
    return {**block, **nested} if isinstance(nested, Mapping) else block


class ObjectOptions(StepConfig):
    """What the images show, where the chain does not say it."""

    source: str = Field(
        "image",
        description="Whole events (image), given objects (explicit), or voxels with the same label, by its name",
    )
    shapes: tuple[ShapeName, ...] | None = Field(
        None, description="Semantic classes of labelled voxels; all but low-energy ones if left out"
    )
    min_size: int = Field(-1, ge=-1, description="Smallest labelled object (number of voxels)")

    @property
    def label(self) -> str | None:
        """Label that the voxels of an object share, None for whole events and given objects."""
        return None if self.source in ("image", "explicit") else ALIASES.get(self.source, self.source)

    @property
    def classes(self) -> tuple[Shape, ...]:
        """Semantic classes of labelled voxels."""
        return (Shape.SHOWER, Shape.TRACK, Shape.MICHEL, Shape.DELTA) if self.shapes is None else self.shapes

    @model_validator(mode="after")
    def _labelled(self) -> Self:
        if self.label is None and self.shapes is not None:
            raise ValueError(f"source {self.source!r} does not go with shapes")
        return self


class EncoderOptions(UResNetConfig):
    """A residual encoder that makes one list of features of each image."""

    name: Literal["cnn"] = Field("cnn", description="Kind of encoder")
    coord_conv: bool = Field(False, description="Give it the position of voxels too; not counted in num_input")
    pool_mode: Literal["avg", "sum", "max", "conv"] = Field(
        "avg", description="How the deepest voxels are put together"
    )
    feature_size: int = Field(512, ge=1, description="Number of features")

    @model_validator(mode="after")
    def _sized(self) -> Self:
        if self.spatial_size is None and (self.coord_conv or self.pool_mode == "conv"):
            raise ValueError("coord_conv and pool_mode 'conv' need spatial_size")
        if self.pool_mode == "conv" and self.spatial_size is not None and self.spatial_size < 2 ** (self.depth - 1):
            raise ValueError("spatial_size is too small for the depth")
        return self


class ImageOptions(StepConfig):
    """A network that looks at images of objects."""

    objects: ObjectOptions = Field(default_factory=ObjectOptions, description="What the images show")
    encoder: Annotated[EncoderOptions, BeforeValidator(_spread)] = Field(description="Features of the images")
    heads: Heads = Field(description="Predictions, by task")
    return_features: bool = Field(False, description="Give features too")

    @model_validator(mode="after")
    def _heads(self) -> Self:
        wrong = [name for name in self.heads if not name or name in RESERVED]
        if wrong or not self.heads:
            raise ValueError(f"heads needs one task or more, each with a name other than {', '.join(RESERVED)}")
        return self


class TaskOptions(QualityOptions):
    """Options of every loss of a head."""

    label: str = Field("clust_label", description="Truth to compare with: true clusters, or a label of whole events")
    target: str | None = Field(None, description="Label to predict")
    target_reduction: Literal["mode", "ancestor"] = Field(
        "mode", description="Label of most voxels of an object, or that of their common ancestor"
    )
    weight: float = Field(1.0, gt=0, description="Weight of the loss")

    @property
    def instances(self) -> str:
        """Label of the true instances that objects are matched with."""
        return self.match_target or ("ancestor" if self.target_reduction == "ancestor" else "group")

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.label in WHOLE:
            if self.target is not None or self.active:
                raise ValueError(f"label {self.label!r} has no target and no limits")
        elif self.label != "clust_label" or self.target is None:
            raise ValueError(f"give label 'clust_label' and the target, or one of {', '.join(WHOLE)}")
        if self.target_reduction == "ancestor" and self.target not in ("pid", "kinetic_energy"):
            raise ValueError("target_reduction 'ancestor' is for the targets pid and kinetic_energy")
        return self


class ClassTask(TaskOptions):
    """Classification of images."""

    name: Literal["class"] = Field("class", description="Kind of loss")
    loss: Literal["ce", "mm"] = Field("ce", description="Function")
    balance_loss: bool = Field(False, description="Weight classes by their number")
    class_weights: tuple[float, ...] | None = Field(None, description="Weights of the classes")
    ignore_index: int = Field(-1, description="Label that does not count")

    @model_validator(mode="after")
    def _one_weighting(self) -> Self:
        if self.balance_loss and self.class_weights is not None:
            raise ValueError("give balance_loss or class_weights, not both")
        return self


class RegressionTask(TaskOptions):
    """Regression on images."""

    name: Literal["reg"] = Field("reg", description="Kind of loss")
    loss: Literal["mse", "l2", "l1", "huber", "log_rmse", "berhu", "edl"] = Field("mse", description="Function")
    ignore_value: float | None = Field(-1.0, description="Label that does not count")
    quality_target: str = Field("pid", description="Label that says which class a limit is for")
    quality_num_classes: int | None = Field(None, ge=1, description="Number of its values")


_LONG = {"classification": "class", "regression": "reg"}


def _kind(value: Any) -> Any:
    block = _spread(value)
    return {**block, "name": _LONG.get(block["name"], block["name"])} if "name" in block else block


Task: TypeAlias = Annotated[ClassTask | RegressionTask, Field(discriminator="name"), BeforeValidator(_kind)]


def _under_tasks(value: Any) -> Any:
    return value if isinstance(value, Mapping) and set(value) == {"tasks"} else {"tasks": value}


class ImageLossOptions(StepConfig):
    """Losses of an image network, one for each head, by its name."""

    tasks: dict[str, Task] = Field(description="Losses by head")

    @model_validator(mode="before")
    @classmethod
    def _flat(cls, value: Any) -> Any:
        return _under_tasks(value)
