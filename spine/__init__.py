"""Reconstruction of liquid-argon time-projection chamber images as a chain of file-to-file stages."""

from __future__ import annotations

__version__ = "0.1.0"

__all__ = ["__version__"]
