"""How many children true particles have, by class or species."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import BeforeValidator, Field

from spine.post.objects import columns, listed, objects_of
from spine.schema import Event, Pid, Ragged, Shape, offsets_of
from spine.steps import StepConfig, step

__all__ = ["ChildrenCountConfig", "children_count"]

COUNTED = {"shape": int(Shape.GHOST), "pid": len(Pid) - 1}
"""Number of classes and of species that are counted."""


class ChildrenCountConfig(StepConfig):
    """Options of children_count."""

    mode: Literal["shape", "pid"] = Field("shape", description="Count children by semantic class or by species")
    obj_type: Annotated[tuple[Literal["particle"], ...], BeforeValidator(listed)] = Field(
        ("particle",), description="Kinds of objects: particle"
    )


@step(
    reads=columns(("truth_particles",), "id", "parent_id", "shape", "pid"),
    writes=columns(("truth_particles",), "children_counts"),
)
def children_count(event: Event, cfg: ChildrenCountConfig) -> None:
    """Count the children of each true particle; a particle is not its own child.

    Parameters
    ----------
    event : Event
        Fills children_counts: five numbers by semantic class, or six by species. Children of unknown class or
        species are not counted.
    cfg : ChildrenCountConfig
    """
    width = COUNTED[cfg.mode]
    for objects in objects_of(event, cfg.obj_type, "truth", in_cm=False):
        table = objects.table
        parent, kind = table["parent_id"], table[cfg.mode]
        child = (parent != table["id"]) & (parent >= 0) & (parent < len(table)) & (kind >= 0) & (kind < width)
        counts = np.bincount(parent[child] * width + kind[child], minlength=len(table) * width)
        table["children_counts"] = Ragged(counts.astype(np.int32), offsets_of(np.full(len(table), width)))
