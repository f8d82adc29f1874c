"""The training itself: steps, log, validation, snapshots, and how it ends."""

from __future__ import annotations

import contextlib
import logging
import math
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import torch

from spine.config.model import Config
from spine.errors import ConfigError, StageError
from spine.model.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from spine.model.uresnet_loss import Score
from spine.train.distributed import Team, join
from spine.train.logs import Stopwatch, TrainLog, memory
from spine.train.samplers import Minibatch
from spine.train.samples import Draw, Sample, ahead
from spine.train.setup import TrainInputs, Workplace, prepare, seed_of
from spine.train.shared_norm import share_statistics
from spine.train.snapshots import WEIGHTS, Snapshots
from spine.train.state import TrainState
from spine.train.validation import Judge, monitored, validate

__all__ = ["Outcome", "train"]

log = logging.getLogger("spine")

SECONDS_BETWEEN_LINES = 2.0


@dataclass(frozen=True)
class Outcome:
    """How a training ended.

    Parameters
    ----------
    steps : int
        Steps that are done, those of earlier runs included.
    events : int
        Events that this run was trained on.
    finished : bool
        Whether it came to its end; else it was asked to stop.
    """

    steps: int
    events: int
    finished: bool


@dataclass
class _Run:
    """One run of the command."""

    config: Config
    work: Workplace
    team: Team
    state: TrainState
    snapshots: Snapshots
    total: int
    watch: Stopwatch = field(default_factory=Stopwatch)
    events: int = 0
    said: float = -math.inf
    asked_to_stop: bool = False


def train(config: Config, inputs: TrainInputs, folder: Path, logs: Path | None = None) -> Outcome:
    """Train networks, or go on where an earlier run ended.

    Parameters
    ----------
    config : Config
        Uses the blocks model, train, validation and base.
    inputs : TrainInputs
        Files.
    folder : Path
        Directory of snapshots and logs; ``weights.ckpt`` appears in it at the end.
    logs : Path, optional
        Another directory for the logs.

    Returns
    -------
    Outcome

    Raises
    ------
    ConfigError
        When the configuration cannot be used as written.
    DataError
        When files or weights are missing or broken.
    StageError
        When the loss is not finite.
    """
    torch.set_num_threads(config.base.threads)
    folder.mkdir(parents=True, exist_ok=True)
    with join(config.train.device) as team:
        run = _begun(config, prepare(config, inputs, team.world), team, folder)
        with _listening(run), _log(run, logs or folder) as table:
            for minibatches, samples in _steps(run):
                _step(run, minibatches, samples, table)
                if _over(run, folder):
                    break
        return _end(run, folder)


def _begun(config: Config, work: Workplace, team: Team, folder: Path) -> _Run:
    """The run with its state, that of the newest snapshot if there is one to go on from."""
    if team.world > 1:
        share_statistics(work.objective)
    state = TrainState.begin(work.objective, config.train, Judge(config.validation), team.device)
    snapshots = Snapshots(folder, config.train.weight_prefix, config.train.keep)
    found = snapshots.newest() if config.train.resume is not False else None
    if found is None and config.train.resume:
        raise ConfigError("there is no snapshot to go on from", where=folder, mend="leave train.resume out")
    if found is not None and not config.train.resume and found.parts.get("identity") != work.identity:
        log.warning(
            "train: the snapshots in %s are of another configuration or other input: training begins anew", folder
        )
        found = None
    if found is not None:
        state.restore(found, config.train)
        log.info("train: goes on after step %d, from %s", state.step, found.path)
    team.wait()
    if found is None and team.leads:
        snapshots.clear()
    return _Run(config, work, team, state, snapshots, _total(config, work))


def _total(config: Config, work: Workplace) -> int:
    """Number of steps."""
    steps, epochs, every = config.base.iterations, config.base.epochs, config.train.accumulate
    if (steps is None) == (epochs is None):
        raise ConfigError("a training needs a length", where="base", expected="one of iterations and epochs")
    if steps is not None and steps >= 0:
        return steps
    return max(1, work.schedule.count(1.0 if epochs is None else epochs) // every)


def _log(run: _Run, folder: Path) -> contextlib.AbstractContextManager[TrainLog | None]:
    if not run.team.leads:
        return contextlib.nullcontext()
    folder.mkdir(parents=True, exist_ok=True)
    return TrainLog(folder, run.state.step, run.config.base.tensorboard is not False)


@contextlib.contextmanager
def _listening(run: _Run) -> Iterator[None]:
    """Let SIGUSR1 end the training after a step."""

    def stop(number: int, frame: FrameType | None) -> None:
        del number, frame
        run.asked_to_stop = True

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


def _steps(run: _Run) -> Iterator[tuple[list[Minibatch], list[list[Sample]]]]:
    """Minibatches of each step that is left, and the samples of this process."""
    every, loader = run.config.train.accumulate, run.config.train.loader
    first, last = run.state.step * every, run.total * every
    if first >= last or run.state.judge.verdict.stopped:
        return
    planned = list(_planned(run.work, first, last))
    shares = [[Draw(int(e), m.number) for e in m.share(run.team.rank, run.team.world)] for m in planned]
    prepared = ahead(run.work.samples, shares, loader.num_workers, loader.prefetch)
    for start in range(0, len(planned), every):
        run.watch.start("iteration")
        run.watch.start("load")
        samples = [next(prepared) for _ in range(every)]
        run.watch.stop("load")
        yield planned[start : start + every], samples


def _planned(work: Workplace, first: int, last: int) -> Iterator[Minibatch]:
    for minibatch in work.schedule.minibatches(first):
        if minibatch.number >= last:
            return
        yield minibatch


def _step(run: _Run, minibatches: list[Minibatch], samples: list[list[Sample]], table: TrainLog | None) -> None:
    """One change of the weights, with everything that is due after it."""
    state, team = run.state, run.team
    torch.manual_seed(seed_of(run.config.base.seed, "step", state.step, team.rank))
    run.watch.start("model")
    numbers = _averaged([_learn(run, m, s) for m, s in zip(minibatches, samples, strict=True)])
    numbers["grad_norm"] = _update(run)
    run.watch.stop("model")
    run.events += sum(len(m.entries) for m in minibatches)
    before, state.epoch = state.epoch, minibatches[-1].epoch
    numbers = team.average(numbers)
    state.step += 1
    block = run.config.train.lr_scheduler
    if block is not None and (
        block.interval == "step" or (block.interval == "epoch" and int(state.epoch) > int(before))
    ):
        state.scheduler.step()
    run.watch.stop("iteration")
    row = {"iter": state.step - 1, "epoch": state.epoch, "first_entry": int(minibatches[0].entries[0])}
    row |= memory(team.device) | run.watch.row() | numbers | {"lr": state.learning_rate}
    if table is not None:
        table.step(row)
        _say(run, row)
    if _due(run, before):
        _checkpoint(run, table)


def _learn(run: _Run, minibatch: Minibatch, samples: list[Sample]) -> dict[str, float]:
    """Add the gradients of a minibatch; returns its numbers."""
    run.state.objective.at(run.state.step)
    with _arithmetic(run):
        score: Score = run.state.objective(samples)
    finite = math.isfinite(float(score.loss.detach()))
    if run.team.any(not finite):
        files = [run.work.samples.events.label(int(entry)) for entry in minibatch.entries]
        raise StageError(
            f"the loss is {float(score.loss.detach())}", where=f"step {run.state.step}, {', '.join(files)}",
            mend="lower the learning rate, set train.clip_norm, or look at these events",
        )  # fmt: skip
    scaled = run.state.scaler.scale(score.loss / run.config.train.accumulate)
    torch.autograd.backward(scaled)
    return score.flat()


def _arithmetic(run: _Run) -> contextlib.AbstractContextManager[object]:
    """Mixed precision where it is wanted and the device has it."""
    name, device = run.config.train.precision, run.team.device
    if name == "auto":
        name = "bfloat16" if device.type == "cuda" and torch.cuda.is_bf16_supported() else "float32"
    if name == "float32":
        return contextlib.nullcontext()
    if device.type != "cuda":
        raise ConfigError("mixed precision needs a GPU", where="train.precision", got=name, expected="float32 or auto")
    return torch.autocast(device.type, getattr(torch, name))


def _averaged(parts: list[dict[str, float]]) -> dict[str, float]:
    if len(parts) == 1:
        return parts[0]
    return {name: sum(part[name] for part in parts) / len(parts) for name in parts[0]}


def _update(run: _Run) -> float:
    """Change the weights; returns the norm of the gradients."""
    state, block = run.state, run.config.train
    state.scaler.unscale_(state.optimizer)
    weights = [p for group in state.optimizer.param_groups for p in group["params"]]
    run.team.average_gradients(weights)
    if block.clip_value is not None:
        torch.nn.utils.clip_grad_value_(weights, block.clip_value)
    norm = torch.nn.utils.clip_grad_norm_(weights, block.clip_norm or math.inf)
    state.scaler.step(state.optimizer)
    state.scaler.update()
    state.optimizer.zero_grad(set_to_none=True)
    return float(norm)


def _say(run: _Run, row: dict[str, float]) -> None:
    """The line of progress."""
    step, now = run.state.step, time.monotonic()
    if step != run.total and (step % run.config.base.log_step or now - run.said < SECONDS_BETWEEN_LINES):
        return
    run.said = now
    spent = row["iteration_time_sum"]
    log.info(
        "train: step %d of %d, epoch %.2f, loss %.4f, accuracy %.3f, %.1f events/s",
        step, run.total, run.state.epoch, row["loss"], row["accuracy"], run.events / max(spent, 1e-9),
    )  # fmt: skip


def _due(run: _Run, before: float) -> bool:
    """Whether a snapshot is to be written after this step."""
    block = run.config.train
    if run.state.step == run.total or _stop_wanted(run):
        return True
    if block.save_step is not None:
        return run.state.step % block.save_step == 0
    every = block.save_epoch or 1.0
    return math.floor(run.state.epoch / every + 1e-9) > math.floor(before / every + 1e-9)


def _stop_file(run: _Run) -> Path:
    name = run.config.base.graceful_stop_file
    return Path(name) if name else run.snapshots.folder / "stop"


def _stop_wanted(run: _Run) -> bool:
    """Whether a signal or a file asks for the end; all processes agree."""
    run.asked_to_stop = run.team.any(run.asked_to_stop or _stop_file(run).exists())
    return run.asked_to_stop


def _checkpoint(run: _Run, table: TrainLog | None) -> None:
    """Validate, and write a snapshot."""
    state, best = run.state, False
    if run.work.validation is not None:
        start = time.perf_counter()
        numbers = validate(state.objective, run.work.validation, run.team)
        best = state.judge.see(numbers)
        _scheduled(run, numbers)
        row = {"iter": state.step - 1, "epoch": state.epoch, "time": time.perf_counter() - start, **numbers}
        if table is not None:
            table.validation(row)
        log.info(
            "train: validation after step %d: loss %.4f, accuracy %.3f",
            state.step,
            numbers["loss"],
            numbers["accuracy"],
        )
    if run.team.leads:
        parts = {**state.parts(), "identity": run.work.identity}
        run.snapshots.write(state.step - 1, state.weights(), parts, best, run.team.world)
    run.team.wait()


def _scheduled(run: _Run, numbers: dict[str, float]) -> None:
    block, scheduler = run.config.train.lr_scheduler, run.state.scheduler
    if block is None or block.interval != "validation":
        return
    if isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau):
        scheduler.step(monitored(numbers, block.monitor, "train.lr_scheduler.monitor"))
    else:
        scheduler.step()


def _over(run: _Run, folder: Path) -> bool:
    """Whether training ends before all steps are done."""
    del folder
    if run.state.judge.verdict.stopped:
        log.info("train: no improvement for so long that training ends, after step %d", run.state.step)
        return True
    return run.asked_to_stop


def _end(run: _Run, folder: Path) -> Outcome:
    """Write the weights, unless the training was asked to stop before its end."""
    done = run.state.step >= run.total or run.state.judge.verdict.stopped
    if not done:
        if run.team.leads:
            _stop_file(run).unlink(missing_ok=True)
        log.info("train: stopped after step %d of %d; the same command goes on from there", run.state.step, run.total)
    elif run.team.leads:
        _write_weights(run, folder)
    return Outcome(run.state.step, run.events, done)


def _write_weights(run: _Run, folder: Path) -> None:
    """Weights of the best snapshot when the validation chooses one, else the last ones."""
    state, step, source = run.state.weights(), run.state.step - 1, "the last step"
    if run.config.validation.best_checkpoint is not None and run.snapshots.best.is_file():
        best = read_checkpoint(run.snapshots.best)
        state, step, source = dict(best.state), int(str(best.parts["global_step"])), "the best snapshot"
    digest = write_checkpoint(folder / WEIGHTS, Checkpoint(state, {"global_step": step}))
    log.info("train: weights of %s, step %d -> %s (%s)", source, step + 1, folder / WEIGHTS, digest[:12])
