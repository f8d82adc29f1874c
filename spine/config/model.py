"""The typed configuration: blocks, keys, defaults and units."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from spine.config.block import Block
from spine.config.training import TrainBlock, ValidationBlock
from spine.errors import ConfigError, did_you_mean

__all__ = [
    "AnaBlock",
    "BaseBlock",
    "ChainBlock",
    "ChainStage",
    "Config",
    "DatasetBlock",
    "GeoBlock",
    "HeldOutBlock",
    "IoBlock",
    "LoaderBlock",
    "MergeBlock",
    "ModelBlock",
    "ModulesBlock",
    "ReaderBlock",
    "RecipeBlock",
    "RecipeInput",
    "RecipeStep",
    "ReportBlock",
    "SampleBlock",
    "Selection",
    "SimulateBlock",
    "StepBlock",
    "StepEntry",
    "TrainBlock",
    "ValidationBlock",
    "WorkflowBlock",
    "WriterBlock",
]


class BaseBlock(Block):
    """Settings of every run."""

    seed: int = Field(0, description="Seed of all random numbers; a negative one is drawn from the clock")
    on_error: Literal["stop", "skip"] = Field(
        "stop", description="What happens when an event fails: the stage stops, or the event is listed and left out"
    )
    threads: int = Field(1, ge=1, description="CPU threads of one stage")
    block_size: int = Field(32, ge=1, description="Events that are held in memory at a time")
    log_dir: str = Field("logs", description="Directory of the tables that the Driver writes")
    prefix_log: bool = Field(False, description="Put the name of the input in front of table names")
    overwrite_log: bool = Field(False, description="Replace tables that exist")
    split_output: bool = Field(False, description="Write one output per input file")
    iterations: int | None = Field(
        None, description="Events to process, steps of a training; negative for one pass over all"
    )
    epochs: float | None = Field(None, gt=0, description="Passes over the events of a training, instead of iterations")
    verbosity: Literal["debug", "info", "warning", "error", "critical"] = Field("info", description="Level of the log")
    world_size: int = Field(0, ge=0, description="Processes, each on a GPU of its own; 0 for one process on CPU")
    gpus: list[int] | None = Field(None, description="Numbers of the GPUs to use, all by default")
    distributed: bool | None = Field(None, description="Share the events among processes; null when there are several")
    ddp: bool | None = Field(None, description="Processes train one network together; as distributed by default")
    dtype: Literal["float32", "float64"] = Field("float32", description="Type of the arithmetic of networks")
    csv_buffer_size: int = Field(1, ge=-1, description="Buffer of the log (bytes); 1: a line, -1: as the system likes")
    parent_path: str | None = Field(None, description="Directory in which files named by steps are looked for")
    unwrap: bool | None = Field(
        None, description="Give products event by event (Driver only); false refuses what needs that, null does it"
    )
    log_step: int = Field(1, ge=1, description="Iterations between lines on the screen; the log file has every one")
    tensorboard: bool | dict[str, Any] | None = Field(
        None, description="Log for TensorBoard, null for trainings only; a mapping may hold log_dir (Driver only)"
    )
    graceful_stop_file: str | None = Field(
        None, description="File whose appearance ends a training after a step; 'stop' in its output by default"
    )
    torch_sharing_strategy: Literal["file_system", "file_descriptor"] | None = Field(
        None, description="How processes share memory"
    )


class GeoBlock(Block):
    """Detector."""

    detector: str | None = Field(None, description="Name of a shipped detector, or a geometry file")
    tag: str | None = Field(None, description="Variant of the detector; the latest when left out")


class Selection(Block):
    """Choice of events."""

    n_entry: int | None = Field(None, ge=0, description="Number of events to take")
    n_skip: int | None = Field(None, ge=0, description="Number of events to leave out first")
    entry_list: list[int] | None = Field(None, description="Entries to take")
    skip_entry_list: list[int] | None = Field(None, description="Entries to leave out")
    run_event_list: list[tuple[int, int, int]] | None = Field(None, description="Run, subrun and event to take")
    skip_run_event_list: list[tuple[int, int, int]] | None = Field(
        None, description="Run, subrun and event to leave out"
    )
    entry_fraction_range: tuple[float, float] | None = Field(
        None, description="Share of the events to take, from one fraction of them up to another"
    )
    limit_num_files: int | None = Field(None, ge=1, description="Most input files to take")
    keys: list[str] | None = Field(None, description="Products to read from HDF5 files, all by default")
    skip_keys: list[str] | None = Field(None, description="Products of HDF5 files to leave out")
    ignore_incomplete: bool = Field(False, description="Read files whose writer did not finish")


class DatasetBlock(Selection):
    """Where events come from."""

    provider: Literal["auto", "larcv", "hdf5"] = Field("auto", description="Format; auto goes by the content")
    file_keys: str | list[str] | None = Field(None, description="Files or globs (Driver only)")
    file_list: str | None = Field(None, description="Text file with one input per line (Driver only)")
    parsers: dict[str, dict[str, Any]] | None = Field(
        None,
        alias="schema",
        description="Parser of each product of larcv files; null takes the usual products of simulation",
    )
    has_truth: bool = Field(True, description="False when larcv files hold no truth, so that only the image is read")

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class LoaderBlock(Block):
    """Input of the networks."""

    dataset: DatasetBlock = Field(default_factory=DatasetBlock, description="Where events come from")
    minibatch_size: int = Field(1, ge=1, description="Events that go through the networks at once")
    max_voxels: int = Field(200_000, ge=1, description="Voxels that go through the networks at once")


class ReaderBlock(Selection):
    """Files of events that are read back."""

    provider: Literal["hdf5"] = Field("hdf5", description="Format")
    file_keys: str | list[str] | None = Field(None, description="Files or globs")
    file_list: str | None = Field(None, description="Text file with one input per line")
    columnar: bool = Field(False, description="Analyse several events at a time; nothing but ana may run then")
    chunk_size: int = Field(1024, ge=1, description="Events that are analysed at a time")


class WriterBlock(Block):
    """Output of the Driver."""

    provider: Literal["hdf5"] = Field("hdf5", description="Format")
    file_name: str | None = Field(None, description="Output file; by default from the name of the input")
    directory: str | None = Field(None, description="Directory of the output, by default the current one")
    suffix: str = Field("spine", description="End of the name of the output")
    keys: list[str] | None = Field(None, description="Products to store, all by default")
    skip_keys: list[str] | None = Field(None, description="Products to leave out")
    overwrite: bool = Field(False, description="Replace an output that exists")
    format_version: Literal[1, 2] = Field(
        1, description="Layout: 1 has region references, as the usual readers expect; 2 has columns, and is faster"
    )


class IoBlock(Block):
    """Input and output."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    loader: LoaderBlock | None = Field(
        None, description="Input for the networks; the usual larcv products when left out"
    )
    direct: DatasetBlock | None = Field(
        None, alias="dataset", description="Events taken one by one, without networks (Driver only)"
    )
    reader: ReaderBlock | None = Field(None, description="Files of events that are read back (Driver only)")
    writer: WriterBlock | None = Field(None, description="Output of the Driver")

    @property
    def dataset(self) -> DatasetBlock:
        """Where events come from, with defaults."""
        return self.direct or (self.loader or LoaderBlock()).dataset


class ChainStage(Block):
    """One stage of the chain."""

    name: str = Field(description="Name of the stage")
    provider: str = Field("", description="What does it; the name of the stage by default")
    uses: str | list[str] | None = Field(None, description="Networks it uses, by their names under modules")
    loss: str | dict[str, str] | None = Field(None, description="Losses it feeds, by their names under modules")
    config: dict[str, Any] = Field(default_factory=dict, description="Options of the provider")


class ChainBlock(Block):
    """Stages of the chain, in order."""

    stages: list[ChainStage] = Field(default_factory=list, description="Stages in order")


class ModulesBlock(BaseModel):
    """The chain and the options of its networks."""

    model_config = ConfigDict(frozen=True, extra="allow")

    chain: ChainBlock = Field(default_factory=ChainBlock, description="Stages of the chain")


class ModelBlock(Block):
    """The inference chain."""

    provider: Literal["full_chain"] = Field("full_chain", description="Kind of model")
    modules: ModulesBlock = Field(default_factory=ModulesBlock, description="The chain and its networks")
    weight_path: str | None = Field(
        None, description="Weights of the networks: a file, or a URL followed by #sha256=DIGITS"
    )
    weight_list: str | None = Field(
        None, description="Text file with one file of weights per line: one run for each (Driver only)"
    )
    to_numpy: bool | None = Field(None, description="Accepted for compatibility; false refuses to build objects")
    weight_digests: dict[str, str] = Field(
        default_factory=dict, description="sha256 that each file of weights must have; the workflow fills it in"
    )


class StepEntry(Block):
    """One step with its options."""

    name: str = Field(description="Label of the step")
    provider: str = Field(description="Step: a registered name, or a Python file which defines it")
    config: dict[str, Any] = Field(default_factory=dict, description="Options of the step")


def _entry(label: str, options: Any) -> dict[str, Any]:
    """A step of the mapping form: its label is its provider unless it names another."""
    if options is None or options is True:
        options = {}
    if not isinstance(options, dict):
        raise ValueError(f"options of {label!r} must be a mapping, found {options!r}")
    rest = {k: v for k, v in options.items() if k not in ("provider", "name", "config", "priority")}
    nested = options.get("config")
    if nested is not None and rest:
        raise ValueError(f"{label!r} mixes 'config:' with inline options {sorted(rest)}: use one of them")
    return {"name": label, "provider": options.get("provider", label), "config": nested if nested is not None else rest}


def _priority(options: Any) -> int | None:
    return options.get("priority") if isinstance(options, dict) else None


class StepBlock(Block):
    """Steps, as a mapping (ordered by what they read and write) or a list under ``stages`` (in that order).

    A mapping in which a step has a ``priority`` runs by falling priority instead, 0 where none is given.
    """

    steps: tuple[StepEntry, ...] = Field((), description="The steps")
    in_order: bool = Field(False, description="Run the steps in the order given")

    @model_validator(mode="before")
    @classmethod
    def _accept(cls, value: Any) -> Any:
        if value is None:
            return {}
        if not isinstance(value, dict) or "steps" in value:
            return value
        options = {k: v for k, v in value.items() if k in cls.model_fields}
        steps = {k: v for k, v in value.items() if k not in cls.model_fields}
        if "stages" in steps:
            extra = sorted(set(steps) - {"stages"})
            if extra:
                raise ValueError(f"'stages' cannot stand beside other steps: {extra}")
            entries = [_entry(s.get("name", s.get("provider", "")), s) for s in steps["stages"]]
            return {**options, "steps": entries, "in_order": True}
        chosen = {k: v for k, v in steps.items() if v is not False}
        ranks = {k: _priority(v) for k, v in chosen.items()}
        if any(rank is not None for rank in ranks.values()):
            names = sorted(chosen, key=lambda name: -(ranks[name] or 0))
            return {**options, "steps": [_entry(k, chosen[k]) for k in names], "in_order": True}
        return {**options, "steps": [_entry(k, v) for k, v in chosen.items()]}


class AnaBlock(StepBlock):
    """Analysis steps."""

    overwrite: bool = Field(False, description="Replace tables that exist (Driver only)")
    prefix_output: bool = Field(False, description="Put the name of the input in front of table names (Driver only)")
    buffer_size: int = Field(-1, description="Accepted for compatibility; tables are written at once")


class SimulateBlock(BaseModel):
    """Built-in simulation: how much, and the options of the generator."""

    model_config = ConfigDict(frozen=True, extra="allow")

    files: int = Field(0, ge=0, description="Number of files to simulate as input of the workflow")
    events_per_file: int = Field(10, ge=1, description="Events per file")


class MergeBlock(Block):
    """Merged tables."""

    parquet: bool = Field(True, description="Write Parquet beside each CSV table")


class ReportBlock(Block):
    """The report."""

    title: str = Field("Reconstruction report", description="Title of the page")
    events: int = Field(4, ge=0, description="Events in the displays")
    max_points: int = Field(20_000, ge=1, description="Points drawn per event")


class SampleBlock(Block):
    """A simulated sample."""

    files: int = Field(20, ge=1, description="Number of files")
    events_per_file: int = Field(500, ge=1, description="Events per file")
    seed: int = Field(1, ge=0, description="Seed of the simulation, different for each sample")


class HeldOutBlock(SampleBlock):
    """A simulated sample that nothing is trained on."""

    files: int = Field(5, ge=1, description="Number of files")
    events_per_file: int = Field(100, ge=1, description="Events per file")
    seed: int = Field(2, ge=0, description="Seed of the simulation, different for each sample")


class RecipeInput(Block):
    """Files that a part of the chain with trained networks makes of the training sample."""

    until: str = Field(description="Last stage of the chain that is run")
    files: int | None = Field(None, ge=1, description="Number of files of the sample, from the first; all by default")


class RecipeStep(Block):
    """One training."""

    modules: tuple[str, ...] = Field((), description="Networks that are trained; by default the one named as the step")
    input: str = Field("sample", description="What is read: the sample, or an input of the recipe")
    files: int | None = Field(None, ge=1, description="Number of files of it, from the first; all by default")
    settings: dict[str, Any] = Field(
        default_factory=dict, description="Blocks laid over the configuration: base, io, train, validation"
    )


class RecipeBlock(Block):
    """How weights are made."""

    sample: SampleBlock = Field(default_factory=SampleBlock, description="Events that networks learn from")
    test: HeldOutBlock = Field(
        default_factory=HeldOutBlock, description="Events that judge the result, never trained on"
    )
    inputs: dict[str, RecipeInput] = Field(default_factory=dict, description="Files made on the way, by name")
    steps: dict[str, RecipeStep] = Field(default_factory=dict, description="Trainings by name")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.sample.seed == self.test.seed:
            raise ValueError(f"sample and test have the same seed {self.test.seed}: give the test one of its own")
        known = {"sample", *self.inputs}
        for name, step in self.steps.items():
            if step.input not in known:
                raise ValueError(f"step {name!r} reads {step.input!r}; {did_you_mean(step.input, known)}")
        return self

    def files_of(self, name: str) -> range:
        """Numbers of the files of the sample or of an input."""
        few = self.inputs[name].files if name in self.inputs else None
        return range(min(few or self.sample.files, self.sample.files))

    def numbers(self, step: str) -> range:
        """Numbers of the files that a step reads."""
        files = self.files_of(self.steps[step].input)
        return files[: self.steps[step].files]

    def step_of(self, module: str) -> str:
        """The step that trains a network.

        Raises
        ------
        ConfigError
            When none does.
        """
        for name, step in self.steps.items():
            if module in (step.modules or (name,)):
                return name
        raise ConfigError("no step of the recipe trains this network", where="recipe.steps", got=module)


class WorkflowBlock(Block):
    """What the workflow runs on."""

    input: str | list[str] = Field(
        default_factory=list, description="Input files, globs, or text files (.txt, .list) with one input per line"
    )
    events_per_job: int | None = Field(
        None,
        ge=1,
        description="Events per job: larger files are cut into ranges, smaller ones share a job; null: a job per file",
    )
    partition: str | None = Field(None, description="Partition of a cluster for jobs without a GPU")
    gpu_partition: str | None = Field(None, description="Partition of a cluster for jobs with a GPU")
    account: str | None = Field(None, description="Account that a cluster charges")


class Config(Block):
    """A whole configuration."""

    base: BaseBlock = Field(default_factory=BaseBlock, description="Settings of every run")
    geo: GeoBlock = Field(default_factory=GeoBlock, description="Detector")
    io: IoBlock = Field(default_factory=IoBlock, description="Input and output")
    sim: SimulateBlock = Field(default_factory=SimulateBlock, description="Built-in simulation")
    model: ModelBlock = Field(default_factory=ModelBlock, description="The inference chain")
    train: TrainBlock = Field(default_factory=TrainBlock, description="Training of the networks")
    validation: ValidationBlock = Field(default_factory=ValidationBlock, description="Validation while training")
    build: dict[str, Any] = Field(default_factory=dict, description="Objects to build")
    post: StepBlock = Field(default_factory=StepBlock, description="Post-processing steps")
    ana: AnaBlock = Field(default_factory=AnaBlock, description="Analysis steps")
    merge: MergeBlock = Field(default_factory=MergeBlock, description="Merged tables")
    report: ReportBlock = Field(default_factory=ReportBlock, description="The report")
    recipe: RecipeBlock = Field(default_factory=RecipeBlock, description="How weights are made")
    workflow: WorkflowBlock = Field(default_factory=WorkflowBlock, description="What the workflow runs on")
