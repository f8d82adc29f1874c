"""Compare the networks with what SPINE computed: ``python -m tests.golden.compare DIRECTORY``.

The directory holds a checkpoint (``*.ckpt``), the configuration of a chain (``reco/*.yaml``), and for each file of
events its outputs (``outputs/NAME.npz``, arrays below ``evN/``); events come from there or from ``inputs/NAME.h5``.
Every function of `COMPARISONS` looks at each event and compares what it finds there; a further product is one more
entry. Each network starts from SPINE's assignments before it, so that an undecided case in one does not show up in all
that follow; the whole chain is then run on its own. Exit status 1 means that something is outside the tolerance.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import torch

from spine.errors import SpineError
from tests.golden.directory import Case, Golden
from tests.golden.findings import ABSOLUTE, RELATIVE, Finding

__all__ = ["COMPARISONS", "compare", "main"]

COMPARISONS: list[str] = [
    "tests.golden.voxel_products:segmentation",
    "tests.golden.voxel_products:feature_maps",
    "tests.golden.voxel_products:point_proposals",
    "tests.golden.voxel_products:graph_spice",
    "tests.golden.graph_products:fragment_graphs",
    "tests.golden.graph_products:particle_graph",
    "tests.golden.graph_products:whole_chain",
]
"""Functions from a `Case` to the `Finding` of each product, ``module:name``."""

HEADER = f"{'product':34} {'rows':>7} {'deviation':>10} {'of allowed':>10} {'differing':>9} {'ties':>5}"


def compare(golden: Golden, comparisons: Sequence[str] = COMPARISONS) -> Iterator[tuple[Case, list[Finding]]]:
    """Findings of every event of a directory."""
    functions = {name.partition(":")[2]: _function(name) for name in comparisons}
    for case in golden.cases():
        yield case, [finding for name, function in functions.items() for finding in _findings(name, function, case)]


def _findings(name: str, function: Callable[[Case], Iterable[Finding]], case: Case) -> Iterator[Finding]:
    """Findings of one function; that it cannot compare is one of them."""
    try:
        yield from function(case)
    except (SpineError, LookupError, ValueError, RuntimeError) as error:
        what = f"{type(error).__name__}: {error}".replace("\n", " ")
        yield Finding(name, 0, differing=1, note=f"cannot be compared: {what}")


def _function(name: str) -> Callable[[Case], Iterable[Finding]]:
    module, _, attribute = name.partition(":")
    function: Callable[[Case], Iterable[Finding]] = getattr(importlib.import_module(module), attribute)
    return function


def _line(finding: Finding) -> str:
    mark = "" if finding.good else "  OUTSIDE"
    numbers = f"{finding.largest:10.2e} {finding.excess:10.3f} {finding.differing:9d} {finding.ties:5d}"
    return f"{finding.product:34} {finding.rows:7d} {numbers}{mark} {finding.note}".rstrip()


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table for every event; 0 when all is within the tolerance, else 1, and 2 when there was nothing."""
    parser = argparse.ArgumentParser(prog="python -m tests.golden.compare", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    findings: list[Finding] = []
    for case, found in compare(Golden(options.directory)):
        sys.stdout.write(f"\n{case.label}\n{HEADER}\n" + "\n".join(map(_line, found)) + "\n")
        sys.stdout.flush()
        findings += found
    bad = [finding for finding in findings if not finding.good]
    sys.stdout.write(
        f"\n{len(findings)} comparisons, {len(bad)} outside the tolerance ({RELATIVE:g} relative, {ABSOLUTE:g} "
        f"absolute), {sum(finding.ties for finding in findings)} undecided assignments\n"
    )
    if not findings:
        return 2
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
