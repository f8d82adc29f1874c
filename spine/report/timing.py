"""Time and memory of the jobs of each stage."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from spine.report.content import Grid, Section
from spine.report.statistics import Metric
from spine.report.tables import csv_text

__all__ = ["timing"]

ORDER = ("inventory", "simulate", "partition", "infer", "build", "post", "ana", "merge", "report", "train")


def timing(folder: Path | None, events: int | None) -> Section:
    """Benchmarks of the workflow, one file per job.

    Parameters
    ----------
    folder : Path, optional
        Holds ``<stage>/<job>.tsv`` (or ``<stage>.tsv``) with the columns ``s`` (s) and ``max_rss`` (MB).
    events : int, optional
        Events of the run.
    """
    title, text = "Time and memory", "Wall time and largest resident memory of the jobs of each stage."
    if folder is None or not folder.is_dir():
        return Section("timing", title, text, missing=("No benchmarks were given.",))
    jobs = _jobs(folder)
    if not jobs:
        return Section("timing", title, text, missing=("There is no finished job: N = 0.",))
    metrics: dict[str, Metric] = {}
    rows: list[tuple[str, ...]] = []
    for stage in sorted(jobs, key=lambda name: (ORDER.index(name) if name in ORDER else len(ORDER), name)):
        found = _stage_metrics(stage, jobs[stage], events)
        metrics |= {f"{stage}_{key}": metric for key, metric in found.items()}
        rows.append((stage, str(len(jobs[stage])), *(_number(found.get(key)) for key in KEYS)))
    header = ("stage", "jobs", *KEYS.values())
    csv = csv_text({name: [row[i] for row in rows] for i, name in enumerate(header)})
    total = sum(map(len, jobs.values()))
    return Section(
        "timing", title, text, metrics, grids=(Grid("timing", f"N = {total} jobs.", header, tuple(rows), csv),)
    )


KEYS = {
    "total": "all jobs [s]",
    "median": "median job [s]",
    "longest": "longest job [s]",
    "per_event": "per event [s]",
    "memory": "largest memory [MB]",
}


def _number(metric: Metric | None) -> str:
    return "–" if metric is None or np.isnan(metric.value) else f"{metric.value:.4g}"


def _jobs(folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Seconds and MB of each job, by stage."""
    jobs: dict[str, list[tuple[float, float]]] = {}
    for path in sorted(folder.rglob("*.tsv")):
        stage = path.relative_to(folder).parts[0].removesuffix(".tsv")
        with path.open(newline="", encoding="utf-8") as stream:
            for row in csv.DictReader(stream, delimiter="\t"):
                jobs.setdefault(stage, []).append((_float(row.get("s")), _float(row.get("max_rss"))))
    return jobs


def _float(text: str | None) -> float:
    """A number of a benchmark; jobs too short to be sampled have ``-`` or ``NA``."""
    try:
        return float(text or "nan")
    except ValueError:
        return np.nan


def _stage_metrics(stage: str, jobs: list[tuple[float, float]], events: int | None) -> dict[str, Metric]:
    seconds, memory = (np.array(values)[np.isfinite(values)] for values in zip(*jobs, strict=True))
    out: dict[str, Metric] = {}
    if len(seconds):
        out["total"] = Metric(f"{stage}: time of all jobs", float(seconds.sum()), len(seconds), "s")
        out["median"] = Metric(f"{stage}: time of the median job", float(np.median(seconds)), len(seconds), "s")
        out["longest"] = Metric(f"{stage}: time of the longest job", float(seconds.max()), len(seconds), "s")
    if len(seconds) and events:
        out["per_event"] = Metric(f"{stage}: time per event", float(seconds.sum()) / events, events, "s")
    if len(memory):
        out["memory"] = Metric(f"{stage}: largest memory of a job", float(memory.max()), len(memory), "MB")
    return out
