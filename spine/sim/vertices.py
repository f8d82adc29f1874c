"""Truth of the generator: the list of neutrinos, and the particles of vertices of several particles (MPV)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spine.sim.neutrinos import ARGON, NeutrinoInteraction
from spine.sim.nucleon import NUCLEON_MASS
from spine.sim.primaries import Primaries
from spine.sim.species import mass
from spine.sim.transport import Tracks
from spine.sim.truth import ParticleColumns

__all__ = ["mpv_columns", "neutrino_columns"]

Index = NDArray[np.int64]


def neutrino_columns(primaries: Primaries) -> ParticleColumns:
    """Columns of the neutrino list, named as SPINE users know them.

    Returns
    -------
    ParticleColumns
        One row per neutrino vertex. Energies in GeV, Q2 in GeV2, momentum of the neutrino in MeV/c, position in cm,
        time in ns. Bjorken x and inelasticity are those of a nucleon at rest.
    """
    vertex = np.array([row for row, _ in primaries.neutrinos], np.int64)
    found = [interaction for _, interaction in primaries.neutrinos]
    first = np.searchsorted(primaries.interaction, vertex)
    charged = np.array([f.current == 0 for f in found], bool)
    return {
        "id": np.arange(len(found)),
        "interaction_id": vertex,
        "mct_index": vertex,
        "lepton_track_id": np.where(charged, first + 1, -1),
        "target": np.full(len(found), ARGON),
        "creation_process": ["primary"] * len(found),
        "t": primaries.vertex_time[vertex],
        "position": primaries.vertices[vertex].astype(np.float32),
        "momentum": _stack([f.neutrino[1:] for f in found]).astype(np.float32),
        **_codes(found),
        **_kinematics(found),
    }


def _stack(vectors: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.array(vectors, np.float64).reshape(-1, 3)


def _codes(found: list[NeutrinoInteraction]) -> ParticleColumns:
    names = {
        "pdg_code": "pdg",
        "lepton_pdg_code": "lepton_pdg",
        "current_type": "current",
        "interaction_mode": "mode",
        "interaction_type": "kind",
        "nucleon": "nucleon",
        "quark": "quark",
    }
    return {column: np.array([getattr(f, name) for f in found], np.int64) for column, name in names.items()}


def _kinematics(found: list[NeutrinoInteraction]) -> ParticleColumns:
    energy = np.array([f.neutrino[0] for f in found], np.float64) * 1e-3
    q2 = np.array([f.q2 for f in found], np.float64) * 1e-6
    transfer = np.array([f.transfer[0] for f in found], np.float64) * 1e-3
    lepton, beam = _stack([f.lepton[1:] for f in found]), _stack([f.neutrino[1:] for f in found])
    size = np.linalg.norm(lepton, axis=1)
    cosine = (lepton * beam).sum(1) / np.maximum(size * np.linalg.norm(beam, axis=1), 1e-300)
    return {
        "energy_init": energy,
        "hadronic_invariant_mass": np.array([f.hadronic_mass for f in found], np.float64) * 1e-3,
        "momentum_transfer": q2,
        "momentum_transfer_mag": np.sqrt(q2 + transfer**2),
        "energy_transfer": transfer,
        "lepton_p": size * 1e-3,
        "theta": np.arccos(np.clip(cosine, -1, 1)),
        "bjorken_x": q2 / (2 * NUCLEON_MASS * 1e-3 * transfer),
        "inelasticity": transfer / energy,
    }


def mpv_columns(tracks: Tracks, primaries: Primaries) -> ParticleColumns:
    """Columns of the list of primary particles at vertices of several particles, seen or not."""
    row = np.flatnonzero(primaries.vertex_mpv[primaries.interaction])
    pdg = tracks.pdg[row]
    momentum = np.sqrt(tracks.kinetic[row] * (tracks.kinetic[row] + 2 * mass(pdg)))
    return {
        "id": np.arange(len(row)),
        "interaction_id": primaries.interaction[row],
        "mct_index": primaries.interaction[row],
        "track_id": row + 1,
        "pdg_code": pdg,
        "creation_process": ["primary"] * len(row),
        "t": tracks.time[row],
        "position": tracks.position[row].astype(np.float32),
        "energy_init": tracks.kinetic[row] + mass(pdg),
        "momentum": (momentum[:, None] * tracks.direction[row]).astype(np.float32),
    }
