"""Kernel maps: which input row meets which output row under which kernel offset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spine.sparse.compiled import compiled

__all__ = ["KernelMap", "search_pairs", "search_pairs_mirrored"]


@dataclass(frozen=True, eq=False)
class KernelMap:
    """Pairs of rows, grouped by kernel offset.

    Within an offset each row occurs at most once on either side, and both columns increase.

    Parameters
    ----------
    rows_in, rows_out : (P,) int32 input and output rows of the pairs
    splits : (K + 1) first pair of every offset
    n_in, n_out : Number of rows on either side
    identity : Offset that pairs every row with itself, -1 when there is none
    mirrored : Whether the pairs of offset ``K - 1 - k`` are those of ``k`` with the sides exchanged
    """

    rows_in: Tensor
    rows_out: Tensor
    splits: tuple[int, ...]
    n_in: int
    n_out: int
    identity: int = -1
    mirrored: bool = False
    derived: dict[str, object] = field(default_factory=dict, repr=False)

    @property
    def volume(self) -> int:
        """Number of kernel offsets."""
        return len(self.splits) - 1

    @property
    def n_pairs(self) -> int:
        """Number of pairs over all offsets."""
        return self.splits[-1]

    def pairs(self, offset: int) -> tuple[Tensor, Tensor]:
        """Input and output rows of one offset."""
        span = slice(self.splits[offset], self.splits[offset + 1])
        return self.rows_in[span], self.rows_out[span]

    @cached_property
    def transposed(self) -> KernelMap:
        """The same pairs with the sides exchanged."""
        other = KernelMap(self.rows_out, self.rows_in, self.splits, self.n_out, self.n_in, self.identity, self.mirrored)
        other.__dict__["transposed"] = self
        return other

    @cached_property
    def fan_in(self) -> Tensor:
        """(n_out,) int64 number of input rows that each output row sees."""
        return torch.bincount(self.rows_out.long(), minlength=self.n_out)

    @cached_property
    def table(self) -> Tensor:
        """(K, n_out) int32 input row of each output row and offset, -1 where there is none."""
        table = self.rows_in.new_full((self.volume, self.n_out), -1)
        for k in range(self.volume):
            rows_in, rows_out = self.pairs(k)
            table[k, rows_out.long()] = rows_in
        return table


def search_pairs(source: Tensor, target: Tensor, deltas: Sequence[int]) -> KernelMap:
    """Find for every target row and offset the source row at ``target + offset``.

    Parameters
    ----------
    source, target : (N,), (M,) sorted unique int64 keys of the input and output coordinates
    deltas : (K) key differences of the kernel offsets

    Returns pairs of (source row, target row).
    """
    if source.device.type == "cpu":
        rows_in, rows_out, counts = _merge_on_cpu(source, target, deltas)
    else:
        rows_in, rows_out, counts = _search(source, target, deltas)
    return KernelMap(rows_in, rows_out, _splits(counts), len(source), len(target))


def search_pairs_mirrored(keys: Tensor, deltas: Sequence[int]) -> KernelMap:
    """Kernel map of a coordinate set onto itself for an odd kernel, from half of the offsets.

    Parameters
    ----------
    keys : (N,) sorted unique int64 keys
    deltas : (K) key differences with ``deltas[K - 1 - k] == -deltas[k]``

    Returns pairs, with the centre as identity.
    """
    half = search_pairs(keys, keys, deltas[: len(deltas) // 2])
    rows = torch.arange(len(keys), dtype=torch.int32, device=keys.device)
    parts = [half.pairs(k) for k in reversed(range(half.volume))]
    rows_in = torch.cat([half.rows_in, rows, *(out for _, out in parts)])
    rows_out = torch.cat([half.rows_out, rows, *(into for into, _ in parts)])
    counts = [len(into) for into, _ in parts]
    splits = _splits([*reversed(counts), len(keys), *counts])
    return KernelMap(rows_in, rows_out, splits, len(keys), len(keys), half.volume, True)


def _splits(counts: Sequence[int]) -> tuple[int, ...]:
    return (0, *np.cumsum(counts, dtype=np.int64).tolist())


def _search(source: Tensor, target: Tensor, deltas: Sequence[int]) -> tuple[Tensor, Tensor, list[int]]:
    """Pairs by binary search; any device."""
    into, out = [], []
    for delta in deltas:
        wanted = target + delta
        place = torch.searchsorted(source, wanted).clamp_(max=max(len(source) - 1, 0))
        found = source[place] == wanted if len(source) else torch.zeros_like(wanted, dtype=torch.bool)
        hits = torch.nonzero(found).squeeze(1)
        into.append(place[hits].int())
        out.append(hits.int())
    empty = torch.empty(0, dtype=torch.int32, device=source.device)
    return torch.cat([empty, *into]), torch.cat([empty, *out]), [len(rows) for rows in into]


def _merge_on_cpu(source: Tensor, target: Tensor, deltas: Sequence[int]) -> tuple[Tensor, Tensor, list[int]]:
    """Pairs by merging the two sorted lists once per offset."""
    room = len(deltas) * min(len(source), len(target))
    rows_in, rows_out = np.empty(room, np.int32), np.empty(room, np.int32)
    counts = np.zeros(len(deltas), np.int64)
    total = merge_pairs(source.numpy(), target.numpy(), np.array(deltas, np.int64), rows_in, rows_out, counts)
    return torch.from_numpy(rows_in[:total]), torch.from_numpy(rows_out[:total]), counts.tolist()


@compiled
def merge_pairs(
    source: NDArray[np.int64],
    target: NDArray[np.int64],
    deltas: NDArray[np.int64],
    rows_in: NDArray[np.int32],
    rows_out: NDArray[np.int32],
    counts: NDArray[np.int64],
) -> int:
    """Write the pairs of every offset one after the other; return how many there are."""
    n = 0
    for k in range(len(deltas)):
        first, i = n, 0
        for j in range(len(target)):
            wanted = target[j] + deltas[k]
            while i < len(source) and source[i] < wanted:
                i += 1
            if i == len(source):
                break
            if source[i] == wanted:
                rows_in[n] = i
                rows_out[n] = j
                n += 1
        counts[k] = n - first
    return n
