"""Time the training of each network: ``python benchmarks/train.py --events 64 --steps 12``.

Events of the default simulation and the networks of a preset; process time (so that other users of the machine count
little) per event, once with everything read and prepared anew and once from memory, and the peak memory of a process
that trains one network.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

NETWORKS = ("uresnet_ppn", "graph_spice", "grappa_shower", "grappa_track", "grappa_inter")
RESULTS = Path(__file__).parent / "results" / "train.json"
PARTS = ("load", "forward", "backward", "optimizer")


def simulated(folder: Path, count: int) -> Path:
    """A file of events."""
    from spine.config import resolve_config
    from spine.stages import simulate

    path = folder / "events.h5"
    simulate.run(0, path, resolve_config({"sim": {"events_per_file": count}}))
    return path


def steps(work: Any, state: Any, count: int) -> Iterator[dict[str, float]]:
    """Process time of the parts of each step, per event (ms)."""
    import torch

    from spine.train.samples import Draw

    for minibatch, _ in zip(work.schedule.minibatches(), range(count), strict=False):
        clock = [time.process_time()]
        samples = [work.samples[Draw(int(entry), minibatch.number)] for entry in minibatch.entries]
        clock.append(time.process_time())
        score = work.objective(samples)
        clock.append(time.process_time())
        torch.autograd.backward(score.loss)
        clock.append(time.process_time())
        state.optimizer.step()
        state.optimizer.zero_grad()
        clock.append(time.process_time())
        spent = 1e3 * np.diff(clock) / len(minibatch.entries)
        yield dict(zip(PARTS, spent.tolist(), strict=True))


def measure(job: tuple[str, str, str, int, int]) -> dict[str, float]:
    """Figures of one network: median over the steps after the first two, and over those that find all in memory."""
    import torch

    from spine.config import resolve_config
    from spine.train.setup import TrainInputs, prepare
    from spine.train.state import TrainState
    from spine.train.validation import Judge

    name, path, preset, size, count = job
    torch.set_num_threads(1)
    train = {"modules": [name], "loader": {"minibatch_size": size}}
    config = resolve_config({"extends": preset, "base": {"iterations": count}, "train": train})
    work = prepare(config, TrainInputs((Path(path),)), 1)
    state = TrainState.begin(work.objective, config.train, Judge(config.validation), torch.device("cpu"))
    rows = list(steps(work, state, count))
    first = len(work.schedule.epoch(0))
    new, kept = rows[2:first], rows[first:]
    figures = {part: float(np.median([row[part] for row in kept])) for part in PARTS}
    figures["load_anew"] = float(np.median([row["load"] for row in new]))
    figures["ms_per_event"] = float(np.median([sum(row.values()) for row in kept]))
    figures["events_per_s"] = 1e3 / figures["ms_per_event"]
    figures["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return figures


def table(results: Mapping[str, Mapping[str, float]]) -> str:
    """Rows of a Markdown table."""
    names = ("network", "load, anew", "load, kept", "forward", "backward", "optimizer", "ms per event", "peak MB")
    head = "| " + " | ".join(names) + " |\n" + "|---" * len(names) + "|"
    columns = ("load_anew", *PARTS, "ms_per_event")
    lines = [
        f"| {name} | " + " | ".join(f"{row[c]:.1f}" for c in columns) + f" | {row['peak_mb']:.0f} |"
        for name, row in results.items()
    ]
    return "\n".join([head, *lines])


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=64)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--minibatch", type=int, default=8)
    parser.add_argument("--preset", default="small")
    parser.add_argument("--output", type=Path, default=RESULTS)
    options = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        path = simulated(Path(folder), options.events)
        for name in NETWORKS:  # a process each, so that peaks are its own
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                job = (name, str(path), options.preset, options.minibatch, options.steps)
                results[name] = pool.apply(measure, (job,))
    about = {"machine": platform.machine(), "events": options.events, "minibatch": options.minibatch}
    options.output.write_text(json.dumps({**about, "preset": options.preset, "networks": results}, indent=1) + "\n")
    sys.stdout.write(table(results) + "\n")


if __name__ == "__main__":
    main()
