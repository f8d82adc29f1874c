"""Semantic classes by their names."""

from __future__ import annotations

from typing import Annotated, TypeAlias

from pydantic import BeforeValidator

from spine.schema import Shape

__all__ = ["ShapeName", "shape_of_name"]


def shape_of_name(value: object) -> object:
    """Semantic class of a name such as ``track``; anything else is returned as it is."""
    if isinstance(value, str) and value.upper() in Shape.__members__:
        return Shape[value.upper()]
    return value


ShapeName: TypeAlias = Annotated[Shape, BeforeValidator(shape_of_name)]
"""A semantic class, by name or number."""
