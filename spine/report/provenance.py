"""What the header of the report tells about the making of the results."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spine.store.provenance import BESIDE, lineage_of, read_lineage
from spine.store.source import open_events

__all__ = ["entries"]


def _inputs(record: Mapping[str, Any]) -> str:
    return "\n".join(f"{name}  {digest}".rstrip() for name, digest in record.get("inputs", []))


def _stage(record: Mapping[str, Any]) -> dict[str, str]:
    """Entries of one stage."""
    name = str(record["stage"])
    found = {f"{name}: code": str(record["code"]), f"{name}: configuration": json.dumps(record["config"], indent=1)}
    if int(record.get("seed", -1)) >= 0:
        found[f"{name}: seed"] = str(record["seed"])
    if record.get("weights") not in (None, "", "{}"):
        found[f"{name}: weights, sha256"] = str(record["weights"])
    return found


def _lineage(tables: Path, files: Sequence[Path]) -> list[dict[str, Any]]:
    if (tables / BESIDE).exists():
        stages: list[dict[str, Any]] = read_lineage(tables)["stages"]
        return stages
    if not files:
        return []
    with open_events(files[0]) as file:
        return lineage_of(file)


def entries(tables: Path, files: Sequence[Path]) -> dict[str, str]:
    """Name and text of everything that is known about the making of merged tables.

    Parameters
    ----------
    tables : Path
        Directory of the merged tables.
    files : sequence of Path
        Files of events, the first of which is asked when the tables do not say.

    Returns
    -------
    dict of str to str
        Stages in order; versions and inputs in front. Empty when nothing is known.
    """
    stages = _lineage(tables, files)
    if not stages:
        return {}
    last = stages[-1]
    found = {"stages": " → ".join(str(record["stage"]) for record in stages)}
    found |= {f"version of {name}": str(text) for name, text in last.get("versions", {}).items()}
    found[f"inputs (N = {len(last.get('inputs', []))}), sha256"] = _inputs(last)
    for record in stages:
        found |= _stage(record)
    return found
