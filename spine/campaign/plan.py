"""What a run will do, and why, from the words of a dry run."""

from __future__ import annotations

import ast
import csv
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

__all__ = ["Planned", "durations", "plain_reasons", "plan_of", "plan_text"]

WORDS = {
    "Missing output files": "not made yet",
    "Input files updated by another job": "what it reads is made anew",
    "Updated input files": "an input file has changed",
    "Set of input files has changed": "inputs were added or removed",
    "Code has changed": "its rule in the workflow has changed",
    "Software environment definition has changed": "its software environment has changed",
    "Forced execution": "asked for",
    "Incomplete": "it was cut off the last time",
    "Output files have to be generated": "not made yet",
}
"""Beginning of a reason of Snakemake, and the same in plain words."""

CHANGED = re.compile(r"before: (?P<before>.*?) now: (?P<now>.*)", re.S)
FINGERPRINT = re.compile(r"[0-9a-f]{16}")
MANY = 4
"""Options that are named when a configuration has changed."""


@dataclass
class Planned:
    """Jobs of one rule.

    Parameters
    ----------
    rule : str
        Its name.
    jobs : int
        How many.
    reasons : Counter
        Why, in plain words, and for how many of them.
    """

    rule: str
    jobs: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


def _values(text: str) -> list[str]:
    """Values of params as Snakemake lists them."""
    if not text.strip() or text.strip().startswith("<nothing"):
        return []
    try:
        found = ast.literal_eval(f"({text},)")
    except (SyntaxError, ValueError):
        return [text]
    return [str(value) for value in found]


def _leaves(tree: Any, path: tuple[str, ...] = ()) -> dict[str, Any]:
    if isinstance(tree, Mapping) and tree:
        return {name: leaf for key, value in tree.items() for name, leaf in _leaves(value, (*path, str(key))).items()}
    if isinstance(tree, list) and tree and all(isinstance(item, Mapping) and "name" in item for item in tree):
        return _leaves({item["name"]: {k: v for k, v in item.items() if k != "name"} for item in tree}, path)
    return {".".join(path): tree}


def _trees(values: list[str]) -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for value in values:
        if value.startswith("{"):
            leaves |= _leaves(json.loads(value))
    return leaves


def _option(name: str) -> str:
    """An option as the configuration spells it."""
    return name.replace(".steps.", ".").replace(".config.", ".")


def _changed_params(text: str) -> Iterator[str]:
    """Which option, or that code, has changed."""
    match = CHANGED.search(text)
    before, now = (_values(match[name]) for name in ("before", "now")) if match else ([], [])
    if any(FINGERPRINT.fullmatch(value) for value in [*before, *now]):
        yield "its code has changed"
    old, new = _trees(before), _trees(now)
    names = sorted(_option(name) for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    if names:
        more = f" and {len(names) - MANY} more" if len(names) > MANY else ""
        yield f"its configuration has changed ({', '.join(names[:MANY])}{more})"
    elif not any(FINGERPRINT.fullmatch(value) for value in [*before, *now]):
        yield "its settings have changed"


def plain_reasons(text: str) -> list[str]:
    """Reasons of a job in plain words.

    Parameters
    ----------
    text : str
        As Snakemake says it: parts separated by semicolons.
    """
    head, found, params = text.partition("Params have changed since last execution")
    reasons = list(_changed_params(params)) if found else []
    for part in re.split(r"; (?=[A-Z])", head.strip("; ")):
        reasons += [words for start, words in WORDS.items() if part.startswith(start)]
    return list(dict.fromkeys(reasons)) or ["other reasons"]


def plan_of(text: str) -> list[Planned]:
    """Jobs by rule, from the output of a dry run.

    Parameters
    ----------
    text : str
        Output of ``snakemake --dry-run``.
    """
    found: dict[str, Planned] = {}
    rule = ""
    for line in text.splitlines():
        words = line.strip()
        start = re.fullmatch(r"(?:local)?(?:rule|checkpoint) (\w+):", words)
        if start:
            rule = start[1]
            found.setdefault(rule, Planned(rule)).jobs += 1
        elif rule and words.startswith("reason: "):
            found[rule].reasons.update(plain_reasons(words.removeprefix("reason: ")))
    found.pop("all", None)
    return list(found.values())


def durations(folder: Path) -> dict[str, float]:
    """Mean seconds of a job of each rule, from the benchmarks of earlier runs.

    Parameters
    ----------
    folder : Path
        Holds ``<rule>/<job>.tsv`` or ``<rule>.tsv`` with a column ``s``.
    """
    seconds: dict[str, list[float]] = {}
    for path in folder.rglob("*.tsv"):
        with path.open(newline="") as stream:
            rule = path.relative_to(folder).parts[0].removesuffix(".tsv")
            seconds.setdefault(rule, []).extend(float(row["s"]) for row in csv.DictReader(stream, delimiter="\t"))
    return {rule: mean(values) for rule, values in seconds.items() if values}


def _span(seconds: float) -> str:
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def plan_text(plan: list[Planned], known: Mapping[str, float], cores: int) -> str:
    """The plan as lines of text.

    Parameters
    ----------
    plan : list of Planned
        What will be done.
    known : mapping of str to float
        Seconds of a job of each rule, where earlier runs tell.
    cores : int
        Jobs at a time.
    """
    if not plan:
        return "nothing is to be done: all results are there and up to date"
    lines = []
    for entry in plan:
        why = ", ".join(f"{reason}" for reason, _ in entry.reasons.most_common(3))
        cost = f"about {_span(known[entry.rule] * entry.jobs)} of one core" if entry.rule in known else "time unknown"
        lines.append(f"  {entry.rule:<12}{entry.jobs:>7} {'job ' if entry.jobs == 1 else 'jobs'}  {cost:<28}  {why}")
    total = sum(known.get(entry.rule, 0.0) * entry.jobs for entry in plan)
    unknown = [entry.rule for entry in plan if entry.rule not in known]
    jobs = sum(entry.jobs for entry in plan)
    tail = f"{jobs} jobs, about {_span(total / cores)} with {cores} at a time" if total else f"{jobs} jobs"
    return "\n".join([*lines, tail + (f" (besides {', '.join(unknown)})" if unknown and total else "")])
