"""Events from larcv2 ROOT files."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from spine.errors import DataError, SpineError
from spine.schema import Table
from spine.schema.detector_records import RunInfo
from spine.store.larcv.block import RawBlock, RawEvent, read_numbers
from spine.store.larcv.raw import RootFile
from spine.store.larcv.schema import DEFAULT_SCHEMA, Schema, plan_of

__all__ = ["LArCVReader"]


class LArCVReader:
    """A larcv2 file as events of the chain.

    Parameters
    ----------
    path : Path
        The file.
    schema : mapping
        Product name -> ``provider`` (name of a parser) and its options; see `DEFAULT_SCHEMA`.

    Raises
    ------
    ConfigError
        When the schema cannot be used.
    DataError
        When the file is missing, truncated or foreign, lacks a product of the schema, or has products with different
        numbers of entries.
    """

    def __init__(self, path: Path | str, schema: Schema = DEFAULT_SCHEMA) -> None:
        self._plans = plan_of(schema)
        self._file = RootFile(path)
        self.path = self._file.path
        self.inputs = tuple(dict.fromkeys(product for plan in self._plans for product in plan.options.inputs()))
        try:
            self._length = self._entries()
        except DataError:
            self.close()
            raise

    def _entries(self) -> int:
        missing = [product for product in self.inputs if product not in self._file.products]
        if missing:
            raise DataError(
                f"the file lacks products of the schema: {', '.join(missing)}", where=self.path,
                got=", ".join(self._file.products), mend="change the schema of the input, or the file",
            )  # fmt: skip
        counts = {product: self._file.tree(product).entries for product in self.inputs}
        if len(set(counts.values())) > 1:
            got = ", ".join(f"{product} {count}" for product, count in counts.items())
            raise DataError("the products have different numbers of entries", where=self.path, got=got)
        return next(iter(counts.values()), 0)

    def __len__(self) -> int:
        return self._length

    @property
    def names(self) -> tuple[str, ...]:
        """Products that each event gets."""
        return tuple(plan.name for plan in self._plans)

    def products(self, start: int = 0, stop: int | None = None) -> list[dict[str, object]]:
        """Products of a range of events.

        Parameters
        ----------
        start, stop : int
            Range of entries, to the end by default.

        Returns
        -------
        list of dict
            Products of each event by name, those of the schema and nothing else.

        Raises
        ------
        DataError
            For the first event with a problem; see `attempts` for the others.
        """
        results: list[dict[str, object]] = []
        for found in self.attempts(start, stop):
            if isinstance(found, SpineError):
                raise found
            results.append(found)
        return results

    def attempts(self, start: int = 0, stop: int | None = None) -> list[dict[str, object] | SpineError]:
        """Products of a range of events, and for a bad event the error in its place.

        Parameters
        ----------
        start, stop : int
            Range of entries, to the end by default.

        Returns
        -------
        list of dict or SpineError
            One per entry; an error names the file, the entry and the product.
        """
        first, last, _ = slice(start, stop).indices(len(self))
        return self._attempts(first, last) if last > first else []

    def _attempts(self, start: int, stop: int) -> list[dict[str, object] | SpineError]:
        """Parse a range at once; when its bytes cannot be read, halve it until the bad entry stands alone."""
        block = RawBlock(self._file, start, stop)
        results = [self._attempt(block.event(i)) for i in range(stop - start)]
        if stop - start == 1 or not block.broken:
            return results
        middle = (start + stop) // 2
        return [*self._attempts(start, middle), *self._attempts(middle, stop)]

    def _attempt(self, event: RawEvent) -> dict[str, object] | SpineError:
        try:
            event.check_numbers(self.inputs)
            return {plan.name: plan.make(event) for plan in self._plans}
        except SpineError as error:
            return error

    def run_info(self) -> Table:
        """Run, subrun and event number of every entry, from the first product of the schema."""
        if not self.inputs:
            return Table(RunInfo, 0)
        numbers = read_numbers(self._file.tree(self.inputs[0]).range(0, len(self)))
        return Table(RunInfo, len(self), dict(zip(RunInfo.columns, np.moveaxis(numbers, 1, 0), strict=True)))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
