"""Networks on devices: where they are, in which precision, and the memory of a GPU."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

from spine.errors import ConfigError

__all__ = ["gpu_memory", "place_networks", "ran_out_of_memory", "seed_networks"]

GIGABYTE = 1.0e9


def seed_networks(seed: int) -> None:
    """Start the random numbers from which weights are drawn."""
    torch.manual_seed(seed)


def place_networks(networks: Mapping[str, nn.Module], gpu: int | None, dtype: str = "float32") -> None:
    """Move networks to a device, in a precision.

    Parameters
    ----------
    networks : mapping of str to torch.nn.Module
        Changed in place.
    gpu : int, optional
        Number of the GPU, none for the processor.
    dtype : {'float32', 'float64'}
        Precision.

    Raises
    ------
    ConfigError
        When there is no such GPU.
    """
    if gpu is not None and gpu >= torch.cuda.device_count():
        raise ConfigError(
            "there is no such GPU", where="base.world_size", got=gpu, expected=f"below {torch.cuda.device_count()}",
            mend="set base.world_size: 0 to run on the processor",
        )  # fmt: skip
    device = torch.device("cpu" if gpu is None else f"cuda:{gpu}")
    for network in networks.values():
        network.to(device=device, dtype=torch.float64 if dtype == "float64" else torch.float32)


def ran_out_of_memory(error: BaseException) -> bool:
    """Whether torch raised this because it got no memory; if so, what it keeps of a GPU for later is given back."""
    no_memory = isinstance(error, torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )
    if no_memory and torch.cuda.is_available():
        torch.cuda.empty_cache()
    return no_memory


def gpu_memory(gpu: int) -> dict[str, float]:
    """Memory of a GPU as the log of a Driver has it: in GB, in percent, and counts."""
    free, total = torch.cuda.mem_get_info(gpu)
    stats = torch.cuda.memory_stats(gpu)
    return {
        "gpu_mem": (total - free) / GIGABYTE,
        "gpu_mem_perc": 100 * (total - free) / total if total else 0.0,
        "gpu_mem_allocated": torch.cuda.memory_allocated(gpu) / GIGABYTE,
        "gpu_mem_allocated_peak": torch.cuda.max_memory_allocated(gpu) / GIGABYTE,
        "gpu_mem_reserved": torch.cuda.memory_reserved(gpu) / GIGABYTE,
        "gpu_mem_reserved_peak": torch.cuda.max_memory_reserved(gpu) / GIGABYTE,
        "gpu_mem_total": total / GIGABYTE,
        "gpu_mem_inactive_split": stats.get("inactive_split_bytes.all.current", 0) / GIGABYTE,
        "gpu_alloc_retries": stats.get("num_alloc_retries", 0),
    }
