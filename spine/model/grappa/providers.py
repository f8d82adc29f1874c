"""Providers with graph networks: particles from fragments, interactions from particles.

The events of a block go through the network together; scores depend on that in the last digits only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import Field

from spine.errors import ConfigError, did_you_mean
from spine.model.chain.formation import Groups
from spine.model.chain.paths import PathConfig
from spine.model.chain.points import PointMode, ends_of, point_requirements
from spine.model.chain.provider import Networks, Result, provider
from spine.model.chain.rows import charge_of, image_of
from spine.model.grappa.aggregate import GraphResult, aggregate
from spine.model.grappa.clusters import Clusters
from spine.model.grappa.ends import EndOptions, network_ends
from spine.model.grappa.network import GrapPA
from spine.ops.arrays import IntArray, NumberArray
from spine.ops.segments import lengths_to_offsets
from spine.schema import PRODUCTS, Block, Event, Ragged, Shape
from spine.steps.step import StepConfig

__all__ = [
    "GrapPAInteractions",
    "GrapPAParticles",
    "Nodes",
    "fragment_nodes",
    "interactions",
    "joined_clusters",
    "particle_nodes",
    "particles",
]

FRAGMENTS = ("data", "fragment_clusts", "fragment_shapes")
PARTICLES = (
    "data",
    "fragment_clusts",
    "fragment_group_pred",
    "particle_clusts",
    "particle_shapes",
    "particle_primaries",
)


class GrapPAParticles(PathConfig):
    """Options of particles by a graph network."""

    points: PointMode = Field("ppn", description="Where the ends of fragments come from")
    predict_points: EndOptions = Field(EndOptions(), description="How they are found among proposed points")


class GrapPAInteractions(StepConfig):
    """Options of interactions by a graph network."""

    points: PointMode = Field("ppn", description="Where the ends of particles come from")
    predict_points: EndOptions = Field(EndOptions(), description="How they are found among proposed points")
    task_modes: Mapping[str, Literal["grappa", "image", "label"] | None] = Field(
        default_factory=dict, description="What predicts each property of particles; those of 'image' are left out"
    )


class Nodes(NamedTuple):
    """What a network works on: which fragments or particles, their voxels in the image, and as it takes them."""

    rows: IntArray
    clusts: Ragged
    clusters: Clusters


def _network(networks: Networks, name: str) -> GrapPA:
    """The network of that name, else the only one of the stage."""
    found = {key: net for key, net in networks.items() if isinstance(net, GrapPA)}
    if name in found:
        return found[name]
    if len(found) != 1:
        raise ConfigError(
            f"mode 'grappa' needs the network {name!r}", got=", ".join(networks) or "no network",
            mend=f"write 'uses: {name}' in the stage",
        )  # fmt: skip
    return next(iter(found.values()))


@provider(
    "particle_aggregation",
    "grappa",
    requires=lambda cfg: (*FRAGMENTS, *point_requirements(cfg.points)),
    provides=(
        "fragment_start_points",
        "fragment_end_points",
        "fragment_group_pred",
        "fragment_node_pred",
        "particle_clusts",
        "particle_shapes",
        "particle_primaries",
    ),
    per="block",
)
def particles(block: Block, cfg: GrapPAParticles, networks: Networks) -> list[Groups]:
    """Groups of the fragments of a path, and how likely each fragment is the first of its group.

    The stage uses a network ``grappa_shower``, ``grappa_track`` or ``grappa_particle``, after the path. Where the
    network does not tell primaries, their scores are missing.
    """
    network = _network(networks, f"grappa_{cfg.path}")
    if not network.options.nodes.make_groups:
        raise ConfigError("the network makes no groups", where=f"grappa_{cfg.path}", mend="set nodes.make_groups")
    nodes = [fragment_nodes(event, cfg) for event in block]
    results = aggregate(network, [one.clusters for one in nodes])
    return [_groups(one.rows, one.clusters, result) for one, result in zip(nodes, results, strict=True)]


def fragment_nodes(event: Event, cfg: GrapPAParticles) -> Nodes:
    """Fragments of the path of a stage."""
    rows = np.flatnonzero(np.isin(event["fragment_shapes"], cfg.shapes))
    clusts, shapes = event["fragment_clusts"][rows], np.asarray(event["fragment_shapes"], dtype=np.int64)[rows]
    ends = _ends(event, clusts, shapes, cfg)
    return Nodes(rows, clusts, Clusters.select(image_of(event).coords, charge_of(event), clusts, shapes, ends))


def _ends(event: Event, clusts: Ragged, shapes: IntArray, cfg: GrapPAParticles | GrapPAInteractions) -> NumberArray:
    """(n, 6) start and end of each cluster."""
    if cfg.points == "ppn":
        return network_ends(image_of(event).coords, event["ppn_points"], clusts, shapes, cfg.predict_points)
    ends = ends_of(event, clusts, shapes, cfg.points)
    return np.concatenate([ends.start, ends.end], axis=1)


def _groups(rows: IntArray, clusters: Clusters, result: GraphResult) -> Groups:
    assert clusters.ends is not None
    assert result.groups is not None
    scores = result.predictions.get("node_pred")
    if scores is None or scores.shape[1] != 2:
        scores = np.full((len(rows), 2), np.nan)
    products = {"fragment_edge_index": rows[result.graph.index], "fragment_edge_pred": result.predictions["edge_pred"]}
    ends = clusters.ends.astype(np.float64)
    return Groups(rows, result.groups, scores.astype(np.float64), ends[:, :3], ends[:, 3:], products)


def _further(cfg: GrapPAInteractions, networks: Networks) -> tuple[str, ...]:
    """Products of the heads of the network that no other network replaces."""
    heads = [name for name in _network(networks, "grappa_inter").prediction_names if name.startswith("node_")]
    made = [f"particle_{name}" for name in heads if _task(name) not in _elsewhere(cfg)]
    if strange := [name for name in made if name not in PRODUCTS]:
        raise ConfigError(
            f"no product is made of the head {_task(strange[0].removeprefix('particle_'))!r}",
            where="grappa_inter.gnn_model.node_pred", mend=did_you_mean(strange[0], PRODUCTS),
        )  # fmt: skip
    return tuple(made)


def _task(name: str) -> str:
    """Task of a prediction, such as ``type`` of ``node_type_pred``."""
    return name.removeprefix("node_").removesuffix("_pred")


def _elsewhere(cfg: GrapPAInteractions) -> set[str]:
    """Tasks that are left to another network."""
    return {task for task, mode in cfg.task_modes.items() if mode == "image"}


@provider(
    "interaction_aggregation",
    "grappa",
    requires=lambda cfg: (*PARTICLES, *point_requirements(cfg.points)),
    provides=("particle_start_points", "particle_end_points", "particle_group_pred"),
    per="block",
    further=_further,
)
def interactions(block: Block, cfg: GrapPAInteractions, networks: Networks) -> list[Result]:
    """Groups of particles, and what the network says of each of them.

    The stage uses a network ``grappa_inter``. Particles of classes that the network does not take have group -1 and
    no scores.
    """
    network = _network(networks, "grappa_inter")
    if not network.options.nodes.make_groups:
        raise ConfigError("the network makes no groups", where="grappa_inter", mend="set nodes.make_groups")
    whole = [_particles(event, cfg) for event in block]
    rows = [np.flatnonzero(np.isin(c.shapes, network.options.nodes.shapes)) for c in whole]
    inputs = [_restricted(clusters, picked) for clusters, picked in zip(whole, rows, strict=True)]
    results = aggregate(network, inputs)
    return [_products(*one, cfg) for one in zip(rows, whole, results, strict=True)]


def particle_nodes(event: Event, cfg: GrapPAInteractions, shapes: Sequence[Shape]) -> Nodes:
    """Particles of some semantic classes."""
    whole = _particles(event, cfg)
    rows = np.flatnonzero(np.isin(whole.shapes, shapes))
    return Nodes(rows, joined_clusters(event)[rows], _restricted(whole, rows))


def joined_clusters(event: Event) -> Ragged:
    """Voxels of each particle, fragment after fragment, as SPINE has them: closest points depend on it in a tie."""
    fragments: Ragged = event["fragment_clusts"]
    groups = np.asarray(event["fragment_group_pred"], dtype=np.int64)
    count = len(event["particle_clusts"])
    order = np.argsort(groups, kind="stable")
    order = order[groups[order] >= 0]
    lengths = np.bincount(groups[order], weights=fragments.lengths[order], minlength=count).astype(np.int64)
    return Ragged(fragments[order].values, lengths_to_offsets(lengths))


def _particles(event: Event, cfg: GrapPAInteractions) -> Clusters:
    clusts, shapes = joined_clusters(event), np.asarray(event["particle_shapes"], dtype=np.int64)
    ends = _ends(event, _leading(event, clusts), shapes, cfg)
    return Clusters.select(image_of(event).coords, charge_of(event), clusts, shapes, ends)


def _leading(event: Event, clusts: Ragged) -> Ragged:
    """Voxels from which the ends of each particle are found: those of its primary fragment, all those of a track."""
    fragments: Ragged = event["fragment_clusts"]
    first = np.flatnonzero(event["particle_primaries"])
    rows = np.full(len(clusts), -1, dtype=np.int64)
    rows[np.asarray(event["fragment_group_pred"])[first]] = first
    whole = (np.asarray(event["particle_shapes"]) == Shape.TRACK) | (rows < 0)
    return Ragged.concat([clusts, fragments])[np.where(whole, np.arange(len(clusts)), rows + len(clusts))]


def _restricted(clusters: Clusters, rows: IntArray) -> Clusters:
    if len(rows) == len(clusters):
        return clusters
    voxels = Ragged(np.arange(len(clusters.points)), clusters.offsets)[rows]
    ends = None if clusters.ends is None else clusters.ends[rows]
    return Clusters.select(clusters.points, clusters.values, voxels, clusters.shapes[rows], ends)


def _products(rows: IntArray, clusters: Clusters, result: GraphResult, cfg: GrapPAInteractions) -> dict[str, Any]:
    assert clusters.ends is not None
    assert result.groups is not None
    groups = np.full(len(clusters), -1, dtype=np.int64)
    groups[rows] = result.groups
    products: dict[str, Any] = {
        "particle_start_points": clusters.ends[:, :3],
        "particle_end_points": clusters.ends[:, 3:],
        "particle_group_pred": groups,
        "particle_edge_index": rows[result.graph.index],
        "particle_edge_pred": result.predictions["edge_pred"],
    }
    for name, scores in result.predictions.items():
        if name.startswith("node") and _task(name) not in _elsewhere(cfg):
            products[f"particle_{name}"] = _all_rows(scores, rows, len(clusters))
    return products


def _all_rows(scores: NumberArray, rows: IntArray, count: int) -> NumberArray:
    """(count, k) scores, NaN for other rows."""
    whole = np.full((count, scores.shape[1]), np.nan, dtype=np.float32)
    whole[rows] = scores
    return whole
