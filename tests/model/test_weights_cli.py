"""Commands on files of weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from spine.errors import ConfigError, DataError
from spine.model.checkpoint import Checkpoint, file_sha256, read_checkpoint, write_checkpoint
from spine.model.weights_cli import app


def run(*words: object) -> str:
    """Text that a command prints; its errors are raised."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def files(folder: Path) -> tuple[Path, Path]:
    """A file of a chain, and one of a single network."""
    whole, single = folder / "whole.ckpt", folder / "single.ckpt"
    write_checkpoint(whole, Checkpoint({"a.x": torch.zeros(2, 3), "b.x": torch.zeros(4)}, {"global_step": 12}))
    torch.save({"state_dict": {"x": torch.ones(4)}}, single)
    return whole, single


def test_info(tmp_path: Path) -> None:
    whole, single = files(tmp_path)
    text = run("info", whole)
    assert "format 2" in text
    assert "global_step: 12" in text
    assert "a: 1 tensors, 6 numbers" in text
    assert "format 1" in run("info", single)


def test_compose(tmp_path: Path) -> None:
    whole, single = files(tmp_path)
    output = tmp_path / "both.ckpt"
    text = run("compose", "-o", output, whole, f"b={single}")
    found = read_checkpoint(output)
    assert file_sha256(output) in text
    assert torch.equal(found.state["b.x"], torch.ones(4))
    assert torch.equal(found.state["a.x"], torch.zeros(2, 3))
    assert found.parts["weight_sources"] == [
        {"module": "a", "path": str(whole), "sha256": file_sha256(whole)},
        {"module": "b", "path": str(single), "sha256": file_sha256(single)},
    ]
    with pytest.raises(ConfigError, match="overwrite"):
        run("compose", "-o", whole, whole)


def test_verify(tmp_path: Path) -> None:
    whole, single = files(tmp_path)
    assert "as it should be" in run("verify", whole)
    with pytest.raises(DataError, match="no SHA-256"):
        run("verify", single)
    assert "as it should be" in run("verify", f"{single}#sha256={file_sha256(single)}")
    whole.write_bytes(whole.read_bytes() + b" ")
    with pytest.raises(DataError, match="not what its SHA-256 says"):
        run("verify", whole)
