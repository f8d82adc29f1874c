"""What `benchmarks.peer_chain` runs of this package: the stages on a file of events, in memory, block by block.

python -m benchmarks.own_side CONFIG OUTPUT [BLOCK]
"""

from __future__ import annotations

import time

BEGIN = time.perf_counter()

import json  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402
from collections import defaultdict  # noqa: E402
from pathlib import Path  # noqa: E402

from spine.config import load_config  # noqa: E402
from spine.schema import Block  # noqa: E402
from spine.stages.ana import TableRows, analyses  # noqa: E402
from spine.stages.build import build_actions  # noqa: E402
from spine.stages.loop import Action  # noqa: E402
from spine.stages.post import post_actions  # noqa: E402
from spine.store.source import open_events  # noqa: E402

Seconds = dict[str, float]


def run(block: Block, actions: list[tuple[str, Action]], rows: TableRows, parts: Seconds) -> None:
    """Everything on the events of a block; seconds of each part are added up."""
    begin = time.perf_counter()
    for event in block:
        for name in ("points", "points_label", "reco_particles", "truth_particles"):
            event.get(name)
    parts["read"] += time.perf_counter() - begin
    for name, action in actions:
        begin = time.perf_counter()
        for event in block:
            action.run(event)
        used = time.perf_counter() - begin
        parts[name] += used
        if name.startswith("post_"):
            parts["post"] += used
    for analysis in rows.steps:
        begin = time.perf_counter()
        TableRows([analysis]).add(block)
        used = time.perf_counter() - begin
        parts[f"ana_{analysis.name}"] += used
        parts["ana"] += used


def main(config: str, output: str, block: str = "64") -> None:
    """Measure; the time before the first event ends with it."""
    cfg = load_config(Path(config))
    actions = [("build", action) for action in build_actions(cfg)]
    actions += [(f"post_{action.name}", action) for action in post_actions(cfg)]
    rows = TableRows(analyses(cfg))
    parts: Seconds = defaultdict(float)
    with open_events(Path(json.loads(Path(config).with_suffix(".json").read_text())["file"])) as file:
        for one in file.blocks(1):
            run(one, actions, rows, parts)
            break
        before = time.perf_counter() - BEGIN
        parts.clear()
        begin = time.perf_counter()
        for part in file.blocks(int(block)):
            run(part, actions, rows, parts)
        whole = time.perf_counter() - begin
        count = len(file)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    result = {"per_event": whole / count, "parts": {k: v / count for k, v in parts.items()}}
    Path(output).write_text(json.dumps(result | {"before": before, "peak_mb": peak, "count": count}))


if __name__ == "__main__":
    main(*sys.argv[1:])
