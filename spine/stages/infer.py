"""Infer: a detector file in, the products of the inference chain out."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from spine.config.fingerprint import file_fingerprint
from spine.config.model import Config, LoaderBlock
from spine.config.shipped import weights_file
from spine.config.slices import stage_code, stage_slice
from spine.errors import DataError
from spine.model.chain.plan import Plan, compose
from spine.schema import Event
from spine.stages.batches import run_chain
from spine.stages.checks import check_input
from spine.stages.loop import Action, failure_of, survivors
from spine.stages.outcome import Progress, StageReport
from spine.store.provenance import lineage_of
from spine.store.source import BadEvent, EventSource, HDF5Source, all_events, open_source
from spine.store.writer import NO_ENTRY, EventWriter, Failure, FileInfo

__all__ = ["chain_actions", "chain_of", "networks_of", "run"]

log = logging.getLogger("spine")

CHECK = Action("check", check_input)


Entries = tuple[int, int | None]
"""Range of entries, the second not included; to the end where it is None."""

ALL: Entries = (0, None)


def _arguments(entries: Entries) -> str:
    return "" if entries == ALL else f"--entries {entries[0]}:{'' if entries[1] is None else entries[1]}"


def _info(source: Path, output: Path, config: Config, entries: Entries) -> FileInfo:
    """Provenance of what is made of a file."""
    text = stage_slice(config, "infer")
    return FileInfo(
        stage="infer",
        config=text,
        code=stage_code(config, "infer"),
        inputs=((source.name, file_fingerprint(source) if source.is_file() else ""),),
        steps=tuple(stage.name for stage in config.model.modules.chain.stages),
        seed=config.base.seed,
        weights=json.dumps(json.loads(text)["model"]["weight_digests"]),
        origin=os.path.relpath(source.resolve(), output.parent.resolve()),
        arguments=_arguments(entries),
    )


def _continued(info: FileInfo, source: EventSource) -> FileInfo:
    """The same, of a file that continues an HDF5 file of events."""
    if not isinstance(source, HDF5Source):
        return info
    made_here = bool(source.file.attribute("history"))
    history = json.dumps(lineage_of(source.file)) if made_here else "[]"
    return replace(info, parent=info.origin, parent_id=source.file.identity, history=history)


def _readable(events: Sequence[Event | BadEvent], on_error: str, progress: Progress) -> list[Event]:
    """Events that could be read; the others stop the stage or are recorded."""
    good = []
    for event in events:
        if isinstance(event, Event):
            good.append(event)
        elif on_error == "stop":
            raise event.error
        else:
            progress.skip(failure_of(event.event, "read", event.error))
    return good


def networks_of(config: Config, trained: bool = True) -> Mapping[str, Any]:
    """Networks that the configuration describes, with their weights; none, and no torch, when it describes none.

    Parameters
    ----------
    config : Config
        Uses model and base.
    trained : bool
        Whether networks without weights are an error; else they get random ones, by the seed.

    Raises
    ------
    ConfigError
        When options are wrong or weights are missing.
    DataError
        When a file of weights is broken, does not fit, or is not the one that was asked for.
    """
    extra = config.model.modules.model_extra or {}
    described = [name for name in extra if not name.endswith("_loss") and name != "loss_balancing"]
    if not described:
        return {}
    import torch

    from spine.model.networks import build_networks

    for name, digest in config.model.weight_digests.items():
        path = weights_file(name)
        found = file_fingerprint(path) if path.is_file() else "no such file"
        if found != digest:
            raise DataError("the weights are not those asked for", where=name, got=found, expected=digest)
    torch.set_num_threads(config.base.threads)
    log.info("infer: networks %s, %d CPU threads", ", ".join(described), config.base.threads)
    torch.manual_seed(max(config.base.seed, 0))
    return build_networks(config.model.modules.model_dump(), config.model.weight_path, trained)


def _placed(config: Config) -> Mapping[str, Any]:
    """Networks of the configuration on the device and in the precision that it asks for."""
    networks = networks_of(config)
    if networks:
        from spine.model.devices import place_networks

        base = config.base
        gpu = (base.gpus or [0])[0] if base.world_size else None
        place_networks(networks, gpu, base.dtype)
        log.info("infer: on %s, %s", "the processor" if gpu is None else f"GPU {gpu}", base.dtype)
    return networks


def chain_of(config: Config, sources: Sequence[EventSource], networks: Mapping[str, Any] | None = None) -> Plan:
    """The configured chain, checked against what the inputs offer.

    Parameters
    ----------
    config : Config
        Uses model and base.
    sources : sequence of EventSource
        The inputs.
    networks : mapping, optional
        Networks by name, by default those of `networks_of`, on the device that base asks for.

    Raises
    ------
    ConfigError
        When the chain does not fit together or needs products that an input does not have.
    """
    plan = compose(config.model.modules.chain.stages, _placed(config) if networks is None else networks)
    for source in sources:
        plan.check(source.names(), source.path)
    return plan


def chain_actions(plan: Plan) -> list[Action]:
    """What is done to each event: a look at what was read, then the chain."""
    return [CHECK, Action("chain", plan.run)]


def _unreadable(source: Path, output: Path, config: Config, error: DataError) -> StageReport:
    """An output without events that says why the input could not be read."""
    progress = Progress("infer", 0)
    progress.skip(Failure(NO_ENTRY, -1, -1, -1, "open", " ".join(str(error).split())))
    with EventWriter(output, _info(source, output, config, ALL), ()) as writer:
        writer.failures = progress.failures
    return progress.finish(output)


def run(source: Path, output: Path, config: Config, entries: Entries = ALL) -> StageReport:
    """Run the chain on every event of a file.

    Parameters
    ----------
    source : Path
        larcv2 ROOT or HDF5 file.
    output : Path
        HDF5 file to write. It holds what the chain makes, and what was parsed when the input is not HDF5.
    config : Config
        Uses the blocks io, model and base.
    entries : (first, last)
        Range of entries, ``last`` not included; to the end where it is None.

    Returns
    -------
    StageReport
        Events written and skipped. An input that cannot be opened is a failure without an entry when events are
        skipped.

    Raises
    ------
    ConfigError
        When the chain does not fit together or needs products that the input does not have.
    DataError
        When the input or an event is broken and ``on_error`` is ``stop``.
    """
    dataset = config.io.dataset
    try:
        opened = open_source(source, dataset.provider, dataset.parsers, dataset.has_truth)
    except DataError as error:
        if config.base.on_error == "stop":
            raise
        return _unreadable(source, output, config, error)
    with opened as events:
        plan = chain_of(config, [events])
        progress = Progress("infer", len(range(len(events))[slice(*entries)]))
        info = _continued(_info(source, output, config, entries), events)
        with EventWriter(output, info) as writer:
            for block in all_events(events, config.base.block_size, *entries):
                good = _readable(block, config.base.on_error, progress)
                sound = survivors(good, [CHECK], config.base.on_error, progress)
                kept = run_chain(plan, sound, config.io.loader or LoaderBlock(), config.base.on_error, progress)
                writer.append(kept)
                progress.advance(len(kept))
            if writer.keys is None:  # no event went through
                writer.select((*events.new, *plan.products))
            writer.failures = progress.failures
    return progress.finish(output)
