"""Enumerations of the field: the values are those stored in files."""

from __future__ import annotations

from enum import IntEnum

__all__ = ["NuCurrentType", "NuInteractionScheme", "Pid", "Shape"]


class Shape(IntEnum):
    """Semantic class of a voxel or an object."""

    UNKNOWN = -1
    SHOWER = 0
    TRACK = 1
    MICHEL = 2
    DELTA = 3
    LOWE = 4
    GHOST = 5
    LARCV_UNKNOWN = 6


class Pid(IntEnum):
    """Particle species that reconstruction tells apart."""

    UNKNOWN = -1
    PHOTON = 0
    ELECTRON = 1
    MUON = 2
    PION = 3
    PROTON = 4
    KAON = 5


class NuCurrentType(IntEnum):
    """Weak current of a neutrino interaction."""

    UNKNOWN = -1
    CC = 0
    NC = 1


class NuInteractionScheme(IntEnum):
    """Generator whose numbering the interaction type follows."""

    UNKNOWN = -1
    LARSOFT = 0
    GENIE = 1
    GIBUU = 2
    NUWRO = 3
    NEUT = 4
