"""The families of the chain and where their modes are defined.

A further mode is one more entry here (or an entry point of another package); its module is imported when a stage
asks for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from spine.errors import ConfigError, did_you_mean
from spine.model.chain.family import GROUP, Family, by_mode, provider_place
from spine.model.chain.formation import combine_fragments, combine_groups
from spine.model.chain.paths import by_path

if TYPE_CHECKING:
    from spine.model.chain.plan import StageLike

__all__ = ["ABSENT", "CHAIN_PRODUCTS", "FAMILIES", "find_family", "provider_modules"]

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
        "softmax",
        "evidence",
        "concentration",
        "expected_probability",
        "uncertainty",
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
        "spice": "spine.model.spice.provider:spice",
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

_IMAGES = Family(
    "particle_image",
    (
        "particle_node_type_pred",
        "particle_node_primary_pred",
        "particle_node_orient_pred",
        "particle_node_momentum_pred",
        "particle_node_kinetic_energy_pred",
        "particle_image_features",
    ),
    {"image": "spine.model.image.provider:particles", "alone": "spine.model.image.provider:alone"},
    partial(by_mode, default="image"),
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
        "particle_node_vertex_pred",
        "particle_node_momentum_pred",
        "particle_node_kinetic_energy_pred",
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

_VERTICES = Family(
    "interaction_vertexing",
    ("interaction_vertices", "interaction_vertex_scores"),
    {"ppn": f"{_HERE}.vertexing:ppn", "grappa": "spine.model.grappa.vertexing:vertices"},
    by_mode,
)

FAMILIES: dict[str, Family] = {
    f.name: f for f in (_DEGHOST, _SEGMENTATION, _FRAGMENTATION, _PARTICLES, _IMAGES, _INTERACTIONS, _VERTICES)
}
"""Every family by name."""

ABSENT = {
    "calibration": "calibrate the image before the chain reads it",
    "track_breaking": "break tracks in the simulation, or leave the stage out",
    "fragment_graph": "train networks on stored fragments: train.nodes=predicted",
    "particle_graph": "train networks on stored particles: train.nodes=predicted",
}
"""Providers of SPINE that are not here, and what to do instead."""


def find_family(name: str, where: str) -> Family:
    """The family of that name.

    Raises
    ------
    ConfigError
        When there is none; says what to do.
    """
    if name in FAMILIES:
        return FAMILIES[name]
    if name in ABSENT:
        raise ConfigError(f"SPINE's provider {name!r} is not here", where=where, mend=ABSENT[name])
    if ":" in name:
        raise ConfigError(
            "providers of other packages are modes of a family", where=where, got=name,
            mend=f"declare it as an entry point FAMILY.MODE of the group {GROUP!r}, and name the family and the mode",
        )  # fmt: skip
    mend = did_you_mean(name, FAMILIES)
    raise ConfigError(f"no provider is called {name!r}", where=where, expected=", ".join(FAMILIES), mend=mend)


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
        where = f"chain.{stage.name}"
        family = find_family(stage.provider or stage.name, where)
        found += [provider_place(family, part.mode, where)[0] for part in family.parts(family, stage.config, where)]
    return sorted(set(found))
