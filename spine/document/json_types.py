"""JSON schemas of typed options, without titles, loose where a validator takes more than the type says."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

__all__ = ["TypeSchema"]


class TypeSchema(GenerateJsonSchema):
    """Generator of the schemas."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Fields have names, which say the same."""
        del schema
        return False

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        """An enum: its values, without a title."""
        found = super().enum_schema(schema)
        found.pop("title", None)
        return found

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """A block: open where a validator of its own reads further keys before the types are checked."""
        found = super().model_schema(schema)
        found.pop("title", None)
        model: type[BaseModel] = schema["cls"]
        before = model.__pydantic_decorators__.model_validators.values()
        if any(validator.info.mode == "before" for validator in before):
            found["additionalProperties"] = True
            found.pop("required", None)
        return found

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> JsonSchemaValue:
        """A value that is read before its type is checked; see `_loose`."""
        return _loose(super().function_before_schema(schema))

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """A default, unless JSON has no such number."""
        found = super().default_schema(schema)
        default = found.get("default")
        if isinstance(default, float) and default - default != 0:
            found.pop("default")
        return found


def _loose(schema: JsonSchemaValue) -> JsonSchemaValue:
    """What such a value may be besides: one item for a list, one value for a mapping, text for a number or a name."""
    nested = schema.get("additionalProperties")
    if schema.get("type") == "array" and "items" in schema:
        return {"anyOf": [schema, schema["items"]]}
    if schema.get("type") == "object" and isinstance(nested, dict):
        if nested.get("type") == "array":
            return {**schema, "additionalProperties": _loose(nested)}
        return {"anyOf": [schema, nested]}
    if schema.get("type") in ("number", "integer") or "$ref" in schema:
        return {"anyOf": [schema, {"type": "string"}]}
    return schema
