"""Looking at files interactively: runs of events, tables of their objects, figures."""

from __future__ import annotations

from spine.notebook.run import Run, open_run

__all__ = ["Run", "open_run"]
