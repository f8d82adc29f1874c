"""SPICE: clusters of voxels as Gaussian masks in a learnt space."""

from __future__ import annotations

from spine.model.spice.clustering import cluster_embeddings
from spine.model.spice.config import ClustererConfig, SpiceConfig, SpiceLossConfig
from spine.model.spice.loss import SpiceLoss, build_spice_loss
from spine.model.spice.network import Spice, SpiceOutput, build_from_options, build_spice

__all__ = [
    "ClustererConfig",
    "Spice",
    "SpiceConfig",
    "SpiceLoss",
    "SpiceLossConfig",
    "SpiceOutput",
    "build_from_options",
    "build_spice",
    "build_spice_loss",
    "cluster_embeddings",
]
