"""Read, build, post and ana beside SPINE's Driver: the same file, the same steps, one thread, one after the other.

    python -m benchmarks.peer_chain [--file EVENTS.h5] [--repeats 3] [--output benchmarks/results/peer_chain.json]

Each runs in an environment of its own (``make peer``) and in processes of its own; the smallest of several runs counts,
the first one fills compile caches. Without a file, events are simulated, and particles are density clusters. A file may
be of either layout. SPINE takes events one by one; of its events the median counts, since some compile what is new.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
PEER = ROOT / ".venv-peer" / "bin" / "python"

STEPS: dict[str, Any] = {
    "build": {"mode": "both", "units": "cm", "fragments": False, "particles": True, "interactions": True},
    "post": {
        "shape_logic": {"priority": 3},
        "direction": {"priority": 1},
        "calo_ke": {"shower_fudge": "1/0.83", "priority": 1},
        "csda_ke": {"tracking_mode": "step_next", "segment_length": 5.0, "priority": 1},
        "mcs_ke": {"priority": 1},
        "containment": {"margin": 5.0, "mode": "meta", "priority": 1},
        "vertex": {"priority": 1},
        "topology_threshold": {"ke_thresholds": {4: 50, "default": 25}},
        "fiducial": {"margin": 25.0, "mode": "meta"},
        "children_count": {},
        "match": {"particle": True, "interaction": True},
    },
    "ana": {
        "save": {"obj_type": ["particle", "interaction"], "match_mode": "both"},
        "cluster_eval": {"obj_type": ["particle", "interaction"], "use_objects": True, "truth_index_mode": "index"},
    },
}
"""Steps of SPINE's generic chain, with the same options on both sides."""


def run(command: list[str], folder: Path, **environment: str) -> None:
    """Run a command on one thread; its errors end the benchmark."""
    limits = {"OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, env=os.environ | limits | environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def simulated(folder: Path, events: int) -> Path:
    """A file of simulated events with objects, in columns."""
    spine = [sys.executable, "-m", "spine"]
    config = ["--config", str(ROOT / "config" / "presets" / "dbscan.yaml")]
    size = ["--set", f"sim.events_per_file={events}"]
    run([*spine, "simulate", "--output", "simulate.h5", *config, *size], folder, PYTHONPATH=str(ROOT))
    for stage, source in (("infer", "simulate.h5"), ("build", "infer.h5")):
        run([*spine, stage, source, "--output", f"{stage}.h5", *config], folder, PYTHONPATH=str(ROOT))
    run([*spine, "export", "build.h5", "--output", "events.h5"], folder, PYTHONPATH=str(ROOT))
    return folder / "events.h5"


def own(file: Path, folder: Path) -> dict[str, Any]:
    """Seconds per event of each part of this package."""
    config, output = folder / "own.yaml", folder / "own_result.json"
    config.write_text(yaml.safe_dump(STEPS, sort_keys=False))
    config.with_suffix(".json").write_text(json.dumps({"file": str(file)}))
    run([sys.executable, "-m", "benchmarks.own_side", str(config), str(output)], ROOT, PYTHONPATH=str(ROOT))
    found: dict[str, Any] = json.loads(output.read_text())
    return found


def peer(file: Path, folder: Path) -> dict[str, Any]:
    """The same of SPINE's Driver."""
    tree: dict[str, Any] = {
        "base": {"world_size": 0, "iterations": -1, "seed": 0, "log_dir": str(folder / "log"), "overwrite_log": True},
        "io": {"reader": {"name": "hdf5", "file_keys": str(file)}},
        **STEPS,
    }
    tree["base"] |= {"verbosity": "error", "unwrap": True}
    tree["ana"] = {"overwrite": True, **STEPS["ana"]}
    config, output = folder / "peer.yaml", folder / "peer_result.json"
    config.write_text(yaml.safe_dump(tree, sort_keys=False))
    run([str(PEER), str(ROOT / "benchmarks" / "peer_side.py"), str(config), str(output)], folder, PYTHONPATH="")
    raw = json.loads(output.read_text())
    warm = slice(len(raw["events"]) // 4, None)
    parts = {name: median(values[warm]) for name, values in raw["parts"].items()}
    whole = median(raw["events"][warm])
    return {
        "per_event": whole,
        "parts": parts,
        "before": raw["before"] + raw["events"][0] - whole,
        "peak_mb": raw["peak_mb"],
    }


def smallest(results: list[dict[str, Any]]) -> dict[str, Any]:
    """The smallest of each number."""
    names = {name for result in results for name in result["parts"]}
    return {
        **{key: min(result[key] for result in results) for key in ("per_event", "before", "peak_mb")},
        "parts": {name: min(r["parts"].get(name, float("inf")) for r in results) for name in sorted(names)},
    }


def table(mine: dict[str, Any], theirs: dict[str, Any]) -> str:
    """Both sides as a table in Markdown."""
    lines = ["| part | SPINE, ms per event | here, ms per event | ratio |", "|---|---|---|---|"]
    shared = [name for name in theirs["parts"] if name in mine["parts"]]
    rows = [("whole event", theirs["per_event"], mine["per_event"])]
    rows += [(name, theirs["parts"][name], mine["parts"][name]) for name in shared]
    lines += [f"| {name} | {1e3 * a:.2f} | {1e3 * b:.2f} | {a / max(b, 1e-9):.1f} |" for name, a, b in rows]
    lines.append(f"| before and with the first event, s | {theirs['before']:.2f} | {mine['before']:.2f} | |")
    lines.append(f"| peak memory, MB | {theirs['peak_mb']:.0f} | {mine['peak_mb']:.0f} | |")
    return "\n".join(lines)


def main() -> None:
    """Measure both, print the table and write the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--events", type=int, default=40)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "peer_chain.json")
    options = parser.parse_args()
    if not PEER.exists():
        sys.exit(f"no environment with SPINE at {PEER.parents[1]}: make peer")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        file = options.file.resolve() if options.file else simulated(folder, options.events)
        sides: tuple[list[dict[str, Any]], list[dict[str, Any]]] = ([], [])
        for _ in range(options.repeats + 1):
            sides[0].append(own(file, folder))
            sides[1].append(peer(file, folder))
    mine, theirs = (smallest(side[1:]) for side in sides)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps({"here": mine, "spine": theirs}, indent=2) + "\n")
    print(table(mine, theirs))  # noqa: T201


if __name__ == "__main__":
    main()
