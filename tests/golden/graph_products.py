"""Comparison of the graph networks, and of the particles and interactions at the end of the chain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spine.model.chain import Plan, Stage, compose
from spine.model.grappa import Clusters, GraphResult, GrapPA, aggregate
from spine.model.grappa.providers import joined_clusters
from spine.model.networks import build_networks
from spine.schema import Event, Ragged, Tensor
from tests.golden.directory import Case
from tests.golden.findings import (
    ABSOLUTE,
    RELATIVE,
    Finding,
    by_coordinates,
    compare_assignments,
    compare_numbers,
    compare_partitions,
    near,
)

__all__ = ["fragment_graphs", "particle_graph", "whole_chain"]

Array = NDArray[Any]


def image(case: Case) -> Event:
    """The event with its voxels."""
    return Event({"data": Tensor(case.voxels.astype(np.int32), case.table[:, 4:5].astype(np.float32))})


def lists(case: Case, name: str) -> Ragged:
    """Lists of voxels of SPINE."""
    values, offsets = case.ragged(name)
    return Ragged(values.astype(np.int64), offsets.astype(np.int64))


def fragment_graphs(case: Case) -> Iterator[Finding]:
    """Graphs of the fragments of showers and of tracks, from SPINE's fragments and their ends."""
    for path in ("shower", "track"):
        prefix = f"{path}_fragment"
        network = case.golden.network(f"grappa_{path}")
        if not isinstance(network, GrapPA) or f"{prefix}_start_points" not in case:
            continue
        clusts = lists(case, f"{prefix}_clusts")
        shapes = case["fragment_shapes"][_places(clusts, lists(case, "fragment_clusts"))]
        yield from _graph(case, network, prefix, f"grappa_{path}", _clusters(case, clusts, shapes, prefix))


def _places(clusts: Ragged, among: Ragged) -> Array:
    """Which list of the second each list of the first is."""
    firsts = {int(rows.min()): number for number, rows in enumerate(among)}
    return np.array([firsts[int(rows.min())] for rows in clusts], dtype=np.int64)


def _clusters(case: Case, clusts: Ragged, shapes: Array, prefix: str) -> Clusters:
    ends = np.hstack([case[f"{prefix}_start_points"], case[f"{prefix}_end_points"]])
    return Clusters.select(case.voxels, case.table[:, 4], clusts, shapes, ends)


def particle_graph(case: Case) -> Iterator[Finding]:
    """Graph of the particles, from SPINE's particles and their ends."""
    network = case.golden.network("grappa_inter")
    if not isinstance(network, GrapPA) or "particle_start_points" not in case:
        return
    event = image(case)
    event["fragment_clusts"] = _narrow(lists(case, "fragment_clusts"))
    event["fragment_group_pred"] = case["fragment_group_pred"].astype(np.int64)
    event["particle_clusts"] = _narrow(lists(case, "particle_clusts"))
    clusters = _clusters(case, joined_clusters(event), case["particle_shapes"], "particle")
    yield from _graph(case, network, "particle", "grappa_inter", clusters)


def _narrow(lists: Ragged) -> Ragged:
    return Ragged(lists.values.astype(np.int32), lists.offsets)


def _graph(case: Case, network: GrapPA, prefix: str, name: str, clusters: Clusters) -> Iterator[Finding]:
    """Features, logits and groups of one graph."""
    result: GraphResult = aggregate(network, [clusters])[0]
    if f"{name}/node_features/0" in case:
        yield compare_numbers(f"{name}/node_features", result.graph.nodes, case[f"{name}/node_features/0"])
    here, there, single = by_coordinates(result.graph.index, case[f"{prefix}_edge_index"].T)
    if f"{name}/edge_features" in case:
        expected = case[f"{name}/edge_features"][there]
        yield compare_numbers(f"{name}/edge_features", result.graph.edges[here], expected, single)
    for product, found in result.predictions.items():
        if f"{prefix}_{product}" in case:
            expected = case[f"{prefix}_{product}"]
            rows = (here, there) if product.startswith("edge") else (slice(None), slice(None))
            yield compare_numbers(f"{prefix}_{product}", found[rows[0]], expected[rows[1]])
    if result.groups is not None and f"{prefix}_group_pred" in case:
        ties = undecided(case[f"{prefix}_edge_pred"])
        yield compare_partitions(f"{prefix}_group_pred", result.groups, case[f"{prefix}_group_pred"], ties)


def undecided(logits: Array) -> int:
    """Number of pairs of logits so close that the choice between them is open."""
    top = np.sort(logits, axis=1)[:, -2:]
    scale = ABSOLUTE + RELATIVE * np.abs(top).max(axis=1, initial=0.0)
    return int((top[:, 1] - top[:, 0] <= 2 * scale).sum())


def whole_chain(case: Case) -> Iterator[Finding]:
    """Particles and interactions of the whole chain, from the voxels on, with nothing of SPINE's in between."""
    if "particle_clusts/index" not in case:
        return
    event = image(case)
    _plan(case).run(event)
    ties = _open_choices(case)
    found, expected = _labels(case, event["particle_clusts"]), case.labels("particle_clusts")
    yield compare_partitions("chain: particles", found, expected, ties)
    here, there = _same_sets(found, expected)
    shapes = np.asarray(event["particle_shapes"])[here]
    none = np.zeros(len(here), dtype=np.bool_)
    yield compare_assignments("chain: particle_shapes", shapes, case["particle_shapes"][there], none)
    for task in ("type", "primary", "orient"):
        name = f"particle_node_{task}_pred"
        if name in case and name in event:
            yield compare_numbers(f"chain: {name}", np.asarray(event[name])[here], case[name][there])
    for end in ("start", "end"):
        name = f"particle_{end}_points"
        if name in case:
            yield compare_numbers(f"chain: {name}", np.asarray(event[name])[here], case[name][there])
    if "interaction_clusts/index" in case:
        numbers = np.append(event["particle_group_pred"], -1)[found]
        yield compare_partitions("chain: interactions", numbers, case.labels("interaction_clusts"), ties)


def _plan(case: Case) -> Plan:
    """The chain of the configuration, built once for a directory."""
    golden = case.golden
    if not golden.chain:
        stages: list[Mapping[str, Any]] = golden.modules["chain"]["stages"]
        networks = build_networks(golden.modules, str(golden.weights))
        made = [Stage(s["name"], s.get("provider", ""), s.get("config", {}), s.get("uses")) for s in stages]
        golden.chain.append(compose(made, networks))
    return golden.chain[0]


def _open_choices(case: Case) -> int:
    """Choices anywhere in the chain that the scores leave open."""
    count = sum(undecided(case[name]) for name in case.arrays if name.endswith("_edge_pred") and case[name].ndim == 2)
    if "segmentation" in case:
        count += undecided(case["segmentation"])
    spice = case.golden.modules.get("graph_spice")
    if spice is not None and "graph_spice_edge_prob" in case:
        count += int(near(case["graph_spice_edge_prob"], spice["constructor"]["edge_threshold"]).sum())
    return count


def _labels(case: Case, clusts: Ragged) -> Array:
    labels = np.full(len(case.table), -1, dtype=np.int64)
    labels[clusts.values] = clusts.rows
    return labels


def _same_sets(found: Array, expected: Array) -> tuple[Array, Array]:
    """Numbers of the sets that both labellings have."""
    pairs = np.unique(np.column_stack([found, expected]), axis=0)
    whole = (pairs >= 0).all(axis=1)
    for side in (0, 1):
        _, owner = np.unique(pairs[:, side], return_inverse=True)
        whole &= np.bincount(owner.ravel())[owner.ravel()] == 1
    return pairs[whole, 0], pairs[whole, 1]
