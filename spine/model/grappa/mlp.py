"""Dense layers of graph networks, and the predictions made from their features."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from spine.errors import ConfigError

__all__ = [
    "ACTIVATIONS",
    "MLP",
    "NORMS",
    "DenseStyle",
    "EvidentialHead",
    "Gathered",
    "LinearHead",
    "MLPHead",
    "linear_on_parts",
]

ACTIVATIONS: dict[str, Callable[..., nn.Module]] = {
    "none": nn.Identity,
    "elu": nn.ELU,
    "relu": nn.ReLU,
    "lrelu": nn.LeakyReLU,
    "prelu": nn.PReLU,
    "selu": nn.SELU,
    "celu": nn.CELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softmax": nn.Softmax,
    "softplus": nn.Softplus,
    "mish": nn.Mish,
}
NORMS: dict[str, Callable[..., nn.Module]] = {
    "none": lambda _channels, **_options: nn.Identity(),
    "batch_norm": nn.BatchNorm1d,
    "instance_norm": nn.InstanceNorm1d,
    "group_norm": lambda channels, num_groups=1, **options: nn.GroupNorm(num_groups, channels, **options),
    "layer_norm": nn.LayerNorm,
}


@dataclass(frozen=True)
class DenseStyle:
    """How hidden layers are made.

    Parameters
    ----------
    widths : tuple of int
        Neurons of each layer.
    activation : callable
        Makes an activation.
    norm : callable
        Makes a normalisation for a number of channels.
    """

    widths: tuple[int, ...]
    activation: Callable[[], nn.Module] = nn.ReLU
    norm: Callable[[int], nn.Module] = nn.BatchNorm1d


class Gathered(NamedTuple):
    """Some of the columns of the input of a layer: rows of a tensor (all of them, in order, without an index)."""

    values: Tensor
    rows: Tensor | None = None

    def columns(self) -> Tensor:
        """The columns as they are."""
        return self.values if self.rows is None else self.values[self.rows]


class MLP(nn.Module):
    """Hidden layers: linear map, normalisation, activation, each in turn.

    Parameters
    ----------
    channels : int
        Features of the input.
    style : DenseStyle
        Widths and operators.
    """

    def __init__(self, channels: int, style: DenseStyle) -> None:
        super().__init__()
        if channels < 1 or not style.widths or min(style.widths) < 1:
            raise ConfigError("layers need channels", got=(channels, *style.widths), expected="positive numbers")
        self.model = nn.Sequential()
        for width in style.widths:
            self.model.extend([nn.Linear(channels, width), style.norm(width), style.activation()])
            channels = width
        self.width = channels

    def forward(self, values: Tensor) -> Tensor:
        """Map (N, channels) to (N, width)."""
        result: Tensor = self.model(values)
        return result

    def on_parts(self, parts: Sequence[Gathered]) -> Tensor:
        """Map input given in parts, side by side; equal to ``self(torch.cat([p.columns() for p in parts], 1))``.

        The first linear map is applied to each part before its rows are gathered.
        """
        first = self.model[0]
        assert isinstance(first, nn.Linear)
        result: Tensor = self.model[1:](linear_on_parts(first.weight, first.bias, parts))
        return result


def linear_on_parts(weight: Tensor, bias: Tensor, parts: Sequence[Gathered]) -> Tensor:
    """Linear map of columns given in parts, side by side."""
    total, column = bias, 0
    for values, rows in parts:
        mapped = functional.linear(values, weight[:, column : column + values.shape[1]])
        total = total + (mapped if rows is None else mapped[rows])
        column += values.shape[1]
    return total


class LinearHead(nn.Module):
    """A prediction linear in the features, (N, out) from (N, in)."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, out_channels)

    def forward(self, features: Tensor) -> Tensor:
        """Predict from (N, in) features."""
        result: Tensor = self.linear(features)
        return result


class MLPHead(nn.Module):
    """A prediction through hidden layers, (N, out) from (N, in), made positive by a softplus if wanted."""

    def __init__(self, channels: int, out_channels: int, style: DenseStyle, positive: bool = False) -> None:
        super().__init__()
        self.mlp = MLP(channels, style)
        self.linear = nn.Linear(self.mlp.width, out_channels)
        self.positive = positive

    def forward(self, features: Tensor) -> Tensor:
        """Predict from (N, in) features."""
        result: Tensor = self.linear(self.mlp(features))
        return functional.softplus(result) if self.positive else result


class EvidentialHead(nn.Module):
    """Mean, strength and shape of a normal-inverse-gamma distribution.

    After Amini et al., "Deep evidential regression", NeurIPS 2020.

    Parameters
    ----------
    channels : int
        Features of the input.
    style : DenseStyle
        Hidden layers.
    eps : float
        Smallest value.
    logspace : bool
        The mean is that of a logarithm, kept between 0 and 2.
    """

    def __init__(self, channels: int, style: DenseStyle, eps: float = 0.0, logspace: bool = False) -> None:
        super().__init__()
        self.evidential = _Evidence(channels, style, eps, logspace)

    def forward(self, features: Tensor) -> Tensor:
        """(N, 4) gamma, nu, alpha and beta."""
        result: Tensor = self.evidential(features)
        return result


class _Evidence(nn.Module):
    def __init__(self, channels: int, style: DenseStyle, eps: float, logspace: bool) -> None:
        super().__init__()
        self.mlp = MLP(channels, style)
        self.linear = nn.Linear(self.mlp.width, 4)
        self.eps, self.logspace = eps, logspace

    def forward(self, features: Tensor) -> Tensor:
        raw = self.linear(self.mlp(features))
        nu, alpha, beta = (functional.softplus(raw[:, :3]) + self.eps).unbind(1)
        mean = 2.0 * (torch.sigmoid(raw[:, 3]) if self.logspace else raw[:, 3])
        evidence = torch.stack([mean, nu, (alpha + 1.0).clamp(min=1.0), beta], dim=1)
        return evidence if self.logspace else evidence.clamp(min=self.eps)
