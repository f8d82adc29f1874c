"""A network that looks at images of objects. Names and shapes of all parameters are those of SPINE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError
from torch import Tensor, nn

from spine.errors import ConfigError
from spine.model.grappa.assemble import head_layer
from spine.model.image.encoder import ImageEncoder, build_encoder
from spine.model.image.options import ImageOptions, ObjectOptions

__all__ = ["ImageNetwork", "ImageOutput", "build_from_options", "build_image"]


@dataclass(frozen=True)
class ImageOutput:
    """What the network says of some images.

    Parameters
    ----------
    predictions : dict of str to torch.Tensor
        (n, k) prediction of each task.
    features : torch.Tensor
        (n, f) features of the images.
    """

    predictions: dict[str, Tensor]
    features: Tensor


class ImageNetwork(nn.Module):
    """Features of images and predictions from them.

    Parameters
    ----------
    encoder : ImageEncoder
        Features.
    heads : mapping of str to torch.nn.Module
        Predictions by task.
    objects : ObjectOptions
        What the images show, where the caller does not say it.
    return_features : bool
        Whether features are wanted too.
    """

    def __init__(
        self, encoder: ImageEncoder, heads: Mapping[str, nn.Module], objects: ObjectOptions, return_features: bool
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.heads = nn.ModuleDict(dict(heads))
        self.objects, self.return_features = objects, return_features

    @property
    def num_input(self) -> int:
        """Features per voxel."""
        return self.encoder.encoder.features

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the predictions."""
        return tuple(self.heads)

    def forward(self, table: Tensor, count: int) -> ImageOutput:
        """Look at images.

        Parameters
        ----------
        table : torch.Tensor
            (N, 1 + D + F) number of the image, voxel coordinates, features; no image is empty.
        count : int
            Number of images, which may be zero.
        """
        features = table.new_zeros((0, self.encoder.feature_size))
        if count:
            features = self.encoder(table, count)
        made: dict[str, Tensor] = {name: head(features) for name, head in self.heads.items()}
        return ImageOutput(made, features)


def build_image(options: ImageOptions) -> ImageNetwork:
    """A network with random weights."""
    encoder = ImageEncoder(build_encoder(options.encoder))
    heads = {name: head_layer(head, encoder.feature_size) for name, head in options.heads.items()}
    return ImageNetwork(encoder, heads, options.objects, options.return_features)


def build_from_options(options: Mapping[str, object], name: str) -> ImageNetwork:
    """A network from the block of a configuration.

    Raises
    ------
    ConfigError
        When an option is unknown or wrong; lists all of them.
    """
    _refuse_points(options, name)
    try:
        return build_image(ImageOptions.model_validate(dict(options)))
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise ConfigError(f"options of network {name!r}: " + "; ".join(lines), where=f"model.modules.{name}") from error


def _refuse_points(options: Mapping[str, object], name: str) -> None:
    encoder = options.get("encoder")
    if isinstance(encoder, Mapping) and "pointnet" in (encoder.get("name"), encoder.get("provider")):
        raise ConfigError(
            "there is no encoder of point clouds (PointNet++)", where=f"model.modules.{name}.encoder",
            expected="cnn", mend="use the encoder 'cnn'",
        )  # fmt: skip
