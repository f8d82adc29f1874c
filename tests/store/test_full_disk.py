"""Outputs on a disk that is full, and what killed processes leave behind."""

from __future__ import annotations

import os
import platform
import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from spine.errors import StageError
from spine.schema import Event, Tensor
from spine.store.atomic import atomic_directory, atomic_file
from spine.store.writer import EventWriter, FileInfo


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file may get longer than so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write(path: Path, voxels: int, events: int = 3) -> None:
    rng = np.random.default_rng(1)
    with EventWriter(path, FileInfo(stage="test"), ("index", "data")) as writer:
        for entry in range(events):
            event = Event({}, entry, "made up")
            event["index"] = entry
            event["data"] = Tensor(
                rng.integers(0, 500, (voxels, 3)).astype(np.int32), rng.random((voxels, 1), np.float32)
            )
            writer.append([event])


@pytest.mark.parametrize("voxels", [10, 20_000])
def test_a_file_of_events(tmp_path: Path, voxels: int) -> None:
    """Space ends at the close of a small file, and in the midst of a large one."""
    with room_for(2_000), pytest.raises(StageError, match="no space") as error:
        write(tmp_path / "out.h5", voxels)
    assert "run the same command again" in str(error.value)
    assert list(tmp_path.iterdir()) == []
    write(tmp_path / "out.h5", voxels)
    write(tmp_path / "again.h5", voxels)
    assert (tmp_path / "out.h5").read_bytes() == (tmp_path / "again.h5").read_bytes()


def test_tables(tmp_path: Path) -> None:
    with room_for(100), pytest.raises(StageError, match="no space"), atomic_directory(tmp_path / "ana") as folder:
        (folder / "table.csv").write_text("1,2,3\n" * 100)
    with room_for(100), pytest.raises(StageError, match="no space"), atomic_file(tmp_path / "table.csv") as path:
        path.write_text("1,2,3\n" * 100)
    assert list(tmp_path.iterdir()) == []


def test_an_older_output_stays(tmp_path: Path) -> None:
    write(tmp_path / "out.h5", 10)
    before = (tmp_path / "out.h5").read_bytes()
    with room_for(2_000), pytest.raises(StageError):
        write(tmp_path / "out.h5", 20_000)
    assert (tmp_path / "out.h5").read_bytes() == before


def test_what_a_killed_process_left_is_cleared_away(tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    left = [
        f".out.h5.{platform.node()}-{gone.pid}.x.part",
        ".other.h5.host-1.x.part",
        f".out.h5.elsewhere-{gone.pid}.part",
    ]
    mine = f".out.h5.{platform.node()}-{os.getpid()}.y.part"
    for name in (*left, mine):
        (tmp_path / name).write_text("")
    (tmp_path / f".out.h5.{platform.node()}-{gone.pid}.d.part").mkdir()
    write(tmp_path / "out.h5", 10)
    assert {path.name for path in tmp_path.iterdir()} == {"out.h5", *left[1:], mine}
