"""The chain as a plan: stages checked against each other before any event is read, then run event by event."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import ValidationError

from spine.errors import ConfigError, StageError, did_you_mean
from spine.model.chain.families import CHAIN_PRODUCTS, FAMILIES, find_family
from spine.model.chain.family import Family, Part, find_provider
from spine.model.chain.provider import Names, Networks, Provider, Result
from spine.schema import PRODUCTS, Block, Event
from spine.steps.step import StepConfig

__all__ = ["TRUTH", "BoundPart", "BoundStage", "Plan", "Stage", "StageLike", "compose"]

TRUTH = frozenset(
    {"seg_label", "ghost_label", "clust_label", "ppn_label", "coord_label", "vertex_label", "graph_label"}
)
"""Products that only simulated events have."""


class StageLike(Protocol):
    """A stage of a configuration."""

    @property
    def name(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def uses(self) -> str | Sequence[str] | None: ...
    @property
    def config(self) -> Mapping[str, Any]: ...


@dataclass(frozen=True)
class Stage:
    """A stage of the chain as the configuration states it.

    Parameters
    ----------
    name : str
        Name of the stage.
    provider : str
        Family that does it, by default that of the name.
    config : mapping
        ``mode`` and the options of that mode.
    uses : sequence of str
        Networks that it uses.
    """

    name: str
    provider: str = ""
    config: Mapping[str, Any] = field(default_factory=dict)
    uses: str | Sequence[str] | None = None


def _names(names: Names, options: StepConfig) -> tuple[str, ...]:
    return tuple(names(options) if callable(names) else names)


@dataclass(frozen=True)
class BoundPart:
    """A provider with its options and networks."""

    provider: Provider
    options: StepConfig
    networks: Networks = field(default_factory=dict)

    @property
    def provides(self) -> tuple[str, ...]:
        """Products that are there afterwards."""
        return (*_names(self.provider.provides, self.options), *self.provider.further(self.options, self.networks))

    def results(self, events: Sequence[Event]) -> list[Any]:
        """What the provider makes of each event."""
        extra = (self.networks,) if self.provider.takes_networks else ()
        if self.provider.per == "block":
            return list(self.provider.run(Block(list(events)), self.options, *extra))
        return [self.provider.run(event, self.options, *extra) for event in events]


@dataclass(frozen=True)
class BoundStage:
    """A stage that is ready to run."""

    name: str
    family: Family
    parts: tuple[BoundPart, ...]

    def _all(self, which: Callable[[Provider], Names]) -> tuple[str, ...]:
        names = [n for part in self.parts for n in _names(which(part.provider), part.options)]
        return tuple(dict.fromkeys(names))

    @property
    def requires(self) -> tuple[str, ...]:
        """Products that must be there before."""
        return self._all(lambda p: p.requires)

    @property
    def provides(self) -> tuple[str, ...]:
        """Products that are there afterwards."""
        return tuple(dict.fromkeys(name for part in self.parts for name in part.provides))

    @property
    def replaces(self) -> tuple[str, ...]:
        """Products of earlier stages that it may put others in the place of."""
        return self._all(lambda p: p.replaces)

    def run(self, events: Sequence[Event]) -> None:
        """Set the products of the stage on each event."""
        columns = [part.results(events) for part in self.parts]
        for i, event in enumerate(events):
            self._publish(event, self.family.combine(event, [column[i] for column in columns]))

    def _publish(self, event: Event, products: Result) -> None:
        missing = sorted(set(self.provides) - set(products))
        if missing:
            raise StageError(f"stage {self.name!r} did not make {', '.join(missing)}", where=event.label)
        for name, value in products.items():
            event[name] = value


@dataclass(frozen=True)
class Plan:
    """Stages in order, checked against each other; made by `compose`.

    Parameters
    ----------
    stages : tuple of BoundStage
    """

    stages: tuple[BoundStage, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """Products that the input has to offer, in the order in which stages ask for them."""
        return tuple(dict.fromkeys(name for _, name in self._outside()))

    @property
    def products(self) -> tuple[str, ...]:
        """Products that the plan makes."""
        return tuple(dict.fromkeys(name for stage in self.stages for name in stage.provides))

    def _outside(self) -> Iterator[tuple[str, str]]:
        """Stage and product for everything that no earlier stage makes."""
        made: set[str] = set()
        for stage in self.stages:
            yield from ((stage.name, name) for name in stage.requires if name not in made)
            made.update(stage.provides)

    def check(self, available: Collection[str], where: object = None) -> None:
        """Make sure that the input offers what the stages need.

        Parameters
        ----------
        available : collection of str
            Products of the input.
        where : object, optional
            The input, for the message.

        Raises
        ------
        ConfigError
            Names every stage and product that is missing, what there is, and what to do.
        """
        missing = [(stage, name) for stage, name in self._outside() if name not in available]
        if not missing:
            return
        found = ", ".join(sorted(available)) or "nothing"
        lines = [f"stage {stage!r} needs {name!r}, which is not there" for stage, name in missing]
        raise ConfigError(
            "\n  ".join(lines), where=where, expected=", ".join(self.inputs), got=found,
            mend=_mend([name for _, name in missing], available),
        )  # fmt: skip

    def run(self, event: Event) -> None:
        """Make the products of one event and set them on it.

        Raises
        ------
        SpineError
            From a stage; a note names the stage and the event.
        """
        self.run_events([event])

    def run_events(self, events: Sequence[Event]) -> None:
        """Make the products of several events; networks may take them together."""
        for stage in self.stages:
            try:
                stage.run(events)
            except Exception as error:
                error.add_note(f"in stage {stage.name!r} of the chain, {', '.join(e.label for e in events)}")
                raise


def _mend(missing: Sequence[str], available: Collection[str]) -> str:
    """What to do about products that the input lacks."""
    if set(missing) <= TRUTH and not TRUTH & set(available):
        return "the file has no truth: use the preset for data, or stages whose modes do without labels"
    made = [name for name in missing if name in CHAIN_PRODUCTS]
    if made:
        makers = [family.name for family in FAMILIES.values() if made[0] in family.products]
        return f"add a stage before it whose provider makes {made[0]!r}: {' or '.join(makers)}"
    return f"read these products from the input as well; {did_you_mean(missing[0], available)}"


def compose(stages: Sequence[StageLike], networks: Networks | None = None, inputs: Collection[str] = ()) -> Plan:
    """Put stages together and check them against each other.

    Parameters
    ----------
    stages : sequence of StageLike
        In the order in which they run.
    networks : mapping, optional
        Networks by the names under which stages use them.
    inputs : collection of str
        Products of the chain (such as ``fragment_clusts``) that the input already has, when the plan starts later.

    Raises
    ------
    ConfigError
        Lists all problems: unknown provider, mode, key or network, a value of the wrong type, a product that no
        earlier stage makes, a product that two stages make.
    """
    problems: list[ConfigError] = []
    bound = [one for stage in stages if (one := _tried(stage, networks or {}, problems)) is not None]
    if len(bound) == len(stages):
        problems += _clashes(bound)
        problems += _gaps(bound, inputs)
    if len(problems) == 1:
        raise problems[0]
    if problems:
        raise ConfigError("the chain has problems:\n" + "\n".join(map(str, problems)))
    return Plan(tuple(bound))


def _tried(stage: StageLike, networks: Networks, problems: list[ConfigError]) -> BoundStage | None:
    try:
        return _bind(stage, networks)
    except ConfigError as error:
        problems.append(error)
        return None


def _bind(stage: StageLike, networks: Networks) -> BoundStage:
    where = f"chain.{stage.name}"
    family = find_family(stage.provider or stage.name, where)
    used = _used(stage, networks, where)
    parts = [_bind_part(family, part, used, where) for part in family.parts(family, stage.config, where)]
    _check_shapes(parts, where)
    return BoundStage(stage.name, family, tuple(parts))


def _used(stage: StageLike, networks: Networks, where: str) -> Networks:
    names = [stage.uses] if isinstance(stage.uses, str) else list(stage.uses or ())
    for name in names:
        if name not in networks:
            raise ConfigError(f"no network is called {name!r}", where=where, mend=did_you_mean(name, networks))
    return {name: networks[name] for name in names}


def _bind_part(family: Family, part: Part, networks: Networks, where: str) -> BoundPart:
    provider = find_provider(family, part.mode, where)
    place = f"{where}.{part.key}" if part.key else where
    try:
        options = provider.config.model_validate(dict(part.options))
    except ValidationError as error:
        raise _config_error(provider, error, place) from error
    bound = BoundPart(provider, options, networks)
    _check_networks(bound, where)
    return bound


def _check_networks(part: BoundPart, where: str) -> None:
    """Let the provider refuse its networks; the message names the stage."""
    try:
        part.provider.further(part.options, part.networks)
    except ConfigError as error:
        error.where = error.where or where
        raise


def _config_error(provider: Provider, error: ValidationError, where: str) -> ConfigError:
    known = list(provider.config.model_fields)
    lines = []
    for item in error.errors():
        key = ".".join(map(str, item["loc"]))
        if item["type"] == "extra_forbidden":
            lines.append(f"{key}: unknown key; {did_you_mean(str(item['loc'][0]), known)}")
        else:
            lines.append(f"{key}: {item['msg']} (found {item['input']!r})")
    what = f"options of {provider.family} mode {provider.mode!r}: " + "; ".join(lines)
    return ConfigError(what, where=where, expected=", ".join(known) or "no options")


def _check_shapes(parts: Sequence[BoundPart], where: str) -> None:
    """Parts of a stage must not own the same semantic class."""
    owners: dict[int, str] = {}
    for part in parts:
        for shape in getattr(part.options, "shapes", ()):
            if shape in owners:
                modes = f"{owners[shape]} and {part.provider.mode}"
                raise ConfigError(f"two modes of the stage own shape {int(shape)}", where=where, got=modes)
            owners[shape] = part.provider.mode


def _clashes(stages: Sequence[BoundStage]) -> Iterator[ConfigError]:
    makers: dict[str, str] = {}
    names: set[str] = set()
    for stage in stages:
        if stage.name in names:
            yield ConfigError(f"two stages are called {stage.name!r}", where="chain", mend="give them different names")
        names.add(stage.name)
        for name in stage.provides:
            if name in makers and name not in stage.replaces:
                yield ConfigError(
                    f"stages {makers[name]!r} and {stage.name!r} both make {name!r}", where="chain",
                    mend=_mend_clash(name),
                )  # fmt: skip
            makers[name] = stage.name


def _mend_clash(name: str) -> str:
    """What to do about a product that two stages make."""
    task = name.removeprefix("particle_node_").removesuffix("_pred")
    if name.startswith("particle_node_"):
        return f"set 'task_modes: {{{task}: image}}' in the stage that shall not make it"
    return "remove one, or let the later provider declare that it replaces the product"


def _gaps(stages: Sequence[BoundStage], inputs: Collection[str]) -> Iterator[ConfigError]:
    """Products of the chain that a stage needs and no earlier stage makes."""
    made = set(inputs)
    for i, stage in enumerate(stages):
        for name in stage.requires:
            if name not in PRODUCTS:
                mend = did_you_mean(name, PRODUCTS)
                yield ConfigError(f"stage {stage.name!r} needs the unknown product {name!r}", where="chain", mend=mend)
            elif name in CHAIN_PRODUCTS and name not in made:
                later = [other.name for other in stages[i:] if name in other.provides]
                mend = f"move stage {later[0]!r} before it" if later else _mend([name], made)
                yield ConfigError(
                    f"stage {stage.name!r} needs {name!r}, which no earlier stage makes", where="chain",
                    got=", ".join(sorted(made)) or "nothing", mend=mend,
                )  # fmt: skip
        made.update(stage.provides)
