"""The objects that a step works on, with their points and depositions as ragged arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from spine.errors import DataError
from spine.schema import Event, Ragged, Table

__all__ = [
    "DepMode",
    "Kind",
    "Objects",
    "PidMode",
    "PointMode",
    "RunMode",
    "Side",
    "columns",
    "kinds",
    "listed",
    "objects_of",
    "sides_of",
]

Array = NDArray[Any]
Kind: TypeAlias = Literal["fragment", "particle", "interaction"]
Side: TypeAlias = Literal["reco", "truth"]
RunMode: TypeAlias = Literal["reco", "truth", "both", "all"]
PointMode: TypeAlias = Literal["points", "points_adapt", "points_g4"]
DepMode: TypeAlias = Literal[
    "depositions", "depositions_q", "depositions_adapt", "depositions_adapt_q", "depositions_g4"
]
PidMode: TypeAlias = Literal["pid", "chi2_pid"]

TRUE_POINTS: Final[dict[str, tuple[str, str, str]]] = {
    "points": ("index", "points_label", "sources_label"),
    "points_adapt": ("index_adapt", "points", "sources"),
    "points_g4": ("index_g4", "points_g4", "sources_g4"),
}
"""Rows, points and sources of true objects by point mode."""

TRUE_DEPOSITIONS: Final[dict[str, tuple[str, str]]] = {
    "depositions": ("index", "depositions_label"),
    "depositions_q": ("index", "depositions_q_label"),
    "depositions_adapt": ("index_adapt", "depositions"),
    "depositions_adapt_q": ("index_adapt", "depositions_q"),
    "depositions_g4": ("index_g4", "depositions_g4"),
}
"""Rows and depositions of true objects by deposition mode."""


def listed(value: Any) -> Any:
    """A single value as a tuple of one, so that configurations need no brackets."""
    return value if isinstance(value, list | tuple) else (value,)


ParticleLike: TypeAlias = Annotated[tuple[Literal["fragment", "particle"], ...], BeforeValidator(listed)]
Particles: TypeAlias = Annotated[tuple[Literal["particle"], ...], BeforeValidator(listed)]
Interactions: TypeAlias = Annotated[tuple[Literal["interaction"], ...], BeforeValidator(listed)]
Kinds: TypeAlias = Annotated[tuple[Kind, ...], BeforeValidator(listed), Field(min_length=1)]


def sides_of(run_mode: RunMode) -> tuple[Side, ...]:
    """Sides that a run mode names, reconstruction first."""
    return ("reco", "truth") if run_mode in ("both", "all") else ("reco",) if run_mode == "reco" else ("truth",)


def columns(tables: Iterable[str], *names: str) -> tuple[str, ...]:
    """Names ``TABLE.COLUMN`` of columns of tables, to state what steps read and write."""
    return tuple(f"{table}.{name}" for table in tables for name in names)


@dataclass(frozen=True)
class Objects:
    """Objects of one side and kind.

    Parameters
    ----------
    event : Event
    side : {'reco', 'truth'}
    kind : {'fragment', 'particle', 'interaction'}
    table : Table
        One row per object.
    mode : {'points', 'points_adapt', 'points_g4'}
        Which points make up true objects.
    """

    event: Event
    side: Side
    kind: Kind
    table: Table
    mode: PointMode = "points"

    @property
    def is_truth(self) -> bool:
        """True objects of the simulation."""
        return self.side == "truth"

    @property
    def index(self) -> Ragged:
        """Rows of the image in each object."""
        rows: Ragged = self.table[TRUE_POINTS[self.mode][0] if self.is_truth else "index"]
        return rows

    def image(self) -> Array:
        """(N, 3) points of the whole image, cm."""
        return np.asarray(self.event[TRUE_POINTS[self.mode][1] if self.is_truth else "points"])

    def points(self, mask: Array | None = None) -> Ragged:
        """(P, 3) points of all objects, or of some, in the order of the objects, cm."""
        return self._gather(self.image(), self.index if mask is None else self.index[mask])

    def sources(self) -> Ragged:
        """(P, 2) module and TPC of the points of all objects."""
        name = TRUE_POINTS[self.mode][2] if self.is_truth else "sources"
        return self._gather(np.asarray(self.event[name]), self.index)

    def depositions(self, mode: DepMode = "depositions") -> Ragged:
        """(P,) depositions of all objects; ``mode`` is for true ones."""
        rows, name = TRUE_DEPOSITIONS[mode] if self.is_truth else ("index", "depositions")
        return self._gather(np.asarray(self.event[name]), self.table[rows])

    def _gather(self, values: Array, index: Ragged) -> Ragged:
        if len(index.values) and index.values.max() >= len(values):
            raise DataError(
                f"{self.side} {self.kind}s have points which the image does not have", where=self.event.label,
                got=f"row {index.values.max()}", expected=f"fewer than {len(values)} rows",
                mend="check truth_point_mode and truth_dep_mode",
            )  # fmt: skip
        return Ragged(values[index.values], index.offsets)

    def pids(self, mode: PidMode = "pid") -> Array:
        """(n,) species; ``mode`` is for reconstructed objects."""
        return np.asarray(self.table["pid" if self.is_truth else mode])


def objects_of(
    event: Event, wanted: Iterable[Kind], run_mode: RunMode, mode: PointMode = "points", in_cm: bool = True
) -> Iterator[Objects]:
    """Objects of each kind, reconstructed and true.

    Parameters
    ----------
    event : Event
    wanted : iterable of {'fragment', 'particle', 'interaction'}
    run_mode : {'reco', 'truth', 'both', 'all'}
    mode : {'points', 'points_adapt', 'points_g4'}
        Which points make up true objects.
    in_cm : bool
        Refuse objects in voxel units.

    Raises
    ------
    DataError
        When the event does not have the objects, or has them in voxel units.
    """
    for kind in wanted:
        for side in sides_of(run_mode):
            name = f"{side}_{kind}s"
            if name not in event:
                other = "truth" if side == "reco" else "reco"
                raise DataError(
                    f"the event has no {name}", where=event.label,
                    mend=f"build them, or set run_mode: {other} or another obj_type for the step",
                )  # fmt: skip
            table = event.table(name)
            if in_cm and (table["units"] != "cm").any():
                raise DataError(f"positions of {name} are not in cm", where=event.label, mend="set build.units: cm")
            yield Objects(event, side, kind, table, mode)


def kinds(*names: Kind) -> tuple[str, ...]:
    """Tables of both sides of some kinds."""
    return tuple(f"{side}_{name}s" for name in names for side in ("reco", "truth"))
