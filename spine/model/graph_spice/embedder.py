"""Features of voxels for Graph-SPICE: a U-ResNet that sees positions and charge, and heads on top of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from spine.errors import DataError
from spine.model.uresnet import FeatureMaps, UResNet
from spine.sparse import SparseTensor, sparse_tensor

__all__ = ["Embedding", "GraphSpiceEmbedder", "Heads"]

POSITIVE: dict[str, Callable[[Tensor], Tensor]] = {"exp": torch.exp, "softplus": functional.softplus}


@dataclass(frozen=True)
class Heads:
    """What the heads on top of the backbone give.

    Parameters
    ----------
    spatial : int
        Number of spatial features.
    free : int
        Number of free features.
    covariance, occupancy : {"exp", "softplus"}
        What makes these positive.
    """

    spatial: int = 3
    free: int = 16
    covariance: str = "softplus"
    occupancy: str = "softplus"


@dataclass(frozen=True)
class Embedding:
    """Features of voxels.

    Parameters
    ----------
    features : torch.Tensor
        (N, F) features of the backbone.
    hypergraph : torch.Tensor, optional
        (N, S + F' + 3) spatial and free features, covariance (2) and occupancy, where there are heads.
    segmentation : torch.Tensor, optional
        (N, C) logits of the semantic classes, where the network has them.
    """

    features: Tensor
    hypergraph: Tensor | None = None
    segmentation: Tensor | None = None

    @property
    def node_features(self) -> Tensor:
        """What the kernel takes."""
        return self.features if self.hypergraph is None else self.hypergraph


class GraphSpiceEmbedder(nn.Module):
    """Gives each voxel its features.

    Parameters
    ----------
    backbone : UResNet
        Takes the coordinates, scaled to -1 .. 1, and the charge; or the charge alone.
    spatial_size : int
        Size of the image on each axis, in voxels.
    heads : Heads, optional
        Layers on top; none for the features of the backbone.
    num_classes : int, optional
        Number of semantic classes, where voxels are classified too.
    """

    def __init__(
        self, backbone: UResNet, spatial_size: int, heads: Heads | None = None, num_classes: int | None = None
    ) -> None:
        super().__init__()
        width = backbone.shape.filters
        self.backbone, self.spatial_size, self.heads = backbone, spatial_size, heads
        if heads is not None:
            self.out_spatial = nn.Sequential(nn.Linear(width, heads.spatial), nn.Tanh())
            self.out_feature = nn.Linear(width, heads.free)
            self.out_cov = nn.Linear(width, 2)
            self.out_occupancy = nn.Linear(width, 1)
        self.out_seg = None if num_classes is None else nn.Linear(width, num_classes)

    @property
    def dimension(self) -> int:
        """Number of spatial axes."""
        return self.backbone.style.dimension

    def forward(self, table: Tensor, batch_size: int | None = None) -> Embedding:
        """Embed voxels.

        Parameters
        ----------
        table : torch.Tensor
            (N, 1 + D + 1 or more) batch index, voxel coordinates, charge.
        batch_size : int, optional
            Number of batch entries, empty ones included.

        Returns
        -------
        Embedding
            In the order of the rows.
        """
        tensor = self._image(table, batch_size)
        maps: FeatureMaps = self.backbone(tensor)
        features = (maps.decoder_tensors or maps.encoder_tensors)[-1].aligned_features()
        segmentation = None if self.out_seg is None else self.out_seg(features)
        hypergraph = None if self.heads is None else self._head_features(features, table, self.heads)
        return Embedding(features, hypergraph, segmentation)

    def _image(self, table: Tensor, batch_size: int | None) -> SparseTensor:
        last = 1 + self.dimension
        if table.ndim != 2 or table.shape[1] <= last:
            raise DataError("the voxel table has too few columns", got=tuple(table.shape), expected=("N", last + 1))
        charge = table[:, last : last + 1]
        with_position = self.backbone.shape.num_input > 1
        features = torch.cat([self._scaled(table), charge], dim=1) if with_position else charge
        return sparse_tensor(features, table[:, :last], batch_size=batch_size)

    def _scaled(self, table: Tensor) -> Tensor:
        """(N, D) coordinates, from -1 to 1 across the image."""
        half = self.spatial_size / 2
        return (table[:, 1 : 1 + self.dimension] - half) / half

    def _head_features(self, features: Tensor, table: Tensor, heads: Heads) -> Tensor:
        spatial = self.out_spatial(features) + self._scaled(table)
        covariance = POSITIVE[heads.covariance](self.out_cov(features))
        occupancy = POSITIVE[heads.occupancy](self.out_occupancy(features))
        return torch.cat([spatial, self.out_feature(features), covariance, occupancy], dim=1)
