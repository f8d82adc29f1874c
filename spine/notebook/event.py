"""An event as notebooks show it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from spine.errors import SpineError
from spine.schema import PRODUCTS, Event, Ragged, Table, Tensor
from spine.schema.cards import card

if TYPE_CHECKING:
    import plotly.graph_objects as go

__all__ = ["RunEvent"]


class _Products(Mapping[str, Any]):
    """Products of an event, looked up when asked for and kept, so that what is changed in a table stays."""

    def __init__(self, event: Event) -> None:
        self._event = event
        self._kept: dict[str, Any] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._event

    def __getitem__(self, name: str) -> Any:
        if name not in self._kept:
            self._kept[name] = self._event[name]
        return self._kept[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._event)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class RunEvent(Event):
    """One event of a run: ``event.reco.particles[3]``, ``event.points``, ``event.show()``.

    Parameters
    ----------
    event : Event
        The event of a file.
    """

    def __init__(self, event: Event) -> None:
        super().__init__(_Products(event), event.entry, event.source)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        try:
            return self[name]
        except SpineError as error:
            raise AttributeError(str(error)) from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def show(self, color: str = "shape", max_points: int = 20_000) -> go.Figure:
        """Found and true points beside each other.

        Parameters
        ----------
        color : {'shape', 'pid', 'particle', 'interaction', 'charge', 'match'}
            What the colours stand for.
        max_points : int
            Points drawn per side; more are thinned out evenly.

        Returns
        -------
        plotly.graph_objects.Figure
            Turn it with the mouse; points tell about their particle.

        Raises
        ------
        DataError
            When the event holds no points.
        ConfigError
            When there is no such colouring.
        """
        from spine.notebook.figure import event_figure

        return event_figure(self, color, max_points)

    def _repr_html_(self) -> str:
        rows = [(name, PRODUCTS[name].doc if name in PRODUCTS else "", _content(self, name)) for name in sorted(self)]
        return card(self.label, [row for row in rows if not row[2].isdigit()], [r for r in rows if r[2].isdigit()])


def _content(event: Event, name: str) -> str:
    value = event[name]
    if isinstance(value, Table):
        return f"{len(value)} {value.record.__name__}"
    if isinstance(value, Tensor):
        return f"{len(value)} voxels: {', '.join(value.names)}"
    if isinstance(value, Ragged):
        return f"{len(value)} lists"
    shape = getattr(value, "shape", None)
    return " x ".join(map(str, shape)) + " values" if shape else str(value)
