"""What a section of the report consists of."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from spine.report.statistics import Metric

__all__ = ["Figure", "Grid", "Json", "Section", "csv_uri"]

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]


def csv_uri(text: str) -> str:
    """A CSV text as an address that the page itself holds."""
    return "data:text/csv;base64," + base64.b64encode(text.encode()).decode()


@dataclass(frozen=True)
class Figure:
    """A drawing.

    Parameters
    ----------
    name : str
        Name of its file of data, unique on the page.
    caption : str
        What it shows.
    svg : str
        The drawing.
    csv : str
        The numbers in it.
    """

    name: str
    caption: str
    svg: str
    csv: str

    @property
    def data(self) -> str:
        """Address of the numbers."""
        return csv_uri(self.csv)


@dataclass(frozen=True)
class Grid:
    """A table of text.

    Parameters
    ----------
    name : str
        Name of its file of data, unique on the page.
    caption : str
        What it lists.
    header : tuple of str
        Names of the columns, with units.
    rows : tuple of tuple of str
        Cells.
    csv : str
        All rows, more than are shown when the list is long.
    links : tuple of str
        Address for the first cell of each row, empty for none.
    """

    name: str
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    csv: str
    links: tuple[str, ...] = ()

    @property
    def data(self) -> str:
        """Address of the numbers."""
        return csv_uri(self.csv)


@dataclass(frozen=True)
class Section:
    """A section of the page.

    Parameters
    ----------
    name : str
        Its key in ``metrics.json`` and its anchor on the page.
    title, text : str
        Heading, and what the section is about.
    metrics : mapping of str to Metric
        Its numbers.
    figures, grids : tuple
        Drawings and tables.
    missing : tuple of str
        What could not be shown, and why.
    data : mapping
        Further entries of ``metrics.json``, such as matrices.
    """

    name: str
    title: str
    text: str = ""
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    figures: tuple[Figure, ...] = ()
    grids: tuple[Grid, ...] = ()
    missing: tuple[str, ...] = ()
    data: Mapping[str, Json] = field(default_factory=dict)
