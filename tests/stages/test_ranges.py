"""Jobs of any size give the tables that whole files give, and an inventory looks at new files alone."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from spine.config import Config, resolve_config
from spine.config.jobs import Span, read_jobs
from spine.config.source import PRESETS, read_source
from spine.errors import ConfigError, DataError
from spine.schema import Event
from spine.stages import ana, build, inventory, join, merge, post
from spine.stages.ranges import infer_ranges
from spine.stages.several import each_file
from spine.store.reader import EventFile
from spine.store.source import open_source
from spine.store.writer import EventWriter, FileInfo

GENUINE = Path(__file__).parents[1] / "data" / "larcv2_sample.root"
SIZES = (3, 7, 100)


def configured() -> Config:
    tree = read_source(PRESETS / "presets" / "label.yaml").tree
    tree["post"] = {"direction": {"optimize": False}}
    tree["ana"] = {"save": {"obj_type": ["particle"]}, "event_summary": {}}
    return resolve_config({**tree, "base": {"on_error": "skip"}})


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A file of two events, a broken one, and one of twenty events."""
    folder = tmp_path_factory.mktemp("inputs")
    files = [folder / name for name in ("one.h5", "broken.root", "two.root")]
    with open_source(GENUINE) as source, EventWriter(files[0], FileInfo(stage="test")) as writer:
        writer.append([event for event in source.events(4, 6) if isinstance(event, Event)])
    files[1].write_bytes(GENUINE.read_bytes()[:50_000])
    shutil.copy(GENUINE, files[2])
    return files


def run_job(results: Path, job: str, spans: list[Span], config: Config) -> None:
    """The chain of one job."""
    entries = ",".join(span.entries for span in spans)
    infer_ranges([Path(span.file) for span in spans], results / "infer" / job, config, entries)
    stages = (("infer", build.run, ".h5"), ("build", post.run, ".h5"), ("post", ana.run, ""))
    for before, stage, suffix in stages:
        output = results / stage.__module__.rpartition(".")[2] / job
        each_file(results / before / job, output, lambda a, b, run=stage: run(a, b, config), suffix)


def run_all(results: Path, inputs: list[Path], size: int) -> None:
    """Inventory, all jobs, merged tables."""
    config, files = configured(), [str(file) for file in inputs]
    rows = inventory.run(files, results / "inventory.csv", config)
    places = inventory.write_plan(files, rows, size, results / "jobs.csv")
    spans = read_jobs(results / "jobs.csv")
    for job in dict.fromkeys(span.job for span in spans):
        run_job(results, job, [span for span in spans if span.job == job], config)
    for stem, found in places.items():
        if len(found) > 1:
            join.run([Path(place) for place in found], results / "ana" / stem)
    listed = (results / "inputs.txt").read_text().split()
    merge.run([Path(place) for place in listed], results / "tables", config)


@pytest.fixture(scope="module")
def campaigns(inputs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Results of the same inputs in jobs of different sizes."""
    folders = {size: tmp_path_factory.mktemp("results") for size in SIZES}
    for size, folder in folders.items():
        run_all(folder, inputs, size)
    return folders


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".csv", ".parquet")}


def test_tables_are_equal_for_any_size(campaigns: dict[int, Path]) -> None:
    merged = {size: contents(folder / "tables") for size, folder in campaigns.items()}
    assert {"events.csv", "save_reco_particles.csv", "event_summary.parquet"} <= set(merged[3])
    assert merged[3] == merged[7] == merged[100]
    joined = contents(campaigns[3] / "ana" / "two")
    assert joined == contents(campaigns[7] / "ana" / "two") == contents(campaigns[100] / "ana" / "two+" / "two")
    events = pd.read_csv(campaigns[3] / "tables" / "events.csv")
    assert events["index"].tolist() == [4, 5, *range(2, 22)]
    assert events["file_index"].tolist() == [0] * 2 + [2] * 20


def test_a_broken_input_is_listed(campaigns: dict[int, Path]) -> None:
    failures = pd.read_csv(campaigns[7] / "tables" / "failures.csv")
    assert failures[["file", "entry", "step"]].to_numpy().tolist() == [["broken", -1, "open"]]
    assert "truncated" in failures["error"][0]


def test_results_are_named_by_input_and_range(campaigns: dict[int, Path]) -> None:
    path = campaigns[7] / "post" / "two.000007-000014" / "two.000007-000014.h5"
    with EventFile(path) as file:
        assert [event["index"] for event in file.block(0, len(file))] == list(range(7, 14))
        assert file.input_entries().tolist() == list(range(7, 14))
        assert len(file.event(0)["points"]) > 0


def test_an_inventory_looks_at_new_files_alone(
    inputs: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="spine")
    files = [str(file) for file in inputs]
    output, config = tmp_path / "inventory.csv", configured()
    rows = inventory.run(files[:1], output, config)
    assert (rows[0].events, rows[0].error) == (2, "")
    assert [row.events for row in inventory.run([files[2], files[0]], output, config)] == [2, 20]
    assert "2 files, 1 of them looked into" in caplog.text
    assert [row.file for row in inventory.run([files[2], files[0]], output, config)] == [files[0], files[2]]
    assert "2 files, 0 of them looked into" in caplog.text
    assert inventory.known_sha256(output, inputs[0]) == rows[0].sha256
    status = inputs[0].stat()
    os.utime(inputs[0], ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert inventory.known_sha256(output, inputs[0]) == ""
    inventory.run(files[:1], output, config)
    assert "1 files, 1 of them looked into" in caplog.text


def test_mistakes_are_named(inputs: list[Path], tmp_path: Path) -> None:
    config = configured()
    with pytest.raises(DataError, match="No such file"):
        inventory.run([str(tmp_path / "nothing.root")], tmp_path / "inventory.csv", config)
    (tmp_path / "other.csv").write_text("x\n")
    with pytest.raises(DataError, match="not an inventory"):
        inventory.run([], tmp_path / "other.csv", config)
    with pytest.raises(ConfigError, match="several inputs"):
        infer_ranges(inputs, tmp_path / "out.h5", config)
    with pytest.raises(ConfigError, match="each input needs a range"):
        infer_ranges(inputs, tmp_path / "out", config, "0:3")
    assert not list(tmp_path.glob("*.h5"))
