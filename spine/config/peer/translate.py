"""From a composed SPINE configuration to ours, or the list of everything that cannot be taken over."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spine.config.check import Problem, check
from spine.config.model import ChainStage, Config
from spine.config.peer.border import Border
from spine.config.peer.compose import Composed
from spine.config.peer.document import Download
from spine.config.peer.download import fetch
from spine.config.peer.inputs import io_block
from spine.config.peer.networks import model_block
from spine.config.peer.steps import (
    base_block,
    build_block,
    geo_block,
    step_block,
    train_block,
    validation_block,
)
from spine.config.source import Keys, Source, Tree
from spine.errors import ConfigError

__all__ = ["Translated", "plain_values", "translate", "translated_tree"]

WEIGHTS = "weight_path"


@dataclass(frozen=True)
class Translated:
    """A SPINE configuration in our types.

    Parameters
    ----------
    config : Config
        Checked, all defaults filled in.
    tree : dict
        What was given, in our spelling, defaults left out.
    notes : tuple of str
        What was left out because it changes no result, and what SPINE would warn about.
    files : tuple of Path
        Files that it was composed of.
    lines : mapping
        File and line of each key.
    """

    config: Config
    tree: Tree
    notes: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    lines: Mapping[Keys, str] = field(default_factory=dict)


def _downloads(value: Any, get: bool, keys: Keys = ()) -> Any:
    """Values in which files given by URL are files here; weights keep their URL, for the networks fetch them."""
    if isinstance(value, Download):
        by_url = keys and keys[-1] == WEIGHTS and value.sha256
        return value.text if by_url or not get else str(fetch(value))
    if isinstance(value, Mapping):
        return {key: _downloads(item, get, (*keys, str(key))) for key, item in value.items()}
    if isinstance(value, list):
        return [_downloads(item, get, (*keys, str(i))) for i, item in enumerate(value)]
    return value


def plain_values(value: Any) -> Any:
    """Values as YAML holds them: files given by URL as one word."""
    return _downloads(value, get=False)


def translated_tree(border: Border, tree: Tree) -> Tree:
    """A configuration in our spelling, unchecked.

    Parameters
    ----------
    border : Border
        Gets problems and remarks.
    tree : dict
        As composed. One in our spelling already comes back as it is.
    """
    whole = dict(tree)
    blocks: Tree = {"base": base_block(border, whole), "geo": geo_block(border, whole)}
    blocks["io"] = io_block(border, whole)
    blocks["model"] = model_block(border, whole)
    blocks["train"] = train_block(border, whole)
    blocks["validation"] = validation_block(border, whole)
    blocks["build"] = build_block(border, whole)
    blocks["post"] = step_block(border, whole, "post")
    blocks["ana"] = step_block(border, whole, "ana")
    given = {name: block for name, block in blocks.items() if whole.get(name) is not None}
    rest = {name: value for name, value in whole.items() if name not in blocks}
    return {**rest, **given}


def _parser_problems(config: Config) -> Iterator[Problem]:
    """What is wrong with the schema of a larcv input, entry by entry."""
    plan_of: Any = importlib.import_module("spine.store.larcv.schema").plan_of
    loader = config.io.loader.dataset if config.io.loader is not None else None
    for keys, dataset in ((("io", "loader", "dataset"), loader), (("io", "dataset"), config.io.direct)):
        for name, entry in ((dataset.parsers if dataset is not None else None) or {}).items():
            try:
                plan_of({name: entry})
            except ConfigError as error:
                yield Problem((*keys, "schema", name), str(error.got))


def _stage_problems(stages: list[ChainStage]) -> Iterator[Problem]:
    """Stages whose provider or mode there is not."""
    modules_of: Any = importlib.import_module("spine.model.chain.families").provider_modules
    for i, stage in enumerate(stages):
        try:
            modules_of([stage])
        except ConfigError as error:
            mend = f"; {error.mend}" if error.mend else ""
            yield Problem(("model", "modules", "chain", "stages", str(i)), f"{error.what}{mend}")


def translate(composed: Composed, get: bool = True) -> Translated:
    """Turn a SPINE configuration into ours.

    Parameters
    ----------
    composed : Composed
        The configuration.
    get : bool
        Whether files that it gives by URL are downloaded.

    Raises
    ------
    ConfigError
        Lists everything that is wrong or not supported, with file and line.
    """
    border = Border(Source(dict(composed.tree), dict(composed.lines)), notes=list(composed.notes))
    tree = translated_tree(border, _downloads(composed.tree, get))
    source = Source(tree, border.source.lines)
    config = check(source, border.problems)
    found = [*_parser_problems(config), *_stage_problems(list(config.model.modules.chain.stages))]
    if found:
        check(source, found)
    return Translated(config, tree, tuple(border.notes), tuple(composed.files), source.lines)
