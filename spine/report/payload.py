"""An event as the display gets it: a header, and planes of small integers, deflated.

The text of an event is base64 of a zlib stream of: length of the header (uint32, little endian), header (JSON), and
for each side that has points of its own: x, y, z as differences between neighbours (uint16, modulo 65536), charge
(uint8), row of the particle (uint16, 65535 for none), class of points without a particle (uint8, 255 for none). The low
bytes of a uint16 plane come before its high bytes. A side whose points are those of the other one leaves out x, y, z.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spine.report.content import Json
from spine.report.scene import Cloud, Scene

__all__ = ["box_edges", "decode", "encode"]

NO_PARTICLE: Final = 65535
NO_SHAPE: Final = 255
STEPS: Final = 65535

U2 = NDArray[np.uint16]
U1 = NDArray[np.uint8]
F8 = NDArray[np.float64]


@dataclass(frozen=True)
class Lattice:
    """Positions are ``origin + step * number`` (cm)."""

    origin: F8
    step: F8

    def numbers(self, points: F8) -> U2:
        """(n, 3) uint16 nearest numbers."""
        return np.clip(np.rint((points - self.origin) / self.step), 0, STEPS).astype(np.uint16)


def _lattice(scene: Scene) -> Lattice:
    """Voxels of the image where all points are at their centres, otherwise 65536 steps across the points."""
    clouds = [cloud.points for cloud in scene.clouds.values() if len(cloud.points)]
    points = np.concatenate(clouds) if clouds else np.zeros((0, 3))
    lower, upper, size = (np.asarray(v, dtype=np.float64) for v in (scene.lower, scene.upper, scene.voxel))
    cells = (points - lower) / size - 0.5
    if (np.abs(cells - np.rint(cells)) < 0.02).all() and (cells > -1).all() and (cells < STEPS).all():
        return Lattice(lower + size / 2.0, size)
    low, high = np.minimum(lower, points.min(axis=0)), np.maximum(upper, points.max(axis=0))
    return Lattice(low, np.maximum(high - low, 1e-6) / STEPS)


def _order(numbers: U2) -> NDArray[np.int64]:
    """Order along a curve that fills space, so that neighbours differ little: bits of x, y, z interleaved."""
    bits = np.arange(16, dtype=np.uint64)
    spread = (numbers.astype(np.uint64)[:, :, None] >> bits) & np.uint64(1)
    shifts = 3 * bits[None, :] + np.arange(3, dtype=np.uint64)[:, None]
    return np.argsort((spread << shifts).sum(axis=(1, 2)), kind="stable")


def _thinned(n: int, limit: int) -> NDArray[np.int64]:
    """At most ``limit`` of n rows, evenly spread."""
    return np.arange(n) if n <= limit else np.arange(limit, dtype=np.int64) * n // limit


def _charges(values: F8, low: float, high: float) -> U1:
    """(n,) charge on a logarithmic scale, 0 at ``low`` and 255 at ``high``."""
    span = np.log(high / low) if high > low else 1.0
    place = np.log(np.maximum(np.nan_to_num(values, nan=low), low) / low) / span
    return np.asarray(np.clip(np.rint(255 * place), 0, 255), dtype=np.uint8)


def _charge_range(scene: Scene) -> tuple[float, float]:
    """Range that holds all but the outer percent of the charges above zero of both sides."""
    values = np.concatenate([np.zeros(0), *(cloud.charge for cloud in scene.clouds.values())])
    values = values[np.isfinite(values) & (values > 0)]
    if not len(values):
        return 1.0, 10.0
    low, high = np.quantile(values, [0.01, 0.99])
    return float(f"{low:.3g}"), float(f"{max(high, 1.01 * low):.3g}")


def _planes(values: U2) -> bytes:
    """Low bytes of all values, then their high bytes."""
    return (values & 255).astype(np.uint8).tobytes() + (values >> 8).astype(np.uint8).tobytes()


def _differences(values: U2) -> U2:
    return np.diff(values, prepend=np.uint16(0)).astype(np.uint16)


@dataclass(frozen=True)
class _Packed:
    """One side in the order of drawing: numbers on the lattice and rows of the cloud."""

    cloud: Cloud
    numbers: U2
    rows: NDArray[np.int64]


def _packed(cloud: Cloud, lattice: Lattice, limit: int) -> _Packed:
    numbers = lattice.numbers(cloud.points)
    order = _order(numbers)
    rows = order[_thinned(len(order), limit)]
    return _Packed(cloud, numbers[rows], rows)


def encode(scene: Scene, max_points: int) -> str:
    """Text that holds an event.

    Parameters
    ----------
    scene : Scene
        The event.
    max_points : int
        Points kept per side.

    Returns
    -------
    str
        As the notes of the module describe.
    """
    lattice, (low, high) = _lattice(scene), _charge_range(scene)
    body, sides, first = b"", {}, None
    for side, cloud in scene.clouds.items():
        packed = _packed(cloud, lattice, max_points)
        shared = first is not None and np.array_equal(first, packed.numbers)
        if not shared:
            body += b"".join(_planes(_differences(packed.numbers[:, i])) for i in range(3))
        body += _charges(cloud.charge[packed.rows], low, high).tobytes()
        body += _planes(np.where(cloud.particle < 0, NO_PARTICLE, cloud.particle)[packed.rows].astype(np.uint16))
        body += np.where(cloud.shape < 0, NO_SHAPE, cloud.shape)[packed.rows].astype(np.uint8).tobytes()
        sides[side] = _side(packed, shared)
        first = packed.numbers if first is None else first
    header: dict[str, Json] = {
        **scene.header, "sides": sides, "origin": _floats(lattice.origin), "step": _floats(lattice.step),
        "charge": [low, high], "lower": _floats(scene.lower), "upper": _floats(scene.upper),
        "frame": box_edges(scene.lower, scene.upper),
    }  # fmt: skip
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    return base64.b64encode(zlib.compress(len(text).to_bytes(4, "little") + text + body, 9)).decode()


def box_edges(lower: ArrayLike, upper: ArrayLike) -> list[list[float]]:
    """Ends of the twelve edges of a box, one edge after the other."""
    corners = np.array([lower, upper], dtype=np.float64)
    bits = np.arange(8)[:, None] >> np.arange(3) & 1
    ends = [(c, c | 1 << k) for c in range(8) for k in range(3) if not bits[c, k]]
    return [_floats(corners[bits[c], np.arange(3)]) for pair in ends for c in pair]


def _side(packed: _Packed, shared: bool) -> dict[str, Json]:
    cloud = packed.cloud
    counts: dict[str, Json] = {"n": len(packed.rows), "total": len(cloud.points), "shared": shared}
    return {**counts, "particles": cloud.particles, "interactions": cloud.interactions}


def _floats(values: Any) -> list[float]:
    return [float(f"{value:.9g}") for value in values]


def decode(text: str) -> tuple[dict[str, Any], dict[str, dict[str, NDArray[Any]]]]:
    """Header and points of an encoded event: the inverse of `encode`, as the page does it.

    Returns
    -------
    header : dict
        What is known of the event, its particles and interactions.
    sides : dict
        For each side ``points`` (n, 3) float64 in cm, ``charge`` (n,) uint8, ``particle`` (n,) int64 (-1 for none) and
        ``shape`` (n,) int64 (-1 for none).
    """
    data = zlib.decompress(base64.b64decode(text))
    start = 4 + int.from_bytes(data[:4], "little")
    header: dict[str, Any] = json.loads(data[4:start])
    rest = np.frombuffer(data, dtype=np.uint8)[start:]
    sides: dict[str, dict[str, NDArray[Any]]] = {}
    for side, about in header["sides"].items():
        n, width = about["n"], 4 if about["shared"] else 10
        mine, rest = rest[: n * width].reshape(width, n).astype(np.int64), rest[n * width :]
        if about["shared"]:
            points = next(iter(sides.values()))["points"]
        else:
            numbers = np.stack([np.cumsum(mine[2 * i] + 256 * mine[2 * i + 1]) % 65536 for i in range(3)], axis=1)
            points = np.asarray(header["origin"]) + np.asarray(header["step"]) * numbers
        charge, low, high, shape = mine[-4:]
        particle = low + 256 * high
        sides[side] = {
            "points": points,
            "charge": charge.astype(np.uint8),
            "particle": np.where(particle == NO_PARTICLE, -1, particle),
            "shape": np.where(shape == NO_SHAPE, -1, shape),
        }
    return header, sides
