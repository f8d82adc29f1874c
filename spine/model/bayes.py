"""Segmentation that says how sure it is: by dropout at random, or by evidence for each class.

After Gal and Ghahramani, "Dropout as a Bayesian approximation", ICML 2016, and Sensoy et al., NeurIPS 2018. Names and
shapes of all parameters are those of SPINE, so that its checkpoints load.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Self

import torch
from pydantic import BeforeValidator, Field, model_validator
from torch import nn

from spine.model.evidential_loss import EvidentialLoss
from spine.model.layer_config import UResNetConfig, build_lattice, layer_style, uresnet_shape
from spine.model.uresnet import (
    FeatureMaps,
    LatticePhase,
    LayerStyle,
    Segmentation,
    UResNetDecoder,
    UResNetEncoder,
    UResNetShape,
)
from spine.model.uresnet_loss import SegmentationLoss
from spine.sparse import SparseTensor
from spine.sparse import nn as snn
from spine.steps.step import StepConfig

__all__ = [
    "BayesianLossConfig",
    "BayesianSegmentation",
    "BayesianUResNet",
    "BayesianUResNetConfig",
    "Dropouts",
    "build_bayesian",
    "build_bayesian_loss",
]

Mode = Literal["standard", "mc_dropout", "evidential"]


class BayesianUResNetConfig(UResNetConfig):
    """Options of a segmentation that says how sure it is."""

    num_classes: int = Field(ge=2, description="Number of classes")
    mode: Annotated[Mode, BeforeValidator(lambda value: "evidential" if value == "evd" else value)] = Field(
        "standard",
        description="One pass with dropout in training alone, the mean of passes with dropout, or evidence for classes",
    )
    num_samples: int = Field(20, ge=1, description="Passes of mode mc_dropout")
    dropout_p: float = Field(0.5, ge=0, lt=1, description="Probability that a feature is dropped")
    dropout_layers: tuple[int, ...] | None = Field(
        None, description="Resolutions with dropout, 0 for the finest; the coarser half if left out"
    )

    @model_validator(mode="after")
    def _levels(self) -> Self:
        if any(not 0 <= level < self.depth for level in self.levels):
            raise ValueError(f"dropout_layers must be from 0 to {self.depth - 1}")
        return self

    @property
    def levels(self) -> tuple[int, ...]:
        """Resolutions with dropout."""
        return tuple(range(self.depth // 2, self.depth)) if self.dropout_layers is None else self.dropout_layers


@dataclass(frozen=True)
class Dropouts:
    """Resolutions with dropout, and its probability."""

    levels: Collection[int]
    p: float = 0.5


class DropoutBlock(nn.Module):
    """Two convolutions, each with dropout, normalisation and activation after it; no shortcut."""

    def __init__(self, channels_in: int, channels_out: int, style: LayerStyle, p: float) -> None:
        super().__init__()
        self.conv1 = style.convolution(channels_in, channels_out, 3)
        self.dropout1, self.norm1, self.act_fn1 = snn.Dropout(p), style.norm(channels_out), style.activation()
        self.conv2 = style.convolution(channels_out, channels_out, 3)
        self.dropout2, self.norm2, self.act_fn2 = snn.Dropout(p), style.norm(channels_out), style.activation()

    def forward(self, tensor: SparseTensor) -> SparseTensor:
        """Map ``(N, in)`` to ``(N, out)``."""
        tensor = snn.normalise_activate(self.norm1, self.act_fn1, self.dropout1(self.conv1(tensor)))
        return snn.normalise_activate(self.norm2, self.act_fn2, self.dropout2(self.conv2(tensor)))


def _dropout_blocks(first: int, width: int, reps: int, style: LayerStyle, p: float) -> nn.Sequential:
    widths = [first] + [width] * (reps - 1)
    return nn.Sequential(*[DropoutBlock(channels, width, style, p) for channels in widths])


def _append(layers: nn.Module, layer: nn.Module) -> None:
    assert isinstance(layers, nn.Sequential)
    layers.append(layer)


class DropoutEncoder(UResNetEncoder):
    """Encoder with dropout at some resolutions."""

    def __init__(
        self, shape: UResNetShape, style: LayerStyle, dropouts: Dropouts, lattice: LatticePhase | None = None
    ) -> None:
        super().__init__(shape, style, lattice)
        for level in dropouts.levels:
            width = shape.planes[level]
            self.encoding_block[level] = _dropout_blocks(width, width, shape.reps, style, dropouts.p)
            if level < shape.depth - 1:
                _append(self.encoding_conv[level], snn.Dropout(dropouts.p))


class DropoutDecoder(UResNetDecoder):
    """Decoder with dropout at some resolutions."""

    def __init__(self, shape: UResNetShape, style: LayerStyle, dropouts: Dropouts) -> None:
        super().__init__(shape, style)
        for level in dropouts.levels:
            place = shape.depth - 2 - level
            if place >= 0:
                width = shape.planes[level]
                self.decoding_block[place] = _dropout_blocks(2 * width, width, shape.reps, style, dropouts.p)
                _append(self.decoding_conv[place], snn.Dropout(dropouts.p))


@dataclass(frozen=True)
class BayesianSegmentation(Segmentation):
    """Scores of classes, and how sure they are.

    Parameters
    ----------
    certainty : dict of str to SparseTensor
        By name: ``softmax`` (N, C), the mean of the passes; or, from evidence, ``evidence``, ``concentration`` and
        ``expected_probability`` (N, C) and ``uncertainty`` (N, 1).
    """

    certainty: dict[str, SparseTensor] = field(default_factory=dict)


class BayesianUResNet(nn.Module):
    """Semantic class of every voxel, and how sure it is.

    Parameters
    ----------
    encoder : DropoutEncoder
    decoder : DropoutDecoder
    num_classes : int
        Number of classes.
    mode : {'standard', 'mc_dropout', 'evidential'}
        One pass, the mean of passes with dropout, or evidence.
    num_samples : int
        Passes.
    """

    ghost = False

    def __init__(
        self, encoder: DropoutEncoder, decoder: DropoutDecoder, num_classes: int, mode: Mode, num_samples: int = 20
    ) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.num_classes, self.mode, self.num_samples = num_classes, mode, num_samples
        layers: list[nn.Module] = [snn.Linear(encoder.shape.filters, num_classes)]
        self.classifier = nn.Sequential(*layers, *([snn.Softplus()] if mode == "evidential" else []))

    @property
    def shape(self) -> UResNetShape:
        """Size of the backbone."""
        return self.encoder.shape

    @property
    def is_random(self) -> bool:
        """Whether two evaluations differ."""
        return self.mode == "mc_dropout"

    def forward(self, tensor: SparseTensor) -> BayesianSegmentation:
        """Classify the voxels of ``(N, num_input)``."""
        if self.mode == "mc_dropout":
            return self._sampled(tensor)
        out, maps = self._once(tensor)
        if self.mode == "standard":
            return BayesianSegmentation(out, maps)
        alpha = out.features + 1.0
        total = alpha.sum(dim=1, keepdim=True)
        parts = {"evidence": out.features, "concentration": alpha, "expected_probability": alpha / total}
        parts["uncertainty"] = self.num_classes / total
        certainty = {name: out.replace_features(values) for name, values in parts.items()}
        return BayesianSegmentation(out, maps, certainty=certainty)

    def _once(self, tensor: SparseTensor) -> tuple[SparseTensor, FeatureMaps]:
        encoded: FeatureMaps = self.encoder(tensor)
        maps = FeatureMaps(encoded.encoder_tensors, self.decoder(encoded))
        return self.classifier((maps.decoder_tensors or maps.encoder_tensors)[-1]), maps

    def _sampled(self, tensor: SparseTensor) -> BayesianSegmentation:
        """Mean of passes."""
        with self._dropping():
            out, maps = self._once(tensor)
            logits, chances = out.features, torch.softmax(out.features, dim=1)
            for _ in range(self.num_samples - 1):
                out, maps = self._once(tensor)
                logits, chances = logits + out.features, chances + torch.softmax(out.features, dim=1)
        mean = out.replace_features(logits / self.num_samples)
        softmax = out.replace_features(chances / self.num_samples)
        return BayesianSegmentation(mean, maps, certainty={"softmax": softmax})

    @contextmanager
    def _dropping(self) -> Iterator[None]:
        """Drop features, and leave all other layers as they are."""
        layers = [layer for layer in self.modules() if isinstance(layer, snn.Dropout)]
        before = [layer.training for layer in layers]
        for layer in layers:
            layer.train()
        try:
            yield
        finally:
            for layer, training in zip(layers, before, strict=True):
                layer.train(training)


def build_bayesian(cfg: BayesianUResNetConfig) -> BayesianUResNet:
    """A segmentation with random weights."""
    shape, style, dropouts = uresnet_shape(cfg), layer_style(cfg), Dropouts(cfg.levels, cfg.dropout_p)
    encoder = DropoutEncoder(shape, style, dropouts, build_lattice(cfg))
    return BayesianUResNet(encoder, DropoutDecoder(shape, style, dropouts), cfg.num_classes, cfg.mode, cfg.num_samples)


def _bare(value: Any) -> Any:
    """The name of a function given as a block with nothing but its name."""
    if isinstance(value, Mapping) and len(value) == 1 and set(value) <= {"name", "provider"}:
        return next(iter(value.values()))
    return value


class BayesianLossConfig(StepConfig):
    """Options of the loss of a segmentation that says how sure it is."""

    loss: Annotated[Literal["ce", "edl_sumsq", "edl_digamma", "edl_nll"] | None, BeforeValidator(_bare)] = Field(
        None, description="Function; ce, or edl_sumsq where the network gives evidence, if left out"
    )
    balance_loss: bool = Field(False, description="Weight classes by their number")
    annealing_steps: int = Field(
        50_000, ge=1, description="Steps over which evidence for wrong classes gets its full penalty"
    )


def build_bayesian_loss(cfg: BayesianLossConfig, network: BayesianUResNet) -> SegmentationLoss:
    """The loss for a network.

    Raises
    ------
    ValueError
        When the function does not go with the mode of the network.
    """
    evidential = network.mode == "evidential"
    name = cfg.loss or ("edl_sumsq" if evidential else "ce")
    if name == "ce":
        if evidential:
            raise ValueError("evidence needs a loss edl_sumsq, edl_digamma or edl_nll")
        return SegmentationLoss(network.num_classes, None, cfg.balance_loss)
    if not evidential:
        raise ValueError(f"{name} is for networks with mode evidential")
    return SegmentationLoss(network.num_classes, EvidentialLoss(name, cfg.annealing_steps), cfg.balance_loss)
