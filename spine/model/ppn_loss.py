"""Losses of the point proposal: masks at all resolutions, type and position of the points at the finest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from spine.errors import ConfigError, DataError
from spine.model.ppn import PointOutput, UResNetPPNOutput
from spine.model.uresnet_loss import Score, SegmentationLoss, Weighting, class_weights
from spine.sparse import SparseTensor
from spine.sparse import nn as snn
from spine.sparse.kernel import Kernel

__all__ = ["PPNLoss", "PPNLossOptions", "PointLabels", "UResNetPPNLoss", "VertexLoss", "nearest_points"]

TRACK = 1
"""Type of points on tracks, the only ones with a start and an end."""
CHUNK = 1 << 22
EXACT = "donot_use_mm_for_euclid_dist"
Part = TypeVar("Part")


@dataclass(frozen=True)
class PointLabels:
    """True points.

    Parameters
    ----------
    position : (P, D) position in voxels, where voxel i reaches from i to i + 1
    batch : (P,) int64 batch index
    shape : (P,) int64 type
    particle, endpoint : (P,) int64 particle, and 0 for a start, 1 for an end (optional)
    """

    position: Tensor
    batch: Tensor
    shape: Tensor
    particle: Tensor | None = None
    endpoint: Tensor | None = None

    def select(self, keep: Tensor) -> PointLabels:
        """Points where a mask is true."""
        particle = None if self.particle is None else self.particle[keep]
        endpoint = None if self.endpoint is None else self.endpoint[keep]
        return PointLabels(self.position[keep], self.batch[keep], self.shape[keep], particle, endpoint)


@dataclass(frozen=True)
class PPNLossOptions:
    """Options of the point proposal loss, named as in SPINE.

    Parameters
    ----------
    resolution : Voxels whose centre is nearer than this to a point are asked for it (voxels)
    point_classes : Only points of these types count (optional)
    balance_mask_loss, balance_type_loss : Weight classes by their number
    mask_weighting_mode, type_weighting_mode : {"const", "log", "sqrt"}: how
    reg_loss_weight, type_loss_weight, mask_loss_weight, endpoint_loss_weight : Weights of the parts
    restrict_to_clusters : A voxel is asked for the points of its own particle only

    Raises ConfigError when the resolution is not positive or a weight is negative.
    """

    resolution: float = 5.0
    point_classes: tuple[int, ...] | None = None
    balance_mask_loss: bool = True
    mask_weighting_mode: Weighting = "const"
    balance_type_loss: bool = True
    type_weighting_mode: Weighting = "const"
    reg_loss_weight: float = 1.0
    type_loss_weight: float = 1.0
    mask_loss_weight: float = 1.0
    endpoint_loss_weight: float = 1.0
    restrict_to_clusters: bool = False

    def __post_init__(self) -> None:
        if self.resolution <= 0:
            raise ConfigError("the resolution must be positive", where="resolution", got=self.resolution)
        for name in ("reg_loss_weight", "type_loss_weight", "mask_loss_weight", "endpoint_loss_weight"):
            if getattr(self, name) < 0:
                raise ConfigError("a loss weight is negative", where=name, got=getattr(self, name))


class PPNLoss(nn.Module):
    """Loss of starts and ends of particles."""

    def __init__(self, options: PPNLossOptions | None = None) -> None:
        super().__init__()
        self.options = options or PPNLossOptions()

    def forward(self, output: PointOutput, labels: PointLabels, particle: Tensor | None = None) -> Score:
        """Compare proposed with true points.

        Parameters
        ----------
        output : Output of the network
        labels : True points
        particle : torch.Tensor, optional
            (M,) int64 particle of each of the caller's voxels, -1 for none; with ``restrict_to_clusters``.

        Returns
        -------
        Score
            With the parts ``mask_*``, ``type_*``, ``reg_loss`` and, where the network has them,
            ``classify_endpoints_*``.

        Raises DataError when particles or endpoints are needed and not given.
        """
        options = self.options
        if options.point_classes is not None:
            wanted = torch.tensor(options.point_classes, device=labels.shape.device)
            labels = labels.select(torch.isin(labels.shape, wanted))
        ids = _particles_at_sites(output.points, labels, particle) if options.restrict_to_clusters else None
        nearest = nearest_points(output.points, labels, options.resolution, ids)
        hits = torch.nonzero(nearest >= 0).squeeze(1)
        masks = _mask_score(output, nearest >= 0, options.balance_mask_loss, options.mask_weighting_mode)
        types = self._types(output, labels, hits, nearest[hits])
        position = _position_loss(output, labels, hits, nearest[hits])
        loss = (
            options.mask_loss_weight * masks.loss
            + options.type_loss_weight * types.loss
            + options.reg_loss_weight * position
        )
        details = {"reg_loss": float(position.detach()), **masks.flat("mask_"), **types.flat("type_")}
        terms = {"ppn_mask": masks.loss, "ppn_type": types.loss, "ppn_regression": position}
        if output.endpoints is None:
            return Score(loss, (masks.accuracy + types.accuracy) / 2, details, terms)
        ends = _endpoint_score(output.endpoints, labels, hits, nearest[hits])
        details |= ends.flat("classify_endpoints_")
        accuracy = (masks.accuracy + types.accuracy + ends.accuracy) / 3
        loss = loss + options.endpoint_loss_weight * ends.loss
        return Score(loss, accuracy, details, terms | {"ppn_endpoint": ends.loss})

    def _types(self, output: PointOutput, labels: PointLabels, hits: Tensor, nearest: Tensor) -> Score:
        logits = output.type_logits
        weights = None
        if self.options.balance_type_loss:
            weights = class_weights(labels.shape, logits.shape[1], self.options.type_weighting_mode)
        return _cross_entropy(logits, hits, labels.shape[nearest], weights)


class VertexLoss(nn.Module):
    """Loss of interaction vertices: masks and positions."""

    def __init__(self, options: PPNLossOptions | None = None) -> None:
        super().__init__()
        self.options = options or PPNLossOptions()

    def forward(self, output: PointOutput, labels: PointLabels) -> Score:
        """Compare proposed with true vertices."""
        options = self.options
        nearest = nearest_points(output.points, labels, options.resolution)
        hits = torch.nonzero(nearest >= 0).squeeze(1)
        masks = _mask_score(output, nearest >= 0, options.balance_mask_loss, options.mask_weighting_mode)
        position = _position_loss(output, labels, hits, nearest[hits])
        loss = options.mask_loss_weight * masks.loss + options.reg_loss_weight * position
        missed = _predicted(output)[hits] - labels.position[nearest[hits]]
        close = missed.detach().norm(dim=1) < options.resolution
        share = float(close.double().mean()) if len(hits) else 1.0
        details = {"reg_loss": float(position.detach()), "reg_accuracy": share, **masks.flat("mask_")}
        terms = {"vertex_mask": masks.loss, "vertex_regression": position}
        return Score(loss, (masks.accuracy + share) / 2, details, terms)


class UResNetPPNLoss(nn.Module):
    """Sum of the losses of segmentation and point proposal."""

    def __init__(
        self, segmentation: SegmentationLoss, ppn: PPNLoss | None = None, vertex: VertexLoss | None = None
    ) -> None:
        super().__init__()
        self.segmentation, self.ppn, self.vertex = segmentation, ppn, vertex

    def forward(
        self,
        output: UResNetPPNOutput,
        classes: Tensor,
        points: PointLabels | None = None,
        vertices: PointLabels | None = None,
        particle: Tensor | None = None,
    ) -> Score:
        """Add the losses up.

        Parameters
        ----------
        output : Output of the network
        classes : (M,) class of each of the caller's voxels
        points, vertices : True points and vertices (optional)
        particle : (M,) int64 particle of each of the caller's voxels (optional)

        Returns details carry the prefixes ``uresnet_``, ``ppn_`` and ``vertex_``.
        """
        seg = output.segmentation
        ghost = None if seg.ghost is None else seg.ghost.aligned_features()
        scores = {"uresnet_": self.segmentation(seg.logits.aligned_features(), classes, ghost)}
        if self.ppn is not None:
            scores["ppn_"] = self.ppn(_given(output.ppn), _given(points), particle)
        if self.vertex is not None:
            scores["vertex_"] = self.vertex(_given(output.vertex), _given(vertices))
        loss = torch.stack([score.loss for score in scores.values()]).sum()
        accuracy = sum(score.accuracy for score in scores.values()) / len(scores)
        details = {name: value for prefix, score in scores.items() for name, value in score.flat(prefix).items()}
        terms = {name: value for score in scores.values() for name, value in score.terms.items()}
        return Score(loss, accuracy, details, terms)


def nearest_points(
    sites: SparseTensor, labels: PointLabels, resolution: float, particle: Tensor | None = None
) -> Tensor:
    """Nearest true point of each voxel.

    Parameters
    ----------
    sites : (N, C) voxels
    labels : P true points
    resolution : Largest distance from the centre of the voxel (voxels)
    particle : torch.Tensor, optional
        (N,) int64 particle of the voxels; points of other particles, and negative ones, do not count.

    Returns (N,) int64 row of the nearest point, -1 when none is near enough.
    """
    bounds = sites.bounds
    centres = sites.canonical_coordinates[:, 1:].to(labels.position.dtype) + 0.5
    nearest = torch.full((len(sites),), -1, dtype=torch.int64, device=sites.device)
    for entry in torch.unique(labels.batch).tolist():
        points = torch.nonzero(labels.batch == entry).squeeze(1)
        step = max(1, CHUNK // len(points))
        for first in range(bounds[entry], bounds[entry + 1], step):
            rows = slice(first, min(first + step, bounds[entry + 1]))
            distance = torch.cdist(centres[rows], labels.position[points], compute_mode=EXACT)
            if particle is not None:
                distance = distance.masked_fill(_strangers(labels, points, particle[rows]), torch.inf)
            least, place = distance.min(dim=1)
            nearest[rows] = torch.where(least < resolution, points[place], -1)
    return nearest


def _strangers(labels: PointLabels, points: Tensor, particle: Tensor) -> Tensor:
    if labels.particle is None:
        raise DataError("restrict_to_clusters needs the particle of each point")
    owner = labels.particle[points]
    return (particle[:, None] != owner) | (particle[:, None] < 0) | (owner < 0)


def _particles_at_sites(sites: SparseTensor, labels: PointLabels, particle: Tensor | None) -> Tensor:
    """(N,) particle of every site, that of the first of the caller's rows there."""
    if particle is None or labels.particle is None:
        raise DataError("restrict_to_clusters needs the particles of voxels and points")
    caller, rows = sites.alignment()
    out = torch.full((len(sites),), len(particle), dtype=torch.int64, device=sites.device)
    out = out.scatter_reduce(0, rows, caller, "amin")
    return torch.cat([particle, particle.new_full((1,), -1)])[out].long()


def _mask_score(output: PointOutput, positive: Tensor, balance: bool, mode: Weighting) -> Score:
    """Cross-entropy of the masks, averaged over the resolutions."""
    mask = output.points.replace_features(positive[:, None].to(output.points.dtype))
    halve = snn.MaxPooling(Kernel(2, 2, dimension=mask.dimension))
    scores: list[Score] = []
    for level in reversed(output.proposals.logits):
        mask = halve(mask) if mask.tensor_stride != level.tensor_stride else mask
        found, rows = mask.sites.find(level.sites.keys)
        truth = torch.zeros(len(level), dtype=torch.int64, device=level.device)
        truth[found] = mask.features[rows, 0].long()
        weights = class_weights(truth, 2, mode) if balance else None
        everywhere = torch.arange(len(level), device=level.device)
        scores.insert(0, _cross_entropy(level.features, everywhere, truth, weights, absent=0.0))
    loss = torch.stack([score.loss for score in scores]).mean()
    details = {f"{name}_layer_{i}": x for i, score in enumerate(scores) for name, x in score.flat().items()}
    return Score(loss, sum(score.accuracy for score in scores) / len(scores), details)


def _cross_entropy(
    logits: Tensor, rows: Tensor, truth: Tensor, weights: Tensor | None = None, absent: float = 1.0
) -> Score:
    """Cross-entropy at some rows; zero with a gradient, and the accuracy ``absent``, where there are none."""
    if len(rows) == 0:
        return Score(logits.sum() * 0.0, absent)
    chosen = logits[rows]
    weights = None if weights is None else weights.to(logits.dtype)
    right = chosen.detach().argmax(dim=1) == truth
    return Score(functional.cross_entropy(chosen, truth, weights), float(right.double().mean()))


def _predicted(output: PointOutput) -> Tensor:
    """(N, D) proposed position in voxels."""
    return output.points.canonical_coordinates[:, 1:].to(output.points.dtype) + 0.5 + output.offsets


def _position_loss(output: PointOutput, labels: PointLabels, hits: Tensor, nearest: Tensor) -> Tensor:
    if len(hits) == 0:
        return output.offsets.sum() * 0.0
    return functional.mse_loss(_predicted(output)[hits], labels.position[nearest].to(output.points.dtype))


def _endpoint_score(endpoints: SparseTensor, labels: PointLabels, hits: Tensor, nearest: Tensor) -> Score:
    if labels.endpoint is None:
        raise DataError("endpoints are asked for, and the labels have none")
    track = labels.shape[nearest] == TRACK
    return _cross_entropy(endpoints.features, hits[track], labels.endpoint[nearest[track]])


def _given(value: Part | None) -> Part:
    if value is None:
        raise DataError("a loss was asked for without its output or its labels")
    return value
