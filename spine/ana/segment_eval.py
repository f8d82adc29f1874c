"""Agreement of reconstructed with true semantic classes, by event or by voxel."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from scipy.special import softmax

from spine.ana.tables import EVENT_ROW
from spine.errors import DataError
from spine.schema import Block, Event, Ragged, Shape, Tensor
from spine.steps import Columns, StepConfig, step

__all__ = ["SegmentEvalConfig", "segment_eval"]

IntArray = NDArray[np.int64]


class SegmentEvalConfig(StepConfig):
    """What to compare, and how finely."""

    summary: bool = Field(True, description="One row of counts per event; if not, one row per voxel with its scores")
    num_classes: int = Field(5, ge=1, description="Number of classes, ghosts not included")
    ghost: bool = Field(False, description="Count ghost points as a class")
    use_fragments: bool = Field(False, description="Take classes from built fragments")
    use_particles: bool = Field(False, description="Take classes from built particles")
    label_key: str = Field("seg_label", description="Product with the true classes")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.use_fragments and self.use_particles:
            raise ValueError("choose use_fragments or use_particles")
        if self.objects and (self.ghost or not self.summary):
            raise ValueError("objects have neither scores nor ghosts: needs summary: true and ghost: false")
        return self

    @property
    def objects(self) -> str:
        """Kind of objects from which classes are taken, empty for voxels."""
        return "fragments" if self.use_fragments else "particles" if self.use_particles else ""

    @property
    def classes(self) -> int:
        """Number of classes, ghosts included."""
        return self.num_classes + self.ghost


def _tables(cfg: SegmentEvalConfig) -> tuple[str, ...]:
    return ("segment_eval_summary" if cfg.summary else "segment_eval_pixel",)


@step(
    reads=("seg_label", "segmentation", "ghost", "points", "reco_fragments", "truth_fragments"),
    per="block",
    tables=_tables,
)
def segment_eval(block: Block, cfg: SegmentEvalConfig) -> dict[str, Columns]:
    """Count how often each class is found as each class.

    Parameters
    ----------
    block : Block
        With true classes and ``segmentation`` scores (or ``seg_pred`` where no scores are kept), or built objects.
    cfg : SegmentEvalConfig
        Options.

    Returns
    -------
    dict of str to columns
        ``segment_eval_summary``: ``count_ij``, voxels found as class i whose true class is j; or
        ``segment_eval_pixel``: ``label, pred, score_i`` of each voxel. Voxels of other classes are not counted.
    """
    if cfg.summary:
        return {"segment_eval_summary": _summary(block, cfg)}
    return {"segment_eval_pixel": _pixels(block, cfg)}


def _summary(block: Block, cfg: SegmentEvalConfig) -> Columns:
    width = cfg.classes
    counts = np.zeros((len(block), width, width), dtype=np.int64)
    for i, event in enumerate(block):
        label, pred = _from_objects(event, cfg) if cfg.objects else _from_voxels(event, cfg)
        known = (label >= 0) & (label < width) & (pred >= 0) & (pred < width)
        counts[i] = np.bincount(pred[known] * width + label[known], minlength=width**2).reshape(width, width)
    names = {f"count_{i}{j}": counts[:, i, j] for i in range(width) for j in range(width)}
    return {EVENT_ROW: np.arange(len(block), dtype=np.int64), **names}


def _from_voxels(event: Event, cfg: SegmentEvalConfig) -> tuple[IntArray, IntArray]:
    """(n,) true and found class of each voxel."""
    tensor: Tensor = event[cfg.label_key]
    label = tensor.feature("value").astype(np.int64)
    found = event["seg_pred"] if "segmentation" not in event else np.argmax(event["segmentation"], axis=1)
    pred = np.full(len(label), Shape.GHOST, dtype=np.int64)
    kept = _deghosted(event, cfg, len(label))
    if int(kept.sum()) != len(found):
        raise DataError(
            "true and found classes are not of the same voxels", where=event.label, got=len(found), expected=kept.sum()
        )
    pred[kept] = found
    return label, pred


def _deghosted(event: Event, cfg: SegmentEvalConfig, size: int) -> NDArray[np.bool_]:
    """(n,) voxels that are not ghosts, which are those with class scores."""
    if not cfg.ghost:
        return np.ones(size, dtype=np.bool_)
    return np.asarray(np.argmax(event["ghost"], axis=1) == 0)


def _from_objects(event: Event, cfg: SegmentEvalConfig) -> tuple[IntArray, IntArray]:
    """(n,) true and found class of each point, low-energy where it is in no object."""
    out = []
    for side in ("truth", "reco"):
        objects = event.table(f"{side}_{cfg.objects}")
        rows: Ragged = objects["index"]
        if side == "truth" and (rows.lengths == 0).any():
            raise DataError(
                "true objects without points: the labels were adapted to the prediction",
                where=event.label,
                mend="compare voxels instead: use_fragments and use_particles false",
            )
        shapes = np.full(len(event["points"]), Shape.LOWE, dtype=np.int64)
        shapes[rows.values] = objects["shape"][rows.rows]
        out.append(shapes)
    return out[0], out[1]


def _pixels(block: Block, cfg: SegmentEvalConfig) -> Columns:
    parts = [(*_from_voxels(event, cfg), _scores(event, cfg)) for event in block]
    empty = np.empty(0, dtype=np.int64)
    label = np.concatenate([empty, *(part[0] for part in parts)])
    pred = np.concatenate([empty, *(part[1] for part in parts)])
    scores = np.concatenate([np.empty((0, cfg.classes), dtype=np.float32), *(part[2] for part in parts)])
    rows = np.repeat(np.arange(len(block), dtype=np.int64), [len(part[0]) for part in parts] or 0)
    columns: dict[str, NDArray[Any]] = {EVENT_ROW: rows, "label": label, "pred": pred}
    return columns | {f"score_{i}": scores[:, i] for i in range(cfg.classes)}


def _scores(event: Event, cfg: SegmentEvalConfig) -> NDArray[np.float32]:
    """(n, classes) probabilities; a ghost shares its rest evenly among the other classes."""
    found = softmax(event["segmentation"].astype(np.float32), axis=1)
    if not cfg.ghost:
        return np.asarray(found)
    real = softmax(event["ghost"].astype(np.float32), axis=1)
    scores = np.repeat(real[:, :1] / cfg.num_classes, cfg.classes, axis=1)
    scores[:, -1] = real[:, 1]
    scores[_deghosted(event, cfg, len(scores)), :-1] = found
    return np.asarray(scores)
