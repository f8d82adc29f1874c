"""Databases and maps of constants, made for tests."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import uproot
from hist import Hist
from hist.axis import Regular

__all__ = ["field_file", "lifetime_file", "transparency_file"]

INTERVALS = [(1, 10**9 + 100, 1), (2, 10**9 + 200, 1), (3, 10**9 + 150, 0)]
"""Number, first run and state: runs from 100 and from 200 on; the third one does not count."""


def _write(path: Path, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> str:
    with closing(sqlite3.connect(path)) as file:
        file.execute(
            f"CREATE TABLE {path.stem} (__iov_id INTEGER, {', '.join(columns)})".replace(path.stem, f"{path.stem}_data")
        )
        file.execute(f"CREATE TABLE {path.stem}_iovs (iov_id INTEGER, begin_time INTEGER, active INTEGER)")
        file.executemany(f"INSERT INTO {path.stem}_data VALUES ({','.join('?' * len(rows[0]))})", rows)
        file.executemany(f"INSERT INTO {path.stem}_iovs VALUES (?, ?, ?)", INTERVALS)
        file.commit()
    return str(path)


def lifetime_file(folder: Path) -> str:
    """A life time per TPC and interval."""
    rows = [(i, channel, 1000.0 * i + 300 * channel) for i in (1, 2, 3) for channel in range(4)]
    return _write(folder / "tpc_elifetime_data.db", ("channel INTEGER", "elifetime REAL"), rows)


def transparency_file(folder: Path) -> str:
    """Maps of 4 by 6 bins, of which one has no information."""
    rows: list[tuple[Any, ...]] = []
    for i in (1, 2, 3):
        for tpc, name in enumerate(["EE", "EW", "WE", "WW"]):
            for y, z in np.ndindex(4, 6):
                value = -999.0 if (y, z) == (1, 2) else 1 + 0.02 * y - 0.01 * z + 0.05 * tpc + 0.001 * i
                bounds = (-180 + 80.0 * y, -100 + 80.0 * y, -900 + 300.0 * z, -600 + 300.0 * z)
                rows.append((i, name, y, z, *bounds, value))
    reals = [f"{name} REAL" for name in ("ylow", "yhigh", "zlow", "zhigh", "scale")]
    return _write(folder / "tpc_yz_correction_data.db", ("tpc TEXT", "ybin INTEGER", "zbin INTEGER", *reals), rows)


def field_file(path: Path, values: np.ndarray[Any, Any], ranges: np.ndarray[Any, Any]) -> str:
    """Displacements as three histograms."""
    with uproot.recreate(path) as file:
        for i, axis in enumerate("XYZ"):
            found = Hist(*(Regular(n, *r) for n, r in zip(values.shape, ranges, strict=False)))
            found.view(flow=False)[...] = values[..., i]
            file[f"TrueFwd_Displacement_{axis}"] = found
    return str(path)
