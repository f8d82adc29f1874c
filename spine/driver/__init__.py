"""The Driver: everything that the stages do, in memory, and the runs of the command line."""

from __future__ import annotations

from spine.driver.batch import Batch
from spine.driver.driver import Driver

__all__ = ["Batch", "Driver"]
