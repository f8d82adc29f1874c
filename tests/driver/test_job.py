"""``spine -c FILE``: options of SPINE's command over the file, and whole jobs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

import spine
from spine.config.peer import Composed
from spine.errors import ConfigError
from spine.job import is_job, main, make_parser, overlaid
from spine.store.source import open_events

GENUINE = Path(__file__).parents[1] / "data" / "larcv2_sample.root"
SAMPLE: dict[str, Any] = {
    "base": {"epochs": 3, "tensorboard": {"flush_secs": 5}},
    "io": {
        "loader": {
            "batch_size": 8, "shuffle": True, "sampler": "bootstrap",
            "dataset": {"name": "larcv", "file_list": "files.txt", "n_skip": 3},
        },
        "writer": {"name": "hdf5", "file_name": "a.h5"},
    },
    "model": {"weight_path": "a.ckpt", "modules": {"uresnet": {"filters": 2}}},
    "train": {"weight_prefix": "w"},
    "validation": {"file_keys": "v.h5"},
}  # fmt: skip


def tree(*words: str, **blocks: Any) -> dict[str, Any]:
    """The sample after the options of a command line."""
    whole = yaml.safe_load(yaml.safe_dump({**SAMPLE, **blocks}))
    return overlaid(Composed(whole), make_parser().parse_args(["-c", "a.yaml", *words])).tree


def test_which_command_line_is_a_job() -> None:
    for words in (["-c", "a.yaml"], ["--config=a.yaml"], ["-s", "a.root", "-c", "a.yaml"], ["--info"], ["-i"]):
        assert is_job(words), words
    for words in (["infer", "-c", "a.yaml"], ["--help"], ["-v", "infer"], ["--version"], []):
        assert not is_job(words), words


def test_files_and_events() -> None:
    found = tree("-s", "a.root", "b.root", "-n", "5")["io"]["loader"]["dataset"]
    assert found == {"name": "larcv", "file_keys": ["a.root", "b.root"], "n_entry": 5}
    found = tree("-S", "list.txt", "--entry-fraction-range", "0.5", "1")["io"]["loader"]["dataset"]
    assert found == {"name": "larcv", "file_list": "list.txt", "entry_fraction_range": [0.5, 1.0]}
    for words, key in (
        (["--nskip", "4"], "n_skip"), (["--skip-entries", "4"], "n_skip"), (["--entry-list", "e.txt"], "entry_list"),
        (["--skip-entry-list", "e"], "skip_entry_list"), (["--run-event-list", "e"], "run_event_list"),
        (["--skip-run-event-list", "e"], "skip_run_event_list"),
    ):  # fmt: skip
        dataset = tree(*words)["io"]["loader"]["dataset"]
        assert set(dataset) == {"name", "file_list", key}
    assert tree("-s", "a.h5", io={"reader": {"name": "hdf5"}})["io"]["reader"]["file_keys"] == ["a.h5"]


def test_validation() -> None:
    found = tree("--val-source", "c.h5", "--val-num-entries", "7")["validation"]
    assert found == {"file_keys": ["c.h5"], "n_entry": 7}
    with pytest.raises(ConfigError, match="no validation"):
        tree("--inference", "--val-source", "c.h5")


def test_outputs(caplog: pytest.LogCaptureFixture) -> None:
    writer = tree("-o", "b.h5", "--output-dir", "out", "--output-suffix", "x")["io"]["writer"]
    assert writer == {"name": "hdf5", "file_name": "b.h5", "directory": "out", "suffix": "x"}
    tree("-o", "b.h5", io={"reader": {}})
    assert "no io.writer: b.h5 is ignored" in caplog.text


def test_resources() -> None:
    found = tree(
        "--world-size", "0", "--log-dir", "l", "--iterations", "9", "--minibatch-size", "2", "--num-workers", "1"
    )
    base, loader = found["base"], found["io"]["loader"]
    assert (base["world_size"], base["log_dir"], base["iterations"]) == (0, "l", 9)
    assert "epochs" not in base
    assert (loader["minibatch_size"], loader["num_workers"]) == (2, 1)
    assert "batch_size" not in loader
    assert tree("--num-workers", "1")["io"]["loader"]["batch_size"] == 8
    assert tree("--epochs", "0.5")["base"]["epochs"] == 0.5
    with pytest.raises(ConfigError, match="need a loader"):
        tree("--batch-size", "2", io={"reader": {}})


def test_tensorboard() -> None:
    assert tree("--no-tensorboard")["base"]["tensorboard"] is False
    assert tree("--tensorboard")["base"]["tensorboard"] == {"flush_secs": 5}
    assert tree("--tensorboard", base={})["base"]["tensorboard"] is True
    assert tree("--tensorboard-dir", "t")["base"]["tensorboard"] == {"flush_secs": 5, "log_dir": "t"}
    with pytest.raises(ConfigError, match="exclude each other"):
        tree("--no-tensorboard", "--tensorboard-dir", "t")


def test_weights_and_training() -> None:
    model = tree("--weight-list", "w.txt", "--module-weight", "uresnet=b.ckpt")["model"]
    assert (model["weight_path"], model["weight_list"]) == (None, "w.txt")
    assert model["modules"]["uresnet"]["weight_path"] == "b.ckpt"
    for text in ("uresnet", "=a", "uresnet="):
        with pytest.raises(ConfigError, match="MODULE=PATH"):
            tree("--module-weight", text)
    with pytest.raises(ConfigError, match="no such module"):
        tree("--module-weight", "grappa=a")
    assert tree("--weight-prefix", "x/y", "--no-resume")["train"] == {"weight_prefix": "x/y", "resume": False}
    assert tree("--weight-prefix", "x", train=None, base={"train": {}})["base"]["train"] == {"weight_prefix": "x"}
    with pytest.raises(ConfigError, match="no block train"):
        tree("--resume", train=None)


def test_inference() -> None:
    found = tree("--inference")
    assert not {"train", "validation"} & set(found)
    assert found["base"] == {"tensorboard": {"flush_secs": 5}, "iterations": -1, "unwrap": True}
    assert found["io"]["loader"]["shuffle"] is False
    assert "sampler" not in found["io"]["loader"]


def test_set_comes_last() -> None:
    found = tree("--iterations", "2", "--set", "base.iterations=3", "--set", "io.loader.dataset.keys+=[a]",
                 "--set", "base.new.part=yes")  # fmt: skip
    assert found["base"]["iterations"] == 3
    assert found["base"]["new"] == {"part": True}
    assert found["io"]["loader"]["dataset"]["keys"] == ["a"]
    for text in ("base.iterations", "io.loader.batch_size+=2"):
        with pytest.raises(ConfigError):
            tree("--set", text)


def test_what_is_not_supported() -> None:
    with pytest.raises(ConfigError, match="several kinds"):
        tree("-s", "primary=a.root", "cache=b")
    with pytest.raises(ConfigError, match="not read"):
        tree("--entry-filter", "f.yaml")
    with pytest.raises(ConfigError, match="in one way only"):
        tree("-s", "a", "-S", "b")
    with pytest.raises(ConfigError, match="one list"):
        tree("-S", "a", "b")
    with pytest.raises(ConfigError, match="no input"):
        tree(io={"writer": {}})


def test_processes_of_a_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    base = tree()["base"]
    assert (base["world_size"], base["distributed"]) == (4, True)
    with pytest.raises(ConfigError, match="another number"):
        tree("--world-size", "2")


def command(*words: object, folder: Path) -> subprocess.CompletedProcess[str]:
    root = str(Path(spine.__file__).parents[1])
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": root, "OMP_NUM_THREADS": "1", "HOME": str(folder)}
    return subprocess.run(
        [sys.executable, "-m", "spine", *map(str, words)],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


JOB = """\
include: chain
base: {unwrap: true, overwrite_log: true, iterations: -1}
io:
  loader:
    minibatch_size: 2
    collate_fn: all
    dataset: {name: larcv}
  writer: {name: hdf5, keys: [run_info, points, reco_particles]}
build: {mode: both, units: cm, fragments: false, particles: true, interactions: true}
post: {calo_ke: {scaling: 1., priority: 1}, direction: {obj_type: particle, priority: 2}}
ana: {overwrite: true, save: {obj_type: particle, run_mode: reco, match_mode: null}}
"""
CHAIN = """\
__meta__: {kind: fragment}
model:
  name: full_chain
  modules:
    chain:
      segmentation: label
      fragmentation: label
      particle_aggregation: label
      inter_aggregation: label
"""


def test_a_job(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(JOB)
    (tmp_path / "chain.yaml").write_text(CHAIN)
    done = command("-c", "job", "-s", GENUINE, "-n", 3, "-o", "out.h5", "--log-dir", "logs", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Iter. 1 (epoch 1.000)" in done.stderr
    with open_events(tmp_path / "out.h5") as file:
        assert file.version == 1
        assert [event.run_info.event for event in file.block(0, 9)] == [0, 1, 2]
        particles = sum(len(event["reco_particles"]) for event in file.block(0, 9))
    table = pd.read_csv(tmp_path / "logs" / "save_reco_particles.csv")
    assert len(table) == particles
    assert len(pd.read_csv(tmp_path / "logs" / "spine_log.csv")) == 2
    done = command("-c", "absent.yaml", folder=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: --config: the file is not found")


def test_two_processes_share_the_events(tmp_path: Path) -> None:
    (tmp_path / "job.yaml").write_text(JOB)
    (tmp_path / "chain.yaml").write_text(CHAIN)
    words = ("-c", "job", "-s", GENUINE, "-n", 6, "-o", "out.h5", "--log-dir", "logs", "--world-size", 2)
    done = command(*words, "--set", "ana=null", "--set", "post=null", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    seen = []
    for rank in (0, 1):
        with open_events(tmp_path / f"out_proc{rank}.h5") as file:
            seen.append([event["index"] for event in file.block(0, 9)])
    assert seen == [[0, 1, 4], [2, 3, 5]]
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == ["spine_log.csv", "spine_proc1_log.csv"]


def test_info_and_usage(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--info"])
    assert f"spine-flow {spine.__version__}" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["-n", "3"])
    assert "-c FILE is needed" in capsys.readouterr().err


def test_export_weights(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from spine.model.networks import make_networks
    from spine.model.weights import state_of

    options = {"num_classes": 5, "filters": 2, "depth": 2, "reps": 1}
    state = state_of(make_networks({"uresnet": options}))
    torch.save({"state_dict": state}, tmp_path / "a.ckpt")
    path = tmp_path / "model.yaml"
    path.write_text(yaml.safe_dump({"io": {}, "model": {"name": "uresnet", "modules": {"uresnet": options}}}))
    words = ["-c", str(path), "--module-weight", f"uresnet={tmp_path / 'a.ckpt'}"]
    main([*words, "--export-weights", str(tmp_path / "all.ckpt")])
    found = torch.load(tmp_path / "all.ckpt", weights_only=True)["state_dict"]
    assert found.keys() == state.keys()
    assert all(torch.equal(found[name], state[name]) for name in state)
