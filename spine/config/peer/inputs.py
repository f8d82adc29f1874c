"""The block ``io`` of a SPINE configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from spine.config.peer.border import Border, mapping, one_level
from spine.config.peer.products import our_schema
from spine.config.source import Keys, Tree

__all__ = ["io_block"]

NO_EFFECT: Final = (
    "dtype", "max_print_files", "create_run_map", "run_info_key", "build_classes", "skip_unknown_attrs", "keep_open",
    "swmr", "fixed_only", "allow_missing",
)  # fmt: skip
"""Options of readers that change no result here."""

REFUSED_READER: Final = {
    "entry_filter": "choose events by entry_list or run_event_list",
    "augment": "events are taken as they are",
    "overlay_methods": "events are not overlaid",
    "object_defaults": "objects have the fields of the schema",
}
FORMATS: Final = ("larcv", "hdf5")
LOADER_NO_EFFECT: Final = (
    "worker_init_fn", "pin_memory", "prefetch_factor", "persistent_workers", "drop_last", "timeout", "generator",
    "pin_memory_device", "multiprocessing_context",
)  # fmt: skip
WRITER_NO_EFFECT: Final = ("keep_open", "flush_frequency", "split")
REFUSED_WRITER: Final = {
    "append": "an output is complete or not there at all",
    "dummy_ds": "leave out what the events do not have",
    "lite": "name the products in keys",
}


def io_block(border: Border, tree: Tree) -> Tree:
    """The block ``io`` in our spelling; what belongs to training moves to ``train.loader``.

    Parameters
    ----------
    border : Border
        Gets problems, remarks, and the products that are called otherwise here.
    tree : dict
        The whole configuration; ``train`` is changed in place.
    """
    io = mapping(tree.get("io"))
    model = mapping(tree.get("model"))
    if isinstance(io.get("loader"), Mapping):
        io["loader"] = _loader(border, io["loader"], tree)
    for name in ("dataset", "reader"):
        if isinstance(io.get(name), Mapping):
            io[name] = _events(border, io[name], ("io", name), model)
    if isinstance(io.get("writer"), Mapping):
        io["writer"] = _writer(border, io["writer"])
    return io


def _loader(border: Border, block: Any, tree: Tree) -> Tree:
    keys = ("io", "loader")
    loader = border.without(mapping(block), keys, LOADER_NO_EFFECT)
    _collate(border, loader.pop("collate_fn", None), (*keys, "collate_fn"))
    batch = {name: loader.pop(name, None) for name in ("batch_size", "minibatch_size", "num_workers")}
    order = {name: loader.pop(name, None) for name in ("shuffle", "sampler")}
    if tree.get("train") is not None:
        _training_loader(border, tree, batch, order)
    else:
        if order["shuffle"] or _sampler_name(order["sampler"]) not in (None, "sequential"):
            border.note((*keys, "sampler"), "events are processed in order")
        if batch["minibatch_size"] is not None:
            loader["minibatch_size"] = batch["minibatch_size"]
        elif batch["batch_size"] is not None:
            world = max(1, int(mapping(tree.get("base")).get("world_size") or 1))
            loader["minibatch_size"] = max(1, int(batch["batch_size"]) // world)
            border.moved((*keys, "batch_size"), (*keys, "minibatch_size"))
    if isinstance(loader.get("dataset"), Mapping):
        loader["dataset"] = _events(border, loader["dataset"], (*keys, "dataset"), mapping(tree.get("model")))
    return loader


def _sampler_name(value: Any) -> str | None:
    block = mapping(value)
    name = value if isinstance(value, str) else block.get("provider", block.get("name"))
    return None if name is None else str(name)


def _training_loader(border: Border, tree: Tree, batch: Tree, order: Tree) -> None:
    """Size and order of minibatches, which training reads under ``train.loader``."""
    given = {name: value for name, value in batch.items() if value is not None}
    name = _sampler_name(order["sampler"]) or ("random" if order["shuffle"] else "sequential")
    sampler = one_level(border, order["sampler"], ("io", "loader", "sampler")) if order["sampler"] else {}
    if "seed" in sampler:
        border.note(("io", "loader", "sampler", "seed"), "all random numbers follow base.seed")
    kept = {key: value for key, value in sampler.items() if key not in ("seed", "provider")}
    given["sampler"] = {**kept, "provider": name}
    for key in given:
        border.moved(("io", "loader", key), ("train", "loader", key))
    train = mapping(tree["train"])
    tree["train"] = {**train, "loader": {**given, **mapping(train.get("loader"))}}


def _collate(border: Border, value: Any, keys: Keys) -> None:
    """Events are joined in one way: each keeps its voxels."""
    if value is None:
        return
    options = one_level(border, value, keys)
    if options.pop("provider", "all") not in ("all", "CollateAll"):
        border.refuse(keys, "is not supported: events are joined as by 'all'")
    border.only_default(options, keys, dict.fromkeys(("split", "overlay", "source"), "events are joined as they are"))


def _events(border: Border, value: Any, keys: Keys, model: Tree) -> Tree:
    """A dataset or reader: where events come from, and which of them."""
    block = mapping(value)
    if "name" in block:
        border.moved((*keys, "name"), (*keys, "provider"))
        block["provider"] = block.pop("name")
    if block.get("provider") not in (None, "auto", *FORMATS):
        border.refuse((*keys, "provider"), f"{block.pop('provider')!r} is not supported: larcv or hdf5")
    block = border.without(block, keys, NO_EFFECT)
    block = border.only_default(block, keys, REFUSED_READER)
    for name, parse in LISTS.items():
        if isinstance(block.get(name), str):
            block[name] = _listed(border, block[name], (*keys, name), parse)
    if isinstance(block.get("schema"), Mapping):
        block = our_schema(border, block, keys, model)
    return block


def _writer(border: Border, value: Any) -> Tree:
    keys = ("io", "writer")
    block = one_level(border, value, keys)
    if block.get("provider") not in (None, "hdf5"):
        border.refuse((*keys, "provider"), f"{block.pop('provider')!r} is not supported: hdf5")
    if block.get("split_source") not in (None, "all"):
        border.refuse((*keys, "split_source"), "is not supported: there is one kind of input")
    block = border.without(block, keys, (*WRITER_NO_EFFECT, "split_source"))
    block = border.only_default(block, keys, REFUSED_WRITER)
    for name in ("keys", "skip_keys"):
        if isinstance(block.get(name), list):
            block[name] = [border.renames.get(key, key) for key in block[name]]
    return block


def _numbers(line: str) -> list[int]:
    return [int(word) for word in line.replace(",", " ").split()]


def _entries(lines: list[str]) -> list[int]:
    return [number for line in lines for number in _numbers(line)]


def _triplets(lines: list[str]) -> list[list[int]]:
    return [_numbers(line)[:3] for line in lines]


LISTS: Final[dict[str, Callable[[list[str]], Any]]] = {
    "entry_list": _entries, "skip_entry_list": _entries, "run_event_list": _triplets,
    "skip_run_event_list": _triplets,
}  # fmt: skip
"""Choices of events that may stand in a text file."""


def _listed(border: Border, name: str, keys: Keys, parse: Callable[[list[str]], Any]) -> Any:
    """What a text file lists."""
    try:
        lines = [line for line in Path(name).read_text().splitlines() if line.strip()]
        return parse(lines)
    except (OSError, ValueError) as error:
        border.refuse(keys, f"the list cannot be read: {error}")
        return None
