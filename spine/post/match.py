"""Matches between reconstructed and true objects."""

from __future__ import annotations

from typing import Any, ClassVar, Final, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from spine.errors import DataError
from spine.ops.arrays import FloatArray, IntArray
from spine.ops.matching import Matches, chamfer_distances, match_both_ways, overlap_matrix
from spine.post.objects import Kind, Objects, PointMode, columns, kinds, objects_of
from spine.schema import Event, Ragged, Table
from spine.steps import StepConfig, step

__all__ = ["MatchConfig", "Matcher", "match", "purity_and_efficiency"]

LEVELS: Final[tuple[Kind, ...]] = ("fragment", "particle", "interaction")


MatchMode = Literal["reco_to_truth", "truth_to_reco", "both", "all"]
OverlapMode = Literal["count", "iou", "dice", "chamfer"]


class Matcher(BaseModel):
    """How objects of one kind are matched."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    match_mode: MatchMode = Field("both", description="Sides that get matches: reco_to_truth, truth_to_reco or both")
    overlap_mode: OverlapMode = Field(
        "iou", description="Common points, their share in the union, Dice coefficient, or Chamfer distance (cm)"
    )
    min_overlap: float = Field(
        0.0, ge=0.0, description="Overlaps must exceed it; for chamfer the largest distance (cm), 0 for any"
    )
    weight_overlap: bool = Field(False, description="Favour pairs of large objects of like size (iou and dice only)")
    ghost: bool = Field(False, description="The two sides index different images, one with ghost points")
    use_orig_index: bool = Field(True, description="With ghost points, compare rows of the input image, not voxels")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.weight_overlap and self.overlap_mode not in ("iou", "dice"):
            raise ValueError("only the overlaps iou and dice can be weighted")
        return self


class MatchConfig(StepConfig):
    """Options of match: those of `Matcher` for all kinds, or per kind."""

    fragment: bool | dict[str, Any] = Field(False, description="Match fragments; a mapping sets options for them")
    particle: bool | dict[str, Any] = Field(False, description="Match particles; a mapping sets options for them")
    interaction: bool | dict[str, Any] = Field(False, description="Match interactions, with options for them")
    truth_point_mode: PointMode = Field("points", description="Points that make up true objects")
    match_mode: MatchMode = Field("both", description="Sides that get matches: reco_to_truth, truth_to_reco or both")
    overlap_mode: OverlapMode = Field(
        "iou", description="Common points, their share in the union, Dice coefficient, or Chamfer distance (cm)"
    )
    min_overlap: float = Field(
        0.0, ge=0.0, description="Overlaps must exceed it; for chamfer the largest distance (cm), 0 for any"
    )
    weight_overlap: bool = Field(False, description="Favour pairs of large objects of like size (iou and dice only)")
    ghost: bool = Field(False, description="The two sides index different images, one with ghost points")
    use_orig_index: bool = Field(True, description="With ghost points, compare rows of the input image, not voxels")

    blocks: ClassVar[dict[str, type[BaseModel]]] = dict.fromkeys(LEVELS, Matcher)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.matchers():
            raise ValueError("one of fragment, particle and interaction must be true")
        return self

    def matchers(self) -> dict[Kind, Matcher]:
        """Options for each kind that is matched."""
        shared = {name: getattr(self, name) for name in Matcher.model_fields}
        chosen = {"fragment": self.fragment, "particle": self.particle, "interaction": self.interaction}
        return {
            kind: Matcher.model_validate(shared | (own if isinstance(own, dict) else {}))
            for kind in LEVELS
            if (own := chosen[kind]) is not False
        }


@step(
    reads=(
        "points", "points_label", "points_g4", "meta",
        *columns(kinds(*LEVELS), "index", "orig_index"),
        *columns(("truth_fragments", "truth_particles", "truth_interactions"), "index_adapt", "index_g4"),
    ),
    writes=(
        *columns(kinds(*LEVELS), "is_matched", "match_ids", "match_overlaps"),
        *(f"{kind}_matches_{way}{what}" for kind in LEVELS for way in ("r2t", "t2r") for what in ("", "_overlap")),
    ),
)  # fmt: skip
def match(event: Event, cfg: MatchConfig) -> None:
    """Compare every reconstructed object with every true one of its kind; all partners are kept, best first.

    Parameters
    ----------
    event : Event
        Fills is_matched, match_ids, match_overlaps, and the products KIND_matches_{r2t,t2r} (pairs of object and
        best partner, -1 for none) and KIND_matches_{r2t,t2r}_overlap (-1 for none).
    cfg : MatchConfig
    """
    for kind, matcher in cfg.matchers().items():
        reco, truth = objects_of(event, (kind,), "both", cfg.truth_point_mode, in_cm=False)
        if matcher.overlap_mode == "chamfer":
            limit = matcher.min_overlap or np.inf
            forward, backward = match_both_ways(_distances(reco, truth), limit, minimize=True)
        else:
            forward, backward = match_both_ways(_overlaps(reco, truth, matcher), matcher.min_overlap)
        if matcher.match_mode != "truth_to_reco":
            _fill(reco, forward, "r2t")
        if matcher.match_mode != "reco_to_truth":
            _fill(truth, backward, "t2r")


def _distances(reco: Objects, truth: Objects) -> FloatArray:
    first, second = reco.points(), truth.points()
    return chamfer_distances(first.values, first.offsets, second.values, second.offsets)


def _overlaps(reco: Objects, truth: Objects, matcher: Matcher) -> FloatArray:
    first, second = _comparable(reco, truth, matcher)
    mode = matcher.overlap_mode
    return overlap_matrix(
        first.values,
        first.offsets,
        second.values,
        second.offsets,
        mode,  # type: ignore[arg-type]
        matcher.weight_overlap,
    )


def _comparable(reco: Objects, truth: Objects, matcher: Matcher) -> tuple[Ragged, Ragged]:
    """Numbers that mean the same point on both sides."""
    if truth.mode != "points_g4" and (not matcher.ghost or truth.mode == "points_adapt"):
        return reco.index, truth.index
    if truth.mode == "points_g4" or not matcher.use_orig_index:
        return _voxels(reco), _voxels(truth)
    for objects in (reco, truth):
        if (objects.table["orig_index"].lengths != objects.table["index"].lengths).any():
            raise DataError(
                f"{objects.side} {objects.kind}s do not know their rows in the input image",
                where=objects.event.label,
                mend="set post.match.use_orig_index: false to compare voxels instead",
            )
    return reco.table["orig_index"], truth.table["orig_index"]


def _voxels(objects: Objects) -> Ragged:
    """Row-major number of the voxel of each point."""
    meta, points = objects.event["meta"], objects.points()
    units = objects.table["units"]
    coords = points.values.astype(np.float64)
    if len(units) and units[0] == "cm":
        coords = np.floor((coords - meta.lower) / meta.size)
    count = meta.count.astype(np.int64)
    voxels = coords.astype(np.int64) @ np.array([count[1] * count[2], count[2], 1])
    return Ragged(voxels, points.offsets)


def _fill(objects: Objects, matches: Matches, way: str) -> None:
    table = objects.table
    table["is_matched"] = matches.best >= 0
    table["match_ids"] = Ragged(matches.ids, matches.offsets)
    table["match_overlaps"] = Ragged(matches.overlaps, matches.offsets)
    name = f"{objects.kind}_matches_{way}"
    objects.event[name] = np.column_stack([np.arange(len(table)), matches.best]).astype(np.int64)
    overlaps = np.where(matches.best >= 0, matches.best_overlap, -1.0)
    objects.event[f"{name}_overlap"] = overlaps.astype(np.float32)


def purity_and_efficiency(source: Table, target: Table, columns: tuple[str, str] = ("index", "index")) -> FloatArray:
    """Quality of the best match of each object.

    Parameters
    ----------
    source : Table
        Objects with matches.
    target : Table
        Objects of the other side, to which match_ids points.
    columns : pair of str
        Columns with the points of either.

    Returns
    -------
    (n, 2) float64
        Share of the common points in the object (its purity, when it is reconstructed) and in its partner (its
        efficiency); NaN without a match.
    """
    best = source["best_match_id"]
    own: Ragged = source[columns[0]]
    other: Ragged = target[columns[1]]
    common = _common(own, other, best)
    sizes = np.append(other.lengths, 0)[best]
    result = np.full((len(source), 2), np.nan)
    has = (best >= 0) & (own.lengths > 0) & (sizes > 0)
    result[has] = common[has, None] / np.column_stack([own.lengths, sizes])[has]
    return result


def _common(own: Ragged, other: Ragged, partner: IntArray) -> IntArray:
    """(n,) points that each object shares with its partner (-1 for none)."""
    width = 1 + max(own.values.max(initial=-1), other.values.max(initial=-1))
    mine = partner[own.rows] * width + own.values
    theirs = other.rows * width + other.values
    shared = (partner[own.rows] >= 0) & np.isin(mine, theirs)
    return np.bincount(own.rows[shared], minlength=len(own))
