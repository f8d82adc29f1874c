"""The values which the shipped files of another producer hold."""

from __future__ import annotations

from typing import Any

import numpy as np

SIZES = (4, 0, 6)


def foreign_events() -> list[dict[str, Any]]:
    """Values of the products of the three events, drawn in the order in which the files were made."""
    rng = np.random.default_rng(3)
    return [_event(n, rng) for n in SIZES]


def _event(n: int, rng: np.random.Generator) -> dict[str, Any]:
    coords = rng.integers(0, 50, (n, 3)).astype(np.int64)
    ends = rng.random((n, 6)).astype(np.float32)
    out: dict[str, Any] = {"my_tensor": (coords.astype(np.float32), rng.random((n, 2)).astype(np.float32))}
    out["my_ends"] = (ends, rng.random((n, 1)).astype(np.float32))
    labels = np.concatenate([rng.random((n, 1)), rng.integers(0, 2, (n, 2))], axis=1).astype(np.float32)
    out["my_labels"] = (coords.astype(np.int32), labels)
    out["my_index"] = np.arange(n)
    out["my_lists"] = [np.arange(2), np.arange(n)]
    out["my_edges"] = rng.integers(0, max(n, 1), (2, n)).T
    out["my_scores"] = rng.random((n, 7)).astype(np.float32)
    out["my_flat"] = rng.random(n)
    out["my_number"] = n / 4
    out["my_text"] = f"cal µ {n}"
    out["my_arrays"] = [rng.random((i + 1, 3)).astype(np.float32) for i in range(3)]
    out["my_mixed"] = [rng.random((n, 2)).astype(np.float32), rng.random(n).astype(np.float32)]
    return out
