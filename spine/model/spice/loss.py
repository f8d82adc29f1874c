"""Loss of SPICE: Gaussian masks, seediness, equal widths within a cluster, and clusters apart from each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from spine.errors import DataError
from spine.model.spice.config import SpiceLossConfig
from spine.model.spice.network import SpiceOutput
from spine.model.uresnet_loss import Score

__all__ = ["SpiceLoss", "build_spice_loss"]

FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "bce_logits": functional.binary_cross_entropy_with_logits,
    "mse": functional.mse_loss,
    "l2": functional.mse_loss,
    "l1": functional.l1_loss,
    "huber": functional.huber_loss,
}
PARTS = ("mask", "seed", "smoothing", "inter")


@dataclass(frozen=True)
class _Terms:
    """Parts of the loss of the voxels of one event and class."""

    parts: tuple[Tensor, Tensor, Tensor, Tensor]
    accuracy: float
    count: int


class SpiceLoss(nn.Module):
    """Loss of the embedding, averaged over events and true semantic classes.

    Parameters
    ----------
    options : SpiceLossConfig
        Functions and weights.
    """

    def __init__(self, options: SpiceLossConfig | None = None) -> None:
        super().__init__()
        self.options = options or SpiceLossConfig()

    def forward(self, output: SpiceOutput, clusters: Tensor, shapes: Tensor) -> Score:
        """Compare the embedding with true clusters.

        Parameters
        ----------
        output : SpiceOutput
            Embedding.
        clusters, shapes : torch.Tensor
            (N,) true cluster (negative for none) and semantic class of each row that the network was given.

        Returns
        -------
        Score
            The accuracy is the mean overlap of masks and clusters. With ``mask_loss``, ``seed_loss``,
            ``smoothing_loss``, ``inter_loss`` and ``count`` (voxels).

        Raises
        ------
        DataError
            When labels have other rows than the network's input.
        """
        if len(clusters) != len(shapes) or int(output.rows.max() if len(output.rows) else -1) >= len(clusters):
            raise DataError("labels and embedded voxels have different rows", got=len(clusters), expected=len(shapes))
        groups = torch.stack([output.batch, shapes[output.rows].long()], dim=1)
        truth = clusters[output.rows].long()
        terms = [
            one for group in torch.unique(groups, dim=0)
            if (one := self._terms(output, truth, (groups == group).all(dim=1))) is not None
        ]  # fmt: skip
        if not terms:
            zero = (output.embeddings.sum() + output.margins.sum() + output.seediness.sum()) * 0.0
            return Score(zero, 1.0, {**{f"{part}_loss": 0.0 for part in PARTS}, "count": 0.0})
        means = [torch.stack(part).mean() for part in zip(*(one.parts for one in terms), strict=True)]
        options = self.options
        weights = (options.embedding_weight, options.seediness_weight, options.smoothing_weight, options.inter_weight)
        loss = torch.stack([weight * mean for weight, mean in zip(weights, means, strict=True)]).sum()
        details = {f"{part}_loss": float(mean.detach()) for part, mean in zip(PARTS, means, strict=True)}
        details["count"] = float(sum(one.count for one in terms))
        return Score(loss, sum(one.accuracy for one in terms) / len(terms), details)

    def _terms(self, output: SpiceOutput, truth: Tensor, chosen: Tensor) -> _Terms | None:
        rows = torch.nonzero(chosen & (truth >= 0)).squeeze(1)
        if len(rows) < self.options.min_voxels:
            return None
        places, margins, eps = output.embeddings[rows], output.margins[rows, 0], self.options.eps
        _, labels = torch.unique(truth[rows], return_inverse=True)
        centres = _means(places, labels)
        widths = _means(margins[:, None], labels)[:, 0].clamp(min=eps)
        gaps = (places[:, None] - centres[None]).square().sum(dim=2)
        chances = torch.exp(-gaps / (2.0 * widths.square())).clamp(eps, 1.0 - eps)
        targets = functional.one_hot(labels, len(centres))
        mask = FUNCTIONS[self.options.mask_loss](torch.logit(chances), targets.to(places.dtype))
        own = chances.gather(1, labels[:, None])[:, 0].detach()
        seed = FUNCTIONS[self.options.seed_loss](output.seediness[rows, 0], own)
        smoothing = (margins - widths[labels].detach()).abs().mean()
        found, wanted = chances.detach() >= 0.5, targets.bool()
        overlap = (found & wanted).sum(dim=0) / (found | wanted).sum(dim=0)
        return _Terms((mask, seed, smoothing, self._apart(centres)), float(overlap.mean()), len(rows))

    def _apart(self, centres: Tensor) -> Tensor:
        """Mean square of how much nearer than twice the margin clusters are to each other."""
        if len(centres) < 2:
            return centres.sum() * 0.0
        return (2.0 * self.options.inter_margin - functional.pdist(centres)).clamp(min=0.0).square().mean()


def _means(values: Tensor, labels: Tensor) -> Tensor:
    """(C, F) mean of (N, F) values of each label."""
    count = int(labels.max()) + 1
    sums = values.new_zeros((count, values.shape[1])).index_add(0, labels, values)
    return sums / torch.bincount(labels, minlength=count).to(values.dtype)[:, None]


def build_spice_loss(cfg: SpiceLossConfig) -> SpiceLoss:
    """The loss that a configuration describes."""
    return SpiceLoss(cfg)
