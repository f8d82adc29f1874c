"""Weights of the parts of a loss: given, or learnt from their uncertainty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field, ValidationError
from torch import Tensor, nn

from spine.errors import ConfigError, did_you_mean
from spine.model.uresnet_loss import Score
from spine.steps.step import StepConfig

__all__ = ["Balancing", "BalancingConfig", "make_balancing"]


class BalancingConfig(StepConfig):
    """Options of the balance."""

    provider: Literal["sum", "fixed", "uncertainty"] = Field(
        "sum", description="All count once, with given weights, or by their learnt uncertainty"
    )
    weights: Mapping[str, float] = Field(default_factory=dict, description="Weights of the parts, 1 for the others")


def _is_position(name: str) -> bool:
    return "regression" in name or name.endswith(("_reg", "_position"))


class Balancing(nn.Module):
    """Weighted sum of the parts of a loss.

    With ``uncertainty``, each part L has a learnt logarithm s of its variance and counts ``exp(-s) L + s / 2``, those
    of regressions ``exp(-s) L / 2 + s / 2`` (Kendall, Gal and Cipolla, arXiv:1705.07115). Parts that are zero,
    as those of a minibatch without labels for them, are left out.

    Parameters
    ----------
    config : BalancingConfig
        How.
    parts : tuple of str
        Names of the parts.
    """

    def __init__(self, config: BalancingConfig, parts: tuple[str, ...]) -> None:
        super().__init__()
        unknown = [name for name in config.weights if name not in parts]
        if unknown:
            raise ConfigError(
                f"the loss has no part {unknown[0]!r}", where="model.modules.loss_balancing.weights",
                mend=did_you_mean(unknown[0], parts),
            )  # fmt: skip
        self.config = config
        learnt = config.provider == "uncertainty"
        self.log_variance = nn.ParameterDict({name: nn.Parameter(torch.zeros(())) for name in parts if learnt})

    def forward(self, terms: Mapping[str, Tensor]) -> Score:
        """The sum, with the weight of each part as details."""
        total: list[Tensor] = []
        details: dict[str, float] = {}
        for name, term in terms.items():
            weight = self.config.weights.get(name, 1.0)
            if self.config.provider != "uncertainty":
                total.append(weight * term)
                continue
            log_variance = self.log_variance[name]
            details[f"{name}_log_variance"] = float(log_variance.detach())
            if float(term.detach()) == 0.0:
                total.append(term + 0.0 * log_variance)
                continue
            scale = 0.5 if _is_position(name) else 1.0
            total.append(weight * (scale * torch.exp(-log_variance) * term + log_variance / 2))
        return Score(torch.stack(total).sum(), 0.0, details)


def make_balancing(options: object, parts: tuple[str, ...]) -> Balancing | None:
    """The balance that a configuration asks for, None for a plain sum.

    Raises
    ------
    ConfigError
        When options are wrong.
    """
    if options is None:
        return None
    try:
        config = BalancingConfig.model_validate(options)
    except ValidationError as error:
        raise ConfigError(
            "options of the balance are wrong", where="model.modules.loss_balancing", got=str(error)
        ) from error
    return None if config.provider == "sum" else Balancing(config, parts)
