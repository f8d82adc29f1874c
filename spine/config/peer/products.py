"""Products of a SPINE schema by our names: what its parsers make, and what the networks ask for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from spine.config.peer.border import Border, mapping, one_level
from spine.config.source import Keys, Tree
from spine.schema import PRODUCTS

__all__ = ["our_schema"]

MADE: Final[dict[str, tuple[str, ...]]] = {
    "sparse3d": ("data", "seg_label"), "sparse3d_ghost": ("ghost_label",), "cluster3d": ("clust_label",),
    "particle": ("particles",), "particle_points": ("ppn_label",), "particle_coords": ("coord_label",),
    "vertex_points": ("vertex_label",), "particle_graph": ("graph_label",), "neutrino": ("neutrinos",),
    "flash": ("flashes",), "opflash": ("flashes",), "crthit": ("crthits",), "trigger": ("trigger",),
    "single_particle_pid": ("image_pid",), "single_particle_energy": ("image_energy",),
    "cluster3d_image": ("data",), "meta": ("meta",), "meta3d": ("meta",), "run_info": ("run_info",),
}  # fmt: skip
"""Products that each parser can make, the usual one first."""

KIND: Final[dict[str, str]] = {parser: PRODUCTS[names[0]].kind for parser, names in MADE.items()}

STORED: Final = ("tensor", "cluster_label", "index", "index_list", "edge_index", "object", "object_list")
"""Parsers of HDF5 products: they hand on what is stored."""


def our_schema(border: Border, block: Tree, keys: Keys, model: Tree) -> Tree:
    """A dataset whose schema names our products.

    Parameters
    ----------
    border : Border
        Gets the names that change, and problems.
    block : dict
        The dataset, with a key ``schema``.
    keys : tuple of str
        Where it stands.
    model : dict
        The block ``model``: it says as what the networks take each product.
    """
    place = (*keys, "schema")
    entries = {name: one_level(border, entry, (*place, str(name))) for name, entry in block["schema"].items()}
    if block.get("provider") == "hdf5" or all(e.get("provider") in STORED for e in entries.values()):
        return _stored(border, block, entries, place)
    roles = _roles(model)
    schema: Tree = {}
    for name, entry in entries.items():
        parser = entry["provider"] = str(entry.get("provider", "")).removeprefix("parse_")
        ours = _name_of(name, parser, roles, [*entries, *schema])
        if ours is None:
            known = "no such product" if parser in KIND else f"there is no parser {parser!r}"
            border.refuse((*place, str(name)), f"is not supported: {known}")
            continue
        border.moved((*place, str(name)), (*place, ours))
        if ours != name:
            border.renames[name] = ours
            border.note((*place, ours), f"the product {name!r} is called {ours!r} here")
        schema[ours] = entry
    return {**block, "schema": _with_image(border, schema, place)}


def _roles(model: Tree) -> dict[str, list[str]]:
    """Arguments of networks and losses that take each product."""
    roles: dict[str, list[str]] = {}
    for block in ("loss_input", "network_input"):
        for argument, name in mapping(model.get(block)).items():
            roles.setdefault(str(name), []).append(str(argument))
    return roles


def _name_of(name: str, parser: str, roles: Mapping[str, list[str]], taken: list[str]) -> str | None:
    """Our name of a product: its own, that of its role, or the usual one of its parser."""
    kind = KIND.get(parser)
    if kind is None:
        return None
    wanted = [name, *roles.get(name, ()), *(n for n in MADE[parser] if n not in taken)]
    return next((n for n in wanted if n in PRODUCTS and PRODUCTS[n].kind == kind), None)


def _with_image(border: Border, schema: Tree, place: Keys) -> Tree:
    """A schema in which the image and the classes of the voxels are taken from the clusters where it has no others."""
    entry = schema.get("clust_label")
    if entry is None or "data" in schema:
        return schema
    border.moved((*place, "clust_label"), (*place, "data"))
    more: Tree = {"data": {**entry, "provider": "cluster3d_image"}}
    classes = entry.get("sparse_semantics_event")
    if classes and "seg_label" not in schema:
        more["seg_label"] = {"provider": "sparse3d", "sparse_event": classes}
    return {**more, **schema}


def _stored(border: Border, block: Tree, entries: Mapping[str, Tree], place: Keys) -> Tree:
    """A dataset of HDF5 products by the names under which they are stored."""
    for name, entry in entries.items():
        sources: dict[str, Any] = {key: value for key, value in entry.items() if key.endswith("_event")}
        own = next((v for k, v in sources.items() if k.removesuffix("_event") == entry.get("provider")), name)
        if own != name:
            border.refuse((*place, name), f"is not supported: the product is stored as {own!r}, and so called")
    rest = {key: value for key, value in block.items() if key != "schema"}
    return {**rest, "keys": rest.get("keys") or list(entries)}
