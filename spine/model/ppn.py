"""Point proposal: where particles start and end, found coarse to fine beside the U-ResNet.

After Domine et al., "Point proposal network for reconstructing 3D particle endpoints with subpixel precision in liquid
argon time projection chambers", Phys. Rev. D 104, 032004 (2021). Names and shapes of all parameters are those of
SPINE, so that its checkpoints load.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from spine.errors import ConfigError, DataError
from spine.model.uresnet import FeatureMaps, LayerStyle, ResidualBlock, Segmentation, UResNetSegmentation, UResNetShape
from spine.sparse import SparseTensor, concatenate, prune, union
from spine.sparse import nn as snn

__all__ = [
    "PPN",
    "PointOutput",
    "PointProposalDecoder",
    "ProposalTask",
    "Proposals",
    "UResNetPPN",
    "UResNetPPNOutput",
    "VertexPPN",
    "true_voxels",
]


@dataclass(frozen=True)
class ProposalTask:
    """A kind of points that a decoder looks for.

    Parameters
    ----------
    name : Name of its layers in a checkpoint: ``ppn_masks`` or ``vertex_pred``
    threshold : Probability above which a voxel is near a point
    propagate_all : Let all features pass, whatever their probability
    binary : Let features pass or not, instead of scaling them with the probability

    Raises ConfigError when the threshold is no probability.
    """

    name: str = "ppn_masks"
    threshold: float = 0.5
    propagate_all: bool = False
    binary: bool = False

    def __post_init__(self) -> None:
        if not 0.0 <= self.threshold <= 1.0:
            raise ConfigError("the mask threshold is a probability", got=self.threshold, expected="0 to 1")


@dataclass(frozen=True)
class Proposals:
    """Which voxels are near a point, coarse to fine."""

    logits: list[SparseTensor]
    threshold: float

    @property
    def masks(self) -> list[Tensor]:
        """(N,) booleans of every resolution."""
        return [torch.softmax(level.features, dim=1)[:, 1] > self.threshold for level in self.logits]


@dataclass(frozen=True)
class PointOutput:
    """Points proposed at every voxel of the finest resolution.

    Parameters
    ----------
    points : (N, D + T + 2): offset from the voxel centre in voxels, logits of the T types, logits of the last mask
    proposals : Masks of all resolutions
    endpoints : (N, 2) logits of start and end of a track (optional)
    vertices : Interaction vertices, where the decoder is shared with that task (optional)
    """

    points: SparseTensor
    proposals: Proposals
    endpoints: SparseTensor | None = None
    vertices: PointOutput | None = None

    @property
    def offsets(self) -> Tensor:
        """(N, D) offset of the point from the voxel centre, in voxels."""
        return self.points.features[:, : self.points.dimension]

    @property
    def type_logits(self) -> Tensor:
        """(N, T) logits of the type of the point."""
        return self.points.features[:, self.points.dimension : -2]


class PointProposalDecoder(nn.Module):
    """Decoder that predicts a mask at every resolution and passes on what the mask lets through.

    Parameters
    ----------
    shape : Size of the U-ResNet beside it
    style : How layers are made
    tasks : Kinds of points, one set of mask layers each; features pass where any of them wants them

    Raises ConfigError when the network has a single resolution or tasks share a name.
    """

    def __init__(self, shape: UResNetShape, style: LayerStyle, tasks: Sequence[ProposalTask]) -> None:
        super().__init__()
        if shape.depth < 2:
            raise ConfigError("point proposal needs two resolutions or more", where="depth", got=shape.depth)
        if not tasks or len({task.name for task in tasks}) != len(tasks):
            raise ConfigError("point proposal tasks need different names", got=[task.name for task in tasks])
        planes, levels = shape.planes, range(shape.depth - 2, -1, -1)
        self.tasks = tuple(tasks)
        self.decoding_conv = nn.Sequential(*[style.up(planes[level + 1], planes[level]) for level in levels])
        blocks = [style.blocks(2 * planes[level], planes[level], shape.reps) for level in levels]
        self.decoding_block = nn.Sequential(*blocks)
        for task in tasks:
            self.add_module(task.name, nn.ModuleList([snn.Linear(planes[level], 2) for level in levels]))

    def decode(self, maps: FeatureMaps, keep: SparseTensor | None) -> tuple[SparseTensor, list[Proposals]]:
        """Run through the resolutions.

        Parameters
        ----------
        maps : Features of the U-ResNet
        keep : (N, 1) one for each input voxel that is no ghost, zero for the others (optional)

        Returns
        -------
        SparseTensor
            (N, filters) features at full resolution.
        list of Proposals
            Masks of each task.
        """
        levels = len(maps.decoder_tensors)
        keeps = [None] * levels if keep is None else _masks_at_all_strides(keep, levels)
        tensor, logits = maps.final_tensor, []
        for level, (up, block) in enumerate(zip(self.decoding_conv, self.decoding_block, strict=True)):
            tensor = block(_merge(maps.decoder_tensors[level], up(tensor), keeps[level]))
            scores: list[SparseTensor] = [self.get_submodule(f"{task.name}.{level}")(tensor) for task in self.tasks]
            logits.append(scores)
            tensor = tensor * self._gate(scores)
        by_task = zip(*logits, strict=True)
        return tensor, [Proposals(list(of), task.threshold) for of, task in zip(by_task, self.tasks, strict=True)]

    def _gate(self, scores: Sequence[SparseTensor]) -> Tensor:
        """(N, 1) factor of the features; no gradient flows through it."""
        chance = torch.stack([torch.softmax(score.features.detach(), dim=1)[:, 1] for score in scores], dim=1)
        if any(task.propagate_all for task in self.tasks):
            return torch.ones_like(chance[:, :1])
        if any(task.binary for task in self.tasks):
            chance = (chance > chance.new_tensor([task.threshold for task in self.tasks])).to(chance.dtype)
        return chance.amax(dim=1, keepdim=True)


class PPN(PointProposalDecoder):
    """Starts and ends of particles, optionally with the interaction vertices on the same decoder.

    Parameters
    ----------
    shape : Size of the U-ResNet beside it
    style : LayerStyle
        How the layers of the U-ResNet are made; SPINE's PPN takes only the activation from it, and always uses batch
        normalisation with torch's defaults and no bias.
    num_classes : Number of types
    task : Options of the masks
    classify_endpoints : Whether to tell starts of tracks from ends
    vertex : Find interaction vertices too (optional)
    """

    def __init__(
        self,
        shape: UResNetShape,
        style: LayerStyle,
        num_classes: int,
        task: ProposalTask | None = None,
        classify_endpoints: bool = False,
        vertex: ProposalTask | None = None,
    ) -> None:
        plain = replace(style, norm=snn.BatchNorm, bias=False)
        tasks = [task or ProposalTask(), *([vertex] if vertex else [])]
        super().__init__(shape, plain, tasks)
        width = shape.filters
        self.final_block = ResidualBlock(width, width, plain)
        self.ppn_pixel_pos = snn.Linear(width, style.dimension)
        self.ppn_type = snn.Linear(width, num_classes)
        self.ppn_endpoint = snn.Linear(width, 2) if classify_endpoints else None
        self.vertex_regression = style.convolution(width, style.dimension, 3) if vertex else None

    def forward(self, maps: FeatureMaps, keep: SparseTensor | None = None) -> PointOutput:
        """Propose points from the features of a U-ResNet; parameters as in `decode`."""
        tensor, proposals = self.decode(maps, keep)
        tensor = self.final_block(tensor)
        parts = [self.ppn_pixel_pos(tensor), self.ppn_type(tensor), proposals[0].logits[-1]]
        endpoints = None if self.ppn_endpoint is None else self.ppn_endpoint(tensor)
        vertices = None
        if self.vertex_regression is not None:
            vertices = _vertex_output(self.vertex_regression(tensor), proposals[1])
        return PointOutput(concatenate(*parts), proposals[0], endpoints, vertices)


class VertexPPN(PointProposalDecoder):
    """Interaction vertices on a decoder of their own."""

    def __init__(self, shape: UResNetShape, style: LayerStyle, threshold: float = 0.5) -> None:
        super().__init__(shape, style, [ProposalTask("vertex_pred", threshold)])
        width = shape.filters
        self.final_block = ResidualBlock(width, width, replace(style, norm=snn.BatchNorm, bias=False))
        self.vertex_regression = style.convolution(width, style.dimension, 3)

    def forward(self, maps: FeatureMaps, keep: SparseTensor | None = None) -> PointOutput:
        """Propose vertices from the features of a U-ResNet; parameters as in `decode`."""
        tensor, proposals = self.decode(maps, keep)
        return _vertex_output(self.vertex_regression(self.final_block(tensor)), proposals[0])


@dataclass(frozen=True)
class UResNetPPNOutput:
    """Output of segmentation and point proposal."""

    segmentation: Segmentation
    ppn: PointOutput | None = None
    vertex: PointOutput | None = None


class UResNetPPN(nn.Module):
    """Segmentation with point proposal. Raises ConfigError when there is no point proposal."""

    def __init__(self, uresnet: UResNetSegmentation, ppn: PPN | None = None, vertex: VertexPPN | None = None) -> None:
        super().__init__()
        if ppn is None and vertex is None:
            raise ConfigError("point proposal needs one of ppn and vertex")
        self.uresnet = uresnet
        self.ppn = ppn
        self.vertex = vertex

    @property
    def shape(self) -> UResNetShape:
        """Size of the backbone."""
        return self.uresnet.shape

    @property
    def ghost(self) -> bool:
        """Whether ghosts are classified too."""
        return self.uresnet.ghost

    @property
    def proposes_vertices(self) -> bool:
        """Whether interaction vertices are proposed."""
        return self.vertex is not None or (self.ppn is not None and self.ppn.vertex_regression is not None)

    def forward(self, tensor: SparseTensor, keep: SparseTensor | None = None) -> UResNetPPNOutput:
        """Classify voxels and propose points.

        Parameters
        ----------
        tensor : (N, num_input) image
        keep : (N, 1) one for voxels that are truly no ghosts, in place of the network's own ghost mask (optional)

        Returns logits and points.
        """
        segmentation: Segmentation = self.uresnet(tensor)
        if segmentation.ghost is not None and keep is None:
            keep = true_voxels(segmentation.ghost)
        ppn = None if self.ppn is None else self.ppn(segmentation.maps, keep)
        vertex = None if self.vertex is None else self.vertex(segmentation.maps, keep)
        if ppn is not None and vertex is None:
            vertex = ppn.vertices
        return UResNetPPNOutput(segmentation, ppn, vertex)


def true_voxels(ghost: SparseTensor) -> SparseTensor:
    """(N, 1) mask, one where the (N, 2) ghost logits say that the voxel is no ghost."""
    real = ghost.features.detach().argmax(dim=1, keepdim=True) == 0
    return ghost.replace_features(real.to(ghost.dtype))


def _vertex_output(offsets: SparseTensor, proposals: Proposals) -> PointOutput:
    return PointOutput(concatenate(offsets, proposals.logits[-1]), proposals)


def _masks_at_all_strides(keep: SparseTensor, levels: int) -> list[SparseTensor | None]:
    """Mask of every decoder level, coarse to fine: a coarse voxel stays when one of its voxels does."""
    masks: list[SparseTensor | None] = [keep.detach()]
    halve = snn.MaxPooling(LayerStyle(dimension=keep.dimension).kernel(2, 2))
    with torch.no_grad():
        for _ in range(levels - 1):
            masks.append(halve(masks[-1]))
    return masks[::-1]


def _merge(skip: SparseTensor, tensor: SparseTensor, keep: SparseTensor | None) -> SparseTensor:
    """Join the U-ResNet's features with the upsampled ones; SPINE swaps the two where there is a ghost mask."""
    if keep is None:
        return concatenate(skip, tensor)
    tensor, skip = _masked(tensor, keep), _masked(skip, keep)
    if not tensor.shares_sites(skip):
        raise DataError("the ghost mask does not cover the same voxels at this stride", got=tensor, expected=skip)
    return concatenate(tensor, skip)


def _masked(tensor: SparseTensor, keep: SparseTensor) -> SparseTensor:
    """Sites where the mask is one; those that the tensor lacks get zeros."""
    zeros = tensor.features.new_zeros((len(keep), tensor.shape[1]))
    wide = union(tensor, keep.replace_features(zeros))
    mask = union(keep, tensor.replace_features(tensor.features.new_zeros((len(tensor), 1))))
    return prune(wide, mask.features[:, 0] > 0.5)
