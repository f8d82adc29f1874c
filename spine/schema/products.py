"""Products of an event: name, kind, type and meaning of everything that a file can hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from spine.errors import SchemaError, did_you_mean
from spine.schema.columns import Record
from spine.schema.detector_records import CRTHit, Flash, FlashHypothesis, ImageMeta3D, RunInfo, Trigger
from spine.schema.object_records import OBJECT_RECORDS
from spine.schema.truth_records import Neutrino, Particle, ParticleLabel

__all__ = ["PRODUCTS", "Product", "product"]

Kind = Literal[
    "tensor",
    "cluster_label",
    "array",
    "scalar",
    "index_list",
    "list",
    "array_list",
    "text",
    "edge_index",
    "objects",
    "object",
]


@dataclass(frozen=True)
class Product:
    """Declaration of one product.

    Parameters
    ----------
    name : str
        Name in the event and in files.
    kind : str
        ``tensor``: coordinates and features; ``cluster_label``: a tensor with a table of labels; ``array``: any rows;
        ``scalar``: one number per event; ``index_list``: lists of row numbers; ``list``: any number of arrays
        of one width; ``array_list``: arrays of different widths, as many for each event; ``text``: a string per
        event; ``edge_index``: pairs of rows; ``objects``: a table; ``object``: one row of a table.
    doc : str
        What it is.
    dtype : str
        Type on disk (of features for tensors).
    width : int
        Values per row of an array, 0 for a flat one.
    points : tuple of str
        Names of the coordinate groups of a tensor, three coordinates each.
    discrete : bool
        Coordinates are voxel numbers, not positions in voxel units.
    features : tuple of str
        Names of the feature columns of a tensor.
    record : Record subclass, optional
        Columns of a table.
    flexible : bool
        The network or the input decides about the width, the same for all events; the declared one is usual.
    widths : tuple of int
        Values per row of each array of an ``array_list``, 0 for a flat one.
    metadata : str
        Description with which another producer stored the product (YAML), handed on with it.
    """

    name: str
    kind: Kind
    doc: str
    dtype: str = "f4"
    width: int = 0
    points: tuple[str, ...] = ()
    discrete: bool = True
    features: tuple[str, ...] = ()
    record: type[Record] | None = None
    flexible: bool = False
    widths: tuple[int, ...] = ()
    metadata: str = ""

    @property
    def numpy(self) -> np.dtype[Any]:
        """Type on disk."""
        return np.dtype(self.dtype)


def _tensor(
    name: str, doc: str, *features: str, points: str = "points", discrete: bool = True, flexible: bool = False
) -> Product:
    return Product(
        name, "tensor", doc, points=tuple(points.split()), discrete=discrete, features=features, flexible=flexible
    )


def _array(name: str, doc: str, dtype: str = "f4", width: int = 0, flexible: bool = False) -> Product:
    return Product(name, "array", doc, dtype=dtype, width=width, flexible=flexible)


def _input_products() -> list[Product]:
    label = ("value", "cluster", "particle_index")
    return [
        Product("index", "scalar", "Number of the event in the input", "i8"),
        Product("file_index", "scalar", "Number of the input file", "i8"),
        Product("file_entry_index", "scalar", "Number of the event in its input file", "i8"),
        Product("source_file_index", "scalar", "Number of the first input file", "i8"),
        Product("source_file_entry_index", "scalar", "Number of the event in the first input file", "i8"),
        Product("run_info", "object", "Numbers of the event", record=RunInfo),
        Product("meta", "object", "Frame of the image", record=ImageMeta3D),
        _tensor("data", "Image: voxels, their charge, and further features of the detector", "value", flexible=True),
        _tensor("data_adapt", "Image without ghost points", "value", flexible=True),
        _tensor("seg_label", "True semantic class of each voxel", "value"),
        _tensor("ghost_label", "1 for ghost points", "value"),
        Product("clust_label", "cluster_label", "True cluster of each voxel", points=("points",), features=label),
        Product(
            "clust_label_adapt", "cluster_label", "True clusters adapted to predicted classes",
            points=("points",), features=label,
        ),
        Product("clust_label_g4", "cluster_label", "True depositions", points=("points",), features=label),
        Product(
            "ppn_label", "tensor", "True points of interest, with their end of the track where it was asked for",
            points=("point",), discrete=False, features=("shape", "particle"), flexible=True,
        ),
        _tensor("coord_label", "Start and end of true particles", "time", "shape", points="start end", discrete=False),
        _tensor("vertex_label", "True vertices", "interaction", points="point", discrete=False),
        Product("graph_label", "edge_index", "Parent and child rows of the particle list", "i8", width=2),
        Product("particles", "objects", "Particles of the simulation", record=Particle),
        Product("neutrinos", "objects", "Neutrinos of the simulation", record=Neutrino),
        Product("flashes", "objects", "Flashes of light", record=Flash),
        Product("crthits", "objects", "Hits of the cosmic-ray tagger", record=CRTHit),
        Product("trigger", "object", "Trigger", record=Trigger),
        Product("image_pid", "scalar", "Species of the particle with which the event starts", "i8"),
        Product("image_energy", "scalar", "Kinetic energy of the particle with which the event starts (MeV)", "f4"),
    ]  # fmt: skip


def _inference_products() -> list[Product]:
    products = [
        _array("segmentation", "Scores of the semantic classes, one row per voxel", width=5, flexible=True),
        _array("seg_pred", "Predicted semantic class of each voxel", "i8"),
        _array("softmax", "Probability of each class of each voxel, mean of random passes", width=5, flexible=True),
        _array("evidence", "Evidence for each class of each voxel", width=5, flexible=True),
        _array("concentration", "Parameters of the distribution of these probabilities", width=5, flexible=True),
        _array("expected_probability", "Mean of that distribution", width=5, flexible=True),
        _array("uncertainty", "1 for a voxel without any evidence, towards 0 with much"),
        _array("ghost", "Scores of real and ghost", width=2),
        _array("ghost_pred", "1 for predicted ghost points", "i8"),
        _array("ppn_points", "Raw point proposals: offsets, class scores, mask scores", width=10, flexible=True),
        _array(
            "ppn_pred",
            "Points of interest: batch, position, scores, occupancy, class scores, class",
            width=13,
            flexible=True,
        ),
        _array("ppn_classify_endpoints", "Scores of start and end", width=2),
        _array("charge_per_plane", "Charge of the hit on each plane of wires that makes a voxel", width=3),
        _array("charge_multiplicity", "Number of voxels that each of these hits makes", "i8", width=3),
        _array("vertex_points", "Raw vertex proposals: offsets, mask scores", width=5),
        _array("particle_image_features", "Features of the image of each particle", width=512, flexible=True),
        _array("interaction_vertices", "Predicted vertex of each interaction, in voxels", width=3),
        _array("interaction_vertex_scores", "Probability of the vertex of each interaction"),
    ]
    for level in ("fragment", "particle"):
        products += [
            Product(f"{level}_clusts", "index_list", f"Voxels of each {level}", "i4"),
            _array(f"{level}_shapes", f"Semantic class of each {level}", "i8"),
            _array(f"{level}_start_points", f"Start of each {level}, in voxels", width=3),
            _array(f"{level}_end_points", f"End of each {level}, in voxels", width=3),
            _array(f"{level}_group_pred", f"Group of each {level}", "i8"),
            _array(f"{level}_node_pred", f"Scores of secondary and primary of each {level}", width=2),
            _array(f"{level}_node_type_pred", f"Scores of the species of each {level}", width=6, flexible=True),
            _array(f"{level}_node_primary_pred", f"Scores of secondary and primary of each {level}", width=2),
            _array(f"{level}_node_orient_pred", f"Scores of right and swapped orientation of each {level}", width=2),
            _array(f"{level}_node_vertex_pred", f"Scores of primary and vertex that each {level} proposes", width=5),
            _array(f"{level}_node_momentum_pred", f"Momentum of each {level} in MeV/c", width=1, flexible=True),
            _array(
                f"{level}_node_kinetic_energy_pred", f"Kinetic energy of each {level} in MeV", width=1, flexible=True
            ),
            _array(f"{level}_edge_index", f"Pairs of {level}s that the graph joins", "i8", width=2),
            _array(f"{level}_edge_pred", f"Scores of unjoined and joined for each pair of {level}s", width=2),
            _array(f"{level}_primaries", f"1 for each {level} that is the first of its group", "i8"),
        ]  # fmt: skip
    return products


def _built_products() -> list[Product]:
    products = []
    for tag, what in (
        ("", "image"),
        ("_label", "labelled image"),
        ("_adapt", "adapted image"),
        ("_g4", "image of true depositions"),
    ):
        products += [
            _array(f"points{tag}", f"Points of the {what} in cm", width=3),
            _array(f"depositions{tag}", f"Deposition of each point of the {what} in MeV"),
            _array(f"depositions_q{tag}", f"Uncalibrated deposition of each point of the {what}"),
            _array(f"sources{tag}", f"Module and TPC of each point of the {what}", "i8", width=2),
        ]  # fmt: skip
    products += [
        _array("orig_index", "Row of each point in the input image", "i8"),
        _array("orig_index_label", "Row of each labelled point in the input image", "i8"),
        _array("depositions_label_adapt", "True depositions of the adapted image in MeV"),
        Product("flash_hypotheses", "objects", "Light expected from interactions", record=FlashHypothesis),
    ]
    for (prefix, level), record in OBJECT_RECORDS.items():
        kind = "Reconstructed" if prefix == "reco" else "True"
        products.append(Product(f"{prefix}_{level}s", "objects", f"{kind} {level}s", record=record))
    for level in ("fragment", "particle", "interaction"):
        for way in ("r2t", "t2r"):
            products.append(_array(f"{level}_matches_{way}", f"Best match of each {level} ({way})", "i8", width=2))
            products.append(_array(f"{level}_matches_{way}_overlap", f"Overlap of these matches ({way})"))
    return products


LABEL_TABLE = ParticleLabel
"""Columns of the table to which the particle index of a cluster label points."""

PRODUCTS: dict[str, Product] = {p.name: p for p in (*_input_products(), *_inference_products(), *_built_products())}
"""Every declared product by name."""


def product(name: str) -> Product:
    """Declaration of a product.

    Raises
    ------
    SchemaError
        When no product of that name is declared; the nearest names are suggested.
    """
    try:
        return PRODUCTS[name]
    except KeyError:
        raise SchemaError(f"no product is called {name!r}", mend=did_you_mean(name, PRODUCTS)) from None
