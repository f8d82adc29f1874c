"""Parsers: what the products of the chain are made of, by the names used in a schema."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from spine.store.larcv.block import RawEvent
from spine.store.larcv.parsers import clusters, detector, particles, points, single, sparse
from spine.store.larcv.parsers.options import ParserOptions

__all__ = ["PARSERS", "Parser"]


@dataclass(frozen=True)
class Parser:
    """A parser and the type of its options.

    Parameters
    ----------
    run : callable
        ``run(event, options)`` gives the product.
    options : ParserOptions subclass
        Options.
    kind : str
        Kind of product that it makes (see `spine.schema.products`).
    """

    run: Callable[[RawEvent, Any], object]
    options: type[ParserOptions]
    kind: str


PARSERS: Final[Mapping[str, Parser]] = {
    "sparse3d": Parser(sparse.sparse3d, sparse.Sparse3DOptions, "tensor"),
    "sparse3d_ghost": Parser(sparse.sparse3d_ghost, sparse.Sparse3DGhostOptions, "tensor"),
    "cluster3d": Parser(clusters.cluster3d, clusters.Cluster3DOptions, "cluster_label"),
    "cluster3d_image": Parser(clusters.cluster3d_image, clusters.Cluster3DOptions, "tensor"),
    "particle": Parser(particles.particle, particles.ParticleOptions, "objects"),
    "particle_points": Parser(points.particle_points, points.ParticlePointsOptions, "tensor"),
    "particle_coords": Parser(points.particle_coords, points.ParticleCoordsOptions, "tensor"),
    "vertex_points": Parser(points.vertex_points, points.VertexPointsOptions, "tensor"),
    "particle_graph": Parser(particles.particle_graph, particles.ParticleGraphOptions, "edge_index"),
    "single_particle_pid": Parser(single.single_particle_pid, single.SingleParticleOptions, "scalar"),
    "single_particle_energy": Parser(single.single_particle_energy, single.SingleParticleOptions, "scalar"),
    "neutrino": Parser(detector.neutrino, detector.NeutrinoOptions, "objects"),
    "flash": Parser(detector.flash, detector.FlashOptions, "objects"),
    "opflash": Parser(detector.flash, detector.FlashOptions, "objects"),
    "crthit": Parser(detector.crthit, detector.CRTHitOptions, "objects"),
    "trigger": Parser(detector.trigger, detector.TriggerOptions, "object"),
    "meta": Parser(detector.meta, detector.MetaOptions, "object"),
    "meta3d": Parser(detector.meta, detector.MetaOptions, "object"),
    "run_info": Parser(detector.run_info, detector.RunInfoOptions, "object"),
}
"""Parsers by the name that a schema gives as ``provider``."""
