"""Numba kernels: a typed decorator, and threads whose number does not change the result."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

import numba
import torch

__all__ = ["compiled", "in_threads"]

Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """Compile a function on its first call, keep the machine code on disk, and free the interpreter lock in it.

    Products and sums may be fused to one rounding, but not reordered.
    """
    return cast(Function, numba.njit(cache=True, nogil=True, fastmath={"contract"})(function))


def in_threads(task: Callable[[int, int], object], count: int) -> None:
    """Run ``task(first, last)`` over ``count`` independent units in as many threads as torch uses.

    Parameters
    ----------
    task : Works on units ``first`` to ``last - 1``. Units must not share what they write.
    count : Number of units
    """
    threads = min(torch.get_num_threads(), count)
    if threads <= 1:
        task(0, count)
        return
    edges = [count * i // threads for i in range(threads + 1)]
    list(_pool(os.getpid(), threads).map(task, edges[:-1], edges[1:]))


@functools.lru_cache(maxsize=4)
def _pool(process: int, threads: int) -> ThreadPoolExecutor:
    """Pool of threads of this process (a forked child makes its own)."""
    return ThreadPoolExecutor(threads, thread_name_prefix=f"sparse-{process}")
