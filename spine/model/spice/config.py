"""Options of SPICE and of its loss, named as in SPINE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, model_validator

from spine.model.layer_config import UResNetConfig
from spine.model.shape_names import ShapeName, shape_of_name
from spine.schema import Shape
from spine.steps.step import StepConfig

__all__ = ["ClustererConfig", "SpiceConfig", "SpiceLossConfig"]


def _by_shape(value: Any) -> Any:
    """Thresholds by the number of the semantic class."""
    if isinstance(value, Mapping):
        return {shape_of_name(shape): threshold for shape, threshold in value.items()}
    return value


Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Thresholds: TypeAlias = Annotated[Share | tuple[Share, ...] | dict[Shape, Share], BeforeValidator(_by_shape)]


class ClustererConfig(StepConfig):
    """Options of the clusters; thresholds are one value, one per class of ``shapes``, or by class."""

    seed_threshold: Thresholds = Field(0.0, description="Least seediness of the voxel around which a cluster grows")
    probability_threshold: Thresholds = Field(0.5, description="Least probability of the voxels of a cluster")
    min_size: int = Field(2, ge=1, description="Smallest cluster (number of voxels)")
    assign_all: bool = Field(True, description="Let voxels that are left join their most probable cluster")
    eps: float = Field(1e-6, gt=0, description="Smallest width of a cluster")

    def of(self, name: Literal["seed_threshold", "probability_threshold"], shapes: tuple[Shape, ...], k: int) -> float:
        """Threshold of the k-th class."""
        value = getattr(self, name)
        if isinstance(value, dict):
            return float(value[shapes[k]])
        return float(value[k] if isinstance(value, tuple) else value)


def _one_per_shape(value: Any, shapes: tuple[Shape, ...]) -> bool:
    if isinstance(value, dict):
        return set(value) == set(shapes)
    return not isinstance(value, tuple) or len(value) == len(shapes)


class SpiceConfig(StepConfig):
    """Options of SPICE."""

    uresnet: UResNetConfig = Field(description="Encoder and decoders")
    shapes: tuple[ShapeName, ...] | None = Field(
        None, description="Semantic classes to cluster, showers and tracks if left out"
    )
    skip_classes: tuple[ShapeName, ...] | None = Field(
        None, description="Classes not to cluster instead: the older way to say it"
    )
    coord_conv: bool = Field(True, description="Give the network the position of voxels beside their charge")
    margin_dim: Literal[1] = Field(1, description="Widths per voxel")
    seediness_dim: Literal[1] = Field(1, description="Seediness scores per voxel")
    seed_freeze: bool = Field(False, description="Do not train the seediness")
    clusterer: ClustererConfig | None = Field(None, description="How clusters are made, with the usual options if null")
    make_clusters: bool = Field(False, description="Has no effect: clusters are made where they are asked for")

    @property
    def classes(self) -> tuple[Shape, ...]:
        """Semantic classes to cluster."""
        if self.shapes is not None:
            return self.shapes
        skipped = (Shape.MICHEL, Shape.DELTA) if self.skip_classes is None else self.skip_classes
        return tuple(s for s in (Shape.SHOWER, Shape.TRACK, Shape.MICHEL, Shape.DELTA) if s not in skipped)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.shapes is not None and self.skip_classes is not None:
            raise ValueError("give shapes or skip_classes, not both")
        if not self.classes or len(set(self.classes)) != len(self.classes):
            raise ValueError("shapes needs one class or more, each once")
        if self.uresnet.spatial_size is None:
            raise ValueError("uresnet.spatial_size is needed to scale coordinates to -1 .. 1")
        expected = 1 + (self.uresnet.data_dim if self.coord_conv else 0)
        if self.uresnet.num_input != expected:
            raise ValueError(f"uresnet.num_input is {self.uresnet.num_input}, but the network is given {expected}")
        clusterer = self.clusterer or ClustererConfig()
        for name in ("seed_threshold", "probability_threshold"):
            if not _one_per_shape(getattr(clusterer, name), self.classes):
                raise ValueError(f"clusterer.{name} needs one value, or one for each of the {len(self.classes)} shapes")
        return self


def _bare(value: Any) -> Any:
    """The name of a function given as a block with nothing but its name."""
    if isinstance(value, Mapping) and len(value) == 1 and set(value) <= {"name", "provider"}:
        return next(iter(value.values()))
    return value


class SpiceLossConfig(StepConfig):
    """Options of the loss."""

    mask_loss: Annotated[Literal["bce_logits", "mse", "l2", "l1", "huber"], BeforeValidator(_bare)] = Field(
        "bce_logits", description="Function of the masks"
    )
    seed_loss: Annotated[Literal["l1", "mse", "l2", "huber"], BeforeValidator(_bare)] = Field(
        "l1", description="Function of the seediness"
    )
    embedding_weight: float = Field(1.0, ge=0, description="Weight of the masks")
    seediness_weight: float = Field(1.0, ge=0, description="Weight of the seediness")
    smoothing_weight: float = Field(1.0, ge=0, description="Weight of equal widths within a cluster")
    inter_weight: float = Field(1.0, ge=0, description="Weight of the distance between clusters")
    inter_margin: float = Field(0.2, ge=0, description="Half the distance at which clusters are far enough apart")
    min_voxels: int = Field(2, ge=1, description="Fewest voxels of a semantic class that count")
    eps: float = Field(1e-6, gt=0, description="Smallest width, and distance of probabilities from 0 and 1")
