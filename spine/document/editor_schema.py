"""JSON schema of the configuration, from which editors complete and check."""

from __future__ import annotations

import json
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from spine.config.model import AnaBlock, Config, DatasetBlock, SimulateBlock, StepBlock
from spine.document.json_types import TypeSchema
from spine.document.parts import SECTIONS, first_line, found, optional_model, parsers, steps
from spine.schema import PRODUCTS
from spine.steps.step import Step

__all__ = ["editor_schema"]

Json = dict[str, Any]
Kind = Literal["post", "ana"]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
TEXT: Json = {"type": "string"}
SWITCH: Json = {"type": ["null", "boolean"]}
EXTENDS: Json = {
    "description": "Presets over which the file is laid, the last one wins",
    "anyOf": [TEXT, {"type": "array", "items": TEXT}],
}


def _to(name: str) -> Json:
    return {"$ref": f"#/$defs/{name}"}


def _all_of(rules: list[Json]) -> Json:
    return {"allOf": rules} if rules else {}


def _says(key: str, value: str) -> Json:
    return {"properties": {key: {"const": value}}, "required": [key]}


class _Definitions:
    """Schemas by name, and the name that each model's has among them."""

    def __init__(self, models: list[type[BaseModel]]) -> None:
        wanted = [(model, "validation") for model in dict.fromkeys(models)]
        refs, tree = models_json_schema(wanted, schema_generator=TypeSchema)  # type: ignore[arg-type]
        self.schemas: Json = tree["$defs"]
        self._names: dict[object, str] = {model: ref["$ref"].rpartition("/")[2] for (model, _), ref in refs.items()}

    def name(self, model: type[BaseModel]) -> str:
        """Name of the schema of a model."""
        return self._names[model]

    def properties(self, model: type[BaseModel]) -> Json:
        """Keys of a model."""
        found: Json = self.schemas[self.name(model)].get("properties", {})
        return found


def _models() -> list[type[BaseModel]]:
    """Every model of which the schema speaks."""
    sections = [optional_model(*place) for place in SECTIONS.values()]
    options = [step.config for step in (*steps("post"), *steps("ana"))]
    parsing = [model for _, model, _ in parsers().values()]
    own: list[type[BaseModel]] = [Config, DatasetBlock, SimulateBlock, StepBlock, AnaBlock]
    return [*own, *filter(None, sections), *options, *parsing]


def _with_keys(model: type[BaseModel], keys: Json, known: _Definitions) -> Json:
    """Schema of a model with further keys."""
    schema = known.schemas[known.name(model)]
    return {**schema, "properties": {**keys, **schema.get("properties", {})}}


def _entry(step: Step, known: _Definitions) -> Json:
    """A step with its options inline or under ``config``."""
    keys: Json = {"provider": TEXT, "name": TEXT}
    nested = {"properties": {**keys, "config": _to(known.name(step.config))}, "required": ["config"]}
    return {
        "type": "object",
        "description": step.doc,
        "anyOf": [_with_keys(step.config, keys, known), {**nested, "additionalProperties": False}],
    }


def _is_step(name: str) -> Json:
    """An entry that is a step of that name: by its provider, or by its name when it has no provider."""
    alone = {"allOf": [_says("name", name), {"not": {"required": ["provider"]}}]}
    return {"anyOf": [_says("provider", name), alone]}


def _labelled(kind: Kind, name: str) -> Json:
    """What may stand under a label which is the name of a step."""
    options = {"if": {"required": ["provider"]}, "then": _to(f"{kind}_entry"), "else": _to(f"{kind}.{name}")}
    return {"anyOf": [SWITCH, {"type": "object", **options}]}


def _step_block(kind: Kind, block: type[BaseModel], known: _Definitions) -> Json:
    """Schema of post or ana; those of its steps are added to the definitions."""
    shipped = steps(kind)
    known.schemas |= {f"{kind}.{step.name}": _entry(step, known) for step in shipped}
    rules = [{"if": _is_step(step.name), "then": _to(f"{kind}.{step.name}")} for step in shipped]
    provider = {"anyOf": [{"enum": [step.name for step in shipped]}, TEXT], "description": "Name of a step, or a file"}
    known.schemas[f"{kind}_entry"] = {"type": "object", "properties": {"provider": provider}, **_all_of(rules)}
    own = {key: value for key, value in known.properties(block).items() if key != "steps"}
    stages: Json = {"type": "array", "items": _to(f"{kind}_entry"), "description": "Steps in the order they run"}
    other: Json = {"anyOf": [{"const": False}, {"required": ["provider"], **_to(f"{kind}_entry")}]}
    return {
        "type": ["object", "null"],
        "description": first_line(block),
        "properties": {**own, "stages": stages, **{step.name: _labelled(kind, step.name) for step in shipped}},
        "additionalProperties": other if found(f"spine.{kind}") else True,
    }


def _parser_block(known: _Definitions) -> Json:
    """Schema of the parsers of larcv files by product."""
    keys: Json = {"provider": TEXT}
    for name, (run, options, _) in parsers().items():
        known.schemas[f"parser.{name}"] = {**_with_keys(options, keys, known), "description": first_line(run)}
    rules = [{"if": _says("provider", name), "then": _to(f"parser.{name}")} for name in parsers()]
    entry: Json = {
        "type": "object",
        "properties": {"provider": {"enum": list(parsers())}},
        "required": ["provider"],
        **_all_of(rules),
    }
    return {"type": ["object", "null"], "propertyNames": {"enum": list(PRODUCTS)}, "additionalProperties": entry}


def _section(name: str, known: _Definitions) -> Json:
    """Schema of a block whose options a part of the package declares."""
    model = optional_model(*SECTIONS[name])
    return {"type": "object"} if model is None else _to(known.name(model))


def _sim_block(known: _Definitions) -> Json:
    model = optional_model(*SECTIONS["sim"])
    if model is None:
        return _to(known.name(SimulateBlock))
    return {**_with_keys(model, known.properties(SimulateBlock), known), "description": first_line(SimulateBlock)}


def _references(value: object) -> set[str]:
    """Names of the definitions to which a schema refers."""
    if isinstance(value, dict):
        own = {value["$ref"].rpartition("/")[2]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*map(_references, value.values()))
    return set().union(*map(_references, value)) if isinstance(value, list) else set()


def _used(root: Json, schemas: Json) -> Json:
    """Definitions that are reached from a schema, sorted by name."""
    reached: set[str] = set()
    fresh = _references(root)
    while fresh:
        reached |= fresh
        fresh = set().union(*(_references(schemas[name]) for name in fresh)) - reached
    return {name: schemas[name] for name in sorted(reached)}


def editor_schema() -> str:
    """The whole schema as JSON."""
    known = _Definitions(_models())
    own = known.properties(Config)
    special = {
        "sim": _sim_block(known),
        "build": _section("build", known),
        "post": _step_block("post", StepBlock, known),
        "ana": _step_block("ana", AnaBlock, known),
    }
    dataset = known.properties(DatasetBlock)
    dataset["schema"] = {**_parser_block(known), "description": dataset["schema"]["description"]}
    blocks = {
        name: {**(special[name] if name in special else schema), "description": schema["description"]}
        for name, schema in own.items()
    }
    root: Json = {
        "$schema": DIALECT,
        "title": "Configuration of spine-flow",
        "type": "object",
        "properties": {"extends": EXTENDS, **blocks},
        "additionalProperties": False,
    }
    return json.dumps({**root, "$defs": _used(root, known.schemas)}, indent=2, allow_nan=False) + "\n"
