"""From the products of input and inference to fragments, particles and interactions."""

from __future__ import annotations

from spine.build.config import BuildConfig
from spine.build.event import build_event

__all__ = ["BuildConfig", "build_event"]
