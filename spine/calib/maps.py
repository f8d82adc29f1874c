"""Maps in bins: factors over a plane, and displacements over a volume."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from spine.calib.database import interval, rows_by_run
from spine.errors import ConfigError, DataError
from spine.ops.arrays import BoolArray, FloatArray, RealArray

if TYPE_CHECKING:
    import uproot

__all__ = ["Bounds", "FieldMap", "PlaneMap", "plane_maps", "plane_maps_by_run", "read_field_map"]

Bounds = Literal["clip", "zero", "raise"]
ICARUS_TPCS = ("EE", "EW", "WE", "WW")
MISSING = -999.0


@dataclass(frozen=True, eq=False)
class PlaneMap:
    """Factors over two coordinates.

    Parameters
    ----------
    dims : (int, int)
        The coordinates: 0, 1, 2 for x, y, z.
    ranges : (2, 2) float64
        Lower and upper bound of each, cm.
    values : (a, b) float64
        Factor of each bin.
    """

    dims: tuple[int, int]
    ranges: FloatArray
    values: FloatArray

    def at(self, points: RealArray) -> FloatArray:
        """(n,) factor at (n, 3) points; outside that of the nearest bin."""
        rows = _bins(np.asarray(points)[:, list(self.dims)], self.ranges, self.values.shape)
        rows = np.clip(rows, 0, np.array(self.values.shape) - 1)
        factors: FloatArray = self.values[tuple(rows.T)]
        return factors


@dataclass(frozen=True, eq=False)
class FieldMap:
    """Displacements over a volume.

    Parameters
    ----------
    ranges : (3, 2) float64
        Lower and upper bound of each coordinate, cm.
    values : (a, b, c, 3) float64
        Displacement in each bin, cm.
    """

    ranges: FloatArray
    values: FloatArray

    def at(self, points: RealArray, bounds: Bounds = "zero") -> FloatArray:
        """(n, 3) displacement at (n, 3) points.

        Outside it is that of the nearest bin (``clip``), none (``zero``), or a DataError (``raise``).
        """
        shape = np.array(self.values.shape[:3])
        rows = _bins(np.asarray(points), self.ranges, tuple(shape))
        inside: BoolArray = ((rows >= 0) & (rows < shape)).all(axis=1)
        if bounds == "raise" and not inside.all():
            raise DataError("points lie outside of the map of the field", got=f"{(~inside).sum()} points")
        found: FloatArray = self.values[tuple(np.clip(rows, 0, shape - 1).T)]
        return np.where(inside[:, None], found, 0.0) if bounds == "zero" else found


def _bins(places: RealArray, ranges: FloatArray, shape: Sequence[int]) -> Any:
    """(n, d) bin of each place, also of those outside."""
    width = (ranges[:, 1] - ranges[:, 0]) / np.asarray(shape)
    return np.floor((places - ranges[:, 0]) / width).astype(np.int64)


def _opened(path: str) -> uproot.ReadOnlyDirectory:
    """A ROOT file with histograms."""
    import uproot

    if not Path(path).is_file():
        raise ConfigError("no such file of maps", got=Path(path).absolute())
    file: uproot.ReadOnlyDirectory = uproot.open(path)
    return file


def _histogram(file: uproot.ReadOnlyDirectory, name: str, path: str) -> tuple[FloatArray, FloatArray]:
    """Contents of the regular bins, and the (d, 2) range of each axis."""
    if name not in file:
        raise ConfigError(f"no histogram {name!r}", where=path, got=", ".join(file.keys(cycle=False))[:300])
    contents, *edges = file[name].to_numpy()
    return np.asarray(contents, np.float64), np.array([[axis[0], axis[-1]] for axis in edges])


@lru_cache(maxsize=8)
def plane_maps(path: str, pattern: str, plane: int, count: int) -> tuple[PlaneMap, ...]:
    """Maps of all TPCs in a ROOT file: histograms with z along x and y along y; bins at 0 have no information.

    Raises
    ------
    ConfigError
        When the file or a histogram is missing.
    """
    out = []
    with _opened(path) as file:
        for tpc in range(count):
            contents, ranges = _histogram(file, pattern.format(plane_id=plane, tpc_id=tpc), path)
            known = np.isfinite(contents) & (contents != 0)
            out.append(PlaneMap((1, 2), ranges[::-1], np.where(known, contents, 1.0).T))
    return tuple(out)


def plane_maps_by_run(path: str, key: str, run: int | None, count: int) -> tuple[PlaneMap, ...]:
    """Maps of all TPCs in a SQLite file laid out as that of ICARUS, for a run.

    Raises
    ------
    ConfigError
        When the file is missing, or has not a map for each TPC.
    DataError
        When there is no map for the run.
    """
    found = rows_by_run(path)
    rows = found[interval(list(found), run, "map of the transparency")]
    names = ICARUS_TPCS[:count]
    maps = tuple(_table_map([row for row in rows if row["tpc"] == name], key, path) for name in names)
    if len(maps) != count:
        raise ConfigError("the maps are those of four TPCs", where=path, got=f"{count} TPCs")
    return maps


def _table_map(rows: list[dict[str, Any]], key: str, path: str) -> PlaneMap:
    places = np.array([[row["ybin"], row["zbin"]] for row in rows], dtype=np.int64).reshape(-1, 2)
    shape = tuple((places.max(axis=0, initial=-1) + 1).tolist())
    if len(rows) == 0 or len(np.unique(places, axis=0)) != len(rows) or int(np.prod(shape)) != len(rows):
        raise ConfigError("a map needs each bin once", where=path, got=f"{len(rows)} rows for {shape} bins")
    values = np.ones(shape)
    values[tuple(places.T)] = [row[key] for row in rows]
    ranges = [[min(row[f"{c}low"] for row in rows), max(row[f"{c}high"] for row in rows)] for c in "yz"]
    return PlaneMap((1, 2), np.array(ranges, dtype=np.float64), np.where(values == MISSING, 1.0, values))


@lru_cache(maxsize=8)
def read_field_map(path: str, prefix: str, suffix: str) -> FieldMap:
    """Displacements in the histograms ``PREFIX_X SUFFIX``, ``_Y``, ``_Z`` of a ROOT file.

    Raises
    ------
    ConfigError
        When a histogram is missing, or their bins differ.
    """
    with _opened(path) as file:
        found = [_histogram(file, f"{prefix}_{axis}{suffix}", path) for axis in "XYZ"]
    contents, ranges = [c for c, _ in found], [r for _, r in found]
    same = all(c.shape == contents[0].shape and np.allclose(r, ranges[0]) for c, r in found)
    if not same:
        raise ConfigError("the three components of a field map need the same bins", where=path, got=prefix)
    return FieldMap(ranges[0], np.stack(contents, axis=-1))
