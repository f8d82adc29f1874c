"""The inference chain: providers of products, put together into a plan that is checked before data flow."""

from __future__ import annotations

from spine.model.chain.families import CHAIN_PRODUCTS, FAMILIES
from spine.model.chain.family import Family
from spine.model.chain.plan import Plan, Stage, StageLike, compose
from spine.model.chain.presets import DATA_STAGES, LABEL_DBSCAN_STAGES, LABEL_STAGES
from spine.model.chain.provider import Networks, Provider, Result, provider

__all__ = [
    "CHAIN_PRODUCTS",
    "DATA_STAGES",
    "FAMILIES",
    "LABEL_DBSCAN_STAGES",
    "LABEL_STAGES",
    "Family",
    "Networks",
    "Plan",
    "Provider",
    "Result",
    "Stage",
    "StageLike",
    "compose",
    "provider",
]
