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
        """Lists that are made of a single value, alone or as values of a mapping, accept it as well."""
        return _or_single(super().function_before_schema(schema))

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """A default, unless JSON has no such number."""
        found = super().default_schema(schema)
        default = found.get("default")
        if isinstance(default, float) and default - default != 0:
            found.pop("default")
        return found


def _or_single(schema: JsonSchemaValue) -> JsonSchemaValue:
    if schema.get("type") == "array" and "items" in schema:
        return {"anyOf": [schema, schema["items"]]}
    nested = schema.get("additionalProperties")
    if schema.get("type") == "object" and isinstance(nested, dict):
        return {**schema, "additionalProperties": _or_single(nested)}
    return schema
