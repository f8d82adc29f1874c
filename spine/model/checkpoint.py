"""Checkpoints: files of weights, found, checked, read and written.

The layout is SPINE's. Format 1 holds ``state_dict`` with ``global_step`` and the optimiser; format 2 adds a manifest,
the configuration and the state of the training, with the SHA-256 of the file in a second file beside it.
"""

from __future__ import annotations

import hashlib
import platform
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from pickle import UnpicklingError

import torch
from torch import Tensor

from spine import __version__
from spine.config.shipped import weights_file
from spine.errors import ConfigError, DataError
from spine.store.atomic import atomic_file

__all__ = [
    "FORMAT_VERSION",
    "Checkpoint",
    "file_sha256",
    "locate_weights",
    "read_checkpoint",
    "sidecar_of",
    "verify_checkpoint",
    "write_checkpoint",
]

FORMAT_VERSION = 2


@dataclass(frozen=True)
class Checkpoint:
    """Contents of a checkpoint.

    Parameters
    ----------
    state : mapping of str to torch.Tensor
        Weights, ``MODULE.NAME`` in the file of a chain.
    parts : mapping
        Everything else in the file by its name: ``global_step``, ``global_epoch``, ``optimizer``, ``lr_scheduler``,
        ``loss_state_dict``, ``runtime_state``, ``validation``, ``completion``, ``config``, ``datasets``,
        ``weight_sources``.
    manifest : mapping
        When, where and with what it was written; empty in format 1.
    format_version : int
        1 or 2.
    path : Path, optional
        Where it was read.
    """

    state: Mapping[str, Tensor]
    parts: Mapping[str, object] = field(default_factory=dict)
    manifest: Mapping[str, object] = field(default_factory=dict)
    format_version: int = FORMAT_VERSION
    path: Path | None = None

    @property
    def modules(self) -> dict[str, int]:
        """Number of weights by the first part of their names."""
        counts: dict[str, int] = {}
        for name in self.state:
            counts[name.partition(".")[0]] = counts.get(name.partition(".")[0], 0) + 1
        return counts


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sidecar_of(path: Path) -> Path:
    """File beside a checkpoint that holds its SHA-256."""
    return path.with_name(path.name + ".sha256")


def verify_checkpoint(path: Path, sha256: str | None = None) -> str | None:
    """Compare a file with the SHA-256 that is expected, and with the one in the file beside it.

    Returns the digest, None when there was nothing to compare with. Raises DataError when the file is missing, does
    not have the digest, or the file beside it cannot be understood.
    """
    if not path.is_file():
        raise DataError("there is no such file of weights", where=path, mend="check weight_path")
    expected = {sha256.lower()} if sha256 else set()
    if sidecar_of(path).is_file():
        expected.add(_sidecar_digest(path))
    if not expected:
        return None
    found = file_sha256(path)
    if expected != {found}:
        raise DataError(
            "the file of weights is not what its SHA-256 says", where=path, got=found,
            expected=" and ".join(sorted(expected)), mend="copy or download the file again",
        )  # fmt: skip
    return found


def _sidecar_digest(path: Path) -> str:
    words = sidecar_of(path).read_text(encoding="utf-8").split(maxsplit=1)
    if len(words) != 2 or words[1].strip().lstrip("*") != path.name:
        where, expected = sidecar_of(path), f"digest  {path.name}"
        raise DataError("the SHA-256 is that of another file", where=where, got=" ".join(words), expected=expected)
    return words[0].lower()


def locate_weights(source: str, cache: Path | None = None) -> Path:
    """The file of weights, downloaded when it is given by its URL.

    Parameters
    ----------
    source : str
        Path or URL, with ``#sha256=<64 digits>`` at the end; a path may go without.
    cache : Path, optional
        Where downloads are kept, by default the user's cache directory.

    Returns
    -------
    Path
        A file that exists and has the digest.

    Raises
    ------
    ConfigError
        When a URL has no digest.
    DataError
        When the file is missing, cannot be downloaded, or is not what its digest says.
    """
    name, _, digest = source.partition("#sha256=")
    if not name.startswith(("http://", "https://")):
        path = weights_file(name)
        verify_checkpoint(path, digest or None)
        return path
    if not digest:
        raise ConfigError("weights from a URL need their SHA-256", got=source, expected=f"{source}#sha256=<64 digits>")
    return _download(name, digest, cache)


def _download(url: str, digest: str, cache: Path | None) -> Path:
    import pooch

    folder = cache or Path(pooch.os_cache("spine-flow"))
    try:
        return Path(pooch.retrieve(url, known_hash=f"sha256:{digest.lower()}", path=folder))
    except (OSError, ValueError) as error:
        raise DataError("the weights cannot be downloaded", where=url, got=str(error)) from error


def read_checkpoint(path: Path, sha256: str | None = None, device: torch.device | str = "cpu") -> Checkpoint:
    """Read a checkpoint of format 1 or 2.

    Its digest is compared with ``sha256`` and with the one in the file beside it; the weights go to ``device``.

    Raises
    ------
    DataError
        When the file is missing, damaged, holds anything but plain values and tensors, or no ``state_dict``.
    """
    verify_checkpoint(path, sha256)
    try:
        content = torch.load(path, map_location=device, weights_only=True)
    except (UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as error:
        mend = "copy it again; a file that holds code beside plain values and tensors is not read"
        raise DataError("the file of weights cannot be read", where=path, mend=mend) from error
    if not isinstance(content, Mapping) or not isinstance(content.get("state_dict"), Mapping):
        got = sorted(content) if isinstance(content, Mapping) else type(content).__name__
        raise DataError("the file holds no weights", where=path, got=got, expected="a mapping with state_dict")
    state: Mapping[str, object] = content["state_dict"]
    strange = [name for name, value in state.items() if not isinstance(value, Tensor)]
    if strange:
        raise DataError("some weights are no tensors", where=path, got=strange[:8])
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    parts = {k: v for k, v in content.items() if k not in ("state_dict", "manifest", "format_version")}
    version = int(content.get("format_version", 1))
    return Checkpoint(tensors, parts, content.get("manifest") or {}, version, path)


def write_checkpoint(path: Path, checkpoint: Checkpoint, world_size: int = 1) -> str:
    """Write a checkpoint of format 2, and its SHA-256 beside it; each appears complete or not at all.

    The manifest is made anew; ``world_size`` is the number of processes that trained. Returns the SHA-256 of the
    file, raises StageError when it cannot be written.
    """
    content: dict[str, object] = {"format_version": FORMAT_VERSION, **checkpoint.parts}
    content["state_dict"] = {name: value.detach().cpu() for name, value in checkpoint.state.items()}
    content["manifest"] = _manifest(sorted(content), world_size)
    with atomic_file(path) as temporary:
        with temporary.open("wb") as file:
            torch.save(content, file)
        digest = file_sha256(temporary)
        sidecar_of(path).unlink(missing_ok=True)
    with atomic_file(sidecar_of(path)) as temporary:
        temporary.write_text(f"{digest}  {path.name}\n", encoding="utf-8")
    return digest


def _manifest(contents: Sequence[str], world_size: int) -> dict[str, object]:
    return {
        "created_at": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
        "spine_version": f"spine-flow {__version__}",
        "python_version": platform.python_version(),
        "torch_version": str(torch.__version__),
        "cuda_version": torch.version.cuda,
        "hostname": socket.gethostname(),
        "world_size": world_size,
        "git_revision": None,
        "git_dirty": None,
        "contents": tuple(contents),
    }
