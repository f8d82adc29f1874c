"""Files: the event store (HDF5), larcv ROOT input, tables."""

from __future__ import annotations
