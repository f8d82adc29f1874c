"""Dense convolutions of torch as oracle, and random sparse images."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from spine.sparse import Kernel, SparseTensor, sparse_tensor

MARGIN = 16


def random_image(
    dimension: int = 3, rows: int = 150, channels: int = 3, extent: int = 6, seed: int = 0
) -> tuple[Tensor, Tensor]:
    """Unique coordinates of two batch entries, in random order, and double features."""
    generator = torch.Generator().manual_seed(seed)
    place = torch.randint(-extent, extent, (rows, dimension), generator=generator)
    batch = torch.randint(0, 2, (rows, 1), generator=generator)
    unique = torch.unique(torch.cat([batch, place], 1), dim=0)
    unique = unique[torch.randperm(len(unique), generator=generator)]
    return unique, torch.randn(len(unique), channels, dtype=torch.float64, generator=generator)


def random_tensor(dimension: int = 3, rows: int = 150, channels: int = 3, seed: int = 0) -> SparseTensor:
    """Sparse tensor of a random image."""
    coordinates, features = random_image(dimension, rows, channels, seed=seed)
    return sparse_tensor(features, coordinates)


def to_dense(tensor: SparseTensor) -> tuple[Tensor, Tensor]:
    """Features on a full grid (B, C, ..), with a wide empty margin, and the corner of the grid."""
    place = tensor.coordinates[:, 1:].long()
    low = place.min(0).values - MARGIN
    extent = (place.max(0).values + MARGIN - low + 1).tolist()
    grid = tensor.features.new_zeros(tensor.batch_size, *extent, tensor.shape[1])
    index = (tensor.coordinates[:, 0].long(), *(place - low).T)
    return grid.index_put(index, tensor.features).movedim(-1, 1), low


def pick(grid: Tensor, low: Tensor, coordinates: Tensor) -> Tensor:
    """Rows of a dense grid at coordinates."""
    index = (coordinates[:, 0].long(), *(coordinates[:, 1:].long() - low).T)
    return grid.movedim(1, -1)[index]


def corner(kernel: Kernel) -> Tensor:
    """First offset of a kernel in units of its dilation: centred for odd sizes, zero for even ones."""
    return torch.tensor([-(size // 2) if size % 2 else 0 for size in kernel.sizes])


def dense_convolution(tensor: SparseTensor, weight: Tensor, kernel: Kernel, at: Tensor) -> Tensor:
    """Cross-correlation by torch on the full grid, at the given coordinates."""
    d = kernel.dimension
    full = weight.view(*reversed(kernel.sizes), *weight.shape[1:]).permute(d + 1, d, *reversed(range(d)))
    step = torch.tensor(kernel.dilations) * torch.tensor(tensor.tensor_stride)
    grid, low = to_dense(tensor)
    convolve = functional.conv2d if d == 2 else functional.conv3d
    out = convolve(grid, full, dilation=tuple(step.tolist()))
    return pick(out, low - corner(kernel) * step, at)


def dense_transposed(tensor: SparseTensor, weight: Tensor, kernel: Kernel, at: Tensor) -> Tensor:
    """Transposed convolution by torch on the full grid, at the given coordinates."""
    d = kernel.dimension
    full = weight.view(*reversed(kernel.sizes), *weight.shape[1:]).permute(d, d + 1, *reversed(range(d)))
    step = torch.tensor(kernel.dilations) * torch.tensor(tensor.tensor_stride) // torch.tensor(kernel.strides)
    grid, low = to_dense(tensor)
    convolve = functional.conv_transpose2d if d == 2 else functional.conv_transpose3d
    out = convolve(grid, full, dilation=tuple(step.tolist()))
    return pick(out, low + corner(kernel) * step, at)


def strided_sites(coordinates: Tensor, stride: tuple[int, ...]) -> Tensor:
    """Coordinates rounded down to multiples of a stride, once each."""
    step = torch.tensor(stride)
    floored = torch.div(coordinates[:, 1:].long(), step, rounding_mode="floor") * step
    unique: Tensor = torch.unique(torch.cat([coordinates[:, :1].long(), floored], 1), dim=0)
    return unique
