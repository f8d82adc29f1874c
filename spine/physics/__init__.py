"""Physics of charged particles in liquid argon: energy loss, range, scattering, recombination, trajectories."""

from __future__ import annotations
