"""Interaction vertices from the nodes of graphs: positions from raw predictions, and their loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spine.errors import DataError
from spine.model.grappa.loss_functions import class_score, good_nodes, regression_loss, selected
from spine.model.grappa.loss_options import VertexOptions
from spine.model.grappa.objectives import Supervision
from spine.model.grappa.truth import GraphTruth
from spine.model.uresnet_loss import Score
from spine.ops.arrays import BoolArray, NumberArray

__all__ = ["VERTEX_OUTPUTS", "VertexLoss", "vertex_positions"]

VERTEX_OUTPUTS = 5
"""Scores of secondary and primary, and three coordinates."""


def vertex_positions(
    raw: Tensor, ends: Tensor | None = None, sizes: Tensor | None = None, absolute: bool = False
) -> Tensor:
    """Positions from the raw predictions of nodes.

    Parameters
    ----------
    raw : torch.Tensor
        (n, 3) positions, or differences from that end of the node which is nearest to them.
    ends : torch.Tensor, optional
        (n, 6) start and end points in voxels, when differences are predicted.
    sizes : torch.Tensor, optional
        (n, 3) number of voxels of the image, when predictions are shares of it.
    absolute : bool
        Turn shares into voxels.

    Returns
    -------
    torch.Tensor
        (n, 3) positions.
    """
    positions = raw
    if ends is not None:
        points = ends.view(len(ends), 2, 3).to(raw.dtype)
        if sizes is not None:
            points = points / sizes[:, None]
        nearer = torch.linalg.vector_norm(raw[:, None] - points, dim=2).argmin(dim=1)
        positions = points[torch.arange(len(raw), device=raw.device), nearer] + raw
    return positions * sizes if absolute and sizes is not None else positions


@dataclass(frozen=True)
class VertexLoss:
    """Which nodes come from the vertex, and where it is."""

    options: VertexOptions

    def __call__(self, scores: Tensor, supervision: Supervision) -> Score:
        """Score of (C, 5) predictions; the accuracy of positions is their mean distance from the truth."""
        if scores.shape[1] != VERTEX_OUTPUTS:
            raise DataError("the vertex has five outputs per node", got=scores.shape[1], expected=VERTEX_OUTPUTS)
        options, truth = self.options, supervision.truth
        labels = truth.integers("interaction_primary")
        good = None
        if options.active:
            good = good_nodes(truth.overlap(options.match_target or "group"), options, labels, 2)
        everywhere = np.ones(len(labels), dtype=np.bool_) if good is None else good
        valid = (labels > -1) & (labels < 2) & everywhere
        primary = class_score(scores[:, :2], labels, valid, options.primary_loss, options.balance_primary_loss)
        chosen = (labels > 0) & self._contained(truth) & everywhere
        position = self._position(scores[:, 2:], supervision, chosen)
        details = {f"primary_{name}": value for name, value in primary.flat().items()}
        details |= {f"reg_{name}": value for name, value in position.flat().items()}
        terms = {"primary": primary.loss, "reg": position.loss}
        loss, accuracy = (primary.loss + position.loss) / 2, (primary.accuracy + position.accuracy) / 2
        return Score(loss, accuracy, details, terms)

    def _position(self, raw: Tensor, supervision: Supervision, chosen: BoolArray) -> Score:
        truth, options = supervision.truth, self.options
        target: NumberArray = truth.label("vertex").astype(np.float64)
        sizes = _image_sizes(truth) if options.normalize_positions else None
        ends = supervision.ends if options.use_anchor_points else None
        if options.use_anchor_points and ends is None:
            raise DataError("positions from the ends of nodes need these ends")
        scales = None if sizes is None else _like(sizes, raw)
        points = vertex_positions(raw, None if ends is None else _like(ends, raw), scales)
        found, wanted = selected(points, target if sizes is None else target / sizes, chosen)
        wanted = wanted.to(found.dtype)
        loss = regression_loss(options.regression_loss)(found, wanted) / max(len(found), 1)
        gaps = torch.linalg.vector_norm(found.detach() - wanted, dim=1)
        return Score(loss, float(gaps.mean()) if len(gaps) else 1.0, {"count": float(len(found))})

    def _contained(self, truth: GraphTruth) -> BoolArray:
        """(C,) whether the vertex of each node counts."""
        kept = np.ones(len(truth.owners), dtype=np.bool_)
        if not self.options.only_contained:
            return kept
        vertices = truth.label("vertex")
        for number, event in enumerate(truth.events):
            if event.contains is None:
                raise DataError("contained vertices need a detector", mend="give it, or set 'only_contained: false'")
            nodes = truth.owners == number
            kept[nodes] = event.contains(vertices[nodes])
        return kept


def _like(values: NumberArray, tensor: Tensor) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(device=tensor.device, dtype=tensor.dtype)


def _image_sizes(truth: GraphTruth) -> NumberArray:
    """(C, 3) number of voxels of the image of each node."""
    sizes = [event.size for event in truth.events]
    if any(size is None for size in sizes):
        raise DataError("positions as a share of the image need its size", expected="a product 'meta'")
    return np.stack([np.asarray(size, dtype=np.float64) for size in sizes])[truth.owners]
