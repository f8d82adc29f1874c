"""What the parts of a stage find, and how it is put together into fragments and particles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spine.model.chain.provider import Result
from spine.ops.arrays import FloatArray, IntArray
from spine.schema import Event, Ragged, Shape

__all__ = ["LOGIT", "Fragments", "Groups", "combine_fragments", "combine_groups", "one_hot", "primary_voxels"]

LOGIT = 10.0
"""Score of what is known for certain; all other scores are 0, which makes its probability 0.9998 or more."""


@dataclass(frozen=True)
class Fragments:
    """Fragments that one mode found: rows of ``data`` and the semantic class of each."""

    clusts: Ragged
    shapes: IntArray


@dataclass(frozen=True)
class Groups:
    """Groups that one mode made of some fragments.

    Parameters
    ----------
    rows : (m,) int64
        Fragments that were grouped.
    ids : (m,) int64
        Group of each, any numbers.
    node_pred : (m, 2) float
        Scores of secondary and primary.
    start_points, end_points : (m, 3) float
        Ends of each fragment, in voxels.
    products : mapping
        Further products of the event.
    """

    rows: IntArray
    ids: IntArray
    node_pred: FloatArray
    start_points: FloatArray
    end_points: FloatArray
    products: Mapping[str, Any] = field(default_factory=dict)


def one_hot(values: IntArray, width: int) -> FloatArray:
    """(n, width) scores: `LOGIT` for the value of each row, 0 elsewhere and for values out of range."""
    scores = np.zeros((len(values), width))
    rows = np.flatnonzero((values >= 0) & (values < width))
    scores[rows, values[rows]] = LOGIT
    return scores


def combine_fragments(event: Event, parts: Sequence[Fragments]) -> Result:
    """Fragments of all parts, one part after the other."""
    del event
    clusts = Ragged.concat([part.clusts for part in parts])
    return {
        "fragment_clusts": Ragged(clusts.values.astype(np.int32), clusts.offsets),
        "fragment_shapes": np.concatenate([part.shapes for part in parts]).astype(np.int64),
    }


def combine_groups(event: Event, parts: Sequence[Groups]) -> Result:
    """Particles of the groups of all parts, and the columns of the fragments from which they were made.

    Particles come part by part, in the order of their group numbers. The primary of a particle is its fragment with
    the largest probability of being primary, the first among equals; it gives the particle its class. Fragments that
    no part grouped have group -1, and NaN elsewhere.
    """
    fragments: Ragged = event["fragment_clusts"]
    n = len(fragments)
    groups, offset = np.full(n, -1, dtype=np.int64), 0
    columns = {"node_pred": np.full((n, 2), np.nan, "f4")}
    columns |= {name: np.full((n, 3), np.nan, "f4") for name in ("start_points", "end_points")}
    products: dict[str, Any] = {}
    for part in parts:
        ids, groups[part.rows] = np.unique(part.ids, return_inverse=True)
        groups[part.rows] += offset
        offset += len(ids)
        for name, column in columns.items():
            column[part.rows] = getattr(part, name)
        products.update(part.products)
    products.update({f"fragment_{name}": column for name, column in columns.items()})
    primaries = _primaries(groups, columns["node_pred"], offset)
    return {
        **products,
        "fragment_group_pred": groups,
        "particle_clusts": _merged(fragments, groups, offset),
        "particle_shapes": np.asarray(event["fragment_shapes"], dtype=np.int64)[primaries],
        "particle_primaries": np.isin(np.arange(n), primaries).astype(np.int64),
    }


def _primaries(groups: IntArray, node_pred: FloatArray, count: int) -> IntArray:
    """(count,) fragment that is the primary of each group."""
    order = np.lexsort((np.arange(len(groups)), -_probability(node_pred), groups))
    order = order[groups[order] >= 0]
    first = np.searchsorted(groups[order], np.arange(count))
    primaries: IntArray = order[first]
    return primaries


def _probability(node_pred: FloatArray) -> NDArray[np.float32]:
    """(n,) probability of primary in single precision, as in SPINE: scores that are sure beyond that are equal."""
    scores = node_pred.astype(np.float32)
    top = scores.max(axis=1)
    scale = np.log(np.exp(scores - top[:, None]).sum(axis=1)) + top
    return np.asarray(np.exp(scores[:, 1] - scale), dtype=np.float32)


def _merged(fragments: Ragged, groups: IntArray, count: int) -> Ragged:
    """Voxels of each group, in rising order."""
    owners = groups[fragments.rows]
    kept = owners >= 0
    order = np.lexsort((fragments.values[kept], owners[kept]))
    lengths = np.bincount(owners[kept], minlength=count)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Ragged(fragments.values[kept][order].astype(np.int32), offsets)


def primary_voxels(event: Event) -> Ragged:
    """Voxels from which the ends of each particle are found: those of its primary fragment, all those of a track."""
    particles: Ragged = event["particle_clusts"]
    fragments: Ragged = event["fragment_clusts"]
    first = np.flatnonzero(event["particle_primaries"])
    rows = np.full(len(particles), -1, dtype=np.int64)
    rows[event["fragment_group_pred"][first]] = first
    whole = (event["particle_shapes"] == Shape.TRACK) | (rows < 0)
    both = Ragged.concat([particles, fragments])
    return both[np.where(whole, np.arange(len(particles)), rows + len(particles))]
