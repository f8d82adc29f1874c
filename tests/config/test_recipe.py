"""The training recipe: what each step and each part of the chain sees of the configuration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spine.config import Config, load_config
from spine.config.recipe import chain_slice, modules_until, recipe_of, sample_slice, step_modules, step_slice
from spine.errors import ConfigError


def preset(tmp_path: Path, name: str, rest: str = "") -> Config:
    path = tmp_path / f"{name}.yaml"
    path.write_text(f"extends: {name}\n{rest}")
    return load_config(path)


@pytest.fixture
def small(tmp_path: Path) -> Config:
    return preset(tmp_path, "small")


@pytest.mark.parametrize("name", ["small", "full"])
def test_every_network_of_the_chain_is_trained(tmp_path: Path, name: str) -> None:
    config = preset(tmp_path, name)
    recipe = recipe_of(config)
    trained = [module for step in recipe.steps for module in step_modules(recipe, step)]
    assert sorted(trained) == sorted(modules_until(config))
    for step in recipe.steps:
        train = json.loads(step_slice(config, step))
        assert train["train"]["modules"] == list(step_modules(recipe, step))
        assert train["model"]["weight_path"] is None
        assert train["train"]["lr_scheduler"]["total_steps"] == train["base"]["iterations"]


def test_samples_differ_in_seed_alone(small: Config) -> None:
    learnt, judged = (json.loads(sample_slice(small, s)) for s in (small.recipe.sample, small.recipe.test))
    assert learnt["base"]["seed"] != judged["base"]["seed"]
    assert learnt["sim"] | {"events_per_file": 0} == judged["sim"] | {"events_per_file": 0}


def test_a_part_of_the_chain_has_its_networks_only(small: Config) -> None:
    assert modules_until(small, "fragmentation") == ("uresnet_ppn", "graph_spice")
    part = json.loads(chain_slice(small, "some.ckpt", "fragmentation"))["model"]
    assert [stage["name"] for stage in part["modules"]["chain"]["stages"]] == ["segmentation", "fragmentation"]
    assert set(part["modules"]) == {"chain", "uresnet_ppn", "graph_spice"}
    assert (part["weight_path"], part["weight_digests"]) == ("some.ckpt", {})


def test_steps_read_no_more_files_than_there_are(small: Config, tmp_path: Path) -> None:
    few = preset(tmp_path, "small", "recipe: {sample: {files: 3}, steps: {uresnet_ppn: {files: 2}}}")
    assert list(few.recipe.numbers("uresnet_ppn")) == [0, 1]
    assert list(few.recipe.numbers("grappa_inter")) == [0, 1, 2]
    assert len(small.recipe.numbers("graph_spice")) == small.recipe.sample.files


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("recipe: {test: {seed: 1}}", "same seed 1"),
        ("recipe: {steps: {grappa_track: {input: fragment}}}", "fragments"),
        ("recipe: {sample: {files: 0}}", "greater than or equal to 1"),
    ],
)
def test_wrong_recipes_are_refused(tmp_path: Path, rest: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        preset(tmp_path, "small", rest)


def test_missing_parts_are_named(small: Config, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such stage"):
        modules_until(small, "fragments")
    with pytest.raises(ConfigError, match="no step of the recipe"):
        small.recipe.step_of("uresnet")
    with pytest.raises(ConfigError, match="no recipe"):
        recipe_of(preset(tmp_path, "label"))
