"""The example configurations of the SPINE distribution: every one is taken over, and those with networks run."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from spine.config.peer import assigned, compose_file, load_peer, translate
from spine.config.source import Tree
from spine.driver import Batch, Driver

ROOT = Path(__file__).resolve().parents[3]
PEER = ROOT / ".venv-peer"
FOLDER = Path(os.environ.get("SPINE_PEER_CONFIGS", PEER / "sdist" / "spine-1.4.3" / "config"))
PYTHON = Path(os.environ.get("SPINE_PEER_PYTHON", PEER / "bin" / "python"))
GENUINE = ROOT / "tests" / "data" / "larcv2_sample.root"

pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="make peer could not have the source archive of SPINE"),
]

PAIRS = (
    "uresnet/bayes/uresnet_bayes", "uresnet/uresnet", "uresnet/ppn/uresnet_ppn", "uresnet/ppn/uresnet_vertex",
    "uresnet/ppn/uresnet_ppn_vertex", "graph_spice/graph_spice", "spice/spice", "grappa_shower/grappa_shower",
    "grappa_track/grappa_track", "grappa_inter/grappa_inter", "image/pid/image_pid", "image/pid/image_pid_ancestor",
    "image/energy/image_energy", "image/energy/image_energy_ancestor", "full_chain/full_chain",
)  # fmt: skip
"""Names of examples that come as one for training and one for testing."""
EXAMPLES = (*(f"{name}_{end}" for name in PAIRS for end in ("train", "test")), "full_chain/full_chain_regression",
            "io/io_test")  # fmt: skip


def test_there_are_no_others() -> None:
    found = {str(path.relative_to(FOLDER).with_suffix("")) for path in FOLDER.rglob("*.yaml")}
    assert found == {*EXAMPLES, "test/analyzers", "test/report"}


@pytest.mark.parametrize("name", EXAMPLES)
def test_taken_over(name: str) -> None:
    config = load_peer(FOLDER / f"{name}.yaml", get=False).config
    assert ("train" in config.model_fields_set) == name.endswith("_train")
    assert bool(config.model.modules.chain.stages) == (name != "io/io_test")


def test_steps_laid_over_the_chain(tmp_path: Path) -> None:
    """The fragment with the analysis changes the steps of a chain that is included before it."""
    main = tmp_path / "main.yaml"
    main.write_text(f"include: [{FOLDER}/full_chain/full_chain_regression.yaml, {FOLDER}/test/analyzers.yaml]\n")
    config = load_peer(main, get=False).config
    assert [entry.name for entry in config.post.steps][-2:] == ["match", "ppn"]
    assert [entry.name for entry in config.ana.steps] == ["segment_eval", "point_eval", "cluster_eval", "save"]


@pytest.mark.skipif(not PYTHON.exists(), reason="make peer could not install the SPINE distribution")
def test_composed_as_spine_does() -> None:
    paths = [str(FOLDER / f"{name}.yaml") for name in EXAMPLES]
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [str(PYTHON), str(Path(__file__).with_name("peer_composer.py")), *paths]
    done = subprocess.run(command, env=kept, check=True, capture_output=True, text=True)
    answers = json.loads(done.stdout[done.stdout.index("{") :])
    for path in paths:
        composed = json.loads(json.dumps(compose_file(path).tree, default=lambda tag: {"!download": vars_of(tag)}))
        assert composed == answers[path], path


def vars_of(tag: object) -> Tree:
    """A download as SPINE's tag holds it."""
    return {"url": tag.url, "hash": tag.sha256}  # type: ignore[attr-defined]


RUN = {
    "uresnet/uresnet_test": (["uresnet.filters=2", "uresnet.depth=2"], "segmentation"),
    "uresnet/ppn/uresnet_ppn_vertex_test": (["uresnet.filters=2", "uresnet.depth=3"], "ppn_pred"),
    "graph_spice/graph_spice_test": (
        ["graph_spice.embedder.uresnet.filters=2", "graph_spice.embedder.uresnet.depth=2",
         "graph_spice.embedder.uresnet.input_kernel=3", "graph_spice.kernel.num_features=2"],
        "fragment_clusts",
    ),
    "grappa_shower/grappa_shower_test": ([], "particle_clusts"),
    "grappa_inter/grappa_inter_test": ([], "particle_node_type_pred"),
    "spice/spice_test": (["spice.uresnet.filters=2", "spice.uresnet.depth=2"], "fragment_clusts"),
    "image/pid/image_pid_test": (
        ["image.encoder.filters=2", "image.encoder.depth=2", "image.encoder.feature_size=4"], "particle_node_type_pred",
    ),
    "image/energy/image_energy_ancestor_test": (
        ["image.encoder.filters=2", "image.encoder.depth=2", "image.encoder.feature_size=4"],
        "particle_node_kinetic_energy_pred",
    ),
    "io/io_test": ([], "data"),
}  # fmt: skip
"""Examples that are run: what makes their networks small, and a product that they make."""


@pytest.mark.parametrize("name", RUN)
def test_runs(name: str, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    changes, product = RUN[name]
    composed = assigned(compose_file(FOLDER / f"{name}.yaml"), [f"model.modules.{change}" for change in changes])
    dataset = composed.tree["io"]["loader"]["dataset"]
    dataset |= {"file_keys": str(GENUINE), "n_entry": 1}
    composed.tree["base"] |= {"log_dir": str(tmp_path), "iterations": 1}
    if "writer" in composed.tree["io"]:
        composed.tree["io"]["writer"]["directory"] = str(tmp_path)
    with Driver(translate(composed).config) as driver:
        batch = driver.process()
    assert isinstance(batch, Batch)
    assert len(batch[product]) == 1
    assert np.size(batch["data"][0].coords) > 300
