"""Steps that measure what was built: directions, energies, vertices, containment, matches to truth."""

from __future__ import annotations

from typing import Final

__all__ = ["STEPS"]

STEPS: Final[dict[str, str]] = {
    name: f"spine.post.{name}"
    for name in (
        "calo_ke",
        "containment",
        "direction",
        "fiducial",
        "match",
    )
}
"""Module of each step by its name."""
