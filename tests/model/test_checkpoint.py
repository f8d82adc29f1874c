"""Checkpoints: both formats, digests, downloads, composition, and errors that name the module."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from spine.errors import ConfigError, DataError
from spine.model.checkpoint import (
    Checkpoint,
    file_sha256,
    locate_weights,
    read_checkpoint,
    sidecar_of,
    verify_checkpoint,
    write_checkpoint,
)
from spine.model.weights import WeightSource, freeze, load_weights, state_of


def pair(seed: int = 0) -> dict[str, nn.Module]:
    """Two modules with random weights, running statistics included."""
    torch.manual_seed(seed)
    first = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    nets: dict[str, nn.Module] = {"first": first, "second": nn.ModuleDict({"part": nn.Linear(3, 1)})}
    first.get_buffer("1.running_mean").normal_()
    return nets


def save_v1(path: Path, nets: dict[str, nn.Module], **parts: object) -> Path:
    torch.save({"state_dict": state_of(nets), **parts}, path)
    return path


def equal(one: dict[str, nn.Module], other: dict[str, nn.Module]) -> bool:
    here, there = state_of(one), state_of(other)
    return here.keys() == there.keys() and all(torch.equal(here[k], there[k]) for k in here)


def test_format_1(tmp_path: Path) -> None:
    optimizer = {"state": {0: {"step": torch.tensor(4.0)}}, "param_groups": [{"lr": 1e-3}]}
    path = save_v1(tmp_path / "old.ckpt", pair(), global_step=7, global_epoch=0.5, optimizer=optimizer)
    found = read_checkpoint(path)
    assert (found.format_version, found.parts["global_step"], found.parts["global_epoch"]) == (1, 7, 0.5)
    assert found.parts["optimizer"] == optimizer
    assert found.modules == {"first": 7, "second": 2}
    nets = pair(1)
    load_weights(nets, [WeightSource(str(path))])
    assert equal(nets, pair())


def test_format_2_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "new.ckpt"
    parts: dict[str, object] = {"global_step": 9, "config": {"model": {"name": "x"}}, "runtime_state": {"ranks": [1]}}
    digest = write_checkpoint(path, Checkpoint(state_of(pair()), parts), world_size=3)
    assert sidecar_of(path).read_text() == f"{digest}  new.ckpt\n"
    assert digest == file_sha256(path) == verify_checkpoint(path)
    found = read_checkpoint(path)
    assert (found.format_version, dict(found.parts)) == (2, parts)
    assert all(torch.equal(found.state[k], v) for k, v in state_of(pair()).items())
    assert found.manifest["world_size"] == 3
    assert found.manifest["contents"] == ("config", "format_version", "global_step", "runtime_state", "state_dict")
    assert sorted(p.name for p in path.parent.iterdir()) == ["new.ckpt", "new.ckpt.sha256"]
    raw: dict[str, Any] = torch.load(path, weights_only=True)
    assert raw["format_version"] == 2


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "new.ckpt"
    digest = write_checkpoint(path, Checkpoint(state_of(pair())))
    with pytest.raises(AttributeError):
        write_checkpoint(path, Checkpoint({"x": "no tensor"}))  # type: ignore[dict-item]
    assert verify_checkpoint(path) == digest


def test_damage_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "new.ckpt"
    digest = write_checkpoint(path, Checkpoint(state_of(pair())))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(DataError, match="not what its SHA-256 says"):
        read_checkpoint(path)
    sidecar_of(path).unlink()
    assert verify_checkpoint(path) is None
    with pytest.raises(DataError, match="not what its SHA-256 says"):
        locate_weights(f"{path}#sha256={digest}")
    sidecar_of(path).write_text(f"{digest}  other.ckpt\n")
    with pytest.raises(DataError, match="of another file"):
        verify_checkpoint(path)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 not a zip"])
def test_files_that_are_no_checkpoints(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.ckpt"
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read"):
        read_checkpoint(path)


class Harm:
    """What a checkpoint must not hold."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("harm",))


def test_code_in_a_checkpoint_is_not_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"state_dict": {}, "config": Harm()}, tmp_path / "harm.ckpt")
    with pytest.raises(DataError, match="cannot be read"):
        read_checkpoint(tmp_path / "harm.ckpt")
    assert capsys.readouterr().out == ""


def test_files_without_weights(tmp_path: Path) -> None:
    torch.save({"epoch": 1}, tmp_path / "none.ckpt")
    with pytest.raises(DataError, match="holds no weights"):
        read_checkpoint(tmp_path / "none.ckpt")
    torch.save({"state_dict": {"first.x": 3}}, tmp_path / "number.ckpt")
    with pytest.raises(DataError, match="no tensors"):
        read_checkpoint(tmp_path / "number.ckpt")
    with pytest.raises(DataError, match="no such file"):
        read_checkpoint(tmp_path / "nowhere.ckpt")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first.0.bias": None}, "0.bias is missing"),
        ({"first.0.more": torch.zeros(1)}, "0.more is left over"),
        ({"first.0.weight": torch.zeros(3, 5)}, r"0.weight has shape \(3, 5\) instead of \(3, 2\)"),
        ({"first.0.weight": torch.zeros(3, 2, dtype=torch.int64)}, "0.weight has type torch.int64"),
    ],
)
def test_misfits_name_the_module(tmp_path: Path, change: dict[str, torch.Tensor | None], message: str) -> None:
    state = {**state_of(pair()), **change}
    torch.save({"state_dict": {k: v for k, v in state.items() if v is not None}}, tmp_path / "odd.ckpt")
    nets = pair(1)
    with pytest.raises(DataError, match=f"do not fit module 'first':\n    {message}"):
        load_weights(nets, [WeightSource(str(tmp_path / "odd.ckpt"))])
    assert equal(nets, pair(1))


def test_composition(tmp_path: Path) -> None:
    """All from one file, one module from another, a part of it from a third, where it has another name."""
    whole = save_v1(tmp_path / "whole.ckpt", pair(1))
    first = save_v1(tmp_path / "first.ckpt", {"first": pair(2)["first"]})
    part = save_v1(tmp_path / "part.ckpt", {"head": pair(3)["second"].get_submodule("part")})
    nets = pair()
    sources = [
        WeightSource(str(whole)),
        WeightSource(str(first), "first"),
        WeightSource(str(part), "second.part", "head"),
    ]
    loaded = load_weights(nets, sources)
    expected = {"first": pair(2)["first"], "second": pair(3)["second"]}
    assert equal(nets, expected)
    assert [(r.module, r.namespace, len(r.names)) for r in loaded] == [
        ("second", "second", 2),
        ("first", "first", 7),
        ("second.part", "head", 2),
    ]
    assert loaded[1].sha256 == file_sha256(first)


def test_a_file_of_one_module_needs_no_name_in_front(tmp_path: Path) -> None:
    alone = tmp_path / "alone.ckpt"
    torch.save({"state_dict": pair(4)["first"].state_dict()}, alone)
    nets = pair()
    load_weights(nets, [WeightSource(str(alone), "first")])
    assert equal({"first": nets["first"]}, {"first": pair(4)["first"]})
    single = {"first": pair()["first"]}
    load_weights(single, [WeightSource(str(alone))])
    assert equal(single, {"first": pair(4)["first"]})
    with pytest.raises(DataError, match="module 'first'"):
        load_weights(nets, [WeightSource(str(alone))])


def test_unknown_modules_are_named() -> None:
    with pytest.raises(ConfigError, match=r"no module is called 'fist'(.|\n)*did you mean 'first'"):
        load_weights(pair(), [WeightSource(str(Path(__file__)), "fist")])


def test_half_precision_weights_become_those_of_the_module(tmp_path: Path) -> None:
    state = {name: v.half() if v.is_floating_point() else v for name, v in state_of(pair()).items()}
    torch.save({"state_dict": state}, tmp_path / "half.ckpt")
    nets = pair(1)
    load_weights(nets, [WeightSource(str(tmp_path / "half.ckpt"))])
    assert all(v.dtype != torch.float16 for v in state_of(nets).values())
    assert torch.equal(state_of(nets)["first.0.weight"], state["first.0.weight"].float())


def test_frozen_modules_stay_as_they_are() -> None:
    nets = pair()
    owner = nn.ModuleDict(nets)
    freeze(nets["first"])
    owner.train()
    assert [module.training for module in nets["first"].modules()] == [False] * 3
    assert nets["second"].training
    before = {k: v.clone() for k, v in nets["first"].state_dict().items()}
    out = nets["first"](torch.randn(5, 2))
    assert not out.requires_grad
    assert all(torch.equal(v, before[k]) for k, v in nets["first"].state_dict().items())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """URL of a server of the directory ``served``."""
    (tmp_path / "served").mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args: object) -> None:
            del args

    handler = functools.partial(Quiet, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_weights_from_a_url(tmp_path: Path, server: str) -> None:
    path = save_v1(tmp_path / "served" / "far.ckpt", pair())
    digest, cache = file_sha256(path), tmp_path / "cache"
    found = locate_weights(f"{server}/far.ckpt#sha256={digest.upper()}", cache)
    assert found.parent == cache
    assert found.read_bytes() == path.read_bytes()
    path.unlink()
    assert locate_weights(f"{server}/far.ckpt#sha256={digest}", cache) == found
    with pytest.raises(ConfigError, match="need their SHA-256"):
        locate_weights(f"{server}/far.ckpt", cache)
    with pytest.raises(DataError, match="cannot be downloaded"):
        locate_weights(f"{server}/gone.ckpt#sha256={digest}", cache)


def test_a_download_with_another_digest_is_refused(tmp_path: Path, server: str) -> None:
    save_v1(tmp_path / "served" / "far.ckpt", pair())
    with pytest.raises(DataError, match="cannot be downloaded"):
        locate_weights(f"{server}/far.ckpt#sha256={'0' * 64}", tmp_path / "cache")
