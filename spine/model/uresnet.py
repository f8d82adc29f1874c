"""U-ResNet: a sparse residual encoder and decoder, and semantic segmentation on top of it.

After Domine and Terao, "Scalable deep convolutional neural networks for sparse, locally dense liquid argon time
projection chamber data", Phys. Rev. D 102, 012005 (2020). Names and shapes of all parameters are those of SPINE, so
that its checkpoints load.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from spine.errors import ConfigError, DataError
from spine.sparse import Kernel, SparseTensor, concatenate, sparse_tensor
from spine.sparse import nn as snn

__all__ = [
    "ACTIVATIONS",
    "NORMS",
    "FeatureMaps",
    "LatticePhase",
    "LayerStyle",
    "ResidualBlock",
    "Segmentation",
    "UResNet",
    "UResNetDecoder",
    "UResNetEncoder",
    "UResNetSegmentation",
    "UResNetShape",
    "image_tensor",
]

ACTIVATIONS: dict[str, Callable[..., nn.Module]] = {
    "none": nn.Identity,
    "relu": snn.ReLU,
    "prelu": snn.PReLU,
    "selu": snn.SELU,
    "celu": snn.CELU,
    "tanh": snn.Tanh,
    "sigmoid": snn.Sigmoid,
    "lrelu": snn.LeakyReLU,
    "elu": snn.ELU,
    "mish": snn.Mish,
}
NORMS: dict[str, Callable[..., nn.Module]] = {
    "none": lambda _channels, **_options: nn.Identity(),
    "batch_norm": snn.BatchNorm,
    "instance_norm": snn.InstanceNorm,
    "pixel_norm": lambda _channels, **options: snn.PixelNorm(**options),
}


@dataclass(frozen=True)
class LayerStyle:
    """How the layers of a network are made.

    Parameters
    ----------
    activation : Makes an activation layer
    norm : Makes a normalisation layer for a number of channels
    bias : Whether convolutions have a bias
    dimension : Number of spatial axes
    """

    activation: Callable[[], nn.Module] = snn.LeakyReLU
    norm: Callable[[int], nn.Module] = snn.BatchNorm
    bias: bool = False
    dimension: int = 3

    def kernel(self, size: int, stride: int = 1) -> Kernel:
        """Kernel of this dimension."""
        return Kernel(size, stride, dimension=self.dimension)

    def convolution(self, channels_in: int, channels_out: int, size: int, stride: int = 1) -> snn.Convolution:
        """Convolution with or without bias."""
        return snn.Convolution(channels_in, channels_out, self.kernel(size, stride), self.bias)

    def down(self, channels_in: int, channels_out: int) -> snn.PreActivated:
        """Normalise, activate and halve the resolution."""
        convolution = self.convolution(channels_in, channels_out, 2, 2)
        return snn.PreActivated(self.norm(channels_in), self.activation(), convolution)

    def up(self, channels_in: int, channels_out: int) -> snn.PreActivated:
        """Normalise, activate and double the resolution."""
        convolution = snn.ConvolutionTranspose(channels_in, channels_out, self.kernel(2, 2), self.bias)
        return snn.PreActivated(self.norm(channels_in), self.activation(), convolution)

    def blocks(self, channels_in: int, channels_out: int, reps: int) -> nn.Sequential:
        """Residual blocks, the first of which changes the number of channels."""
        widths = [channels_in] + [channels_out] * (reps - 1)
        return nn.Sequential(*[ResidualBlock(width, channels_out, self) for width in widths])


@dataclass(frozen=True)
class UResNetShape:
    """Size of a U-ResNet.

    Parameters
    ----------
    filters : Channels at full resolution; level l has ``(l + 1) * filters``
    depth : Number of resolutions
    reps : Residual blocks per level
    num_input : Features per voxel
    input_kernel : Size of the first kernel

    Raises ConfigError when a number is not positive.
    """

    filters: int
    depth: int
    reps: int
    num_input: int = 1
    input_kernel: int = 3

    def __post_init__(self) -> None:
        for name in ("filters", "depth", "reps", "num_input", "input_kernel"):
            if getattr(self, name) < 1:
                raise ConfigError("the size of the network must be positive", where=name, got=getattr(self, name))

    @property
    def planes(self) -> list[int]:
        """Channels of every level."""
        return [self.filters * (level + 1) for level in range(self.depth)]


class ResidualBlock(nn.Module):
    """Two pre-activated convolutions beside a shortcut."""

    def __init__(self, channels_in: int, channels_out: int, style: LayerStyle, stride: int = 1) -> None:
        super().__init__()
        self.residual: nn.Module = nn.Identity()
        if stride != 1:
            self.residual = style.convolution(channels_in, channels_out, 1, stride)
        elif channels_in != channels_out:
            self.residual = snn.Linear(channels_in, channels_out, bias=style.bias)
        self.norm1, self.act_fn1 = style.norm(channels_in), style.activation()
        self.conv1 = style.convolution(channels_in, channels_out, 3, stride)
        self.norm2, self.act_fn2 = style.norm(channels_out), style.activation()
        self.conv2 = style.convolution(channels_out, channels_out, 3)

    def forward(self, tensor: SparseTensor) -> SparseTensor:
        """Map ``(N, in)`` to ``(N, out)``."""
        out: SparseTensor = self.conv1(snn.normalise_activate(self.norm1, self.act_fn1, tensor))
        out = self.conv2(snn.normalise_activate(self.norm2, self.act_fn2, out))
        shortcut: SparseTensor = self.residual(tensor)
        return out + shortcut


@dataclass(frozen=True)
class FeatureMaps:
    """What a U-ResNet computes.

    Parameters
    ----------
    encoder_tensors : Output of the first layer and of every level, shallow to deep
    decoder_tensors : Output of every decoder level, deep to shallow; empty for an encoder alone
    """

    encoder_tensors: list[SparseTensor]
    decoder_tensors: list[SparseTensor] = field(default_factory=list)

    @property
    def final_tensor(self) -> SparseTensor:
        """Deepest features."""
        return self.encoder_tensors[-1]


class LatticePhase(nn.Module):
    """Move every event by a random number of voxels in training, so that no position on the coarse grids is special.

    Parameters
    ----------
    period : Number of positions to draw from on each axis; the deepest stride covers all
    """

    def __init__(self, period: Sequence[int]) -> None:
        super().__init__()
        self.period = tuple(period)

    def forward(self, tensor: SparseTensor) -> SparseTensor:
        """Return the translated tensor in training, and the tensor itself in evaluation."""
        if not self.training:
            return tensor
        size, device = (tensor.batch_size,), tensor.device
        return tensor.translated(torch.stack([torch.randint(p, size, device=device) for p in self.period], dim=1))


class UResNetEncoder(nn.Module):
    """Residual blocks at falling resolution."""

    def __init__(self, shape: UResNetShape, style: LayerStyle, lattice: LatticePhase | None = None) -> None:
        super().__init__()
        planes = shape.planes
        self.shape, self.style = shape, style
        self.lattice = lattice
        self.input_layer = style.convolution(shape.num_input, planes[0], shape.input_kernel)
        steps = [style.down(planes[level], planes[level + 1]) for level in range(shape.depth - 1)]
        self.encoding_conv = nn.Sequential(*steps, nn.Sequential())
        self.encoding_block = nn.Sequential(*[style.blocks(width, width, shape.reps) for width in planes])

    def forward(self, tensor: SparseTensor) -> FeatureMaps:
        """Encode ``(N, num_input)``; depth + 1 tensors."""
        if self.lattice is not None:
            tensor = self.lattice(tensor)
        tensor = self.input_layer(tensor)
        tensors = [tensor]
        for block, down in zip(self.encoding_block, self.encoding_conv, strict=True):
            tensor = block(tensor)
            tensors.append(tensor)
            tensor = down(tensor)
        return FeatureMaps(tensors)


class UResNetDecoder(nn.Module):
    """Residual blocks at rising resolution, joined with the encoder's features."""

    def __init__(self, shape: UResNetShape, style: LayerStyle) -> None:
        super().__init__()
        planes = shape.planes
        levels = range(shape.depth - 2, -1, -1)
        self.decoding_conv = nn.Sequential(*[style.up(planes[level + 1], planes[level]) for level in levels])
        blocks = [style.blocks(2 * planes[level], planes[level], shape.reps) for level in levels]
        self.decoding_block = nn.Sequential(*blocks)

    def forward(self, maps: FeatureMaps) -> list[SparseTensor]:
        """Decode the encoder's tensors; depth - 1 tensors."""
        tensor, tensors = maps.final_tensor, []
        skips = maps.encoder_tensors[-2::-1]
        for up, block, skip in zip(self.decoding_conv, self.decoding_block, skips, strict=False):
            tensor = block(concatenate(skip, up(tensor)))
            tensors.append(tensor)
        return tensors


class UResNet(nn.Module):
    """Encoder and decoder."""

    def __init__(self, shape: UResNetShape, style: LayerStyle, lattice: LatticePhase | None = None) -> None:
        super().__init__()
        self.shape, self.style = shape, style
        self.encoder = UResNetEncoder(shape, style, lattice)
        self.decoder = UResNetDecoder(shape, style)

    def forward(self, tensor: SparseTensor) -> FeatureMaps:
        """Features at all resolutions of ``(N, num_input)``."""
        maps: FeatureMaps = self.encoder(tensor)
        return FeatureMaps(maps.encoder_tensors, self.decoder(maps))


@dataclass(frozen=True)
class Segmentation:
    """Output of the segmentation network.

    Parameters
    ----------
    logits : (N, num_classes); ``logits.aligned_features()`` has the caller's rows
    maps : Features of the backbone
    ghost : (N, 2) logits of a true voxel and a ghost (optional)
    """

    logits: SparseTensor
    maps: FeatureMaps
    ghost: SparseTensor | None = None


class UResNetSegmentation(nn.Module):
    """Semantic class of every voxel, and optionally whether it is a ghost.

    Parameters
    ----------
    backbone : Features
    num_classes : Number of classes
    ghost : Whether to classify ghosts too
    """

    def __init__(self, backbone: UResNet, num_classes: int, ghost: bool = False) -> None:
        super().__init__()
        filters, style = backbone.shape.filters, backbone.style
        self.backbone, self.num_classes = backbone, num_classes
        self.output = snn.PreActivated(style.norm(filters), style.activation())
        self.linear_segmentation = snn.Linear(filters, num_classes)
        self.linear_ghost = snn.Linear(filters, 2) if ghost else None

    @property
    def shape(self) -> UResNetShape:
        """Size of the backbone."""
        return self.backbone.shape

    @property
    def ghost(self) -> bool:
        """Whether ghosts are classified too."""
        return self.linear_ghost is not None

    def forward(self, tensor: SparseTensor) -> Segmentation:
        """Classify the voxels of ``(N, num_input)``."""
        maps: FeatureMaps = self.backbone(tensor)
        features = self.output((maps.decoder_tensors or maps.encoder_tensors)[-1])
        ghost = None if self.linear_ghost is None else self.linear_ghost(features)
        return Segmentation(self.linear_segmentation(features), maps, ghost)


def image_tensor(table: Tensor, shape: UResNetShape, dimension: int = 3, batch_size: int | None = None) -> SparseTensor:
    """Sparse tensor of a table of voxels.

    Parameters
    ----------
    table : (N, 1 + D + F) batch index, voxel coordinates and features; features beyond ``num_input`` are ignored
    shape : Says how many features are taken
    dimension : Number of spatial axes
    batch_size : Number of batch entries, empty ones included (optional)

    Returns input of the network. Features of equal coordinates are added.
    Raises DataError when columns are missing or a coordinate is out of range.
    """
    last = 1 + dimension + shape.num_input
    if table.ndim != 2 or table.shape[1] < last:
        raise DataError("the voxel table has too few columns", got=tuple(table.shape), expected=f"(N, {last})")
    return sparse_tensor(table[:, 1 + dimension : last], table[:, : 1 + dimension], batch_size=batch_size)
