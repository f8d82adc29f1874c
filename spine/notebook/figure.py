"""An event as a plotly figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from spine.errors import ConfigError, did_you_mean
from spine.report.scene import Cloud, Scene, scene_of
from spine.report.species import PID_COLORS, PIDS, SHAPE_COLORS, SHAPES
from spine.schema import Event

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["COLORINGS", "event_figure"]

COLORINGS: Final = ("shape", "pid", "particle", "interaction", "charge", "match")
TITLES: Final = {"reco": "Reconstruction", "truth": "Truth"}
GREY: Final = "#9aa3ad"
HOVER: Final = ("id", "shape", "pid", "ke", "length", "interaction_id", "match", "overlap")


def event_figure(event: Event, color: str, max_points: int) -> go.Figure:
    """Figure of both sides of an event; see `RunEvent.show`."""
    import plotly.graph_objects as go
    from plotly.subplots import make_subplots

    if color not in COLORINGS:
        raise ConfigError(
            "no such colouring", got=color, expected=", ".join(COLORINGS), mend=did_you_mean(color, COLORINGS)
        )
    scene = scene_of(event, {})
    n = len(scene.clouds)
    titles = [TITLES[side] for side in scene.clouds]
    figure = make_subplots(1, n, specs=[[{"type": "scene"}] * n], subplot_titles=titles, horizontal_spacing=0.01)
    for column, cloud in enumerate(scene.clouds.values(), start=1):
        for trace in _traces(go, cloud, color, max_points):
            figure.add_trace(trace, row=1, col=column)
    figure.update_scenes(_axes(scene))
    figure.update_layout(
        title=event.label, height=520, margin={"l": 0, "r": 0, "t": 60, "b": 0}, legend={"itemsizing": "constant"}
    )
    return figure


def _axes(scene: Scene) -> dict[str, Any]:
    """Equal scales in cm around the points of both sides."""
    points = np.concatenate([np.zeros((0, 3)), *(cloud.points for cloud in scene.clouds.values())])
    low, high = (points.min(axis=0), points.max(axis=0)) if len(points) else (scene.lower, scene.upper)
    margin = 0.02 * float(np.max(high - low)) + 1.0
    axes = {
        f"{axis}axis": {"title": f"{axis} [cm]", "range": [float(a - margin), float(b + margin)]}
        for axis, a, b in zip("xyz", low, high, strict=True)
    }
    return {"aspectmode": "data", **axes}


def _traces(go: Any, cloud: Cloud, color: str, max_points: int) -> list[Any]:
    """A trace per class, or one for a continuous scale; vertices at last."""
    step = max(1, -(-len(cloud.points) // max_points))
    rows = np.arange(0, len(cloud.points), step)
    if color in ("charge", "match"):
        traces = [_scaled(go, cloud, rows, color)]
    elif color in ("particle", "interaction"):
        numbers = _of_particles(cloud, "id" if color == "particle" else "interaction_id")[rows]
        groups = [
            (f"{color} {v}" if v >= 0 else f"no {color}", _hue(v), rows[numbers == v]) for v in np.unique(numbers)
        ]
        traces = [_points(go, cloud, *group) for group in groups]
    else:
        names, colors = (SHAPES, SHAPE_COLORS) if color == "shape" else (PIDS, PID_COLORS)
        traces = [_points(go, cloud, *group) for group in _classes(cloud, rows, color, names, colors)]
    return [*traces, *_vertices(go, cloud)]


def _of_particles(cloud: Cloud, name: str) -> NDArray[np.int64]:
    """(n,) column of the particle of each point, -1 where it has none."""
    values = np.asarray([-1 if v is None else v for v in _column(cloud, name)] + [-1], dtype=np.int64)
    return values[cloud.particle]


def _column(cloud: Cloud, name: str) -> Sequence[Any]:
    values = cloud.particles.get(name, [])
    return values if isinstance(values, list) else []


def _classes(
    cloud: Cloud, rows: NDArray[np.int64], color: str, names: Any, colors: Sequence[str]
) -> list[tuple[str, str, NDArray[np.int64]]]:
    """Name, colour and points of each class that occurs."""
    values = _of_particles(cloud, color)
    if color == "shape":
        values = np.where(cloud.particle < 0, cloud.shape, values)
    values = values[rows]
    known = [(str(names[v]), colors[v], rows[values == v]) for v in sorted(names) if (values == v).any()]
    rest = rows[~np.isin(values, list(names))]
    return [*known, *([(f"no {'class' if color == 'shape' else 'species'}", GREY, rest)] if len(rest) else [])]


def _hue(number: int) -> str:
    return GREY if number < 0 else f"hsl({number * 137.508 % 360:.0f},70%,50%)"


def _place(cloud: Cloud, rows: NDArray[np.int64]) -> dict[str, Any]:
    x, y, z = np.round(cloud.points[rows], 3).T
    return {"x": x, "y": y, "z": z, "text": _texts(cloud, rows), "hoverinfo": "text", "mode": "markers"}


def _points(go: Any, cloud: Cloud, name: str, color: str, rows: NDArray[np.int64]) -> Any:
    return go.Scatter3d(**_place(cloud, rows), name=f"{name} ({len(rows)})", marker={"size": 2, "color": color})


def _scaled(go: Any, cloud: Cloud, rows: NDArray[np.int64], color: str) -> Any:
    if color == "charge":
        values, title = np.log10(np.maximum(np.nan_to_num(cloud.charge, nan=0.0), 1e-3))[rows], "log10(E / MeV)"
    else:
        overlaps = np.array([-1.0 if v is None else float(v) for v in _column(cloud, "overlap")] + [-1.0])
        values, title = overlaps[cloud.particle][rows], "overlap with the best match"
    scale = {"size": 2, "color": values, "colorscale": "Viridis", "colorbar": {"title": title, "thickness": 12}}
    return go.Scatter3d(**_place(cloud, rows), name=title, marker=scale, showlegend=False)


def _texts(cloud: Cloud, rows: NDArray[np.int64]) -> list[str]:
    names = [name for name in HOVER if name in cloud.particles]
    columns = [_column(cloud, name) for name in names]
    cards = [
        "<br>".join(f"{n}: {_text(n, v)}" for n, v in zip(names, values, strict=True))
        for values in zip(*columns, strict=True)
    ]
    return [cards[i] if i >= 0 else "in no particle" for i in cloud.particle[rows]]


def _text(name: str, value: Any) -> str:
    if name in ("shape", "pid"):
        return str((SHAPES if name == "shape" else PIDS).get(value, "–"))
    unit = {"ke": " MeV", "length": " cm"}.get(name, "")
    return "–" if value is None else f"{value}{unit}"


def _vertices(go: Any, cloud: Cloud) -> list[Any]:
    found = cloud.interactions.get("vertex", [])
    places = [v for v in found if isinstance(v, list) and None not in v] if isinstance(found, list) else []
    if not places:
        return []
    x, y, z = np.array(places, dtype=np.float64).T
    marker = {"size": 4, "color": "#e5262b", "symbol": "diamond"}
    return [go.Scatter3d(x=x, y=y, z=z, mode="markers", name="vertices", marker=marker, hoverinfo="name")]
