"""Options of build."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self, TypeAlias

from pydantic import BeforeValidator, Field, field_validator, model_validator

from spine.errors import did_you_mean
from spine.schema import PRODUCTS
from spine.steps import StepConfig

__all__ = ["DEFAULT_SOURCES", "BuildConfig", "Side", "Units"]

Side: TypeAlias = Literal["reco", "truth"]
Units: TypeAlias = Literal["cm", "px"]

DEFAULT_SOURCES: Final[dict[str, tuple[str, ...]]] = {
    "data_tensor": ("data_adapt", "data"),
    "data_q_tensor": ("data_adapt", "data"),
    "label_tensor": ("clust_label",),
    "label_adapt_tensor": ("clust_label_adapt",),
    "label_g4_tensor": ("clust_label_g4",),
    "depositions_q_label": ("depositions_q_label",),
    "graph_label": ("graph_label",),
    "orig_index": ("orig_index",),
    "orig_index_label": ("orig_index_label", "orig_index"),
    "sources": ("sources_adapt", "sources"),
    "sources_label": ("sources_label",),
    "particles": ("particles",),
    "neutrinos": ("neutrinos",),
}
"""Products to take, in order of preference, by their role."""


def _listed(value: Any) -> Any:
    if isinstance(value, dict):
        return {role: (names,) if isinstance(names, str) else names for role, names in value.items()}
    return value


class BuildConfig(StepConfig):
    """What to build, from which products, in which unit."""

    mode: Literal["reco", "truth", "both", "all"] = Field("both", description="Sides to build; all means both")
    units: Units = Field("cm", description="Unit of positions: cm, or px for voxel units")
    fragments: bool = Field(True, description="Build fragments")
    particles: bool = Field(True, description="Build particles")
    interactions: bool = Field(True, description="Build interactions, which need particles")
    lite: bool = Field(False, description="Take objects as they are in the input, without points and depositions")
    sources: Annotated[dict[str, tuple[str, ...]], BeforeValidator(_listed)] = Field(
        {}, description="Products to take instead of the usual ones, by role, in order of preference"
    )

    @field_validator("sources")
    @classmethod
    def _known(cls, sources: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        for role, names in sources.items():
            if role not in DEFAULT_SOURCES:
                raise ValueError(f"no role is called {role!r}; {did_you_mean(role, DEFAULT_SOURCES)}")
            for name in names:
                if name not in PRODUCTS:
                    raise ValueError(f"no product is called {name!r}; {did_you_mean(name, PRODUCTS)}")
        return sources

    @model_validator(mode="after")
    def _needs(self) -> Self:
        if self.interactions and not self.particles:
            raise ValueError("interactions are made of particles: particles must be true as well")
        return self

    @property
    def sides(self) -> tuple[Side, ...]:
        """Sides to build."""
        return {"reco": ("reco",), "truth": ("truth",)}.get(self.mode, ("reco", "truth"))  # type: ignore[return-value]

    def candidates(self, role: str) -> tuple[str, ...]:
        """Products that may play a role, best first."""
        return self.sources.get(role, DEFAULT_SOURCES[role])
