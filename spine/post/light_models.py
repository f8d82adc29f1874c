"""Light that sensors are expected to see of depositions: the built-in model, and models of users."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from spine.errors import ConfigError, DataError, did_you_mean
from spine.geometry import Optical
from spine.ops.arrays import FloatArray, IntArray, RealArray
from spine.physics.light import solid_angle
from spine.steps.registry import file_module, is_file

__all__ = ["MODELS", "LightModel", "Sensors", "SolidAngleOptions", "light_model", "sensors_of", "solid_angle_light"]


class Sensors(NamedTuple):
    """Sensors that see the light of one optical volume.

    ``positions`` (p, 3) centres and ``sizes`` (p, 3) full sizes in cm; ``shapes`` (p,) ``box``, ``disk`` or
    ``ellipsoid``; ``channels`` (c,) the sensor that each channel of a flash reads.
    """

    positions: FloatArray
    sizes: FloatArray
    shapes: tuple[str, ...]
    channels: IntArray


LightModel = Callable[[RealArray, RealArray, Sensors], FloatArray]
"""From (n, 3) points in cm, (n,) photons and sensors to the (p,) photo-electrons that each sensor should see."""


class SolidAngleOptions(BaseModel):
    """Options of the model solid_angle: direct light, absorbed on its way."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    efficiency: float = Field(0.03, gt=0, le=1, description="Photo-electrons per photon that meets a sensor")
    attenuation_length: float = Field(2000.0, gt=0, description="Length over which light falls by 1/e (cm)")


def solid_angle_light(points: RealArray, photons: RealArray, sensors: Sensors, **options: Any) -> FloatArray:
    """(p,) photo-electrons of direct light: photons, solid angle over 4 pi, absorption, efficiency."""
    cfg = SolidAngleOptions.model_validate(options)
    expected = np.zeros(len(sensors.positions))
    for i, (center, size, shape) in enumerate(zip(sensors.positions, sensors.sizes, sensors.shapes, strict=True)):
        share = solid_angle(points, center, size, _known(shape)) / (4 * np.pi)
        distance = np.linalg.norm(points - center, axis=1)
        expected[i] = (photons * share * np.exp(-distance / cfg.attenuation_length)).sum()
    return np.asarray(cfg.efficiency * expected)


def _known(shape: str) -> Any:
    return shape if shape in ("box", "disk") else "ellipsoid"


MODELS: Final[dict[str, Callable[..., FloatArray]]] = {"solid_angle": solid_angle_light}
"""Models by name."""


def light_model(name: str, options: Mapping[str, Any]) -> LightModel:
    """A model with its options.

    Parameters
    ----------
    name : str
        One of `MODELS`, ``file.py`` with one public function in it, or ``file.py:function``.
    options : mapping
        Passed on as keywords.

    Raises
    ------
    ConfigError
        When there is no such model.
    """
    function = _function_of(name) if is_file(name) else MODELS.get(name)
    if function is None:
        raise ConfigError(f"no light model is called {name!r}", mend=did_you_mean(name, MODELS))

    def model(points: RealArray, photons: RealArray, sensors: Sensors) -> FloatArray:
        expected = np.asarray(function(points, photons, sensors, **options), dtype=np.float64)
        if expected.shape != (len(sensors.positions),):
            raise DataError(
                "a light model gives one number per sensor", where=name, got=expected.shape,
                expected=(len(sensors.positions),),
            )  # fmt: skip
        return expected

    return model


def _function_of(name: str) -> Callable[..., FloatArray]:
    """The function of a file."""
    module = file_module(name)
    found = {
        key: value
        for key, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not key.startswith("_")
    }
    wanted = name.partition(":")[2] or (next(iter(found)) if len(found) == 1 else "")
    if wanted not in found:
        raise ConfigError(
            "the light model cannot be told from the file", where=name, got=sorted(found), mend="write file.py:function"
        )
    return found[wanted]


def sensors_of(optical: Optical, volume: int) -> Sensors:
    """Sensors that a flash in a volume can see.

    Raises
    ------
    DataError
        When there is no such volume.
    """
    count = optical.positions.shape[1]
    channels = np.arange(count) if optical.det_ids is None else optical.det_ids
    volumes = range(len(optical.positions)) if optical.global_index else (volume,)
    if not 0 <= volume < len(optical.positions):
        raise DataError("a flash is in no optical volume", got=volume, expected=f"0 to {len(optical.positions) - 1}")
    sizes = np.tile(optical.sizes[optical.shape_ids], (len(volumes), 1))
    shapes = tuple(optical.shapes[i] for i in optical.shape_ids) * len(volumes)
    shifts = np.repeat(np.arange(len(volumes)) * count, len(channels))
    positions = np.concatenate([optical.positions[v] for v in volumes])
    return Sensors(positions, sizes, shapes, np.tile(channels, len(volumes)) + shifts)
