"""Blocks of the configuration that training reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from spine.config.block import Block

__all__ = [
    "AugmentBlock",
    "BestBlock",
    "OptimizerBlock",
    "SamplerBlock",
    "SchedulerBlock",
    "StoppingBlock",
    "TrainBlock",
    "TrainLoaderBlock",
    "ValidationBlock",
]

Mode = Literal["min", "max"]


def _one_level(value: Any) -> Any:
    """Options of a provider beside its name, where they stand in a block of their own."""
    if isinstance(value, str):
        return {"provider": value}
    if not isinstance(value, Mapping):
        return value
    rest = {key: item for key, item in value.items() if key not in ("name", "config")}
    if "name" in value:
        rest.setdefault("provider", value["name"])
    return {**rest, **(value.get("config") or {})}


def _names(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class OptimizerBlock(BaseModel):
    """What changes the weights: any class of torch.optim by its name, with its options beside it."""

    model_config = ConfigDict(frozen=True, extra="allow")

    provider: str = Field("Adam", description="Class of torch.optim; its options (lr, weight_decay, ...) beside it")

    @property
    def options(self) -> dict[str, Any]:
        """Options of the class."""
        return dict(self.model_extra or {})


class SchedulerBlock(BaseModel):
    """What changes the learning rate: any class of torch.optim.lr_scheduler, with its options beside it."""

    model_config = ConfigDict(frozen=True, extra="allow")

    provider: str = Field(description="Class of torch.optim.lr_scheduler; its options beside it")
    interval: Literal["step", "epoch", "validation"] = Field("step", description="When it moves on")
    monitor: str = Field("loss", description="Number of the validation that it is given (ReduceLROnPlateau)")

    @property
    def options(self) -> dict[str, Any]:
        """Options of the class."""
        return dict(self.model_extra or {})


class AugmentBlock(BaseModel):
    """One augmentation, with its options beside its name."""

    model_config = ConfigDict(frozen=True, extra="allow")

    provider: str = Field(
        description="flip, rotate, tilt, translate, crop, mask, jitter or response; its options beside it"
    )

    @property
    def options(self) -> dict[str, Any]:
        """Options of the augmentation."""
        return dict(self.model_extra or {})


def _in_order(value: Any) -> Any:
    """Augmentations by name as a list, which keeps their order."""
    if isinstance(value, Mapping) and set(value) == {"stages"}:
        value = value["stages"]
    if isinstance(value, Mapping):
        return [{"provider": name, **(options or {})} for name, options in value.items() if options is not False]
    return [_one_level(item) for item in value] if isinstance(value, list) else value


class SamplerBlock(Block):
    """Order of the events."""

    provider: Literal["sequential", "random", "random_sequence", "bootstrap"] = Field(
        "random",
        description="In order; shuffled in each epoch; runs of neighbours, shuffled; drawn with replacement",
    )
    drop_last: bool = Field(True, description="Leave out the last events of an epoch when they fill no minibatch")


class TrainLoaderBlock(Block):
    """Minibatches."""

    minibatch_size: int = Field(8, ge=1, description="Events in a minibatch of one process")
    batch_size: int | None = Field(None, ge=1, description="Events of all processes together, instead")
    max_voxels: int = Field(200_000, ge=1, description="Most voxels in a minibatch; one event may have more")
    sampler: Annotated[SamplerBlock, BeforeValidator(_one_level)] = Field(
        default_factory=SamplerBlock, description="Order of the events"
    )
    num_workers: int = Field(0, ge=0, description="Processes that prepare minibatches ahead")
    prefetch: int = Field(2, ge=1, description="Minibatches that each of them prepares ahead")
    cache_size: int = Field(2000, ge=0, description="Memory for events that are kept, all processes together (MB)")


class TrainBlock(Block):
    """Training."""

    modules: Annotated[list[str], BeforeValidator(_names)] = Field(
        default_factory=list, description="Networks to train, by their names under model.modules; all when empty"
    )
    optimizer: Annotated[OptimizerBlock, BeforeValidator(_one_level)] = Field(
        default_factory=lambda: OptimizerBlock(provider="Adam"), description="What changes the weights"
    )
    lr_scheduler: Annotated[SchedulerBlock | None, BeforeValidator(_one_level)] = Field(
        None, description="What changes the learning rate"
    )
    nodes: Literal["label", "predicted"] = Field(
        "label", description="What graph networks work on: true clusters, or products of the chain in the input"
    )
    semantics: Literal["label", "predicted"] = Field(
        "label", description="Where the classes of voxels for Graph-SPICE come from: seg_label or seg_pred"
    )
    loader: TrainLoaderBlock = Field(default_factory=TrainLoaderBlock, description="Minibatches")
    augment: Annotated[list[AugmentBlock], BeforeValidator(_in_order)] = Field(
        default_factory=list, description="Random changes of events, by name and in order; validation has none"
    )
    accumulate: int = Field(1, ge=1, description="Minibatches whose gradients are averaged for one step")
    clip_norm: float | None = Field(None, gt=0, description="Largest norm of the gradients; beyond it they are scaled")
    clip_value: float | None = Field(None, gt=0, description="Largest size of one gradient; beyond it it is cut")
    precision: Literal["float32", "bfloat16", "float16", "auto"] = Field(
        "float32", description="Type of the arithmetic on a GPU; auto takes bfloat16 where it has it"
    )
    device: str = Field("auto", description="cpu, cuda, or auto: a GPU when there is one")
    weight_prefix: str = Field("snapshot", description="First part of the names of snapshots")
    save_step: int | None = Field(None, ge=1, description="Steps between snapshots; at the end of epochs when left out")
    save_epoch: float | None = Field(None, gt=0, description="Epochs between snapshots, instead")
    keep: int = Field(3, ge=1, description="Snapshots that are kept, beside the best one")
    resume: bool | None = Field(
        None, description="Go on from the newest snapshot; null when it was made with this configuration and input"
    )
    restore_weights: bool = Field(
        False, description="Begin with the weights of model.weight_path; else only with those that networks name"
    )
    restore_optimizer: bool = Field(True, description="Take the state of the optimizer from the snapshot too")
    scheduler_resume: Literal["restore", "restart"] = Field(
        "restore", description="Take the state of the scheduler from the snapshot too, or begin anew"
    )

    @model_validator(mode="after")
    def _one_cadence(self) -> Self:
        if self.save_step is not None and self.save_epoch is not None:
            raise ValueError("save_step and save_epoch exclude each other")
        return self


class StoppingBlock(Block):
    """When training ends before its time."""

    monitor: str = Field("loss", description="Number of the validation")
    mode: Mode = Field("min", description="Whether it gets better downwards or upwards")
    patience: int = Field(5, ge=1, description="Validations without improvement after which training ends")
    min_delta: float = Field(0.0, ge=0, description="Least improvement that counts")


class BestBlock(Block):
    """Which snapshot is the best."""

    monitor: str = Field("loss", description="Number of the validation")
    mode: Mode = Field("min", description="Whether it gets better downwards or upwards")
    min_delta: float = Field(0.0, ge=0, description="Least improvement that counts")


class ValidationBlock(Block):
    """Validation at every snapshot, on events of its own."""

    fraction: float = Field(
        0.0, ge=0, lt=1, description="Share of the training events that is set apart when no other files are given"
    )
    file_keys: str | list[str] | None = Field(None, description="Files or globs")
    file_list: str | None = Field(None, description="Text file with one input per line")
    n_entry: int | None = Field(None, ge=1, description="Most events to validate on")
    minibatch_size: int | None = Field(None, ge=1, description="Events at a time, as in training when left out")
    early_stopping: StoppingBlock | None = Field(None, description="When training ends before its time")
    best_checkpoint: BestBlock | None = Field(
        None, description="Which snapshot is the best; its weights are the result"
    )
