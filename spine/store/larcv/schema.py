"""Schema of an input: which larcv products and options make which products of the chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from pydantic import ValidationError

from spine.errors import ConfigError, did_you_mean
from spine.schema import PRODUCTS
from spine.store.larcv.block import RawEvent
from spine.store.larcv.parsers import PARSERS, Parser
from spine.store.larcv.parsers.options import ParserOptions

__all__ = ["DEFAULT_SCHEMA", "Plan", "Schema", "data_schema", "plan_of"]

Schema: TypeAlias = Mapping[str, Mapping[str, object]]
"""Product name -> ``provider`` (name of a parser) and its options."""


def data_schema(image: str = "sparse3d_pcluster") -> dict[str, dict[str, object]]:
    """Schema of files without truth: the image, its frame and the event numbers.

    Parameters
    ----------
    image : str
        sparse3d product of the image.
    """
    return {
        "data": {"provider": "sparse3d", "sparse_event": image},
        "meta": {"provider": "meta", "sparse_event": image},
        "run_info": {"provider": "run_info", "sparse_event": image},
    }


_IMAGE: Final = "sparse3d_pcluster"
_CLASSES: Final = "sparse3d_pcluster_semantics"
_CLUSTERS: Final = "cluster3d_pcluster"
_PARTICLES: Final = "particle_pcluster"

DEFAULT_SCHEMA: Final[Schema] = {
    **data_schema(_IMAGE),
    "seg_label": {"provider": "sparse3d", "sparse_event": _CLASSES},
    "clust_label": {
        "provider": "cluster3d",
        "cluster_event": _CLUSTERS,
        "particle_info": {"particle_event": _PARTICLES},
        "sparse_semantics_event": _CLASSES,
        "clean_data": True,
    },
    "ppn_label": {
        "provider": "particle_points",
        "particle_event": _PARTICLES,
        "sparse_event": _IMAGE,
        "include_point_tagging": False,
    },
    "coord_label": {"provider": "particle_coords", "particle_event": _PARTICLES, "sparse_event": _IMAGE},
    "graph_label": {"provider": "particle_graph", "particle_event": _PARTICLES, "cluster_event": _CLUSTERS},
    "particles": {"provider": "particle", "particle_event": _PARTICLES, "cluster_event": _CLUSTERS},
}
"""Everything that the chain and its training read, from the usual products of a simulation."""


@dataclass(frozen=True)
class Plan:
    """How to make one product: its name, the parser and its options."""

    name: str
    parser: Parser
    options: ParserOptions

    def make(self, event: RawEvent) -> object:
        """The product in an event."""
        return self.parser.run(event, self.options)


def plan_of(schema: Schema) -> tuple[Plan, ...]:
    """Check a schema.

    Parameters
    ----------
    schema : mapping
        Product name -> ``provider`` and options.

    Raises
    ------
    ConfigError
        Lists everything that is wrong: unknown products, parsers and options, wrong types, missing inputs.
    """
    plans: list[Plan] = []
    problems: list[str] = []
    for name, entry in schema.items():
        try:
            plans.append(_planned(name, entry))
        except ValidationError as error:
            for problem in error.errors():
                key = ".".join(map(str, (name, *problem["loc"])))
                problems.append(f"{key}: {problem['msg'].removeprefix('Value error, ')}")
        except ConfigError as error:
            problems.append(f"{name}: {error.what} ({error.mend})")
    if problems:
        raise ConfigError("the schema of the larcv input cannot be used", got="\n    ".join(problems))
    return tuple(plans)


def _planned(name: str, entry: Mapping[str, object]) -> Plan:
    provider = str(entry.get("provider", ""))
    if provider not in PARSERS:
        raise ConfigError(f"no parser is called {provider!r}", mend=did_you_mean(provider, PARSERS))
    if name not in PRODUCTS:
        raise ConfigError(f"no product is called {name!r}", mend=did_you_mean(name, PRODUCTS))
    parser = PARSERS[provider]
    if parser.kind != PRODUCTS[name].kind:
        fitting = [p for p, found in PARSERS.items() if found.kind == PRODUCTS[name].kind]
        raise ConfigError(f"parser {provider!r} does not make it", mend=f"those that can: {', '.join(fitting)}")
    options = {key: value for key, value in entry.items() if key != "provider"}
    return Plan(name, parser, parser.options.model_validate(options))
