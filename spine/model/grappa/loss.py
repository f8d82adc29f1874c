"""The loss of a graph network: one objective per prediction, and their mean."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from spine.errors import ConfigError
from spine.model.grappa.loss_options import (
    ClassOptions,
    GrapPALossOptions,
    NodeLossOptions,
    OrientOptions,
    RegressionOptions,
    ShowerPrimaryOptions,
)
from spine.model.grappa.network import GraphPredictions
from spine.model.grappa.objectives import (
    ChannelLoss,
    ClassLoss,
    Objective,
    OrientLoss,
    RegressionLoss,
    ShowerPrimaryLoss,
    Supervision,
)
from spine.model.grappa.vertex import VertexLoss
from spine.model.uresnet_loss import Score

__all__ = ["GrapPALoss", "grappa_loss"]


class GrapPALoss(nn.Module):
    """Mean of the losses of predictions.

    Parameters
    ----------
    objectives : mapping
        Loss of each prediction, by its name without ``_pred``: ``edge``, ``node``, ``node_type``.
    """

    def __init__(self, objectives: Mapping[str, Objective]) -> None:
        super().__init__()
        if not objectives:
            raise ConfigError("a loss needs at least one objective", expected="node_loss or edge_loss")
        self.objectives = dict(objectives)

    def forward(self, output: GraphPredictions, supervision: Supervision) -> Score:
        """Compare predictions with the truth.

        Returns
        -------
        Score
            Mean loss and accuracy, with those of each objective as details and its loss as a term.

        Raises
        ------
        ConfigError
            When the network does not make a prediction.
        """
        scores = {}
        for name, objective in self.objectives.items():
            if f"{name}_pred" not in output.predictions:
                raise ConfigError(
                    f"the network does not predict {name}_pred",
                    where=f"{name}_loss", got=", ".join(output.predictions),
                )  # fmt: skip
            scores[name] = objective(output[f"{name}_pred"], supervision)
        details = {key: value for name, score in scores.items() for key, value in score.flat(f"{name}_").items()}
        terms: dict[str, Tensor] = {}
        for name, score in scores.items():
            terms |= {f"{name}_{part}": term for part, term in score.terms.items()} or {name: score.loss}
        losses = [score.loss for score in scores.values()]
        accuracy = sum(score.accuracy for score in scores.values()) / len(scores)
        return Score(sum(losses[1:], start=losses[0]) / len(losses), accuracy, details, terms)


def grappa_loss(options: GrapPALossOptions) -> GrapPALoss:
    """The loss that options describe."""
    objectives: dict[str, Objective] = {}
    for task, node in options.node_loss.items():
        objectives[f"node_{task}" if task else "node"] = _node_objective(node)
    for task, edge in options.edge_loss.items():
        objectives[f"edge_{task}" if task else "edge"] = ChannelLoss(edge)
    return GrapPALoss(objectives)


def _node_objective(options: NodeLossOptions) -> Objective:
    if isinstance(options, ClassOptions):
        return ClassLoss(options)
    if isinstance(options, ShowerPrimaryOptions):
        return ShowerPrimaryLoss(options)
    if isinstance(options, OrientOptions):
        return OrientLoss(options)
    if isinstance(options, RegressionOptions):
        return RegressionLoss(options)
    return VertexLoss(options)
