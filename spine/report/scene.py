"""What the display shows of an event: points and objects of both sides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from spine.errors import DataError
from spine.report.content import Json
from spine.schema import Event, Table

__all__ = ["Cloud", "Scene", "scene_of"]

F8 = NDArray[np.float64]
I8 = NDArray[np.int64]

POINTS: Final = {"reco": ("", "seg_pred"), "truth": ("_label", "seg_label")}
"""Ending of the names of the points of each side, and the product with the class of each of them."""

UNIT: Final = {"lower": np.zeros(3), "upper": np.ones(3), "size": np.ones(3)}
"""Frame of an event that has neither an image frame nor points."""


@dataclass(frozen=True)
class Cloud:
    """Points of one side and the objects they belong to.

    Parameters
    ----------
    points : (n, 3) float64
        Positions in cm.
    charge : (n,) float64
        Depositions in MeV.
    particle : (n,) int64
        Row of the particle, -1 for none.
    shape : (n,) int64
        Class of the points that are in no particle, -1 where it is not known.
    particles, interactions : mapping of str to list
        Columns of the objects; missing numbers are None.
    """

    points: F8
    charge: F8
    particle: I8
    shape: I8
    particles: Mapping[str, Json]
    interactions: Mapping[str, Json]


@dataclass(frozen=True)
class Scene:
    """An event to be drawn.

    Parameters
    ----------
    header : mapping
        Numbers that identify it.
    clouds : dict of str to Cloud
        Points of each side that the event has.
    lower, upper, voxel : (3,) float64
        Corners of the image frame and size of a voxel, in cm.
    """

    header: Mapping[str, Json]
    clouds: dict[str, Cloud]
    lower: F8
    upper: F8
    voxel: F8


def scene_of(event: Event, header: Mapping[str, Json]) -> Scene:
    """Points and objects of an event.

    Parameters
    ----------
    event : Event
        With the products of build; without true particles only the found side is shown.
    header : mapping
        Numbers that identify it.

    Raises
    ------
    DataError
        When the event has no points, or particles refer to points which it does not have.
    """
    if "points" not in event:
        raise DataError(
            "the event has no points to draw", where=event.label, mend="give the output of build or of a later stage"
        )
    clouds = {side: _cloud(event, side) for side in POINTS if side == "reco" or "truth_particles" in event}
    lower, upper, size = _frame(event, clouds)
    return Scene(header, clouds, lower, upper, size)


def _frame(event: Event, clouds: dict[str, Cloud]) -> tuple[F8, F8, F8]:
    """Corners of the image and size of a voxel; what holds the points where the event does not tell."""
    meta = event.get("meta")
    if meta is not None:
        lower, upper, size = (np.asarray(getattr(meta, name), dtype=np.float64) for name in UNIT)
        return lower, upper, size
    points = np.concatenate([cloud.points for cloud in clouds.values()])
    if not len(points):
        return UNIT["lower"], UNIT["upper"], UNIT["size"]
    return points.min(axis=0), points.max(axis=0), np.ones(3)


def _cloud(event: Event, side: str) -> Cloud:
    ending, classes = POINTS[side]
    adapted = ending != "" and f"points{ending}" not in event
    ending = "" if adapted else ending
    points = np.asarray(event[f"points{ending}"], dtype=np.float64).reshape(-1, 3)
    charge = np.asarray(event.get(f"depositions{ending}", np.full(len(points), np.nan)), dtype=np.float64)
    particles = event.get(f"{side}_particles")
    owner = _owners(event, particles, "index_adapt" if adapted else "index", len(points))
    shape = np.where(owner < 0, _classes(event, classes, len(points)), -1)
    interactions = event.get(f"{side}_interactions")
    return Cloud(points, charge, owner, shape, _particle_columns(particles), _interaction_columns(interactions))


def _owners(event: Event, particles: Table | None, index: str, n: int) -> I8:
    """(n,) row of the particle of each point; the last one where several share it."""
    owner = np.full(n, -1, dtype=np.int64)
    if particles is None or not len(particles):
        return owner
    rows = particles[index]
    if len(rows.values) and (rows.values.min() < 0 or rows.values.max() >= n):
        raise DataError(
            "particles refer to points which the event does not have", where=event.label,
            got=int(rows.values.max()), expected=f"0 to {n - 1}", mend="make the file again",
        )  # fmt: skip
    owner[rows.values] = rows.rows
    return owner


def _classes(event: Event, name: str, n: int) -> I8:
    """(n,) class of each point, -1 where the event does not tell it point by point."""
    value = event.get(name)
    values = value.feature("value") if hasattr(value, "feature") else value
    if values is None or len(values) != n:
        return np.full(n, -1, dtype=np.int64)
    return np.asarray(values, dtype=np.int64)


def _first(table: Table, *names: str) -> NDArray[Any]:
    """The first of some columns that the table declares and that has a value for each row, row by row."""
    known = [np.asarray(table[name]) for name in names if name in table.record.columns]
    out = known[0].astype(np.float64)
    for other in known[1:]:
        out = np.where(np.isfinite(out), out, other)
    return out


def _numbers(values: NDArray[Any]) -> Json:
    """Values as JSON: integers as they are, others with five digits, None for missing ones."""
    if values.ndim > 1:
        return [_numbers(row) for row in values]
    if values.dtype.kind in "iub":
        return [int(v) for v in values]
    return [float(f"{v:.5g}") if np.isfinite(v) else None for v in values]


def _particle_columns(particles: Table | None) -> dict[str, Json]:
    if particles is None:
        return {}
    plain = ("id", "shape", "pid", "interaction_id", "is_primary", "is_contained", "size")
    columns = {name: np.asarray(particles[name]) for name in plain}
    columns["ke"] = _first(particles, "ke", "reco_ke", "energy_deposit")
    columns["length"] = _first(particles, "length", "reco_length")
    columns["start"], columns["end"] = _first(particles, "start_point"), _first(particles, "end_point")
    columns["dir"] = _first(particles, "start_dir", "reco_start_dir")
    columns["match"] = np.asarray(particles["best_match_id"])
    columns["overlap"] = np.asarray(particles["best_match_overlap"])
    if "pid_scores" in particles.record.columns and len(particles):
        columns["score"] = np.asarray(particles["pid_scores"]).max(axis=1)
    return {name: _numbers(values) for name, values in columns.items()}


def _interaction_columns(interactions: Table | None) -> dict[str, Json]:
    if interactions is None:
        return {}
    columns = {name: np.asarray(interactions[name]) for name in ("id", "vertex", "is_fiducial")}
    columns["match"] = np.asarray(interactions["best_match_id"])
    return {
        **{name: _numbers(values) for name, values in columns.items()},
        "topology": [str(text) for text in interactions["topology"]],
    }
