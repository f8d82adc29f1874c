"""SPINE configurations at the border: its language composed, its spellings and blocks turned into ours."""

from __future__ import annotations

from spine.config.peer.compose import Composed, compose_file, compose_text

__all__ = ["Composed", "compose_file", "compose_text"]
