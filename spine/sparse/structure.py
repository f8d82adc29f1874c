"""Operations that change or join the coordinates of sparse tensors."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import reduce

import torch
from torch import Tensor

from spine.errors import DataError
from spine.sparse.tensor import SparseTensor

__all__ = ["combine", "concatenate", "prune", "union"]


def concatenate(*tensors: SparseTensor) -> SparseTensor:
    """Join the channels of tensors on the same sites.

    Returns (N, C1 + C2 + ..) on the sites of the first.
    Raises DataError when the sites differ.
    """
    first = tensors[0]
    for other in tensors[1:]:
        if not first.shares_sites(other):
            raise DataError("only tensors on the same sites can be concatenated", got=other, expected=first)
    return first.replace_features(torch.cat([tensor.features for tensor in tensors], dim=1))


def union(*tensors: SparseTensor) -> SparseTensor:
    """Add tensors on the union of their sites. Returns sum where several are present, copies elsewhere."""
    return reduce(lambda one, other: combine(one, other, operator.add), tensors)


def combine(one: SparseTensor, other: SparseTensor, function: Callable[[Tensor, Tensor], Tensor]) -> SparseTensor:
    """Apply a binary function on the union of the sites of two tensors.

    As in MinkowskiEngine, sites of ``one`` alone are copied, and sites of ``other`` alone get ``function(0, b)``.

    Parameters
    ----------
    one, other : (N, C), (M, C) tensors of one tensor stride
    function : Elementwise function of two (K, C) tensors

    Returns result in the pyramid of ``one``.
    Raises DataError when strides or channels differ.
    """
    if one.tensor_stride != other.tensor_stride or one.shape[1] != other.shape[1]:
        raise DataError("tensors of different stride or width cannot be combined", got=other, expected=one)
    if one.shares_sites(other):
        return one.replace_features(function(one.features, other.features))
    keys = torch.unique(torch.cat([one.sites.keys, other.sites.keys]))
    key = one.pyramid.insert(keys, one.tensor_stride, "union")
    place = torch.searchsorted(keys, one.sites.keys)
    joined = one.features.new_zeros((len(keys), one.shape[1])).index_copy(0, place, one.features)
    place = torch.searchsorted(keys, other.sites.keys)
    both = function(joined.index_select(0, place), other.features)
    return SparseTensor(joined.index_copy(0, place, both), key, one.pyramid)


def prune(tensor: SparseTensor, keep: Tensor) -> SparseTensor:
    """Keep some of the sites.

    Parameters
    ----------
    tensor : (N, C) input
    keep : (N,) boolean mask

    Returns (M, C) rows where the mask is true.
    Raises DataError when the mask does not fit.
    """
    if keep.dtype != torch.bool or keep.shape != (len(tensor),):
        raise DataError("the mask needs one boolean per row", got=tuple(keep.shape), expected=(len(tensor),))
    rows = torch.nonzero(keep).squeeze(1)
    key = tensor.pyramid.insert(tensor.sites.keys[rows], tensor.tensor_stride, "pruned")
    return SparseTensor(tensor.features.index_select(0, rows), key, tensor.pyramid)
