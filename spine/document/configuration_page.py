"""The page on the configuration: blocks, steps, providers of the chain, parsers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel

from spine.config.model import Config, StepBlock
from spine.document.markdown import NOTICE, code, option_table, table
from spine.document.options import options_of
from spine.document.parts import (
    SECTIONS,
    Mode,
    chain_modes,
    first_line,
    kinds_of,
    networks,
    optional_model,
    parsers,
    step_tables,
    steps,
)
from spine.steps.step import Step

__all__ = ["configuration_page"]

INTRODUCTION = """# Configuration

A configuration is a YAML file with the blocks below; what it leaves out has its default. `config/default.yaml` is the
whole of it with all defaults; `config/schema.json` is its JSON schema, from which editors complete and check
(`# yaml-language-server: $schema=config/schema.json` as the first line of a file).

- `extends: label` lays the file over a preset: a file beside it, in a directory of `SPINE_CONFIG_PATH`, or in
  `config/presets`. A list of names is read from left to right, the last one wins. Mappings are merged key by key,
  lists and values are replaced.
- `--set "post.direction.radius=5;ana.save.match_mode=null"` (or `--config set=...` of the workflow) overrides single
  keys; values are YAML, numbers step into lists (`model.modules.chain.stages.1.config.mode=dbscan`).
- `spine config check FILE` names every wrong key with its file, line and the nearest right one; `spine config show
  FILE` prints what is in force.

A type `a, b` is a choice, `list of ...` and `[...]` are YAML lists, `null` is allowed where the type says so."""

STEPS = {
    "post": """Steps that fill in columns of objects. As a mapping, the label of each entry is the name of the step
(or any label with `provider:`), the value holds its options, `{}` for the defaults and `false` to leave it out; the
order follows from what steps read and write. As a list under `stages:` (`name`, `provider`, `config`) the order is
that of the list. A step of your own is a Python file: `my_step: {provider: my_step.py, config: {}}`.""",
    "ana": """Steps that write tables. They are given as those of `post`. Every table begins with the columns `index`,
`file_index`, `file_entry_index`, `run`, `subrun`, `event`.""",
}
CHAIN = """The stages of the chain are entries of `model.modules.chain.stages`. The `provider` (by default the name of
the stage) is one of the families below; `config` holds the `mode` and its options. Several modes of a family are
joined by `_`; the options of each then stand in a block of its name. Particle aggregation takes one mode for all
classes (`particle_aggregation` or `mode`), or one each (`shower_aggregation`, `track_aggregation`), with options in a
block `MODE_PATH` such as `geometric_shower`."""

NETWORKS = """Blocks of `model.modules` beside `chain` describe networks; a block `NAME_loss` holds the options of the
loss of the network `NAME`. The start of a name says what it is, the longest that fits: `grappa_shower` is a `grappa`.
Stages name the networks that they use under `uses`. In the block of a network, or of a part of it, `weight_path` names
a file of weights of its own, `model_name` the name that it has there, and `freeze_weights: true` keeps it from being
trained."""

PARSERS = """Entries of `io.loader.dataset.schema` say how products are made of those of a larcv file: the key is the
[product](schema.md#products), `provider` one of the parsers below, the other keys are its options."""


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(map(code, names)) or "nothing"


def _block(name: str) -> Iterator[str]:
    """Section of a block of the configuration."""
    yield f"## {name}\n\n{Config.model_fields[name].description}."
    if name in STEPS:
        yield STEPS[name]
    yield _own_options(name)
    if name == "post":
        yield from map(_post_step, steps("post"))
    if name == "ana":
        yield from map(_ana_step, steps("ana"))


def _own_options(name: str) -> str:
    """Keys of a block; steps have sections of their own."""
    model: object = Config.model_fields[name].annotation
    own = [model] if isinstance(model, type) and issubclass(model, BaseModel) else []
    further = optional_model(*SECTIONS[name]) if name in SECTIONS else None
    if not any(issubclass(m, StepBlock) for m in own):
        return option_table(*own, *filter(None, [further]), prefix=f"{name}.")
    options = [option for m in own for option in options_of(m) if option.name != "steps"]
    rows = [(code(f"{name}.{o.name}"), o.kind, code(o.default_text), o.doc) for o in options]
    return table(("key", "type", "default", "meaning"), rows)


def _step(kind: Literal["post", "ana"], step: Step, writes: str) -> str:
    lines = f"- reads {_names(step.reads)}\n- writes {writes}"
    prefix = f"{kind}.{step.name}."
    further = [
        f"{first_line(model)}\n\n{option_table(model, prefix=prefix + name + '.')}" for name, model in kinds_of(step)
    ]
    return "\n\n".join([f"### {kind}.{step.name}", step.doc, lines, option_table(step.config, prefix=prefix), *further])


def _post_step(step: Step) -> str:
    return _step("post", step, _names(step.writes))


def _ana_step(step: Step) -> str:
    return _step("ana", step, f"the tables {step_tables(step)}")


def _mode(family: str, mode: Mode) -> str:
    needs = f"- requires {mode.requires}\n- provides {mode.provides}"
    return f"#### {family}: {mode.name}\n\n{mode.doc}\n\n{needs}\n\n{option_table(mode.config)}"


def _chain() -> Iterator[str]:
    yield f"## Providers of the chain\n\n{CHAIN}"
    for family, products, modes in chain_modes():
        yield f"### {family}\n\nMakes {_names(products)}."
        yield from (_mode(family, mode) for mode in modes)


def _networks() -> Iterator[str]:
    yield f"## Networks\n\n{NETWORKS}"
    for name, model, loss in networks():
        yield f"### {name}\n\n{first_line(model)}\n\n{option_table(model)}"
        if loss is not None:
            yield f"#### {name}_loss\n\n{first_line(loss)}\n\n{option_table(loss)}"


def _parsers() -> Iterator[str]:
    yield f"## Parsers of larcv files\n\n{PARSERS}"
    for name, (run, options, kind) in parsers().items():
        yield f"### {name}\n\n{first_line(run)}\n\n- makes {code(kind)}\n\n{option_table(options)}"


def configuration_page() -> str:
    """The whole page."""
    parts = [NOTICE, INTRODUCTION, *(part for name in Config.model_fields for part in _block(name))]
    return "\n\n".join([*parts, *_chain(), *_networks(), *_parsers()]) + "\n"
