"""Agreement of reconstructed with true clusters, event by event."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Annotated, Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from spine.ana.clouds import lists_in_block, sizes_of
from spine.ana.objects import (
    OBJECT_PRODUCTS,
    ObjectKind,
    ObjectKinds,
    TimeWindow,
    creation_times,
    event_rows_of,
    inside,
    listed,
    objects_of,
)
from spine.ana.tables import EVENT_ROW
from spine.ops import metrics
from spine.schema import Block, Event, Ragged, Shape, Tensor, offsets_of
from spine.steps import Columns, StepConfig, step

__all__ = ["ClusterEvalConfig", "cluster_eval"]

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
MetricName = Literal["pur", "eff", "ari", "ami", "sbd"]
IndexMode = Literal["index", "index_adapt", "index_g4"]

METRICS: dict[str, Callable[[metrics.Contingency], float]] = {
    "pur": metrics.purity,
    "eff": metrics.efficiency,
    "ari": metrics.adjusted_rand_index,
    "ami": metrics.adjusted_mutual_information,
    "sbd": metrics.symmetric_best_dice,
}
LABELS: dict[str, str] = {"fragment": "cluster", "particle": "group", "interaction": "interaction"}
KINDS: dict[str, ObjectKind] = {
    "fragment": "fragment",
    "particle": "particle",
    "interaction": "interaction",
    "group": "particle",
}
PARTS: dict[str, str] = {"group": "fragment", "interaction": "particle"}
SHAPES = (Shape.SHOWER, Shape.TRACK, Shape.MICHEL, Shape.DELTA)


class ClusterEvalConfig(StepConfig):
    """What to compare, and how."""

    obj_type: ObjectKinds | None = Field(None, description="Levels to compare: fragment, particle, interaction")
    use_objects: bool = Field(False, description="Compare built objects instead of the output of the networks")
    per_object: bool = Field(True, description="Compare objects; if not, groups of the parts that a network joined")
    per_shape: bool = Field(True, description="Compare also the points of each true semantic class (not interactions)")
    metrics: Annotated[tuple[MetricName, ...], BeforeValidator(listed)] = Field(
        ("pur", "eff", "ari"), description="Purity, efficiency, adjusted Rand and mutual information, best Dice"
    )
    label_key: str = Field("clust_label_adapt", description="Product with the true clusters of each voxel")
    label_col: str | None = Field(None, description="Label to compare with, by default that of the level")
    truth_index_mode: IndexMode = Field("index_adapt", description="Points that make up a true object")
    time_window: TimeWindow | None = Field(None, description="True objects count if created in this range (ns)")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.per_object and not self.obj_type:
            raise ValueError("obj_type must say which levels to compare")
        if not self.per_object and (self.use_objects or self.label_col not in PARTS):
            raise ValueError(f"per_object: false needs a label_col among {sorted(PARTS)} and use_objects: false")
        return self

    @property
    def levels(self) -> tuple[str, ...]:
        """Name of each table."""
        return (self.label_col or "",) if not self.per_object else self.obj_type or ()


class Cells(NamedTuple):
    """Points with a true and a found cluster, counted by event, true cluster, true class and found cluster."""

    truth: IntArray
    shape: IntArray
    reco: IntArray
    counts: IntArray
    bounds: IntArray


class Partition(NamedTuple):
    """Clusters of the points of all events: labels and classes of points, numbers of clusters of events."""

    labels: IntArray
    shapes: IntArray
    counts: IntArray


def _tables(cfg: ClusterEvalConfig) -> tuple[str, ...]:
    return tuple(f"cluster_eval_{level}" for level in cfg.levels)


@step(
    reads=(*OBJECT_PRODUCTS, "points", "clust_label", "clust_label_adapt", "fragment_clusts", "particle_clusts"),
    per="block",
    tables=_tables,
)
def cluster_eval(block: Block, cfg: ClusterEvalConfig) -> dict[str, Columns]:
    """Compare the clusters of each event with the true ones, one row per event.

    Points without a true or found cluster do not count. The points of a semantic class are those of true clusters of
    that class, whatever class was found.

    Parameters
    ----------
    block : Block
        With ``points`` and objects on both sides (``use_objects``), or true cluster labels and network clusters.
    cfg : ClusterEvalConfig
        Options.

    Returns
    -------
    dict of str to columns
        ``cluster_eval_particle``, ...: ``num_points, num_truth, num_reco``, then for each metric, over all points and
        for each class (``pur``, ``pur_0``, ...), its value, whether it is defined, and how many points had a true
        cluster, a found cluster, and both.
    """
    return {f"cluster_eval_{level}": _rows(block, cfg, level) for level in cfg.levels}


def _rows(block: Block, cfg: ClusterEvalConfig, level: str) -> Columns:
    truth, reco, sizes = _partitions(block, cfg, level)
    bounds = offsets_of(sizes)
    out: dict[str, NDArray[Any]] = {EVENT_ROW: np.arange(len(block), dtype=np.int64)}
    out |= {"num_points": sizes, "num_truth": truth.counts, "num_reco": reco.counts}
    known, found = truth.labels > -1, reco.labels > -1
    cells = _cells(truth, reco, bounds)
    for shape in (None, *(SHAPES if cfg.per_shape and level != "interaction" else ())):
        chosen = np.ones(len(known), dtype=np.bool_) if shape is None else truth.shapes == shape
        mine = reco.shapes == shape if cfg.per_object and shape is not None else chosen
        masks = {"truth": known & chosen, "reco": found & mine, "comparable": known & found & chosen}
        supports = {f"_num_{name}_points": _per_event(mask, bounds) for name, mask in masks.items()}
        suffix = "" if shape is None else f"_{int(shape)}"
        for name, values in _metrics(cells, shape, cfg.metrics).items():
            valid = np.isfinite(values).astype(np.int64)
            tails = {"": values, "_valid": valid} | supports
            out |= {f"{name}{suffix}{tail}": column for tail, column in tails.items()}
    return out


def _cells(truth: Partition, reco: Partition, bounds: IntArray) -> Cells:
    both = np.flatnonzero((truth.labels > -1) & (reco.labels > -1))
    events = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))[both]
    parts = [events, truth.labels[both], truth.shapes[both] + 1, reco.labels[both]]
    widths = [int(part.max(initial=0)) + 1 for part in parts]
    keys, counts = np.unique(np.ravel_multi_index(parts, widths), return_counts=True)
    event, label, shape, found = np.unravel_index(keys, widths)
    per_event = np.bincount(event, minlength=len(bounds) - 1)
    return Cells(label, shape - 1, found, counts.astype(np.int64), offsets_of(per_event))


def _metrics(cells: Cells, shape: Shape | None, names: tuple[MetricName, ...]) -> dict[str, NDArray[np.float64]]:
    """(events,) value of each metric over the points of a true class (of any for None), NaN where undefined."""
    values: dict[str, NDArray[np.float64]] = {name: np.full(len(cells.bounds) - 1, np.nan) for name in names}
    for i, (a, b) in enumerate(pairwise(cells.bounds)):
        chosen = slice(a, b) if shape is None else np.flatnonzero(cells.shape[a:b] == shape) + a
        if len(cells.truth[chosen]):
            table = _contingency(cells.truth[chosen], cells.reco[chosen], cells.counts[chosen])
            for name in names:
                values[name][i] = METRICS[name](table)
    return values


def _contingency(truth: IntArray, reco: IntArray, counts: IntArray) -> metrics.Contingency:
    """Counts of true against found clusters, added up over classes."""
    _, truth = np.unique(truth, return_inverse=True)
    _, reco = np.unique(reco, return_inverse=True)
    cells, place = np.unique(truth * (reco.max() + 1) + reco, return_inverse=True)
    rows, columns = np.divmod(cells, reco.max() + 1)
    return metrics.Contingency(rows, columns, *(_added(index, counts) for index in (place, truth, reco)))


def _added(index: IntArray, counts: IntArray) -> IntArray:
    return np.bincount(index, weights=counts).astype(np.int64)


def _per_event(mask: BoolArray, bounds: IntArray) -> IntArray:
    total = offsets_of(mask)
    return total[bounds[1:]] - total[bounds[:-1]]


def _partitions(block: Block, cfg: ClusterEvalConfig, level: str) -> tuple[Partition, Partition, IntArray]:
    if cfg.use_objects:
        sizes = sizes_of(block, "points")
        truth, reco = (_of_objects(block, f"{side}_{level}s", sizes, cfg) for side in ("truth", "reco"))
    else:
        sizes = sizes_of(block, cfg.label_key)
        truth, reco = _of_labels(block, cfg, level), _of_clusters(block, cfg, level, sizes)
    if cfg.time_window is not None:
        truth = _in_time(block, cfg, level, truth, sizes)
    return truth, reco, sizes


def _of_objects(block: Block, name: str, sizes: IntArray, cfg: ClusterEvalConfig) -> Partition:
    """Clusters from the point lists of objects; later objects take the points that they share."""
    objects, events = objects_of(block, name), event_rows_of(block, name)
    mode = cfg.truth_index_mode if name.startswith("truth") else "index"
    rows: Ragged = objects[mode]
    points = lists_in_block(rows, events, sizes, name).values
    labels = np.full(sizes.sum(), -1, dtype=np.int64)
    shapes = np.full(sizes.sum(), Shape.LOWE, dtype=np.int64)
    labels[points] = rows.rows
    if "shape" in objects.record.columns:
        shapes[points] = objects["shape"][rows.rows]
    return Partition(labels, shapes, np.bincount(events, minlength=len(block)))


def _of_labels(block: Block, cfg: ClusterEvalConfig, level: str) -> Partition:
    column = cfg.label_col or LABELS[level]
    tensors: list[Tensor] = [event[cfg.label_key] for event in block]
    labels = [_label(tensor, column) for tensor in tensors]
    shapes = [_label(tensor, "shape") for tensor in tensors]
    counts = np.array([len(np.unique(values[values > -1])) for values in labels], dtype=np.int64)
    return Partition(_joined(labels), _joined(shapes), counts)


def _label(tensor: Tensor, column: str) -> IntArray:
    values = tensor.feature(column) if column in tensor.names else tensor.label(column)
    return np.asarray(values).astype(np.int64)


def _joined(parts: list[IntArray]) -> IntArray:
    return np.concatenate([np.empty(0, dtype=np.int64), *parts])


def _of_clusters(block: Block, cfg: ClusterEvalConfig, level: str, sizes: IntArray) -> Partition:
    labels, shapes, counts = [], [], []
    for event, size in zip(block, sizes, strict=True):
        clusters, names, classes = _clusters(event, cfg, level)
        points = clusters.values.astype(np.int64)
        label, shape = np.full(size, -1, dtype=np.int64), np.full(size, Shape.LOWE, dtype=np.int64)
        label[points] = names[clusters.rows]
        shape[points] = classes[clusters.rows]
        labels.append(label)
        shapes.append(shape)
        counts.append(len(clusters) if not cfg.per_object else len(np.unique(names)))
    return Partition(_joined(labels), _joined(shapes), np.array(counts, dtype=np.int64))


def _clusters(event: Event, cfg: ClusterEvalConfig, level: str) -> tuple[Ragged, IntArray, IntArray]:
    """Lists of points, the name of the cluster and the class of each list."""
    joined = level == "interaction" or not cfg.per_object
    part = PARTS[level] if joined else level
    clusters: Ragged = event[f"{part}_clusts"]
    names = event[f"{part}_group_pred"] if joined else np.arange(len(clusters))
    classes = event.get(f"{part}_shapes", np.full(len(clusters), Shape.LOWE))
    return clusters, np.asarray(names, dtype=np.int64), np.asarray(classes, dtype=np.int64)


def _in_time(block: Block, cfg: ClusterEvalConfig, level: str, truth: Partition, sizes: IntArray) -> Partition:
    """Drop the labels of points that no true object of the time window has."""
    kind = KINDS[level]
    name = f"truth_{kind}s"
    timely = inside(creation_times(block, kind), cfg.time_window)
    rows: Ragged = objects_of(block, name)[cfg.truth_index_mode][timely]
    kept = np.zeros(len(truth.labels), dtype=np.bool_)
    kept[lists_in_block(rows, event_rows_of(block, name)[timely], sizes, name).values] = True
    labels = np.where(kept, truth.labels, -1)
    return Partition(labels, truth.shapes, np.array(list(_distinct(labels, offsets_of(sizes))), dtype=np.int64))


def _distinct(labels: IntArray, bounds: IntArray) -> Iterator[int]:
    for a, b in pairwise(bounds):
        values = labels[a:b]
        yield len(np.unique(values[values > -1]))
