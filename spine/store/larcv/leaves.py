"""Columns of the objects of larcv2: the members of each class, and how they are stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from spine.errors import DataError
from spine.schema import Ragged, offsets_of
from spine.store.larcv.raw import TreeRange
from spine.store.larcv.sentinels import without_huge

__all__ = ["CRTHITS", "FLASHES", "NEUTRINOS", "PARTICLES", "Member", "ObjectList", "read_objects"]

Array = NDArray[Any]


@dataclass(frozen=True)
class Member:
    """A column and the members of the class that it comes from.

    Parameters
    ----------
    column : str
        Name of the column.
    members : tuple of str
        Members by their names in the class, one per component; further names of a single member are older ones.
    kind : {'int', 'float', 'vector', 'text', 'list'}
        A number, three numbers, a string or a list of numbers per object.
    missing : number
        What stands where the file is older than the member.
    dtype : str
        Type of the items of a list.
    """

    column: str
    members: tuple[str, ...]
    kind: Literal["int", "float", "vector", "text", "list"]
    missing: int = -1
    dtype: str = "u8"


@dataclass(frozen=True, eq=False)
class ObjectList:
    """Objects of one event (or of many) as columns, numbers as the file holds them.

    Parameters
    ----------
    offsets : (e + 1,) int64
        Where the objects of each entry start.
    columns : mapping
        int64, float64 or object arrays, (n, 3) float64 vectors, `Ragged` lists.
    """

    offsets: NDArray[np.int64]
    columns: Mapping[str, Array | Ragged]

    def __len__(self) -> int:
        return int(self.offsets[-1])

    def array(self, column: str) -> Array:
        """(n,) or (n, 3) values of a column."""
        values = self.columns[column]
        if isinstance(values, Ragged):
            raise DataError(f"{column!r} is a column of lists")
        return values

    def lists(self, column: str) -> Ragged:
        """Lists of a column, one row per object."""
        values = self.columns[column]
        if not isinstance(values, Ragged):
            raise DataError(f"{column!r} is not a column of lists")
        return values

    def entry(self, i: int) -> ObjectList:
        """Objects of the i-th entry."""
        a, b = int(self.offsets[i]), int(self.offsets[i + 1])
        return ObjectList(np.array([0, b - a]), {name: values[a:b] for name, values in self.columns.items()})


def _ints(**members: str) -> tuple[Member, ...]:
    return tuple(Member(column, tuple(names.split()), "int") for column, names in members.items())


def _codes(**members: str) -> tuple[Member, ...]:
    return tuple(Member(column, (name,), "int", missing=0) for column, name in members.items())


def _floats(**members: str) -> tuple[Member, ...]:
    return tuple(Member(column, (name,), "float") for column, name in members.items())


def _texts(**members: str) -> tuple[Member, ...]:
    return tuple(Member(column, (name,), "text") for column, name in members.items())


def _vector(column: str, pattern: str) -> Member:
    return Member(column, tuple(pattern.format(axis) for axis in "xyz"), "vector")


PARTICLES: Final = (
    *_ints(id="_id _index", parent_id="_parent_id", group_id="_group_id", interaction_id="_interaction_id"),
    *_ints(mct_index="_mct_index", mcst_index="_mcst_index", num_voxels="_num_voxels", shape="_shape"),
    *_ints(track_id="_trackid", parent_track_id="_parent_trackid", ancestor_track_id="_ancestor_trackid"),
    *_codes(pdg_code="_pdg", parent_pdg_code="_parent_pdg", ancestor_pdg_code="_ancestor_pdg"),
    *_floats(t="_vtx._t", end_t="_end_pt._t", first_step_t="_first_step._t", last_step_t="_last_step._t"),
    *_floats(parent_t="_parent_vtx._t", ancestor_t="_ancestor_vtx._t"),
    *_floats(energy_init="_energy_init", energy_deposit="_energy_deposit", distance_travel="_dist_travel"),
    *_texts(creation_process="_process", parent_creation_process="_parent_process"),
    *_texts(ancestor_creation_process="_ancestor_process"),
    _vector("position", "_vtx._{}"),
    _vector("end_position", "_end_pt._{}"),
    _vector("parent_position", "_parent_vtx._{}"),
    _vector("ancestor_position", "_ancestor_vtx._{}"),
    _vector("first_step", "_first_step._{}"),
    _vector("last_step", "_last_step._{}"),
    _vector("momentum", "_p{}"),
    _vector("end_momentum", "_end_p{}"),
    Member("children_id", ("_children_id",), "list"),
)
"""Members of larcv::Particle, which grew over the years."""

NEUTRINOS: Final = (
    *_ints(id="_id", interaction_id="_interaction_id", mct_index="_mct_index", track_id="_trackid"),
    *_ints(lepton_track_id="_lepton_trackid", current_type="_current_type"),
    *_ints(interaction_mode="_interaction_mode", interaction_type="_interaction_type"),
    *_codes(pdg_code="_pdg", lepton_pdg_code="_lepton_pdg", target="_target", nucleon="_nucleon", quark="_quark"),
    *_floats(energy_init="_energy_init", hadronic_invariant_mass="_w", bjorken_x="_x", inelasticity="_y"),
    *_floats(momentum_transfer="_qsqr", momentum_transfer_mag="_q3", energy_transfer="_q0", theta="_theta"),
    *_floats(lepton_p="_lepton_p", distance_travel="_dist_travel", t="_vtx._t"),
    *_texts(creation_process="_process"),
    _vector("position", "_vtx._{}"),
    _vector("momentum", "_p{}"),
)
"""Members of larcv::Neutrino."""

FLASHES: Final = (
    *_ints(id="_id", volume_id="_volume_id _tpc", frame="_frame", on_beam_time="_onBeamTime"),
    *_codes(in_beam_frame="_inBeamFrame"),
    *_floats(time="_time", time_width="_timeWidth", time_abs="_absTime", fast_to_total="_fastToTotal"),
    _vector("center", "_{}Center"),
    _vector("width", "_{}Width"),
    Member("pe_per_ch", ("_PEPerOpDet",), "list", dtype="f8"),
)
"""Members of larcv::Flash."""

CRTHITS: Final = (
    *_ints(id="_id", plane="_plane", ts0_s="_ts0_s"),
    *_floats(ts0_ns="_ts0_ns", ts0_s_corr="_ts0_s_corr", ts0_ns_corr="_ts0_ns_corr", ts1_ns="_ts1_ns"),
    *_floats(total_pe="_peshit"),
    *_texts(tagger="_tagger"),
    _vector("center", "_{}_pos"),
    _vector("width", "_{}_err"),
    Member("feb_id", ("_feb_id",), "list", dtype="u1"),
)
"""Members of larcv::CRTHit."""


def read_objects(tree: TreeRange, members: tuple[Member, ...]) -> ObjectList:
    """Objects of a range of entries.

    Parameters
    ----------
    tree : TreeRange
        Tree of the product and entries.
    members : tuple of Member
        Columns of the class.

    Raises
    ------
    DataError
        When the product is of another class, or bytes cannot be decoded.
    """
    first = next(name for name in members[0].members if _has(tree, name) or name == members[0].members[-1])
    offsets = tree.required_lists(_path(tree, first), np.int64).offsets
    columns = {member.column: _column(tree, member, offsets) for member in members}
    for name, values in columns.items():
        if len(values) != offsets[-1]:
            raise DataError(
                "the members of the objects have different lengths", where=tree.where,
                got=f"{len(values)} of {name!r}", expected=int(offsets[-1]),
            )  # fmt: skip
    return ObjectList(offsets, columns)


def _path(tree: TreeRange, member: str) -> str:
    return f"{tree.tree.container}.{member}"


def _has(tree: TreeRange, member: str) -> bool:
    return tree.tree.branch(_path(tree, member)) is not None


def _numbers(tree: TreeRange, member: str, dtype: DTypeLike) -> Array | None:
    rows = tree.lists(_path(tree, member), dtype)
    return None if rows is None else rows.values


def _column(tree: TreeRange, member: Member, offsets: NDArray[np.int64]) -> Array | Ragged:
    counts, n, path = np.diff(offsets), int(offsets[-1]), _path(tree, member.members[0])
    if member.kind == "text":
        texts = tree.texts(path, counts)
        return np.full(n, "", dtype=object) if texts is None else texts
    if member.kind == "list":
        lists = tree.nested(path, counts, member.dtype)
        return Ragged(np.empty(0, member.dtype), offsets_of(np.zeros(n))) if lists is None else lists
    if member.kind == "int":
        found = (_numbers(tree, name, np.int64) for name in member.members)
        return next((values for values in found if values is not None), np.full(n, member.missing, np.int64))
    parts = [_numbers(tree, name, np.float64) for name in member.members]
    filled = [np.full(n, np.nan) if values is None else without_huge(values) for values in parts]
    return filled[0] if member.kind == "float" else np.stack(filled, axis=1)
