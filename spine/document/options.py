"""Options of a typed configuration: name, type in words, default, description."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from spine.document.json_types import TypeSchema

__all__ = ["Option", "block_options", "options_of", "type_words", "yaml_text"]

Json = Any
"""A value as JSON or YAML would hold it."""

NAMES = {
    "integer": "integer",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
    "object": "mapping",
}
BOUNDS = {"minimum": ">= ", "exclusiveMinimum": "> ", "maximum": "<= ", "exclusiveMaximum": "< "}


@dataclass(frozen=True)
class Option:
    """One key of a block.

    Parameters
    ----------
    name : str
        Key in the file.
    kind : str
        Type in words.
    doc : str
        Description, with the unit.
    default : value
        Default as YAML holds it, None when there is none.
    required : bool
        The key has no default.
    block : BaseModel subclass, optional
        The key holds a block of further keys.
    many : bool
        The key holds a list of such blocks.
    """

    name: str
    kind: str
    doc: str
    default: Json = None
    required: bool = False
    block: type[BaseModel] | None = None
    many: bool = False

    @property
    def default_text(self) -> str:
        """Default as YAML, ``required`` when there is none; nothing for a block, whose keys have their own."""
        if self.required:
            return "required"
        return "" if self.block is not None and self.default else yaml_text(self.default)


def yaml_text(value: Json) -> str:
    """A value as YAML on one line."""
    text: str = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("\n...")


def options_of(model: type[BaseModel]) -> tuple[Option, ...]:
    """Keys of a block in the order of their declaration, without those of blocks in it."""
    schema = model.model_json_schema(schema_generator=TypeSchema)
    types, names = schema.get("properties", {}), schema.get("$defs", {})
    return tuple(_option(info.alias or name, info, types, names) for name, info in model.model_fields.items())


def _option(key: str, info: FieldInfo, types: dict[str, Json], names: dict[str, Json]) -> Option:
    default = None if info.is_required() else info.get_default(call_default_factory=True)
    block, many = _block_in(info.annotation)
    return Option(
        key,
        type_words(types[key], names),
        info.description or "",
        to_jsonable_python(default, by_alias=True, inf_nan_mode="constants"),
        info.is_required(),
        block,
        many,
    )


def _block_in(annotation: Json) -> tuple[type[BaseModel] | None, bool]:
    """The only model among the types of an annotation, and whether it stands in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    found = [(block, many) for block, many in map(_block_in, get_args(annotation)) if block is not None]
    if len({block for block, _ in found}) != 1:
        return None, False
    is_list = getattr(annotation, "__origin__", None) in (list, tuple)
    return found[0][0], is_list or found[0][1]


def block_options(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Option]]:
    """Every key of a block and of the blocks in it, by dotted name; lists of blocks show as ``name[]``."""
    for option in options_of(model):
        path = f"{prefix}{option.name}"
        yield path, option
        if option.block is not None:
            yield from block_options(option.block, f"{path}[]." if option.many else f"{path}.")


def type_words(schema: Json, names: dict[str, Json]) -> str:
    """The type that a JSON schema describes, in words.

    Parameters
    ----------
    schema : mapping
        Schema of one value.
    names : mapping
        Schemas to which it refers.
    """
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return "block" if names[name].get("type") == "object" else name
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return _one_of(schema[key], names)
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return ", ".join(f"`{v if isinstance(v, str) else json.dumps(v)}`" for v in values)
    return _plain_words(schema, names)


def _one_of(schemas: list[Json], names: dict[str, Json]) -> str:
    """Types of which a value has one; a list that may be a single value is said once."""
    lists = [s.get("items") for s in schemas if s.get("type") == "array" and "items" in s]
    single = [s for s in schemas if s in lists]
    words = [type_words(s, names) for s in schemas if s not in single]
    return " or ".join(dict.fromkeys(words)) + (" (or one alone)" if single else "")


def _plain_words(schema: Json, names: dict[str, Json]) -> str:
    kind = schema.get("type", "any value")
    if kind == "array":
        return _array_words(schema, names)
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"mapping of {type_words(schema['additionalProperties'], names)}"
    if schema.get("format") in ("path", "file-path", "directory-path"):
        return "path"
    bounds = [f"{sign}{schema[key]:g}" for key, sign in BOUNDS.items() if key in schema]
    return f"{NAMES.get(kind, kind)} {', '.join(bounds)}".strip()


def _array_words(schema: Json, names: dict[str, Json]) -> str:
    if "prefixItems" in schema:
        return f"[{', '.join(type_words(s, names) for s in schema['prefixItems'])}]"
    items = type_words(schema.get("items", {}), names)
    least = f" (at least {schema['minItems']})" if schema.get("minItems") else ""
    return f"list of {items}{least}"
