"""Reduction of rows that share an index, with gradients, the same whatever the number of threads."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor

from spine.errors import ConfigError

__all__ = ["Reduction", "scatter", "scatter_softmax"]

Reduction: TypeAlias = Literal["sum", "mean", "max"]


def scatter(values: Tensor, index: Tensor, size: int, reduction: Reduction = "sum") -> Tensor:
    """Reduce the rows of each index.

    Parameters
    ----------
    values : torch.Tensor
        (E, F) rows.
    index : torch.Tensor
        (E,) int64 index of each row, from 0 to ``size`` - 1.
    size : int
        Number of rows of the result.
    reduction : {'sum', 'mean', 'max'}
        How rows are put together.

    Returns
    -------
    torch.Tensor
        (size, F) reduced rows; 0 where an index has none.

    Raises
    ------
    ConfigError
        When the reduction is none of these.
    """
    if reduction == "sum":
        return _sum(values, index, size)
    if reduction == "mean":
        counts = torch.bincount(index, minlength=size).clamp(min=1).to(values.dtype)
        return _sum(values, index, size) / counts[:, None]
    if reduction != "max":
        raise ConfigError("unknown reduction", got=reduction, expected="sum, mean or max")
    spread = index[:, None].expand_as(values)
    return values.new_zeros(size, values.shape[1]).scatter_reduce(0, spread, values, "amax", include_self=False)


def _sum(values: Tensor, index: Tensor, size: int) -> Tensor:
    empty = values.new_zeros(size, values.shape[1])
    if values.is_cuda:  # index_add adds atomically there, in changing order
        return empty.index_put((index,), values, accumulate=True)
    return empty.index_add(0, index, values)


def scatter_softmax(values: Tensor, index: Tensor, size: int) -> Tensor:
    """Softmax among the rows of each index, (E, F) from (E, F)."""
    tops = scatter(values.detach(), index, size, "max")
    powers = (values - tops[index]).exp()
    return powers / (_sum(powers, index, size)[index] + 1e-16)
