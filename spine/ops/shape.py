"""Principal axes, spreads and directions of point clouds, one or many at once."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from spine.ops.arrays import FloatArray, IntArray, NumberArray, RealArray
from spine.ops.segments import check_offsets, offsets_to_lengths

__all__ = [
    "PrincipalAxes",
    "axial_spread",
    "cluster_directions",
    "direction",
    "directional_spread",
    "fix_axis_signs",
    "pca",
    "pca_segments",
    "straightness",
]


class PrincipalAxes(NamedTuple):
    """Centroid (..., D), axes (..., D, D) as rows and variances (..., D), largest variance first."""

    mean: FloatArray
    axes: FloatArray
    variances: FloatArray


def pca(points: RealArray) -> PrincipalAxes:
    """Return the principal axes of one (N, D) point cloud; see `pca_segments`."""
    points = np.asarray(points)
    whole = pca_segments(points, np.array([0, len(points)]))
    return PrincipalAxes(whole.mean[0], whole.axes[0], whole.variances[0])


def pca_segments(points: RealArray, offsets: NumberArray) -> PrincipalAxes:
    """Return the principal axes of each cluster of (N, D) points, by eigen-decomposition of the covariance.

    Axes are unit rows whose component of largest size is positive; variances divide by N - 1, in squared units of
    the points. Under two points everything but the centroid is NaN.
    """
    cloud: FloatArray = np.ascontiguousarray(points, dtype=np.float64)
    mean, scatter = _moments(cloud, check_offsets(offsets, len(cloud)))
    counts = offsets_to_lengths(offsets)
    variances = np.full(mean.shape, np.nan)
    axes = np.full(scatter.shape, np.nan)
    enough = counts > 1
    values, vectors = np.linalg.eigh(scatter[enough] / (counts[enough] - 1)[:, None, None])
    variances[enough] = np.maximum(values[:, ::-1], 0.0)
    axes[enough] = fix_axis_signs(np.swapaxes(vectors, -1, -2)[:, ::-1])
    return PrincipalAxes(mean, axes, variances)


@numba.njit(cache=True)
def _moments(points: FloatArray, offsets: IntArray) -> tuple[FloatArray, FloatArray]:
    """Mean (n, D) of each cluster, NaN for none, and the (n, D, D) sum of products of differences from it."""
    count, width = len(offsets) - 1, points.shape[1]
    mean, scatter = np.full((count, width), np.nan), np.zeros((count, width, width))
    shift = np.zeros(width)
    for row in range(count):
        first, last = offsets[row], offsets[row + 1]
        if last == first:
            continue
        mean[row] = 0.0
        for k in range(first, last):
            for i in range(width):
                mean[row, i] += points[k, i]
        for i in range(width):
            mean[row, i] /= last - first
        for k in range(first, last):
            for i in range(width):
                shift[i] = points[k, i] - mean[row, i]
            for i in range(width):
                for j in range(i, width):
                    scatter[row, i, j] += shift[i] * shift[j]
        for i in range(width):
            for j in range(i):
                scatter[row, i, j] = scatter[row, j, i]
    return mean, scatter


def fix_axis_signs(axes: FloatArray) -> FloatArray:
    """Turn (..., D) vectors so that their component of largest size is positive."""
    largest = np.argmax(np.abs(axes), axis=-1, keepdims=True)
    negative = np.take_along_axis(axes, largest, -1) < 0
    return np.where(negative, -axes, axes)


def straightness(points: RealArray) -> float:
    """Return the fraction of the variance along the first principal axis.

    NaN under three points, 0 when all points coincide.
    """
    if len(points) < 3:
        return float("nan")
    variances = pca(points).variances
    total = float(variances.sum())
    return float(variances[0]) / total if total > 0 else 0.0


def directional_spread(points: RealArray, ref: RealArray, length_scale: float = 14.0) -> float:
    """Return the mean of 1 - cos(angle to the mean direction) of (N, 3) points seen from ``ref``.

    Points count by exp(-distance / length_scale), at least 1e-6; the scale is by default the radiation length of
    liquid argon in cm. NaN when no point differs from ``ref`` or the directions cancel.
    """
    rays = np.asarray(points, dtype=np.float64) - ref
    distances = np.linalg.norm(rays, axis=1)
    rays, distances = rays[distances > 0], distances[distances > 0]
    weights = np.maximum(np.exp(-distances / length_scale), 1e-6)
    units = rays / distances[:, None]
    total = weights @ units
    size = float(np.linalg.norm(total))
    if size == 0:
        return float("nan")
    return float(weights @ (1 - units @ (total / size)) / weights.sum())


def axial_spread(points: RealArray, axis: RealArray, ref: RealArray) -> float:
    """Return Pearson's correlation between distance from ``ref`` and distance from the axis through it.

    ``points`` are (N, 3), ``axis`` is a unit vector. NaN under three points or when either distance is constant.
    """
    if len(points) < 3:
        return float("nan")
    rays = np.asarray(points, dtype=np.float64) - ref
    across = np.linalg.norm(rays - (rays @ axis)[:, None] * np.asarray(axis), axis=1)
    along: FloatArray = np.linalg.norm(rays, axis=1)
    along, across = along - along.mean(), across - across.mean()
    norm = float(np.linalg.norm(along) * np.linalg.norm(across))
    return float(along @ across) / norm if norm > 0 else float("nan")


def direction(points: RealArray, ref: RealArray, radius: float = -1.0, optimize: bool = False) -> FloatArray:
    """Return the (3,) direction of one cluster seen from ``ref``; see `cluster_directions`."""
    points = np.asarray(points)
    offsets = np.array([0, len(points)])
    single: FloatArray = cluster_directions(points, offsets, np.asarray(ref)[None], radius, optimize)[0]
    return single


def cluster_directions(
    points: RealArray, offsets: NumberArray, refs: RealArray, radius: float = -1.0, optimize: bool = False
) -> FloatArray:
    """Return the unit vector from a reference point to the mean of the cluster near it, (n, 3) float64.

    Parameters
    ----------
    points, offsets : (N, 3) float array, (n + 1,) int array
    refs : (n, 3) float array
        Start (or end) point of each cluster.
    radius : float
        Only points this near count, or the nearest ones when none is; all points if not positive.
    optimize : bool
        Take the points in order of distance (equal ones by row) and keep the first ones, three or more, that look
        most like a line: largest sqrt(l3 / (l1 + l2)), l being the rising eigenvalues of their covariance; of
        equal values the longest run.

    Notes
    -----
    (1, 0, 0) for a cluster of one point that is the reference itself, (0, 0, 0) where the mean falls on the
    reference, NaN for an empty cluster.
    """
    rays: FloatArray = np.ascontiguousarray(points, dtype=np.float64)
    starts: FloatArray = np.ascontiguousarray(refs, dtype=np.float64)
    result: FloatArray = _directions(rays, check_offsets(offsets, len(rays)), starts, float(radius), optimize)
    return result


@numba.njit(cache=True)
def _directions(points: FloatArray, offsets: IntArray, refs: FloatArray, radius: float, optimize: bool) -> FloatArray:
    result = np.full((len(offsets) - 1, 3), np.nan)
    for row in range(len(result)):
        rays = points[offsets[row] : offsets[row + 1]] - refs[row]
        if len(rays) == 0:
            continue
        squares = (rays * rays).sum(axis=1)
        if radius > 0:
            near = squares <= max(radius * radius, squares.min())
            rays, squares = rays[near], squares[near]
        if optimize and len(rays) > 2:
            rays = rays[np.argsort(squares, kind="mergesort")]
            rays = rays[: _straightest_prefix(rays)]
        result[row] = _mean_direction(rays)
    return result


@numba.njit(cache=True)
def _mean_direction(rays: FloatArray) -> FloatArray:
    mean: FloatArray = rays.sum(axis=0) / len(rays)
    size = np.sqrt((mean * mean).sum())
    if len(rays) == 1 and size == 0.0:
        return np.array([1.0, 0.0, 0.0])
    return mean / size if size > 0.0 else mean


@numba.njit(cache=True)
def _straightest_prefix(rays: FloatArray) -> int:
    """Return how many of the first rays (at least 3) make the straightest set.

    The covariance is kept up to date by Welford's recurrence (Technometrics 4, 1962).
    """
    mx = my = mz = 0.0
    xx = yy = zz = xy = xz = yz = 0.0
    best, best_count = -1.0, 3
    for row in range(len(rays)):
        x, y, z = rays[row, 0] - mx, rays[row, 1] - my, rays[row, 2] - mz
        mx, my, mz = mx + x / (row + 1), my + y / (row + 1), mz + z / (row + 1)
        u, v, w = rays[row, 0] - mx, rays[row, 1] - my, rays[row, 2] - mz
        xx, yy, zz = xx + x * u, yy + y * v, zz + z * w
        xy, xz, yz = xy + x * v, xz + x * w, yz + y * w
        if row < 2:
            continue
        if best > 0.0 and _falls_short(best, (xx, yy, zz), (xy, xz, yz)):
            continue
        value = _linearity(xx, yy, zz, (xy, xz, yz))
        if value >= best:
            best, best_count = value, row + 1
    return best_count


@numba.njit(cache=True)
def _falls_short(best: float, own: tuple[float, float, float], mixed: tuple[float, float, float]) -> bool:
    """Whether the largest eigenvalue is clearly below what ``best`` takes: bound minus matrix is positive definite."""
    xx, yy, zz = own
    x, y, z = mixed
    bound = (xx + yy + zz) * best * best / (1.0 + best * best)
    a, b, c = bound - xx, bound - yy, bound - zz
    if a <= 0.0 or a * b - x * x <= 0.0:
        return False
    return bool(a * b * c - 2.0 * x * y * z - a * z * z - b * y * y - c * x * x > 1e-9 * bound**3)


@numba.njit(cache=True)
def _linearity(xx: float, yy: float, zz: float, mixed: tuple[float, float, float]) -> float:
    """Return sqrt(l3 / (l1 + l2)); 0 when the transverse part is below 1e-6 of the longitudinal."""
    longest = _largest_eigenvalue(xx, yy, zz, mixed)
    across = xx + yy + zz - longest
    if longest <= 0.0 or across <= 1e-6 * longest:
        return 0.0
    return float(np.sqrt(longest / across))


@numba.njit(cache=True)
def _largest_eigenvalue(xx: float, yy: float, zz: float, mixed: tuple[float, float, float]) -> float:
    """Return the largest eigenvalue of a symmetric 3 x 3 matrix (Smith, Commun. ACM 4, 1961)."""
    centre = (xx + yy + zz) / 3.0
    a, b, c = xx - centre, yy - centre, zz - centre
    x, y, z = mixed
    scale = np.sqrt((a * a + b * b + c * c + 2.0 * (x * x + y * y + z * z)) / 6.0)
    if scale == 0.0:
        return float(centre)
    a, b, c, x, y, z = a / scale, b / scale, c / scale, x / scale, y / scale, z / scale
    half = 0.5 * (a * (b * c - z * z) - x * (x * c - z * y) + y * (x * z - b * y))
    angle = np.arccos(min(1.0, max(-1.0, half))) / 3.0
    return float(centre + 2.0 * scale * np.cos(angle))
