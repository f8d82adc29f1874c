"""Ways to compute a sparse convolution, and the choice among them.

``torch`` runs anywhere and is the reference; ``numba`` is the fast path on CPUs; ``triton`` on CUDA devices.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Protocol, cast

import torch
from torch import Tensor

from spine.errors import ConfigError, did_you_mean
from spine.sparse.maps import KernelMap

__all__ = ["Backend", "choose_backend", "load_backend", "use_backend"]

MODULES = {"torch": "offset_loop", "numba": "row_tiles", "triton": "implicit_gemm"}
_chosen: ContextVar[str] = ContextVar("sparse_backend", default="")


class Backend(Protocol):
    """Two functions on plain tensors; everything else of a convolution is common."""

    def forward(self, features: Tensor, weight: Tensor, kernel_map: KernelMap) -> Tensor:
        """Compute ``out[j] = sum over pairs (k, i, j) of features[i] @ weight[k]``.

        Parameters
        ----------
        features : (n_in, Cin) contiguous features
        weight : (K, Cin, Cout) contiguous weights of the same type
        kernel_map : Pairs of rows

        Returns (n_out, Cout) features.
        """
        ...

    def weight_gradient(self, features: Tensor, gradient: Tensor, kernel_map: KernelMap) -> Tensor:
        """Compute ``dW[k] = sum over pairs (k, i, j) of features[i]^T gradient[j]``.

        Parameters
        ----------
        features, gradient : (n_in, Cin) and (n_out, Cout) contiguous
        kernel_map : Pairs of rows

        Returns (K, Cin, Cout) gradient of the weights.
        """
        ...


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Compute convolutions with one backend within a ``with`` block.

    Parameters
    ----------
    name : {"torch", "numba", "triton"}
        Backend; ``""`` for the automatic choice. The environment variable ``SPINE_CONVOLUTION`` does the same for
        a whole process.

    Raises ConfigError when there is no such backend.
    """
    token = _chosen.set(_checked(name))
    try:
        yield
    finally:
        _chosen.reset(token)


def choose_backend(features: Tensor) -> Backend:
    """Backend for these features: the one asked for, else the fastest that can do them."""
    wished = _chosen.get() or _checked(os.environ.get("SPINE_CONVOLUTION", ""))
    return load_backend(wished or _fastest(features.device.type, features.dtype))


@cache
def load_backend(name: str) -> Backend:
    """Import a backend by name."""
    return cast(Backend, importlib.import_module(f"{__name__}.{MODULES[_checked(name)]}"))


def _checked(name: str) -> str:
    if name and name not in MODULES:
        raise ConfigError(
            "unknown convolution backend", where="SPINE_CONVOLUTION", got=name, mend=did_you_mean(name, MODULES)
        )
    return name


@cache
def _fastest(device: str, dtype: torch.dtype) -> str:
    if device == "cpu" and dtype in (torch.float32, torch.float64):
        return "numba"
    half = (torch.float32, torch.float16, torch.bfloat16)
    if device == "cuda" and dtype in half and importlib.util.find_spec("triton") is not None:
        return "triton"
    return "torch"
