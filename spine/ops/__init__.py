"""Functions on arrays: ragged segments, clustering, shapes, distances, matching, metrics."""

from __future__ import annotations
