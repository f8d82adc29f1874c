"""Species, origin and other properties of particles from their images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field

from spine.errors import ConfigError, did_you_mean
from spine.model.chain.provider import Networks, Result, provider
from spine.model.chain.rows import image_of
from spine.model.grappa.truth import EventTruth
from spine.model.image.network import ImageNetwork
from spine.model.image.objects import image_objects, object_table
from spine.model.providers import network_of
from spine.schema import PRODUCTS, Block, Ragged
from spine.steps.step import StepConfig

__all__ = ["ParticleImages", "SingleImages", "alone", "particles"]

TASKS = {"pid": "type", "orientation": "orient", "energy": "kinetic_energy"}
"""Names of products whose heads have other names."""
Source = Literal["grappa", "image", "label"]


class ParticleImages(StepConfig):
    """Options of properties from images."""

    particle_identification: Source | None = Field(None, description="When 'image', there must be a head for it")
    primary_identification: Source | None = Field(None, description="When 'image', there must be a head for it")
    orientation_identification: Source | None = Field(None, description="When 'image', there must be a head for it")

    @property
    def wanted(self) -> set[str]:
        """Tasks for which there must be a head."""
        asked = {
            "type": self.particle_identification,
            "primary": self.primary_identification,
            "orient": self.orientation_identification,
        }
        return {task for task, source in asked.items() if source == "image"}


class SingleImages(StepConfig):
    """Options of an image network that runs alone."""

    labelled: bool = Field(True, description="The images show true objects, by the label that the network names")


def _heads(network: ImageNetwork) -> tuple[str, ...]:
    """Products of the heads of a network."""
    made = sorted(f"particle_node_{TASKS.get(task, task)}_pred" for task in network.tasks)
    if strange := [name for name in made if name not in PRODUCTS]:
        raise ConfigError(f"there is no product {strange[0]!r}", mend=did_you_mean(strange[0], PRODUCTS))
    return (*made, *(("particle_image_features",) if network.return_features else ()))


def _further(cfg: ParticleImages, networks: Networks) -> tuple[str, ...]:
    """Products of the heads of the network."""
    network = network_of(networks, ImageNetwork, "image")
    made = _heads(network)
    lacking = sorted(cfg.wanted - {name.removeprefix("particle_node_").removesuffix("_pred") for name in made})
    if lacking:
        raise ConfigError(f"the network has no head for {', '.join(lacking)}", got=", ".join(network.tasks))
    if network.objects.source not in ("image", "explicit"):
        raise ConfigError(
            "the chain gives the objects", where="objects.source", got=network.objects.source, expected="explicit"
        )
    return made


@provider(
    "particle_image", "image", requires=("data", "particle_clusts"), provides=(), per="block", further=_further
)  # fmt: skip
def particles(block: Block, cfg: ParticleImages, networks: Networks) -> list[Result]:
    """What a network says of the image of each particle; the products are those that a graph network would make."""
    del cfg
    return _seen(block, [event["particle_clusts"] for event in block], network_of(networks, ImageNetwork, "image"))


@provider(
    "particle_image", "alone", requires=lambda cfg: ("data", *(("clust_label",) if cfg.labelled else ())),
    provides=("particle_clusts",), per="block",
    further=lambda cfg, networks: _heads(network_of(networks, ImageNetwork, "alone")),
)  # fmt: skip
def alone(block: Block, cfg: SingleImages, networks: Networks) -> list[Result]:
    """What a network says of whole events or true objects, which stand as particles."""
    network = network_of(networks, ImageNetwork, "alone")
    truths = [EventTruth.of(event) if cfg.labelled else None for event in block]
    objects = [image_objects(image_of(e), network.objects, truth) for e, truth in zip(block, truths, strict=True)]
    seen = _seen(block, objects, network)
    return [{"particle_clusts": one, **result} for one, result in zip(objects, seen, strict=True)]


def _seen(block: Block, images: Sequence[Ragged], network: ImageNetwork) -> list[Result]:
    """Predictions for the objects of each event, all images of a block at once."""
    like = next(network.parameters())
    tables, counts = [np.empty((0, 4 + network.num_input), dtype=np.float32)], [0]
    for event, objects in zip(block, images, strict=True):
        tables.append(object_table(image_of(event), objects, network.num_input, sum(counts)))
        counts.append(len(objects))
    table = torch.from_numpy(np.concatenate(tables)).to(device=like.device, dtype=like.dtype)
    with torch.no_grad():
        out = network(table, sum(counts))
    columns = {f"particle_node_{TASKS.get(task, task)}_pred": values for task, values in out.predictions.items()}
    if network.return_features:
        columns["particle_image_features"] = out.features
    return _by_event({name: values.float().cpu().numpy() for name, values in columns.items()}, counts)


def _by_event(columns: dict[str, Any], counts: list[int]) -> list[Result]:
    bounds = np.cumsum(counts)
    return [
        {name: values[bounds[i] : bounds[i + 1]] for name, values in columns.items()} for i in range(len(counts) - 1)
    ]
