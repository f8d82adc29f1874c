"""Training of networks that look at images of objects."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from spine.errors import ConfigError
from spine.model.chain.rows import image_of
from spine.model.grappa.truth import EventTruth, GraphTruth
from spine.model.image import (
    ImageLoss,
    ImageLossOptions,
    ImageNetwork,
    ImageTruth,
    build_image_loss,
    image_objects,
)
from spine.model.image.objects import object_table
from spine.model.image.options import WHOLE, ObjectOptions, TaskOptions
from spine.model.uresnet_loss import Score
from spine.ops.arrays import RealArray
from spine.schema import Event
from spine.train.tasks import TaskRequest
from spine.train.voxel_losses import checked_loss

__all__ = ["ImageSample", "ImageTask", "image_task"]


@dataclass(frozen=True)
class ImageSample:
    """Images of the objects of an event.

    Parameters
    ----------
    table : (N, 1 + 3 + F) float32
        Number of the object, coordinates, features.
    count : int
        Number of objects.
    labels : mapping of str to ImageTruth
        Labels of each task.
    """

    table: RealArray
    count: int
    labels: Mapping[str, ImageTruth]


@dataclass(frozen=True)
class ImageTask:
    """Predictions from images."""

    loss: ImageLoss
    objects: ObjectOptions
    features: int
    predicted: bool

    @property
    def required(self) -> tuple[str, ...]:
        """Products that it reads."""
        labels = [task.label for task in self.loss.tasks.values()]
        clusters = ("clust_label",) if self.objects.label is not None or "clust_label" in labels else ()
        return tuple(dict.fromkeys(["data", *clusters, *labels, *(("particle_clusts",) if self.predicted else ())]))

    optional: tuple[str, ...] = ()

    def prepare(self, event: Event) -> ImageSample:
        """Images and labels of an event."""
        truth, image = EventTruth.of(event) if "clust_label" in event else None, image_of(event)
        objects = event["particle_clusts"] if self.predicted else image_objects(image, self.objects, truth)
        nodes = None if truth is None else GraphTruth([truth], [objects])
        labels = {name: _labels(event, nodes, task, len(objects)) for name, task in self.loss.tasks.items()}
        return ImageSample(object_table(image, objects, self.features), len(objects), labels)

    def vary(self, sample: ImageSample, random: np.random.Generator) -> ImageSample:
        """The sample: nothing is drawn."""
        del random
        return sample

    def score(self, network: nn.Module, samples: Sequence[ImageSample]) -> Score:
        """Loss on a minibatch."""
        assert isinstance(network, ImageNetwork)
        like = next(network.parameters())
        first = np.cumsum([0, *(sample.count for sample in samples)])
        tables = [_shifted(sample.table, int(first[i])) for i, sample in enumerate(samples)]
        table = torch.from_numpy(np.concatenate(tables)).to(device=like.device)
        labels = {name: _joined([sample.labels[name] for sample in samples]) for name in self.loss.tasks}
        score: Score = self.loss(network(table, int(first[-1])), labels)
        return score


def _labels(event: Event, nodes: GraphTruth | None, task: TaskOptions, count: int) -> ImageTruth:
    """True labels of the objects of an event."""
    if nodes is None or task.label in WHOLE:
        return ImageTruth(np.full(count, event[task.label]))
    return ImageTruth.of(nodes, task)


def _shifted(table: RealArray, first: int) -> RealArray:
    """The table with objects that count on from a number."""
    moved = table.copy()
    moved[:, 0] += first
    return moved


def _joined(parts: Sequence[ImageTruth]) -> ImageTruth:
    good = [part.good for part in parts if part.good is not None]
    return ImageTruth(np.concatenate([part.values for part in parts]), np.concatenate(good) if good else None)


def image_task(request: TaskRequest) -> ImageTask:
    """Training of a network that looks at images.

    Raises
    ------
    ConfigError
        When options of the loss are wrong, or it is not said what the images show.
    """
    network = request.network
    if not isinstance(network, ImageNetwork):
        raise ConfigError("the network does not look at images", where=f"model.modules.{request.name}")
    predicted = request.train.nodes != "label"
    if not predicted and network.objects.source == "explicit":
        raise ConfigError(
            "images for the training are not known", where=f"model.modules.{request.name}.objects.source",
            got="explicit", mend="name a label, such as 'particle', or set 'train.nodes: predicted'",
        )  # fmt: skip
    loss = build_image_loss(checked_loss(ImageLossOptions, request), network.tasks)
    whole = [name for name, task in loss.tasks.items() if task.label in WHOLE]
    if whole and (predicted or network.objects.source != "image"):
        raise request.error(f"the labels of {', '.join(whole)} are those of whole events: set objects.source: image")
    return ImageTask(loss, network.objects, network.num_input, predicted)
