"""Options of the parsers: which larcv products they read, by the names of the field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spine.store.larcv.block import RawEvent
from spine.store.larcv.frame import Frame

__all__ = ["FrameOptions", "ImageOptions", "ParserOptions"]


TYPES: Final = {
    "sparse": ("sparse3d",),
    "cluster": ("cluster3d",),
    "particle": ("particle",),
    "neutrino": ("neutrino",),
    "flash": ("opflash", "flash"),
    "crthit": ("crthit",),
    "trigger": ("trigger",),
}
"""First word of an option that names products -> first words of the products that it takes."""


class ParserOptions(BaseModel):
    """Options of a parser: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def inputs(self) -> tuple[str, ...]:
        """Products of the file that the parser reads."""
        nested = (getattr(self, name) for name in type(self).model_fields)
        further = [product for value in nested if isinstance(value, ParserOptions) for product in value.inputs()]
        return tuple(dict.fromkeys([product for _, product in self._named()] + further))

    def _named(self) -> Iterator[tuple[str, str]]:
        """Options that name products, with each product."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if name.endswith("_event") and value is not None:
                yield name, value
            elif name.endswith("_event_list") and value is not None:
                yield from ((name, product) for product in value)

    @model_validator(mode="after")
    def _right_types(self) -> Self:
        for name, product in self._named():
            types = TYPES[name.partition("_")[0]]
            if product.partition("_")[0] not in types:
                raise ValueError(f"{name} must name a {types[0]} product ({types[0]}_...), not {product!r}")
        return self


class FrameOptions(ParserOptions):
    """Options of a parser that takes the frame of an image, if it is given one."""

    sparse_event: str | None = Field(None, description="sparse3d product whose frame is taken")
    cluster_event: str | None = Field(None, description="cluster3d product whose frame is taken")

    @model_validator(mode="after")
    def _one_frame(self) -> FrameOptions:
        if self.sparse_event is not None and self.cluster_event is not None:
            raise ValueError("give sparse_event or cluster_event, not both")
        return self

    @property
    def image(self) -> str:
        """The product whose frame is taken, empty for none."""
        return self.sparse_event or self.cluster_event or ""


class ImageOptions(FrameOptions):
    """Options of a parser that needs the frame of an image."""

    @model_validator(mode="after")
    def _some_frame(self) -> ImageOptions:
        if not self.image:
            raise ValueError("give sparse_event or cluster_event: the parser needs the frame of an image")
        return self

    def frame(self, event: RawEvent) -> Frame:
        """The frame in an event."""
        return event.frame(self.image)
