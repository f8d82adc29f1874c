"""One key of a configuration explained: its value, where it was set, its type, default and meaning."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from spine.config.model import Config, StepBlock
from spine.config.source import Keys, Source
from spine.errors import ConfigError, did_you_mean
from spine.steps.registry import load_step

__all__ = ["Explanation", "explain"]

SECTIONS = {("build",): ("spine.build", "BuildConfig"), ("sim",): ("spine.sim.config", "GeneratorConfig")}
"""Blocks whose options are declared in other packages."""


@dataclass(frozen=True)
class Explanation:
    """What is known about one key.

    Parameters
    ----------
    key : str
        Dotted.
    value : value
        Its value, defaults filled in.
    place : str
        File and line where it was set, empty when it was not.
    kind, doc : str
        Type and meaning, empty for options that only a network knows.
    default : value
        Default, None when there is none.
    """

    key: str
    value: Any
    place: str = ""
    kind: str = ""
    doc: str = ""
    default: Any = None

    def __str__(self) -> str:
        lines = [f"{self.key} = {self.value!r}", f"  set: {self.place or 'nowhere, this is the default'}"]
        lines += [f"  meaning: {self.doc}"] if self.doc else []
        lines += [f"  type: {self.kind}"] if self.kind else []
        lines += [f"  default: {self.default!r}"] if self.kind else []
        return "\n".join(lines)


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """The block that an annotation allows."""
    for option in (annotation, *get_args(annotation)):
        if isinstance(option, type) and issubclass(option, BaseModel):
            return option
    return None


def _field(model: type[BaseModel] | None, key: str) -> FieldInfo | None:
    """The field of a block that a key of the file stands for."""
    for name, found in (model.model_fields if model is not None else {}).items():
        if key in (found.alias or name, name):
            return found
    return None


def _option_model(config: Config, keys: Keys) -> type[BaseModel] | None:
    """The block of options below keys that the typed configuration does not declare itself."""
    if keys in SECTIONS:
        module, name = SECTIONS[keys]
        model: type[BaseModel] = getattr(importlib.import_module(module), name)
        return model
    if len(keys) == 2 and keys[0] in ("post", "ana"):
        block: StepBlock = getattr(config, keys[0])
        entries = {entry.name: entry for entry in block.steps}
        if keys[1] in entries:
            return load_step("post" if keys[0] == "post" else "ana", entries[keys[1]].provider).config
    return None


def _tree(config: Config) -> dict[str, Any]:
    """The configuration as nested values, steps by their labels."""
    tree: dict[str, Any] = config.model_dump(mode="json", by_alias=True)
    for kind in ("post", "ana"):
        steps = tree[kind].pop("steps")
        tree[kind] |= {step["name"]: step["config"] for step in steps}
    return tree


def explain(config: Config, source: Source, key: str) -> Explanation:
    """Look a key up.

    Parameters
    ----------
    config : Config
        Checked.
    source : Source
        Where its keys were set.
    key : str
        Dotted; steps by their labels, entries of lists by number.

    Raises
    ------
    ConfigError
        When there is no such key; suggests the nearest.
    """
    keys = tuple(key.split("."))
    value: Any = _tree(config)
    model: type[BaseModel] | None = Config
    field: FieldInfo | None = None
    for i, name in enumerate(keys):
        value = _below(value, name, keys[:i])
        field = _field(model, name)
        model = _model_of(field.annotation) if field is not None else None
        model = _option_model(config, keys[: i + 1]) or model
    place = source.lines.get(keys, "")
    if field is None:
        return Explanation(key, value, place)
    default = field.get_default(call_default_factory=True, validated_data={})
    default = None if default is PydanticUndefined or isinstance(default, BaseModel) else default
    return Explanation(key, value, place, _words(field.annotation), field.description or "", default)


def _below(value: Any, name: str, above: Keys) -> Any:
    if isinstance(value, Mapping) and name in value:
        return value[name]
    if isinstance(value, list) and name.isdigit() and int(name) < len(value):
        return value[int(name)]
    known = [str(k) for k in value] if isinstance(value, Mapping) else []
    where = ".".join(above) or "the configuration"
    raise ConfigError(f"there is no key {name!r}", where=where, mend=did_you_mean(name, known))


def _words(annotation: Any) -> str:
    text = annotation.__name__ if isinstance(annotation, type) and not get_args(annotation) else str(annotation)
    return text.replace("typing.", "").replace("NoneType", "null").replace("None", "null")
