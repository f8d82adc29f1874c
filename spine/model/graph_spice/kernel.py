"""Kernels: from the features of two voxels to the score of the edge between them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from spine.errors import DataError

__all__ = ["MLP", "BilinearKernel", "DefaultKernel", "MLPKernel"]

SPATIAL = 3
"""Spatial features of the analytic kernel, in front of the free ones; covariance (2) and occupancy (1) follow."""


class BilinearKernel(nn.Module):
    """Score x1 W x2 of two voxels with ``num_features`` features each, plus a learnt number where ``bias``."""

    def __init__(self, num_features: int, bias: bool = False) -> None:
        super().__init__()
        self.bilin = nn.Bilinear(num_features, num_features, 1, bias=bias)

    def forward(self, features: Tensor, edges: Tensor) -> Tensor:
        """(E,) logits of (E, 2) edges between rows of (N, F) features; the matrix is applied once per voxel."""
        _check_width(features, self.bilin.in1_features)
        turned = features @ self.bilin.weight[0]
        logits = (turned.index_select(0, edges[:, 0]) * features.index_select(0, edges[:, 1])).sum(dim=1)
        return logits if self.bilin.bias is None else logits + self.bilin.bias


class DefaultKernel(nn.Module):
    """Score without weights, from the distance of two voxels in the space of the heads.

    A voxel belongs to the cluster of the other with the probability of a Gaussian whose width is that other's
    covariance; the two probabilities are combined as independent, and divided by the ratio of the occupancies.
    After Koh et al., "Scalable, proposal-free instance segmentation network for 3D pixel clustering and particle
    trajectory reconstruction in liquid argon time projection chambers", arXiv:2007.03083 (2020).

    Parameters
    ----------
    num_features : int
        Free features per voxel.
    eps : float
        Smallest variance and occupancy.
    """

    def __init__(self, num_features: int, eps: float = 1e-3) -> None:
        super().__init__()
        self.num_features, self.eps = num_features, eps

    def forward(self, features: Tensor, edges: Tensor) -> Tensor:
        """(E,) logits of (E, 2) edges between rows of (N, 3 + F + 2 + 1) features."""
        _check_width(features, SPATIAL + self.num_features + 3)
        widths = [SPATIAL, self.num_features, 2, 1]
        here, there = (torch.split(features.index_select(0, edges[:, side]), widths, dim=1) for side in (0, 1))
        gaps = torch.stack([(here[i] - there[i]).square().sum(dim=1) for i in (0, 1)], dim=1)
        one, other = (torch.exp(-(gaps / (side[2].square() + self.eps)).sum(dim=1)) for side in (here, there))
        chance = (one + other - one * other).clamp(0, 1)
        ratio = ((here[3] + self.eps) / (there[3] + self.eps)).squeeze(1)
        return torch.logit(chance / torch.maximum(ratio, 1 / ratio), eps=1e-6)


class MLP(nn.Module):
    """Dense layers, each normalised and activated.

    Parameters
    ----------
    num_features : int
        Numbers in.
    widths : sequence of int
        Numbers out of each layer.
    norm, activation : callable
        Make the normalisation for a number of features, and the activation.
    """

    def __init__(
        self,
        num_features: int,
        widths: Sequence[int],
        norm: Callable[[int], nn.Module] = nn.BatchNorm1d,
        activation: Callable[[], nn.Module] = nn.ELU,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, width in zip((num_features, *widths), widths, strict=False):
            layers += [nn.Linear(before, width), norm(width), activation()]
        self.in_channels, self.feature_size = num_features, widths[-1]
        self.model = nn.Sequential(*layers)

    def forward(self, rows: Tensor) -> Tensor:
        """Map (N, in) to (N, out)."""
        out: Tensor = self.model(rows)
        return out


class MLPKernel(nn.Module):
    """Score from the features of both voxels after the same dense layers; ``bias`` is that of the last layer."""

    def __init__(self, mlp: MLP, bias: bool = False) -> None:
        super().__init__()
        self.mlp = mlp
        self.lin = nn.Linear(2 * mlp.feature_size, 1, bias=bias)

    def forward(self, features: Tensor, edges: Tensor) -> Tensor:
        """(E,) logits of (E, 2) edges between rows of (N, F) features.

        In training the layers see the voxels once per edge, as batch normalisation in SPINE does.
        """
        _check_width(features, self.mlp.in_channels)
        rows = [features.index_select(0, edges[:, side]) for side in (0, 1)] if self.training else None
        if rows is not None:
            ends = [self.mlp(side) for side in rows]
        else:
            mapped = self.mlp(features)
            ends = [mapped.index_select(0, edges[:, side]) for side in (0, 1)]
        logits: Tensor = self.lin(torch.cat(ends, dim=1))
        return logits.squeeze(1)


def _check_width(features: Tensor, width: int) -> None:
    if features.ndim != 2 or features.shape[1] != width:
        raise DataError("the kernel takes other features", got=tuple(features.shape), expected=("N", width))
