"""Time and memory of the chain of networks per event, provider by provider.

    python -m benchmarks.chain_networks GOLDEN [--output benchmarks/results/chain_networks.json]

GOLDEN is a directory with ``inputs/ev5k.h5``, ``inputs/ev20k.h5``, ``full_chain.ckpt`` and ``reco/ev5k.yaml``. Large
events are the first of ev20k laid over itself with copies moved around the image. No truth is given to the chain. Times
are the least process seconds of some repetitions on one thread, after one that does not count.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from spine.config import resolve_config
from spine.model.chain.plan import Plan
from spine.schema import Event, Tensor
from spine.stages.infer import chain_of
from spine.store.source import open_source

ROOT = Path(__file__).resolve().parents[1]
EXTENT = 768
CASES = {"ev5k": 1, "ev20k": 1, "ev20k x 5": 5}


def chain(golden: Path) -> Plan:
    """The chain of the configuration, with its weights."""
    modules = yaml.safe_load((golden / "reco" / "ev5k.yaml").read_text())["model"]["modules"]
    return chain_of(resolve_config({"model": {"weight_path": str(golden / "full_chain.ckpt"), "modules": modules}}), [])


def overlaid(image: Tensor, copies: int) -> Tensor:
    """An image with moved copies of itself; of voxels that meet the first stays."""
    random = np.random.default_rng(0)
    moves = [np.zeros(3, np.int64), *random.integers(0, EXTENT, (copies - 1, 3))]
    coords = np.concatenate([(np.asarray(image.coords) + move) % EXTENT for move in moves])
    _, first = np.unique(coords, axis=0, return_index=True)
    kept = np.sort(first)
    features = np.concatenate([np.asarray(image.features)] * copies)
    return Tensor(coords[kept].astype(image.coords.dtype), features[kept], image.names)


def measure(golden: Path, case: str, repeat: int) -> dict[str, Any]:
    """Seconds of each stage, and memory, in this process."""
    torch.set_num_threads(1)
    plan = chain(golden)
    with open_source(golden / "inputs" / f"{case.split(maxsplit=1)[0]}.h5") as source:
        first = next(iter(source.events(0, 1)))
        assert isinstance(first, Event)
        products = {"data": overlaid(first["data"], CASES[case]), "meta": first["meta"], "run_info": first["run_info"]}
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    rounds = [one_round(plan, Event(products)) for _ in range(repeat + 1)][1:]
    seconds = {stage.name: min(times[stage.name] for times in rounds) for stage in plan.stages}
    event = Event(products)
    plan.run(event)
    return {
        "case": case, "voxels": len(event["data"]), "fragments": len(event["fragment_clusts"]),
        "seconds": seconds, "total_s": sum(seconds.values()),
        "start_mb": before, "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0,
    }  # fmt: skip


def one_round(plan: Plan, event: Event) -> dict[str, float]:
    """Process seconds of each stage."""
    times = {}
    for stage in plan.stages:
        start = time.process_time()
        stage.run([event])
        times[stage.name] = time.process_time() - start
    return times


def main() -> None:
    """Read the command line and run; each case in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("golden", type=Path)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "chain_networks.json")
    parser.add_argument("--case", choices=list(CASES), help="Measure this one here, and print the result")
    options = parser.parse_args()
    if options.case:
        sys.stdout.write(json.dumps(measure(options.golden, options.case, options.repeat)))
        return
    environment = os.environ | {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    results = []
    for case in CASES:
        command = [sys.executable, "-m", "benchmarks.chain_networks", str(options.golden), "--case", case]
        run = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
        results.append(json.loads(run.stdout))
        sys.stdout.write(json.dumps(results[-1]) + "\n")
    options.output.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
