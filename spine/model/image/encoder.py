"""Features of whole images: a sparse residual encoder, pooled. Parameter names are SPINE's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from spine.model.image.options import EncoderOptions
from spine.model.layer_config import build_lattice, layer_style
from spine.model.uresnet import FeatureMaps, LatticePhase, LayerStyle, UResNetEncoder, UResNetShape
from spine.sparse import SparseTensor, sparse_tensor
from spine.sparse import nn as snn

__all__ = ["ImageEncoder", "PooledEncoder", "build_encoder"]


class PooledEncoder(UResNetEncoder):
    """One list of features per image.

    Parameters
    ----------
    shape : UResNetShape
        Size, positions counted among its input where they are given.
    style : LayerStyle
        How layers are made.
    pool : torch.nn.Module
        Puts the deepest voxels of an image together.
    feature_size : int
        Number of features.
    scale : float, optional
        Size of the image on each axis in voxels, when positions are among the input.
    lattice : LatticePhase, optional
        Random translation in training.
    """

    def __init__(
        self,
        shape: UResNetShape,
        style: LayerStyle,
        pool: nn.Module,
        feature_size: int,
        scale: float | None = None,
        lattice: LatticePhase | None = None,
    ) -> None:
        super().__init__(shape, style, lattice)
        self.pool, self.feature_size, self.scale = pool, feature_size, scale
        self.linear = snn.Linear(shape.planes[-1], feature_size)

    @property
    def features(self) -> int:
        """Features per voxel that the table must have."""
        return self.shape.num_input - (0 if self.scale is None else self.style.dimension)

    def encode(self, table: Tensor, count: int) -> Tensor:
        """(count, feature_size) features of images, none of which is empty.

        Parameters
        ----------
        table : torch.Tensor
            (N, 1 + D + F) number of the image, voxel coordinates, features.
        count : int
            Number of images.
        """
        last = 1 + self.style.dimension
        features = table[:, last : last + self.features]
        if self.scale is not None:
            features = torch.cat([table[:, 1:last] / self.scale, features], dim=1)
        maps: FeatureMaps = self(sparse_tensor(features, table[:, :last], batch_size=count))
        result: SparseTensor = self.linear(self.pool(maps.final_tensor))
        return result.features


class ImageEncoder(nn.Module):
    """Holds the encoder under the name that it has in checkpoints."""

    def __init__(self, encoder: PooledEncoder) -> None:
        super().__init__()
        self.encoder = encoder

    @property
    def feature_size(self) -> int:
        """Number of features."""
        return self.encoder.feature_size

    def forward(self, table: Tensor, count: int) -> Tensor:
        """Features of images; see `PooledEncoder.encode`."""
        return self.encoder.encode(table, count)


def _pooling(options: EncoderOptions, shape: UResNetShape, style: LayerStyle) -> nn.Module:
    if options.pool_mode == "conv":
        size = (options.spatial_size or 0) // 2 ** (options.depth - 1)
        return nn.Sequential(snn.Convolution(shape.planes[-1], shape.planes[-1], style.kernel(size, size), False))
    pools = {"avg": snn.GlobalAvgPooling, "sum": snn.GlobalSumPooling, "max": snn.GlobalMaxPooling}
    return pools[options.pool_mode]()


def build_encoder(options: EncoderOptions) -> PooledEncoder:
    """An encoder with random weights."""
    style = layer_style(options)
    inputs = options.num_input + (options.data_dim if options.coord_conv else 0)
    shape = UResNetShape(options.filters, options.depth, options.reps, inputs, options.input_kernel)
    scale = float(options.spatial_size) if options.coord_conv and options.spatial_size is not None else None
    pool = _pooling(options, shape, style)
    return PooledEncoder(shape, style, pool, options.feature_size, scale, build_lattice(options))
