"""What the interpreter of the SPINE distribution runs for `benchmarks.peer_chain`: its Driver on a file of events.

    python benchmarks/peer_side.py CONFIG OUTPUT

Writes seconds of each part as JSON. It must not import anything of this package.
"""

from __future__ import annotations

import time

BEGIN = time.perf_counter()

import csv  # noqa: E402
import json  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

import yaml  # noqa: E402

from spine.driver import Driver  # type: ignore[attr-defined]  # noqa: E402


def main(config: str, output: str) -> None:
    """Run the events one by one and take the times that the Driver logs."""
    tree = yaml.safe_load(Path(config).read_text())
    driver = Driver(tree)
    driver.run()
    log = Path(tree["base"]["log_dir"]) / "spine_log.csv"
    rows = list(csv.DictReader(log.open()))
    ends = ("_time_cpu", "_time_sum", "_time_sum_cpu")
    parts = {
        k.removesuffix("_time"): [float(r[k]) for r in rows]
        for k in rows[0]
        if k.endswith("_time") and not k.endswith(ends)
    }
    whole = parts.pop("iteration")
    used = time.perf_counter() - BEGIN
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    result = {"events": whole, "parts": parts, "before": used - sum(whole), "peak_mb": peak}
    Path(output).write_text(json.dumps(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
