"""Reading detectors from YAML files, those shipped and those of users."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Literal, Self, TypeAlias

import numpy as np
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from spine.errors import ConfigError, did_you_mean
from spine.geometry.detector import Detector, Optical, Tagger, bounding_box
from spine.ops.arrays import FloatArray, IntArray

__all__ = ["detector_names", "load_detector"]

FOLDER = Path(__file__).parent / "data"

Vector: TypeAlias = tuple[float, float, float]
SensorShape: TypeAlias = Literal["ellipsoid", "box", "disk"]


class _Block(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _Limits(_Block):
    intercepts: list[Vector]
    norms: list[Vector]


class _Tpc(_Block):
    dimensions: Vector | list[Vector]
    positions: list[Vector] = Field(min_length=1)
    module_ids: list[int]
    det_ids: list[int] | None = None
    drift_dirs: list[Vector] | None = None
    limits: _Limits | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if len(self.module_ids) != len(self.positions):
            raise ValueError("there must be one module_id per position")
        if sorted(set(self.module_ids)) != list(range(max(self.module_ids) + 1)):
            raise ValueError("module_ids must count from 0 without gaps")
        for directions in self.drift_dirs or ():
            if sum(value != 0 for value in directions) != 1:
                raise ValueError("the drift must go along one axis")
        if self.drift_dirs is None and any(self.module_ids.count(m) != 2 for m in set(self.module_ids)):
            raise ValueError("drift_dirs must be given where modules do not have two drift volumes each")
        return self


class _Optical(_Block):
    volume: Literal["tpc", "module"]
    shape: SensorShape | list[SensorShape]
    dimensions: Vector | list[Vector]
    positions: list[Vector] = Field(min_length=1)
    shape_ids: list[int] | None = None
    det_ids: list[int] | None = None
    mirror: bool = False
    global_index: bool = False


class _Crt(_Block):
    dimensions: list[Vector] = Field(min_length=1)
    positions: list[Vector]
    normals: list[Literal[0, 1, 2]]
    logical_ids: list[int] | None = None


class _File(_Block):
    name: str
    tag: str
    version: str | float
    aliases: list[str] = []
    up_dir: Vector = (0.0, 1.0, 0.0)
    gdml: str | None = None
    crs_files: list[str] | None = None
    lrs_file: str | None = None
    tpc: _Tpc
    optical: _Optical | None = None
    crt: _Crt | None = None


@cache
def _shipped() -> dict[tuple[str, str], tuple[Path, tuple[float, ...], str]]:
    """Path, version and name of each shipped file by lower-case name (or alias) and tag."""
    found = {}
    for path in sorted(FOLDER.glob("*.yaml")):
        head = yaml.safe_load(path.read_text().split("\ntpc:")[0])
        version = tuple(float(part) for part in str(head["version"]).split("."))
        for name in (head["name"], *head.get("aliases", [])):
            found[name.lower(), str(head["tag"])] = (path, version, str(head["name"]))
    return found


def detector_names() -> dict[str, tuple[str, ...]]:
    """Shipped detectors and the tags of each, oldest version first."""
    names: dict[str, list[tuple[tuple[float, ...], str]]] = {}
    for (_, tag), (_, version, name) in _shipped().items():
        if (version, tag) not in names.setdefault(name, []):
            names[name].append((version, tag))
    return {name: tuple(tag for _, tag in sorted(tags)) for name, tags in sorted(names.items())}


def _path_of(detector: str, tag: str | None) -> Path:
    if detector.endswith((".yaml", ".yml")):
        path = Path(detector)
        if not path.is_file():
            raise ConfigError("no such geometry file", where="geo.detector", got=path.absolute())
        return path
    variants = {t: entry for (name, t), entry in _shipped().items() if name == detector.lower()}
    if not variants:
        raise ConfigError(
            f"no detector is called {detector!r}", where="geo.detector", mend=did_you_mean(detector, detector_names())
        )
    if tag is not None and str(tag) not in variants:
        raise ConfigError(f"{detector} has no tag {tag!r}", where="geo.tag", mend=did_you_mean(str(tag), variants))
    chosen = str(tag) if tag is not None else max(variants, key=lambda t: (variants[t][1], t))
    return variants[chosen][0]


def load_detector(detector: str, tag: str | None = None) -> Detector:
    """Read a detector.

    Parameters
    ----------
    detector : str
        Name of a shipped detector (any case), or a YAML file.
    tag : str, optional
        Variant; that of the latest version when left out.

    Raises
    ------
    ConfigError
        When there is no such detector, or the file does not describe one.
    """
    path = _path_of(detector, tag)
    try:
        described = _File.model_validate(yaml.safe_load(path.read_text()))
    except (ValidationError, yaml.YAMLError) as error:
        raise ConfigError("the file does not describe a detector", where=path, got=str(error)) from error
    return _detector(described)


def _detector(file: _File) -> Detector:
    order = np.argsort(file.tpc.module_ids, kind="stable")
    centres = np.asarray(file.tpc.positions)[order]
    half = np.broadcast_to(np.asarray(file.tpc.dimensions), (len(order), 3))[order] / 2
    tpcs = np.stack([centres - half, centres + half], axis=-1)
    modules = np.asarray(file.tpc.module_ids, dtype=np.int64)[order]
    limits = file.tpc.limits or _Limits(intercepts=[], norms=[])
    normals = np.asarray(limits.norms, dtype=np.float64).reshape(-1, 3)
    up = np.asarray(file.up_dir)
    return Detector(
        name=file.name,
        tag=file.tag,
        version=str(file.version),
        tpcs=tpcs,
        drifts=_drifts(file.tpc, centres, order),
        module_ids=modules,
        up=up / np.linalg.norm(up),
        det_ids=None if file.tpc.det_ids is None else np.asarray(file.tpc.det_ids, dtype=np.int64),
        limit_normals=normals,
        limit_bounds=(normals * np.asarray(limits.intercepts).reshape(-1, 3)).sum(axis=1),
        optical=None if file.optical is None else _optical(file.optical, tpcs, modules),
        tagger=None if file.crt is None else _tagger(file.crt),
    )


def _drifts(tpc: _Tpc, centres: FloatArray, order: IntArray) -> FloatArray:
    """Directions of drift: as given, or away from the other drift volume of the module."""
    if tpc.drift_dirs is not None:
        given: FloatArray = np.asarray(tpc.drift_dirs, dtype=np.float64)[order]
        return given
    apart = (centres.reshape(-1, 2, 3) - centres.reshape(-1, 2, 3)[:, ::-1]).reshape(-1, 3)
    axes = np.argmax(np.abs(apart), axis=1)[:, None]
    drifts = np.zeros_like(apart)
    np.put_along_axis(drifts, axes, np.sign(np.take_along_axis(apart, axes, axis=1)), axis=1)
    return drifts


def _optical(file: _Optical, tpcs: FloatArray, modules: IntArray) -> Optical:
    boxes = tpcs if file.volume == "tpc" else np.stack([bounding_box(tpcs[modules == m]) for m in np.unique(modules)])
    offsets = boxes.mean(axis=2)
    relative = np.asarray(file.positions, dtype=np.float64)
    positions = np.broadcast_to(relative, (len(offsets), *relative.shape)).copy()
    if file.mirror:
        positions[1::2, :, 2] *= -1
    count = len(relative)
    return Optical(
        volume=file.volume,
        positions=positions + offsets[:, None],
        sizes=np.asarray(file.dimensions, dtype=np.float64).reshape(-1, 3),
        shapes=(file.shape,) if isinstance(file.shape, str) else tuple(file.shape),
        shape_ids=np.zeros(count, np.int64) if file.shape_ids is None else np.asarray(file.shape_ids, np.int64),
        det_ids=None if file.det_ids is None else np.asarray(file.det_ids, np.int64),
        global_index=file.global_index,
    )


def _tagger(file: _Crt) -> Tagger:
    centres, half = np.asarray(file.positions), np.asarray(file.dimensions) / 2
    logical = None if file.logical_ids is None else np.asarray(file.logical_ids, dtype=np.int64)
    return Tagger(np.stack([centres - half, centres + half], axis=-1), np.asarray(file.normals, np.int64), logical)
