"""SPINE configurations become ours: older and newer spellings, single networks, and what is refused with its place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spine.config import resolve_config
from spine.config.peer import compose_text, load_any, load_peer, translate, translate_tree
from spine.config.peer.download import cache_folder, cached_name
from spine.config.source import PRESETS
from spine.errors import ConfigError

INPUT: dict[str, Any] = {"io": {"loader": {"dataset": {"file_keys": "data.root"}}}}
CHAIN = ("segmentation", "fragmentation", "particle_aggregation", "interaction_aggregation")


def stages(model: dict[str, Any], **blocks: Any) -> list[dict[str, Any]]:
    """Stages of a model after translation."""
    found = translate_tree({**INPUT, "model": model, **blocks}).config.model.modules.chain.stages
    return [stage.model_dump() for stage in found]


def refused(text: str, tmp_path: Path) -> str:
    """The error about a configuration."""
    path = tmp_path / "spine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_peer(path)
    return str(caught.value).replace(f"{path}:", "line ")


@pytest.mark.parametrize("preset", ["label", "dbscan", "data"])
def test_our_spelling_comes_back_as_it_is(preset: str) -> None:
    path = PRESETS / "presets" / f"{preset}.yaml"
    ours = load_any(path)
    assert translate_tree(ours.tree).config == ours.config
    assert resolve_config(ours.tree) == ours.config


def test_spellings_of_a_reader_and_writer() -> None:
    old = {
        "reader": {"name": "hdf5", "file_keys": "a.h5", "keep_open": True},
        "writer": {"name": "hdf5", "args": {"overwrite": True}},
    }
    new = {
        "reader": {"provider": "hdf5", "file_keys": "a.h5"},
        "writer": {"provider": "hdf5", "config": {"overwrite": True}},
    }
    assert translate_tree({"io": old}).config == translate_tree({"io": new}).config
    assert translate_tree({"io": new}).config.io.writer.format_version == 1  # type: ignore[union-attr]


def test_spellings_of_a_schema() -> None:
    for entry in (
        {"provider": "sparse3d", "sparse_event": "sparse3d_pcluster"},
        {"parser": "sparse3d", "args": {"sparse_event": "sparse3d_pcluster"}},
        {"name": "parse_sparse3d", "config": {"sparse_event": "sparse3d_pcluster"}},
    ):
        dataset = {"name": "larcv", "file_keys": "a.root", "schema": {"image": entry}}
        found = translate_tree({"io": {"loader": {"batch_size": 4, "dataset": dataset}}})
        assert found.config.io.dataset.parsers == {
            "data": {"provider": "sparse3d", "sparse_event": "sparse3d_pcluster"}
        }
        assert found.config.io.loader.minibatch_size == 4  # type: ignore[union-attr]
        assert "'image' is called 'data' here" in found.notes[0]


def test_products_that_networks_call_otherwise() -> None:
    schema = {
        "classes": {"provider": "sparse3d", "sparse_event": "sparse3d_pcluster_semantics"},
        "energy": {"provider": "sparse3d", "sparse_event": "sparse3d_pcluster"},
    }
    found = translate_tree({
        "io": {"loader": {"dataset": {"file_keys": "a.root", "schema": schema}},
               "writer": {"keys": ["energy", "meta"]}},
        "model": {"name": "uresnet", "modules": {"uresnet": {"num_classes": 5}},
                  "network_input": {"data": "energy"}, "loss_input": {"seg_label": "classes"}},
        "build": {"sources": {"data_tensor": ["energy"]}},
    }).config  # fmt: skip
    assert found.io.dataset.parsers == {"seg_label": schema["classes"], "data": schema["energy"]}
    assert found.io.writer is not None
    assert found.io.writer.keys == ["data", "meta"]
    assert found.build["sources"]["data_tensor"] == ["data"]


def test_order_of_steps() -> None:
    steps = {
        "match": {"particle": True}, "calo_ke": {"priority": 1}, "direction": {"priority": 3, "radius": 4},
        "reconstruct_vertex": None, "ends": {"name": "track_extrema", "priority": 3},
    }  # fmt: skip
    post = translate_tree({**INPUT, "post": steps}).config.post
    assert [entry.name for entry in post.steps] == ["direction", "ends", "calo_ke", "match"]
    assert post.steps[1].provider == "track_extrema"
    assert post.in_order
    listed = {
        "stages": [{"name": "a", "provider": "calo_ke", "scaling": 2}, {"name": "direction", "config": {"radius": 4}}]
    }
    post = translate_tree({**INPUT, "post": listed}).config.post
    assert [(entry.name, entry.provider) for entry in post.steps] == [("a", "calo_ke"), ("direction", "direction")]
    assert post.steps[0].config["scaling"] == 2


def test_a_chain_by_modes() -> None:
    modules = {
        "chain": {
            "segmentation": "uresnet", "point_proposal": "ppn", "fragmentation": "dbscan_graph_spice",
            "shower_aggregation": "grappa", "shower_primary": "grappa", "track_aggregation": "grappa",
            "particle_aggregation": None, "inter_aggregation": "grappa", "particle_identification": "grappa",
            "primary_identification": "grappa",
        },
        "uresnet_ppn": {}, "uresnet_ppn_loss": {}, "dbscan": {"min_size": 4}, "graph_spice": {}, "grappa_shower": {},
        "grappa_shower_loss": {}, "grappa_track": {}, "grappa_inter": {},
    }  # fmt: skip
    found = stages({"name": "full_chain", "modules": modules})
    assert [stage["provider"] for stage in found] == list(CHAIN)
    assert found[0]["uses"] == ["uresnet_ppn"]
    assert found[0]["loss"] == "uresnet_ppn_loss"
    assert found[1]["config"] == {"mode": "dbscan_graph_spice", "dbscan": {"min_size": 4}}
    assert found[2]["uses"] == ["grappa_shower", "grappa_track"]
    assert found[2]["loss"] == {"shower": "grappa_shower_loss"}
    assert found[3]["config"] == {"mode": "grappa", "task_modes": {"type": "grappa", "primary": "grappa"}}


SINGLE: dict[str, tuple[dict[str, Any], tuple[str, ...], str]] = {
    "uresnet": ({"uresnet": {}}, CHAIN[:1], "uresnet"),
    "uresnet_ppn": ({"uresnet": {}, "ppn": {}, "ppn_loss": {}}, CHAIN[:1], "uresnet_ppn"),
    "graph_spice": ({"graph_spice": {}}, CHAIN[:2], "graph_spice"),
}


@pytest.mark.parametrize("name", SINGLE)
def test_a_network_alone(name: str) -> None:
    modules, expected, network = SINGLE[name]
    found = stages({"provider": name, "modules": modules})
    assert tuple(stage["provider"] for stage in found) == expected
    assert found[-1]["uses"] == network


@pytest.mark.parametrize(
    ("nodes", "network", "provider"),
    [
        ({"source": "cluster", "shapes": ["shower", "michel"]}, "grappa_shower", "particle_aggregation"),
        ({"source": "cluster", "shapes": [1]}, "grappa_track", "particle_aggregation"),
        ({}, "grappa_particle", "particle_aggregation"),
        ({"source": "group", "shapes": ["shower", "track"]}, "grappa_inter", "interaction_aggregation"),
    ],
)
def test_a_graph_network_alone(nodes: dict[str, Any], network: str, provider: str) -> None:
    modules = {"grappa": {"nodes": nodes}, "grappa_loss": {}}
    last = stages({"provider": "grappa", "modules": modules})[-1]
    assert (last["uses"], last["provider"], last["loss"]) == (network, provider, f"{network}_loss")


def test_images_and_classes_of_clusters_alone() -> None:
    entry = {"provider": "cluster3d", "cluster_event": "cluster3d_pcluster", "clean_data": True,
             "sparse_semantics_event": "sparse3d_pcluster_semantics"}  # fmt: skip
    blocks = {
        "io": {"loader": {"dataset": {"file_keys": "a.root", "schema": {"data": entry}}}},
        "model": {"name": "grappa", "modules": {"grappa": {}}, "network_input": {"data": "data"},
                  "loss_input": {"clust_label": "data"}},
    }  # fmt: skip
    parsers = translate_tree(blocks).config.io.dataset.parsers
    assert parsers == {
        "data": {**entry, "provider": "cluster3d_image"}, "clust_label": entry,
        "seg_label": {"provider": "sparse3d", "sparse_event": "sparse3d_pcluster_semantics"},
    }  # fmt: skip


def test_training_that_stands_in_base() -> None:
    train = {"optimizer": {"name": "Adam", "args": {"lr": 0.1}}, "weight_prefix": "w/snapshot"}
    loader = {"batch_size": 8, "shuffle": True, "num_workers": 2, "dataset": {"file_keys": "a.h5"}}
    modules = {"uresnet": {"num_classes": 5}, "uresnet_loss": {}}
    found = translate_tree(
        {
            "base": {"train": train, "epochs": 2},
            "io": {"loader": loader},
            "model": {"name": "uresnet", "modules": modules},
        }
    ).config
    assert (found.train.optimizer.provider, found.train.optimizer.options) == ("Adam", {"lr": 0.1})
    assert (found.train.loader.batch_size, found.train.loader.num_workers) == (8, 2)
    assert found.train.loader.sampler.provider == "random"


def test_everything_that_is_refused_with_its_line(tmp_path: Path) -> None:
    text = """\
base: {colour: red}
io:
  loader:
    collate_fn: {provider: all, split: true}
    dataset:
      provider: joint
      augment: {crop: {}}
      schema:
        x: {provider: sparse2d, sparse_event: sparse2d_a}
        data: {provider: sparse3d, sparse_even: sparse3d_a}
  writer: {provider: hdf5, append: true}
model: {provider: transformer}
post:
  directio: {}
  calo_ke: {scalin: 2}
"""
    message = refused(text, tmp_path)
    for line in (
        "line 1: base.colour: unknown key",
        "line 4: io.loader.collate_fn.split: is not supported",
        "line 6: io.loader.dataset.provider: 'joint' is not supported",
        "line 7: io.loader.dataset.augment: is not supported",
        "line 9: io.loader.dataset.schema.x: is not supported: there is no parser 'sparse2d'",
        "line 11: io.writer.append: is not supported",
        "line 12: model.provider: 'transformer' is not supported",
        "line 14: post.directio: no post step is called 'directio'; did you mean 'direction'",
        "line 15: post.calo_ke.scalin: unknown key; did you mean 'scaling'",
    ):
        assert line in message
    mended = text.replace("{colour: red}", "{}").replace("  provider: joint\n", "\n").replace("directio:", "direction:")
    assert "line 1:" not in refused(mended, tmp_path)
    message = refused("io: {loader: {dataset: {schema: {data: {provider: sparse3d, sparse_even: a}}}}}", tmp_path)
    assert "line 1: io.loader.dataset.schema.data: data.sparse_even" in message


def test_wrong_spellings(tmp_path: Path) -> None:
    assert "keep provider" in refused("io: {writer: {name: hdf5, provider: hdf5}}", tmp_path)
    assert "use one way" in refused("io: {writer: {suffix: a, config: {overwrite: true}}}", tmp_path)
    assert "its order counts" in refused("post: {stages: [{name: direction, priority: 1}]}", tmp_path)
    assert "keep that one" in refused("base: {train: {}}\ntrain: {}", tmp_path)


def test_lists_of_events_in_files(tmp_path: Path) -> None:
    (tmp_path / "entries.txt").write_text("3\n5, 7\n")
    (tmp_path / "events.txt").write_text("1 0 4\n1 0 9\n")
    reader = {"file_keys": "a.h5", "entry_list": str(tmp_path / "entries.txt")}
    assert translate_tree({"io": {"reader": reader}}).config.io.reader.entry_list == [3, 5, 7]  # type: ignore[union-attr]
    reader = {"file_keys": "a.h5", "run_event_list": str(tmp_path / "events.txt")}
    found = translate_tree({"io": {"reader": reader}}).config.io.reader
    assert found is not None
    assert found.run_event_list == [(1, 0, 4), (1, 0, 9)]


def test_weights_by_url() -> None:
    text = "io: {loader: {}}\nmodel: {weight_path: !download {url: 'https://host/a.ckpt', hash: abc}}\n"
    assert translate(compose_text(text)).config.model.weight_path == "https://host/a.ckpt#sha256=abc"


def test_where_downloads_are_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("SPINE_CACHE_DIR", "SPINE_PROD_BASEDIR", "SPINE_BASEDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    assert cache_folder() == tmp_path / "weights"
    monkeypatch.setenv("SPINE_BASEDIR", "/base")
    assert cache_folder() == Path("/base/.cache/weights")
    monkeypatch.setenv("SPINE_PROD_BASEDIR", "/prod")
    assert cache_folder() == Path("/prod/.cache/weights")
    monkeypatch.setenv("SPINE_CACHE_DIR", "/cache")
    assert cache_folder() == Path("/cache")
    assert cached_name("https://host/a.ckpt") == "bb24ae9d3b262607.ckpt"
