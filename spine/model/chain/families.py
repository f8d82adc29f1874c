"""The families of the chain and where their modes are defined.

A further mode is one more entry here (or an entry point of another package); its module is imported when a stage
asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from spine.errors import ConfigError, did_you_mean
from spine.model.chain.family import Family, by_mode, provider_place
from spine.model.chain.formation import combine_fragments, combine_groups
from spine.model.chain.paths import by_path

if TYPE_CHECKING:
    from spine.model.chain.plan import StageLike

__all__ = ["CHAIN_PRODUCTS", "FAMILIES", "provider_modules"]

_HERE = "spine.model.chain"

_ADAPTED = (
    "data_adapt",
    "orig_index",
    "orig_index_label",
    "sources_adapt",
    "sources_label",
    "ghost",
    "ghost_pred",
)

_DEGHOST = Family(
    "deghost",
    (*_ADAPTED, "charge_per_plane", "charge_multiplicity"),
    {"label": f"{_HERE}.deghost:label", "uresnet": "spine.model.providers:deghost"},
    by_mode,
)

_SEGMENTATION = Family(
    "segmentation",
    (
        "seg_pred",
        "segmentation",
        *_ADAPTED,
        "clust_label_adapt",
        "ppn_points",
        "ppn_pred",
        "ppn_classify_endpoints",
        "vertex_points",
    ),
    {
        "label": f"{_HERE}.segmentation:label",
        "geometric": f"{_HERE}.segmentation:geometric",
        "uresnet": "spine.model.providers:uresnet",
    },
    by_mode,
)

_FRAGMENTATION = Family(
    "fragmentation",
    ("fragment_clusts", "fragment_shapes"),
    {
        "label": f"{_HERE}.fragmentation:label",
        "dbscan": f"{_HERE}.fragmentation:dbscan",
        "graph_spice": "spine.model.providers:graph_spice",
    },
    by_mode,
    combine_fragments,
)

_PARTICLES = Family(
    "particle_aggregation",
    (
        "fragment_start_points",
        "fragment_end_points",
        "fragment_group_pred",
        "fragment_node_pred",
        "fragment_edge_index",
        "fragment_edge_pred",
        "particle_clusts",
        "particle_shapes",
        "particle_primaries",
    ),
    {
        "label": f"{_HERE}.particles:label",
        "skip": f"{_HERE}.particles:skip",
        "geometric": f"{_HERE}.particles:geometric",
        "grappa": "spine.model.grappa.providers:particles",
    },
    by_path,
    combine_groups,
)

_INTERACTIONS = Family(
    "interaction_aggregation",
    (
        "particle_start_points",
        "particle_end_points",
        "particle_group_pred",
        "particle_node_type_pred",
        "particle_node_primary_pred",
        "particle_node_orient_pred",
        "particle_edge_index",
        "particle_edge_pred",
    ),
    {
        "label": f"{_HERE}.interactions:label",
        "skip": f"{_HERE}.interactions:skip",
        "geometric": f"{_HERE}.interactions:geometric",
        "grappa": "spine.model.grappa.providers:interactions",
    },
    by_mode,
)

FAMILIES: dict[str, Family] = {f.name: f for f in (_DEGHOST, _SEGMENTATION, _FRAGMENTATION, _PARTICLES, _INTERACTIONS)}
"""Every family by name."""

CHAIN_PRODUCTS = frozenset(name for family in FAMILIES.values() for name in family.products)
"""Products that stages of the chain make, as against those of the input."""


def provider_modules(stages: Sequence[StageLike]) -> list[str]:
    """Modules of the providers that stages name; none is imported.

    Parameters
    ----------
    stages : sequence of StageLike
        Stages of a configuration.

    Raises
    ------
    ConfigError
        When a stage names an unknown provider or mode.
    """
    found: list[str] = []
    for stage in stages:
        name, where = stage.provider or stage.name, f"chain.{stage.name}"
        if name not in FAMILIES:
            raise ConfigError(f"no provider is called {name!r}", where=where, mend=did_you_mean(name, FAMILIES))
        family = FAMILIES[name]
        found += [provider_place(family, part.mode, where)[0] for part in family.parts(family, stage.config, where)]
    return sorted(set(found))
