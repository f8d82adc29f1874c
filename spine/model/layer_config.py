"""Options of layers and of U-ResNets as configurations state them, and the layers made from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, TypeAlias

from pydantic import Field, model_validator
from torch import nn

from spine.errors import ConfigError, did_you_mean
from spine.model.uresnet import ACTIVATIONS, NORMS, LatticePhase, LayerStyle, UResNet, UResNetShape
from spine.steps.step import StepConfig

__all__ = [
    "Choice",
    "Lattice",
    "UResNetConfig",
    "build_lattice",
    "build_uresnet",
    "layer_maker",
    "layer_style",
    "uresnet_shape",
]

Option: TypeAlias = float | int | bool | str | None


class Choice(StepConfig):
    """One of several things by its name, with its options: ``lrelu`` or ``{name: lrelu, negative_slope: 0.33}``."""

    name: str = Field(description="What is chosen")
    options: Mapping[str, Option] = Field(default_factory=dict, description="Its options")

    @model_validator(mode="before")
    @classmethod
    def _spread(cls, value: object) -> object:
        if isinstance(value, str):
            return {"name": value}
        if not isinstance(value, Mapping) or set(value) == {"name", "options"}:
            return value
        rest = {key: item for key, item in value.items() if key not in ("name", "provider")}
        name = value.get("provider", value.get("name"))
        return {"name": name, "options": rest.get("config", rest) if set(rest) == {"config"} else rest}


class Lattice(StepConfig):
    """Random translation of events in training."""

    period: int | tuple[int, ...] | Literal["auto"] = Field(
        "auto", description="Positions to draw from on each axis (voxels); auto covers the coarsest grid"
    )


class UResNetConfig(StepConfig):
    """Options of a U-ResNet, named as in SPINE."""

    reps: int = Field(ge=1, description="Residual blocks per resolution")
    depth: int = Field(ge=1, description="Number of resolutions")
    filters: int = Field(ge=1, description="Channels at full resolution")
    input_kernel: int = Field(3, ge=1, description="Size of the first kernel (voxels)")
    data_dim: int = Field(3, ge=1, le=4, description="Number of spatial axes")
    num_input: int = Field(1, ge=1, description="Features per voxel")
    allow_bias: bool = Field(False, description="Convolutions have a bias")
    activation: Choice = Field(Choice(name="lrelu"), description="Activation: " + ", ".join(ACTIVATIONS))
    norm_layer: Choice = Field(Choice(name="batch_norm"), description="Normalisation: " + ", ".join(NORMS))
    spatial_size: int | None = Field(None, ge=1, description="Size of the image on each axis (voxels)")
    lattice: Lattice | None = Field(None, description="Random translation in training")


def layer_maker(
    table: Mapping[str, Callable[..., nn.Module]], choice: Choice, *sample: int
) -> Callable[..., nn.Module]:
    """What makes layers of a kind.

    Parameters
    ----------
    table : mapping
        Kinds of layers by name.
    choice : Choice
        Kind and options.
    *sample : int
        Arguments with which one layer is made to check the options.

    Raises
    ------
    ConfigError
        When there is no such kind, or it takes no such option.
    """
    if choice.name not in table:
        raise ConfigError("unknown layer", got=choice.name, mend=did_you_mean(choice.name, table))
    make = partial(table[choice.name], **_numbers(choice.options))
    try:
        make(*sample)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"options of layer {choice.name!r}: {error}", got=dict(choice.options)) from error
    return make


def _numbers(options: Mapping[str, Option]) -> dict[str, Any]:
    """Options with the numbers that YAML reads as text, such as 1e-4, made numbers."""
    return {key: _number(value) if isinstance(value, str) else value for key, value in options.items()}


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def layer_style(cfg: UResNetConfig) -> LayerStyle:
    """How the layers of a network are made."""
    activation = layer_maker(ACTIVATIONS, cfg.activation)
    return LayerStyle(activation, layer_maker(NORMS, cfg.norm_layer, 1), cfg.allow_bias, cfg.data_dim)


def uresnet_shape(cfg: UResNetConfig) -> UResNetShape:
    """Size of a network."""
    return UResNetShape(cfg.filters, cfg.depth, cfg.reps, cfg.num_input, cfg.input_kernel)


def build_uresnet(cfg: UResNetConfig) -> UResNet:
    """A U-ResNet with random weights."""
    return UResNet(uresnet_shape(cfg), layer_style(cfg), build_lattice(cfg))


def build_lattice(cfg: UResNetConfig) -> LatticePhase | None:
    """Random translation in training, None where there is none."""
    if cfg.lattice is None:
        return None
    period = 2 ** (cfg.depth - 1) if cfg.lattice.period == "auto" else cfg.lattice.period
    periods = (period,) * cfg.data_dim if isinstance(period, int) else period
    if len(periods) != cfg.data_dim or min(periods) < 1:
        raise ConfigError("the lattice needs one positive period per axis", got=periods, expected=cfg.data_dim)
    return LatticePhase(periods)
