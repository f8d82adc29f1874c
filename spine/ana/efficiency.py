"""How well each true object is found, beside what its finding may depend on."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from spine.ana.clouds import lists_in_block, sizes_of
from spine.ana.objects import (
    OBJECT_PRODUCTS,
    ObjectKind,
    ObjectKinds,
    TimeWindow,
    best_match_rows,
    creation_times,
    event_rows_of,
    flat_columns,
    inside,
    joined_columns,
    objects_of,
)
from spine.ana.tables import EVENT_ROW
from spine.schema import Block, Ragged
from spine.steps import Columns, StepConfig, step

__all__ = ["EfficiencyConfig", "efficiency"]

Array = NDArray[Any]
IntArray = NDArray[np.int64]

TRUE_COLUMNS: dict[ObjectKind, tuple[str, ...]] = {
    "fragment": ("id", "particle_id", "interaction_id", "shape", "pid", "is_primary", "is_contained", "length", "size"),
    "particle": (
        "id", "interaction_id", "shape", "pid", "pdg_code", "is_primary", "is_contained", "ke", "energy_init",
        "length", "size",
    ),
    "interaction": (
        "id", "nu_id", "current_type", "energy_init", "is_contained", "is_fiducial", "num_particles",
        "num_primary_particles", "topology", "size",
    ),
}  # fmt: skip
FOUND_COLUMNS: dict[ObjectKind, tuple[str, ...]] = {
    "fragment": ("id", "shape", "is_primary", "is_contained", "length", "size"),
    "particle": ("id", "shape", "pid", "is_primary", "is_contained", "ke", "length", "size"),
    "interaction": ("id", "is_contained", "is_fiducial", "topology", "size"),
}


class EfficiencyConfig(StepConfig):
    """Which objects to look for, and when they count as found."""

    obj_type: ObjectKinds = Field(("particle", "interaction"), description="Kinds of objects")
    truth_index_mode: Literal["index", "index_adapt"] = Field("index", description="Points that make up a true object")
    min_overlap: float = Field(0.0, ge=0, le=1, description="A match counts from this overlap")
    min_purity: float = Field(0.0, ge=0, le=1, description="A match counts from this share of its points being right")
    min_efficiency: float = Field(0.0, ge=0, le=1, description="A match counts from this share of true points found")
    time_window: TimeWindow | None = Field(None, description="True objects count if created in this range (ns)")
    axis: Literal["x", "y", "z"] = Field("z", description="Axis to which the angle of the true direction is taken")


@step(
    reads=(*OBJECT_PRODUCTS, "points"),
    per="block",
    tables=lambda cfg: tuple(f"efficiency_{kind}" for kind in cfg.obj_type),
)
def efficiency(block: Block, cfg: EfficiencyConfig) -> dict[str, Columns]:
    """Write one row per true object: what it is, and how its best match agrees with it.

    Parameters
    ----------
    block : Block
        With ``points`` and matched objects on both sides.
    cfg : EfficiencyConfig
        Options.

    Returns
    -------
    dict of str to columns
        ``efficiency_particle``, ...: ``truth_*`` columns and ``truth_cos`` (cosine of the direction at creation to the
        axis, NaN for interactions); ``is_matched``; ``match_overlap``; ``purity``, the share of the match's points that
        are of the true object, and ``efficiency``, the share of its points which the match has (NaN without a match);
        ``reco_*`` columns of the match, whatever its quality; for interactions ``vertex_distance`` (cm).
    """
    return {f"efficiency_{kind}": _rows(block, cfg, kind) for kind in cfg.obj_type}


def _rows(block: Block, cfg: EfficiencyConfig, kind: ObjectKind) -> Columns:
    name, other = f"truth_{kind}s", f"reco_{kind}s"
    truth, reco = objects_of(block, name), objects_of(block, other)
    match = best_match_rows(block, name, other)
    own = {f"truth_{column}": v for column, v in flat_columns(truth, TRUE_COLUMNS[kind]).items()}
    own["truth_cos"] = _cosine(
        truth["start_dir"] if kind != "interaction" else np.full((len(truth), 3), np.nan), cfg.axis
    )
    theirs = {f"reco_{column}": v for column, v in joined_columns(reco, match, FOUND_COLUMNS[kind]).items()}
    quality = _quality(block, cfg, kind, match)
    if kind == "interaction":
        quality["vertex_distance"] = _vertex_distance(truth["vertex"], reco["vertex"], match)
    chosen = inside(creation_times(block, kind), cfg.time_window)
    rows = {EVENT_ROW: event_rows_of(block, name)} | own | quality | theirs
    return {column: values[chosen] for column, values in rows.items()}


def _cosine(directions: Array, axis: str) -> NDArray[np.float64]:
    return directions[:, "xyz".index(axis)].astype(np.float64)


def _quality(block: Block, cfg: EfficiencyConfig, kind: ObjectKind, match: IntArray) -> dict[str, Array]:
    shared, true_sizes, found_sizes = _shared(block, cfg, kind, match)
    purity, share = _ratio(shared, found_sizes), _ratio(shared, true_sizes)
    overlap = objects_of(block, f"truth_{kind}s")["best_match_overlap"]
    good = (match >= 0) & (overlap >= cfg.min_overlap)
    for values, least in ((purity, cfg.min_purity), (share, cfg.min_efficiency)):
        good &= (values >= least) if least > 0 else True
    return {"is_matched": good, "match_overlap": overlap, "purity": purity, "efficiency": share}


def _ratio(part: IntArray, whole: IntArray) -> NDArray[np.float64]:
    share: NDArray[np.float64] = np.full(len(part), np.nan)
    return np.divide(part, whole, out=share, where=whole > 0)


def _shared(
    block: Block, cfg: EfficiencyConfig, kind: ObjectKind, match: IntArray
) -> tuple[IntArray, IntArray, IntArray]:
    """(n,) points shared by each true object and its match, points of the one and of the other; 0 without a match."""
    sizes = sizes_of(block, "points")
    truth = _lists(block, f"truth_{kind}s", cfg.truth_index_mode, sizes)
    reco = _lists(block, f"reco_{kind}s", "index", sizes)
    width = int(sizes.sum())
    owners = match[truth.rows]
    hit = (owners >= 0) & np.isin(owners * width + truth.values, reco.rows * width + reco.values)
    shared = np.bincount(truth.rows[hit], minlength=len(truth))
    matched = match >= 0
    found = np.append(reco.lengths, 0)[match]
    return shared, np.where(matched, truth.lengths, 0), found


def _lists(block: Block, name: str, index: str, sizes: IntArray) -> Ragged:
    return lists_in_block(objects_of(block, name)[index], event_rows_of(block, name), sizes, name)


def _vertex_distance(truth: Array, reco: Array, match: IntArray) -> NDArray[np.float64]:
    found = np.vstack([reco, np.full((1, 3), np.nan)])[match].astype(np.float64)
    return np.asarray(np.linalg.norm(found - truth, axis=1))
