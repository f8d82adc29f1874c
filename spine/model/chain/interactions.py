"""Interactions from particles without networks: true ones, one per particle, or by geometry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
from pydantic import Field

from spine.model.chain.formation import LOGIT, one_hot, primary_voxels
from spine.model.chain.points import Ends, PointMode, ends_of, point_requirements
from spine.model.chain.provider import Result, provider
from spine.model.chain.rows import cluster_label, majority
from spine.model.chain.vertex_groups import InteractionGrouping, group_particles
from spine.ops.arrays import FloatArray, IntArray
from spine.schema import Event, Ragged, Shape
from spine.schema.species import SHAPE_TO_PID, SHAPE_TO_PRIMARY
from spine.steps.step import StepConfig

__all__ = [
    "GeometricInteractions",
    "LabelInteractions",
    "SkipInteractions",
    "geometric",
    "label",
    "shape_scores",
    "skip",
]

_READ = (
    "data",
    "fragment_clusts",
    "fragment_group_pred",
    "particle_clusts",
    "particle_shapes",
    "particle_primaries",
)
_MADE = ("particle_start_points", "particle_end_points", "particle_group_pred")
_TASKS = {"type": "particle_node_type_pred", "primary": "particle_node_primary_pred"}
N_SPECIES = 6


class TaskOptions(StepConfig):
    """Options of every mode of interaction aggregation."""

    task_modes: Mapping[str, Literal["grappa", "image", "label"] | None] = Field(
        default_factory=dict, description="What predicts each property of particles; those of 'image' are left out"
    )


class LabelInteractions(TaskOptions):
    """Options of the true interactions."""

    points: PointMode = Field("label", description="Where the ends of particles come from")


class SkipInteractions(TaskOptions):
    """Options of interactions of one particle each."""

    points: PointMode = Field("extrema", description="Where the ends of particles come from")


class GeometricInteractions(InteractionGrouping, TaskOptions):
    """Options of interactions by geometry."""

    points: PointMode = Field("extrema", description="Where the ends of particles come from")


def _made(cfg: TaskOptions) -> tuple[str, ...]:
    return (*_MADE, *(name for task, name in _TASKS.items() if cfg.task_modes.get(task) != "image"))


def _required(*more: str) -> Callable[[Any], tuple[str, ...]]:
    return lambda cfg: (*_READ, *more, *point_requirements(cfg.points))


@provider("interaction_aggregation", "label", requires=_required("clust_label"), provides=_made)
def label(event: Event, cfg: LabelInteractions) -> Result:
    """Interaction, species and origin of the truth.

    The interaction is that of most voxels; species and origin are those of the leader of the group, where it has
    voxels. They are given as scores (`LOGIT` for what is true). What the truth does not tell is left to the semantic
    class, and the interaction is then -1.
    """
    clusts: Ragged = event["particle_clusts"]
    numbers = majority(cluster_label(event, "interaction"), clusts)
    known, compact = np.unique(numbers, return_inverse=True)
    groups = np.where(numbers >= 0, compact - int((known < 0).any()), -1)
    leading = _leading(event, clusts)
    types, primaries = shape_scores(event["particle_shapes"])
    for name, scores in (("pid", types), ("interaction_primary", primaries)):
        values = majority(cluster_label(event, name), leading)
        told = (values >= 0) & (values < scores.shape[1])
        scores[told] = one_hot(values[told], scores.shape[1])
    return _products(cfg, _ends(event, cfg.points), groups, types, primaries)


def _leading(event: Event, clusts: Ragged) -> Ragged:
    """Voxels of the leader of the group in each particle, all voxels where the leader has none."""
    leads = (cluster_label(event, "particle") == cluster_label(event, "group"))[clusts.values]
    some = np.bincount(clusts.rows, weights=leads, minlength=len(clusts)) > 0
    kept = leads | ~some[clusts.rows]
    lengths = np.bincount(clusts.rows[kept], minlength=len(clusts))
    return Ragged(clusts.values[kept], np.concatenate([[0], np.cumsum(lengths)]))


@provider("interaction_aggregation", "skip", requires=_required(), provides=_made)
def skip(event: Event, cfg: SkipInteractions) -> Result:
    """Each particle is an interaction; species and origin as in `shape_scores`."""
    groups = np.arange(len(event["particle_clusts"]), dtype=np.int64)
    return _products(cfg, _ends(event, cfg.points), groups, *shape_scores(event["particle_shapes"]))


@provider("interaction_aggregation", "geometric", requires=_required(), provides=_made)
def geometric(event: Event, cfg: GeometricInteractions) -> Result:
    """Particles that touch, and showers that point back to them; species and origin as in `shape_scores`."""
    ends = _ends(event, cfg.points)
    groups = group_particles(event, ends, cfg)
    return _products(cfg, ends, groups, *shape_scores(event["particle_shapes"]))


def shape_scores(shapes: IntArray) -> tuple[FloatArray, FloatArray]:
    """Scores of species and origin that the semantic class alone allows.

    Returns
    -------
    types : (n, 6) float64
        `LOGIT` for every species that the class can be.
    primaries : (n, 2) float64
        Primary for tracks and showers, secondary for Michel electrons, delta rays and unknown classes.
    """
    types = np.zeros((len(shapes), N_SPECIES))
    origins = np.zeros(len(shapes), dtype=np.int64)
    for shape, species in SHAPE_TO_PID.items():
        rows = np.flatnonzero(np.asarray(shapes) == int(shape))
        types[np.ix_(rows, np.array(species, dtype=np.int64))] = LOGIT
        origins[rows] = max(SHAPE_TO_PRIMARY[Shape(shape)])
    return types, one_hot(origins, 2)


def _ends(event: Event, mode: PointMode) -> Ends:
    return ends_of(event, primary_voxels(event), event["particle_shapes"], mode)


def _products(
    cfg: TaskOptions, ends: Ends, groups: IntArray, types: FloatArray, primaries: FloatArray
) -> dict[str, Any]:
    products = {
        "particle_start_points": ends.start.astype(np.float32),
        "particle_end_points": ends.end.astype(np.float32),
        "particle_group_pred": groups.astype(np.int64),
        "particle_node_type_pred": types.astype(np.float32),
        "particle_node_primary_pred": primaries.astype(np.float32),
    }
    made = _made(cfg)
    return {name: value for name, value in products.items() if name in made}
