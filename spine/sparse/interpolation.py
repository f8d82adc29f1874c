"""Features of a sparse tensor at arbitrary points."""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

from spine.errors import DataError
from spine.sparse.tensor import SparseTensor

__all__ = ["features_at_coordinates"]


def features_at_coordinates(tensor: SparseTensor, points: Tensor) -> Tensor:
    """Interpolate linearly between the sites around each point.

    The weights are ``prod(1 - |p - corner| / stride)`` over the corners of the cell; corners without a site count
    as zero, and the weights are not renormalised, as in MinkowskiEngine.

    Parameters
    ----------
    tensor : (N, C) input
    points : (Q, 1 + D) batch index and position in voxels

    Returns (Q, C) features.
    Raises DataError when a point is out of the range of coordinates.
    """
    if points.ndim != 2 or points.shape[1] != tensor.dimension + 1:
        raise DataError("points need a batch index and a position", got=tuple(points.shape))
    stride = torch.tensor(tensor.tensor_stride, dtype=tensor.dtype, device=tensor.device)
    place = points[:, 1:].to(tensor.dtype)
    cell = torch.floor(place / stride) * stride
    total = tensor.features.new_zeros((len(points), tensor.shape[1]))
    for corner in itertools.product((0, 1), repeat=tensor.dimension):
        site = cell + torch.tensor(corner, dtype=tensor.dtype, device=tensor.device) * stride
        weight = (1 - (place - site).abs() / stride).prod(dim=1)
        wanted = tensor.pyramid.layout.pack(torch.cat([points[:, :1].long(), site.long()], dim=1))
        hits, rows = tensor.sites.find(wanted)
        values = tensor.features.index_select(0, rows) * weight[hits, None]
        total = total.index_add(0, hits, values)
    return total
