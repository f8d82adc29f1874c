"""SPICE: voxels placed in a space in which each cluster is a Gaussian blob.

After Neven et al., "Instance segmentation by jointly optimizing spatial embeddings and clustering bandwidth", CVPR
2019, and Koh et al., arXiv:2007.03083 (2020). Names and shapes of all parameters are those of SPINE, so that its
checkpoints load.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from pydantic import ValidationError
from torch import Tensor, nn

from spine.errors import ConfigError, DataError
from spine.model.layer_config import build_lattice, layer_style, uresnet_shape
from spine.model.spice.config import ClustererConfig, SpiceConfig
from spine.model.uresnet import FeatureMaps, UResNetDecoder, UResNetEncoder
from spine.schema import Shape
from spine.sparse import SparseTensor, sparse_tensor
from spine.sparse import nn as snn

__all__ = ["Spice", "SpiceOutput", "build_from_options", "build_spice"]


@dataclass(frozen=True)
class SpiceOutput:
    """What the network says of the voxels of some semantic classes.

    Parameters
    ----------
    rows : torch.Tensor
        (M,) int64 rows of the table, in rising order.
    batch : torch.Tensor
        (M,) int64 batch index.
    embeddings : torch.Tensor
        (M, D) place of each voxel; the image reaches from -1 to 1 on each axis.
    margins : torch.Tensor
        (M, 1) width of the cluster around it, 0 to 2.
    seediness : torch.Tensor
        (M, 1) how well it stands for its cluster, 0 to 1.
    """

    rows: Tensor
    batch: Tensor
    embeddings: Tensor
    margins: Tensor
    seediness: Tensor


class Spice(nn.Module):
    """Embeds voxels, and tells the width of their cluster and how well they stand for it.

    Parameters
    ----------
    encoder : UResNetEncoder
        Takes coordinates, scaled to -1 .. 1, and charge; or charge alone.
    decoders : pair of UResNetDecoder
        For embedding and seediness.
    spatial_size : int
        Size of the image on each axis, in voxels.
    shapes : sequence of Shape
        Semantic classes to cluster.
    clusterer : ClustererConfig
        How clusters are made.
    """

    def __init__(
        self,
        encoder: UResNetEncoder,
        decoders: tuple[UResNetDecoder, UResNetDecoder],
        spatial_size: int,
        shapes: Sequence[Shape],
        clusterer: ClustererConfig,
    ) -> None:
        super().__init__()
        style, width = encoder.style, encoder.shape.filters
        self.encoder = encoder
        self.embedding_decoder, self.seediness_decoder = decoders
        outputs = style.dimension + 1
        self.embedding_output = nn.Sequential(style.norm(width), snn.Linear(width, outputs, bias=False))
        self.seediness_output = nn.Sequential(style.norm(width), snn.Linear(width, 1, bias=False))
        self.spatial_size, self.shapes, self.clusterer = spatial_size, tuple(shapes), clusterer

    @property
    def dimension(self) -> int:
        """Number of spatial axes."""
        return self.encoder.style.dimension

    def forward(self, table: Tensor, classes: Tensor, batch_size: int | None = None) -> SpiceOutput:
        """Embed the voxels of the classes to cluster.

        Parameters
        ----------
        table : torch.Tensor
            (N, 1 + D + 1 or more) batch index, voxel coordinates, charge.
        classes : torch.Tensor
            (N,) semantic class of each voxel.
        batch_size : int, optional
            Number of batch entries, empty ones included.

        Returns
        -------
        SpiceOutput

        Raises
        ------
        DataError
            When rows do not match.
        """
        if len(classes) != len(table):
            raise DataError("voxels and classes have different rows", got=len(classes), expected=len(table))
        wanted = torch.tensor([int(shape) for shape in self.shapes], device=classes.device)
        rows = torch.nonzero(torch.isin(classes.long(), wanted)).squeeze(1)
        table = table[rows]
        scaled = self._scaled(table)
        encoded: FeatureMaps = self.encoder(self._image(table, scaled, batch_size))
        place = self._decoded(self.embedding_decoder, self.embedding_output, encoded)
        seediness = torch.sigmoid(self._decoded(self.seediness_decoder, self.seediness_output, encoded))
        embeddings = torch.tanh(place[:, : self.dimension]) + scaled
        margins = 2.0 * torch.sigmoid(place[:, self.dimension :])
        return SpiceOutput(rows, table[:, 0].long(), embeddings, margins, seediness)

    def _scaled(self, table: Tensor) -> Tensor:
        """(N, D) coordinates, from -1 to 1 across the image."""
        half = self.spatial_size / 2
        return (table[:, 1 : 1 + self.dimension] - half) / half

    def _image(self, table: Tensor, scaled: Tensor, batch_size: int | None) -> SparseTensor:
        last = 1 + self.dimension
        charge = table[:, last : last + 1]
        features = torch.cat([scaled, charge], dim=1) if self.encoder.shape.num_input > 1 else charge
        return sparse_tensor(features, table[:, :last], batch_size=batch_size)

    def _decoded(self, decoder: UResNetDecoder, output: nn.Sequential, encoded: FeatureMaps) -> Tensor:
        tensors: list[SparseTensor] = decoder(encoded)
        result: SparseTensor = output((tensors or encoded.encoder_tensors)[-1])
        return result.aligned_features()


def build_spice(cfg: SpiceConfig) -> Spice:
    """SPICE with random weights."""
    shape, style = uresnet_shape(cfg.uresnet), layer_style(cfg.uresnet)
    if cfg.uresnet.spatial_size is None:
        raise ConfigError("the network needs the size of the image", where="uresnet.spatial_size")
    decoders = (UResNetDecoder(shape, style), UResNetDecoder(shape, style))
    encoder = UResNetEncoder(shape, style, build_lattice(cfg.uresnet))
    network = Spice(encoder, decoders, cfg.uresnet.spatial_size, cfg.classes, cfg.clusterer or ClustererConfig())
    if cfg.seed_freeze:
        for part in (network.seediness_decoder, network.seediness_output):
            part.requires_grad_(False)
    return network


def build_from_options(options: Mapping[str, object], name: str) -> Spice:
    """SPICE from the block of a configuration.

    Raises
    ------
    ConfigError
        When an option is unknown or wrong; lists all of them.
    """
    try:
        return build_spice(SpiceConfig.model_validate(dict(options)))
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise ConfigError(f"options of network {name!r}: " + "; ".join(lines), where=f"model.modules.{name}") from error
