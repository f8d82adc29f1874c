"""YAML files with the line of every key, composed by ``extends`` and overridden in dotted language."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from spine.errors import ConfigError, did_you_mean

__all__ = ["Source", "apply_overrides", "merge", "read_source"]

Tree = dict[str, Any]
Keys = tuple[str, ...]

MERGE_TAG = "tag:yaml.org,2002:merge"
PRESETS = Path(__file__).resolve().parents[2] / "config"


@dataclass
class Source:
    """A configuration before it is checked.

    Parameters
    ----------
    tree : dict
        Nested values.
    lines : dict
        Where each key was last set: file and line.
    """

    tree: Tree = field(default_factory=dict)
    lines: dict[Keys, str] = field(default_factory=dict)

    def place(self, keys: Keys) -> str:
        """File and line of a key, or of the nearest key above it; empty when unknown."""
        for n in range(len(keys), 0, -1):
            if keys[:n] in self.lines:
                return self.lines[keys[:n]]
        return ""


class _Loader(yaml.SafeLoader):
    """Safe loader that refuses duplicate keys."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Hashable, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        if key_node.tag == MERGE_TAG:  # values of other mappings, below those given here
            continue
        key = loader.construct_object(key_node)
        if key in seen:
            raise ConfigError(f"the key {key!r} stands twice", where=_mark(key_node), mend="keep one of them")
        seen.add(key)
    loader.flatten_mapping(node)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _mark(node: yaml.Node) -> str:
    return f"{node.start_mark.name}:{node.start_mark.line + 1}"


def _collect_lines(node: yaml.Node, keys: Keys, lines: dict[Keys, str]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key_node, value in node.value:
            path = (*keys, str(key_node.value))
            lines[path] = _mark(key_node)
            _collect_lines(value, path, lines)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            lines[(*keys, str(i))] = _mark(value)
            _collect_lines(value, (*keys, str(i)), lines)


def _parse(path: Path) -> Source:
    try:
        text = path.read_text()
    except OSError as error:
        raise ConfigError("the configuration cannot be read", where=path, got=error.strerror) from error
    loader = _Loader(text)
    loader.name = str(path)
    try:
        node = loader.get_single_node()
        tree = loader.construct_document(node) if node is not None else {}
    except yaml.YAMLError as error:
        raise ConfigError("the file is not valid YAML", where=path, got=str(error).replace("\n", " ")) from error
    finally:
        loader.dispose()
    if not isinstance(tree, dict):
        raise ConfigError("the configuration must be a mapping of blocks", where=path, got=type(tree).__name__)
    source = Source(tree)
    if node is not None:
        _collect_lines(node, (), source.lines)
    return source


def merge(below: Tree, above: Mapping[str, Any]) -> Tree:
    """The values of ``above`` laid over those of ``below``: mappings are merged, everything else is replaced."""
    out = dict(below)
    for key, value in above.items():
        old = out.get(key)
        out[key] = merge(old, value) if isinstance(old, dict) and isinstance(value, Mapping) else value
    return out


def _find(name: str, beside: Path, chain: tuple[Path, ...]) -> Path:
    """A preset by file name or short name: beside the file, on the search path, then among the shipped ones."""
    folders = [beside, *map(Path, filter(None, os.environ.get("SPINE_CONFIG_PATH", "").split(os.pathsep))), PRESETS]
    names = [name, f"{name}.yaml", f"presets/{name}.yaml"]
    found = [folder / candidate for folder in folders for candidate in names if (folder / candidate).is_file()]
    if found:  # a file may extend the preset whose name it has
        return next((path for path in found if path.resolve() not in chain), found[0])
    known = [p.stem for p in (PRESETS / "presets").glob("*.yaml")]
    raise ConfigError(f"no preset is called {name!r}", where=beside, mend=did_you_mean(name, known))


def compose(source: Source, beside: Path, chain: tuple[Path, ...] = ()) -> Source:
    """Lay a configuration over the presets it extends.

    Parameters
    ----------
    source : Source
        May name presets under ``extends`` (one, or a list in which later ones win).
    beside : Path
        Directory in which presets are looked for first.
    chain : tuple of Path
        Files that are being read, to find cycles.

    Raises
    ------
    ConfigError
        When a preset is missing or extends itself.
    """
    names = source.tree.pop("extends", None)
    if names is None:
        return source
    out = Source()
    for name in [names] if isinstance(names, str) else list(names):
        path = _find(str(name), beside, chain).resolve()
        if path in chain:
            raise ConfigError("a preset extends itself", where=path, got=" -> ".join(p.name for p in (*chain, path)))
        preset = compose(_parse(path), path.parent, (*chain, path))
        out = Source(merge(out.tree, preset.tree), out.lines | preset.lines)
    return Source(merge(out.tree, source.tree), out.lines | source.lines)


def read_source(path: Path) -> Source:
    """Read a configuration file and the presets it extends.

    Raises
    ------
    ConfigError
        When a file is missing, is not YAML, repeats a key, or presets form a cycle.
    """
    return compose(_parse(path), path.parent, (path.resolve(),))


def apply_overrides(source: Source, overrides: str) -> Source:
    """Set values in the dotted language: ``post.direction.radius=5;ana.save.match_mode=null``.

    Parameters
    ----------
    source : Source
        The configuration.
    overrides : str
        Assignments separated by semicolons; values are YAML. Numbers step into lists.

    Raises
    ------
    ConfigError
        When an assignment has no ``=`` or steps into a value that is not a mapping or list.
    """
    tree, lines = source.tree, dict(source.lines)
    for text in filter(None, (part.strip() for part in overrides.split(";"))):
        path, found, value = text.partition("=")
        if not found:
            raise ConfigError("an override needs key=value", where="--set", got=text)
        keys = tuple(path.strip().split("."))
        tree = _assigned(tree, keys, yaml.safe_load(value), text)
        lines[keys] = f"--set {text}"
    return Source(tree, lines)


def _assigned(tree: Any, keys: Keys, value: Any, text: str) -> Any:
    if not keys:
        return value
    head, rest = keys[0], keys[1:]
    if isinstance(tree, list):
        if not head.isdigit() or int(head) >= len(tree):
            raise ConfigError(f"no entry {head!r} in the list", where="--set", got=text)
        return [_assigned(v, rest, value, text) if i == int(head) else v for i, v in enumerate(tree)]
    if tree is None:
        tree = {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{head!r} lies below a plain value", where="--set", got=text)
    return {**tree, head: _assigned(tree.get(head), rest, value, text)}
