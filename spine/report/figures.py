"""Drawings as SVG text that is the same each time: no dates, no random names, no fonts inside."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLORS", "Axis", "Curve", "Panels", "curves", "drawing", "histogram", "matrix"]

COLORS: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#555555")
"""Colours that remain distinct for the colour-blind (M. Okabe, K. Ito, 2008), in the order of use."""

STYLE: Final[Mapping[str, object]] = {
    "svg.hashsalt": "spine", "svg.fonttype": "none", "font.family": "DejaVu Sans", "font.size": 9.0,
    "axes.spines.top": False, "axes.spines.right": False, "axes.titlesize": 9.5, "axes.titleweight": "bold",
    "legend.frameon": False, "legend.fontsize": 8.0, "figure.constrained_layout.use": True,
}  # fmt: skip

F8 = NDArray[np.float64]

Panels: TypeAlias = "Sequence[Axes]"
"""Axes side by side."""


@dataclass(frozen=True)
class Axis:
    """Label and scale of an axis."""

    label: str
    log: bool = False
    limits: tuple[float, float] | None = None


@dataclass(frozen=True)
class Curve:
    """Points of one kind in bins.

    Parameters
    ----------
    label : str
        Name in the legend.
    y : (n,) float64
        Value in each bin; NaN ones are not drawn.
    low, high : (n,) float64
        Ends of the band.
    edges : (n, 2) float64
        Bins.
    """

    label: str
    y: F8
    low: F8
    high: F8
    edges: F8


def drawing(draw: Callable[[Panels], None], panels: int = 1, size: tuple[float, float] = (4.6, 3.3)) -> str:
    """SVG of a row of panels.

    Parameters
    ----------
    draw : callable
        Draws on the axes it is given.
    panels : int
        Number of axes side by side.
    size : tuple of float
        Width and height of a panel in inches.

    Returns
    -------
    str
        One ``<svg>`` element, without XML head, dates and addresses of name spaces.
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)  # type: ignore[arg-type]
        figure = Figure(figsize=(size[0] * panels, size[1]))
        FigureCanvasSVG(figure)
        draw([figure.add_subplot(1, panels, i + 1) for i in range(panels)])
        return _svg(figure)


def _svg(figure: Figure) -> str:
    stream = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(stream, format="svg", metadata=nothing)
    text = stream.getvalue()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text)
    text = re.sub(r'height="[\d.]+pt"', "", text, count=1)
    text = re.sub(r'<g id="(?!m[0-9a-f]{10}|p[0-9a-f]{10})[^"]*"', "<g", text)
    return text.replace("xlink:href", "href")


def _dress(axes: Axes, x: Axis, y: Axis) -> None:
    axes.set_xlabel(x.label)
    axes.set_ylabel(y.label)
    if x.limits:
        axes.set_xlim(*x.limits)
    if y.limits:
        axes.set_ylim(*y.limits)
    if x.log:
        _dress_log(axes)
    else:
        axes.locator_params(axis="x", nbins=6)


def _dress_log(axes: Axes) -> None:
    """Logarithmic scale with plain numbers at its ticks, more of them when it spans less."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_xscale("log")
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if high / low > 1000 else (1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _within(edges: F8, part: float, log: bool) -> F8:
    """(n,) position at a part of the way across each bin."""
    if log:
        return np.asarray(edges[:, 0] * (edges[:, 1] / edges[:, 0]) ** part)
    return np.asarray(edges[:, 0] + part * (edges[:, 1] - edges[:, 0]))


def curves(axes: Axes, shown: Sequence[Curve], x: Axis, y: Axis) -> None:
    """Points with bands, one colour per curve; the points of several curves stand side by side in their bin."""
    if not any(np.isfinite(curve.y).any() for curve in shown):
        axes.text(0.5, 0.5, "too few entries", ha="center", transform=axes.transAxes)
        axes.set(xlabel=x.label, ylabel=y.label, xticks=[], yticks=[])
        return
    for number, (curve, color) in enumerate(zip(shown, COLORS, strict=False)):
        good = np.isfinite(curve.y)
        value, edges, low, high = curve.y[good], curve.edges[good], curve.low[good], curve.high[good]
        bins = np.append(curve.edges[:, 0], curve.edges[-1, 1])
        band = np.where(good, curve.high, np.nan)
        axes.stairs(band, bins, baseline=np.where(good, curve.low, 0.0), fill=True, color=color, alpha=0.12)
        place = _within(edges, (number + 1) / (len(shown) + 1), x.log)
        axes.vlines(place, low, high, color=color, linewidth=1.1)
        axes.plot(place, value, "o", color=color, markersize=3.5, label=curve.label)
    filled = np.concatenate([curve.edges[np.isfinite(curve.y)] for curve in shown])
    _dress(axes, Axis(x.label, x.log, x.limits or (float(filled.min()), float(filled.max()))), y)
    axes.legend()


def histogram(axes: Axes, counts: Mapping[str, NDArray[np.int64]], edges: F8, x: Axis) -> None:
    """Outlines of histograms with common edges."""
    for (label, values), color in zip(counts.items(), COLORS, strict=False):
        axes.stairs(values, edges, color=color, linewidth=1.4, label=label)
    _dress(axes, x, Axis("entries"))
    top = max((int(values.max()) for values in counts.values() if len(values)), default=0)
    axes.set_ylim(0, 1.35 * max(top, 1))
    axes.locator_params(axis="y", integer=True)
    if counts:
        axes.legend(loc="upper left", ncols=2 if len(counts) > 2 else 1)


def matrix(axes: Axes, values: F8, texts: Sequence[Sequence[str]], labels: tuple[Sequence[str], Sequence[str]]) -> None:
    """Cells coloured by value (0 to 1) with a text in each; rows run downwards."""
    axes.pcolormesh(np.nan_to_num(values), cmap="Blues", vmin=0.0, vmax=1.0, edgecolors="white", linewidth=1.0)
    for (i, j), value in np.ndenumerate(values):
        color = "white" if value > 0.6 else "black"
        axes.text(j + 0.5, i + 0.5, texts[i][j], ha="center", va="center", color=color, fontsize=7.5)
    axes.set_yticks(np.arange(len(labels[0])) + 0.5, labels[0])
    axes.set_xticks(np.arange(len(labels[1])) + 0.5, labels[1], rotation=30, ha="right")
    axes.invert_yaxis()
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel("reconstructed")
    axes.set_ylabel("true")
