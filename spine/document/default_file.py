"""The default configuration as a commented YAML file."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap
from typing import Literal

from pydantic import BaseModel

from spine.config.model import Config, StepBlock
from spine.document.options import Option, options_of, yaml_text
from spine.document.parts import SECTIONS, optional_model, steps

__all__ = ["default_file"]

HEAD = """# The whole default configuration, made by `python -m spine.document docs`: change declarations, not it.
# Lines that begin with '#:' are what may stand there beside the default: optional blocks, and the steps that exist.
# yaml-language-server: $schema=schema.json"""

INDENT = "  "
WIDTH = 118


def _entry(option: Option, depth: int) -> Iterator[str]:
    """Lines of one key: the description above it, optional blocks with their keys behind ``#:``."""
    pad = INDENT * depth
    yield from wrap(option.doc, WIDTH, initial_indent=f"{pad}# ", subsequent_indent=f"{pad}# ")
    if option.block is None or option.many or not option.default:
        yield from _value(option, pad)
    else:
        yield f"{pad}{option.name}:"
        yield from _entries(option.block, depth + 1)
    if option.block is not None and option.default is None:
        yield f"{pad}#: {option.name}:"
        yield from _shown(option.block, pad, 1)


def _value(option: Option, pad: str) -> Iterator[str]:
    if option.many and option.default:
        yield f"{pad}{option.name}:"
        yield from (f"{pad}{INDENT}- {yaml_text(value)}" for value in option.default)
    else:
        yield f"{pad}{option.name}: {yaml_text(option.default)}"


def _entries(model: type[BaseModel], depth: int) -> Iterator[str]:
    for option in options_of(model):
        yield from _entry(option, depth)


def _shown(model: type[BaseModel], pad: str, depth: int) -> Iterator[str]:
    """Keys of a block that is not there by default, each with its description behind it."""
    for option in options_of(model):
        start = f"{pad}#: {INDENT * depth}{option.name}:"
        if option.block is not None and not option.many and option.default:
            yield f"{start}  # {option.doc}"
            yield from _shown(option.block, pad, depth + 1)
        else:
            value = "" if option.required else f" {yaml_text(option.default)}"
            yield f"{start}{value}  # {'required: ' if option.required else ''}{option.doc}"


def _step_entries(kind: Literal["post", "ana"]) -> Iterator[str]:
    """Every step with its options, behind ``#:``."""
    for step in steps(kind):
        yield f"{INDENT}# {step.doc}"
        empty = "" if step.config.model_fields else " {}"
        yield f"{INDENT}#: {step.name}:{empty}"
        yield from _shown(step.config, INDENT, 1)


def _block(option: Option) -> Iterator[str]:
    yield f"\n# {option.doc}"
    section = optional_model(*SECTIONS[option.name]) if option.name in SECTIONS else None
    if option.block is None:
        yield from _value(option, "")
        if section is not None:
            yield f"#: {option.name}:"
            yield from _shown(section, "", 1)
        return
    yield f"{option.name}:"
    for key in options_of(option.block):
        if not (issubclass(option.block, StepBlock) and key.name == "steps"):
            yield from _entry(key, 1)
    if section is not None:
        yield from _entries(section, 1)
    if option.name == "post":
        yield from _step_entries("post")
    if option.name == "ana":
        yield from _step_entries("ana")


def default_file() -> str:
    """The whole file."""
    return "\n".join([HEAD, *(line for option in options_of(Config) for line in _block(option))]) + "\n"
