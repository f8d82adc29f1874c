"""Trees of a larcv2 ROOT file: what there is, and members of many events at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from spine.errors import DataError, StageError
from spine.schema import Ragged, offsets_of
from spine.store.larcv.members import DecodeError, VoxelLists, decode_lists, decode_texts, decode_voxel_lists

__all__ = ["RootFile", "TreeRange", "list_products"]

Array = NDArray[Any]
T = TypeVar("T")
SUFFIX = "_tree"
CONTAINER = re.compile(r"^(?:.*\.)?(_\w+_v)\.")


def _uproot() -> ModuleType:
    """The ROOT library, imported where it is used."""
    try:
        import uproot
    except ImportError as error:
        raise StageError("reading ROOT files needs uproot", mend="pip install 'spine-flow[root]'") from error
    module: ModuleType = uproot
    return module


@contextmanager
def _reading(where: object) -> Iterator[None]:
    """Whatever goes wrong inside the ROOT library is a broken input."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        raise DataError(
            "the file cannot be read as ROOT: it is truncated, damaged or of another kind",
            where=where, got=f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}",
            mend="fetch or make the file again",
        ) from error  # fmt: skip


class ProductTree:
    """One product of a file: its tree and the members that it stores.

    Parameters
    ----------
    path : Path
        The file, for messages.
    product : str
        Name such as ``particle_pcluster``.
    tree : uproot TTree
        The tree.
    """

    def __init__(self, path: Path, product: str, tree: Any) -> None:
        self.path, self.product = path, product
        self.entries = int(tree.num_entries)
        self._branches = {str(b.name): b for b in tree.itervalues(recursive=True) if not len(b.branches)}
        inside = (CONTAINER.match(name) for name in self._branches)
        self.container = next((match.group(1) for match in inside if match), "")

    def branch(self, name: str) -> Any | None:
        """The branch of a member, None when the file is older than the member."""
        return self._branches.get(name)

    def require(self, name: str) -> Any:
        """The branch of a member without which the product makes no sense."""
        if name not in self._branches:
            raise DataError(
                f"product {self.product!r} lacks the member {name!r}", where=self.path,
                got=", ".join(sorted(self._branches)), mend="name a product of the right type",
            )  # fmt: skip
        return self._branches[name]

    def range(self, start: int, stop: int) -> TreeRange:
        """Members of the entries from ``start`` to before ``stop``."""
        return TreeRange(self, start, stop)


class TreeRange:
    """Members of a product for a range of entries; every method reads the whole range at once.

    Parameters
    ----------
    tree : ProductTree
        The product.
    start, stop : int
        Range of entries.
    """

    def __init__(self, tree: ProductTree, start: int, stop: int) -> None:
        self.tree, self.start, self.stop = tree, start, stop

    @property
    def where(self) -> str:
        """The place that messages name."""
        last = f"-{self.stop - 1}" if self.stop - self.start > 1 else ""
        return f"{self.tree.path} entry {self.start}{last}, {self.tree.product}"

    def _array(self, branch: Any, interpretation: Any = None) -> Array:
        options = {"entry_start": self.start, "entry_stop": self.stop, "library": "np", "array_cache": None}
        with _reading(self.where):
            values: Array = branch.array(interpretation, **options)
        return values

    def _rows(self, branch: Any, dtype: DTypeLike, interpretation: Any = None) -> Ragged:
        rows = self._array(branch, interpretation)
        values = np.concatenate([np.empty(0, dtype), *rows]) if len(rows) else np.empty(0, dtype)
        return Ragged(values.astype(dtype, copy=False), offsets_of([len(row) for row in rows]))

    def scalars(self, name: str, dtype: DTypeLike) -> Array | None:
        """(e,) one value per entry, None when the file has no such member."""
        branch = self.tree.branch(name)
        return None if branch is None else self._array(branch).astype(dtype)

    def required(self, name: str, dtype: DTypeLike) -> Array:
        """(e,) one value per entry of a member that must be there."""
        return self._array(self.tree.require(name)).astype(dtype)

    def lists(self, name: str, dtype: DTypeLike) -> Ragged | None:
        """One row of values per entry, None when the file has no such member."""
        branch = self.tree.branch(name)
        return None if branch is None else self._rows(branch, dtype)

    def required_lists(self, name: str, dtype: DTypeLike) -> Ragged:
        """One row of values per entry of a member that must be there."""
        return self._rows(self.tree.require(name), dtype)

    def _raw(self, branch: Any) -> Ragged:
        uproot = _uproot()
        return self._rows(branch, np.uint8, uproot.AsJagged(uproot.AsDtype("u1")))

    def _decoded(self, decode: Callable[[], T]) -> T:
        try:
            return decode()
        except DecodeError as error:
            raise DataError(
                "the bytes of a list do not follow the layout of its class",
                where=f"{self.tree.path} entry {self.start + int(str(error))}, {self.tree.product}",
                mend="the file is damaged, or written by an unknown version of larcv2",
            ) from error  # fmt: skip

    def texts(self, name: str, counts: NDArray[np.int64]) -> NDArray[np.object_] | None:
        """(sum of counts,) strings, one per object of each entry."""
        branch = self.tree.branch(name)
        return None if branch is None else self._decoded(lambda: decode_texts(self._raw(branch), counts))

    def nested(self, name: str, counts: NDArray[np.int64], dtype: DTypeLike) -> Ragged | None:
        """One row of numbers per object of each entry."""
        branch = self.tree.branch(name)
        return None if branch is None else self._decoded(lambda: decode_lists(self._raw(branch), counts, dtype))

    def voxel_lists(self, name: str, counts: NDArray[np.int64]) -> VoxelLists:
        """Voxels of each cluster of each entry."""
        branch = self.tree.require(name)
        return self._decoded(lambda: decode_voxel_lists(self._raw(branch), counts))


class RootFile:
    """A larcv2 file, opened without ROOT.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    DataError
        When the file is missing, truncated or not written by larcv.
    """

    def __init__(self, path: Path | str) -> None:
        uproot = _uproot()
        self.path = Path(path)
        if not self.path.is_file():
            raise DataError("no such file", where=self.path)
        with _reading(self.path):
            self._file = uproot.open(self.path, use_threads=False)
        self._trees: dict[str, ProductTree] = {}
        try:
            with _reading(self.path):
                kinds = self._file.classnames(recursive=False, cycle=False)
        except DataError:
            self.close()
            raise
        self.keys = tuple(sorted(kinds))
        trees = (key for key in self.keys if key.endswith(SUFFIX) and kinds[key] == "TTree")
        self.products = tuple(sorted(key.removesuffix(SUFFIX) for key in trees))
        if not self.products:
            self.close()
            raise DataError(
                "the file holds no larcv products", where=self.path, got=", ".join(self.keys) or "nothing",
                expected="trees named <type>_<producer>_tree",
            )  # fmt: skip

    def tree(self, product: str) -> ProductTree:
        """The tree of a product.

        Raises
        ------
        DataError
            When the file does not have the product; those that it has are listed.
        """
        if product not in self.products:
            raise DataError(
                f"the file has no product {product!r}", where=self.path, got=", ".join(self.products),
                mend="change the schema of the input, or the file",
            )  # fmt: skip
        if product not in self._trees:
            with _reading(f"{self.path}, {product}"):
                self._trees[product] = ProductTree(self.path, product, self._file[product + SUFFIX])
        return self._trees[product]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def list_products(path: Path | str) -> dict[str, list[str]]:
    """Products of a larcv2 file by type.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    dict of str to list of str
        For instance ``{"sparse3d": ["sparse3d_pcluster", ...], "particle": [...]}``.

    Raises
    ------
    DataError
        When the file is missing, truncated or not written by larcv.
    """
    found: dict[str, list[str]] = {}
    with RootFile(path) as file:
        for product in file.products:
            found.setdefault(product.partition("_")[0], []).append(product)
    return found
