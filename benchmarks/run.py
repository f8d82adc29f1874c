"""Cost of the chain: time per event and start-up of every stage, peak memory, start-up of commands.

    python -m benchmarks.run [--events 1000] [--output benchmarks/results/chain.json]

Each stage is run as its command on a tenth of the events and on all of them; the difference gives the time per event,
the rest is start-up. Figures are wall seconds of this machine: compare ratios, on one machine, in one run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("simulate", "infer", "build", "post", "ana")


@dataclass(frozen=True)
class Cost:
    """One command: wall time in seconds, largest memory in MB."""

    seconds: float
    peak_mb: float


def measure(command: list[str], folder: Path) -> Cost:
    """Run a command and take its time and memory.

    Parameters
    ----------
    command : list of str
        Program and arguments.
    folder : Path
        Directory to run in.

    Returns
    -------
    Cost
        Of the process.
    """
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    start = time.perf_counter()
    with subprocess.Popen(
        command, cwd=folder, env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        errors = process.stderr.read().decode() if process.stderr else ""
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if process.returncode:
        sys.exit(f"{' '.join(command)}\n{errors}")
    return Cost(seconds, usage.ru_maxrss / 1024.0)


def spine(*arguments: str) -> list[str]:
    """The ``spine`` command with this interpreter."""
    return [sys.executable, "-m", "spine", *arguments]


def stage_command(stage: str, events: int, config: Path) -> list[str]:
    """Command of a stage on a file of so many events."""
    inputs = {"infer": "simulate", "build": "infer", "post": "build", "ana": "post"}
    source = [f"{inputs[stage]}_{events}.h5"] if stage in inputs else []
    output = f"{stage}_{events}" + ("" if stage == "ana" else ".h5")
    options = ["--set", f"sim.events_per_file={events}"] if stage == "simulate" else []
    return spine(stage, *source, "--output", output, "--config", str(config), *options)


def chain_costs(events: int, folder: Path) -> dict[str, dict[str, float]]:
    """Time per event, start-up and memory of every stage."""
    config = ROOT / "config" / "config.yaml"
    few = max(events // 10, 1)
    found: dict[str, dict[str, float]] = {}
    for stage in STAGES:
        measure(stage_command(stage, few, config), folder)  # fills compile caches
        small = measure(stage_command(stage, few, config), folder)
        large = measure(stage_command(stage, events, config), folder)
        slope = (large.seconds - small.seconds) / (events - few)
        found[stage] = {
            "ms_per_event": 1e3 * slope,
            "startup_s": small.seconds - slope * few,
            "peak_mb": large.peak_mb,
            "peak_mb_few": small.peak_mb,
        }
        print(f"{stage}: {found[stage]}", file=sys.stderr)  # noqa: T201
    return found


def startup_costs(folder: Path, repeats: int = 5) -> dict[str, float]:
    """Smallest wall seconds of ``spine --help`` and ``import spine``."""
    commands = {"spine --help": spine("--help"), "import spine": [sys.executable, "-c", "import spine"]}
    return {name: min(measure(command, folder).seconds for _ in range(repeats)) for name, command in commands.items()}


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1000)
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "chain.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        result = {
            "events": options.events,
            "machine": {"processor": platform.machine(), "cores": os.cpu_count(), "python": platform.python_version()},
            "startup_s": startup_costs(Path(name)),
            "stages": chain_costs(options.events, Path(name)),
        }
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))  # noqa: T201


if __name__ == "__main__":
    main()
