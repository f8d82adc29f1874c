"""What a simulation knows: particles, neutrinos and the labels of clusters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spine.schema.columns import Record, col, derived, point, ragged, text, vector
from spine.schema.enums import NuCurrentType, NuInteractionScheme, Pid, Shape
from spine.schema.table import Table

__all__ = ["Neutrino", "Particle", "ParticleLabel"]


def norm(table: Table, name: str) -> NDArray[np.float64]:
    """(n,) length of the vectors of a column, NaN where they are missing."""
    lengths: NDArray[np.float64] = np.linalg.norm(table[name].astype(np.float64), axis=1)
    return lengths


def direction(table: Table, name: str) -> NDArray[np.float64]:
    """(n, 3) unit vectors of a column, NaN where the length is zero or missing."""
    vectors = table[name].astype(np.float64)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float64] = np.divide(vectors, length, out=np.full_like(vectors, np.nan), where=length > 0)
    return unit


def _mass(table: Table) -> object:
    """Rest mass from energy and momentum: sqrt(E^2 - p^2)."""
    squared = table["energy_init"] ** 2 - norm(table, "momentum") ** 2
    return np.sqrt(np.maximum(squared, 0.0))


class Particle(Record):
    """Particle of the simulation."""

    units = text("Unit of positions (cm or px)", missing="cm")
    id = col("Row in the particle list", "i8")
    parent_id = col("Row of the parent", "i8")
    group_id = col("Row of the leader of the group (shower)", "i8")
    interaction_id = col("Interaction number", "i8")
    nu_id = col("Neutrino number", "i8")
    children_id = ragged("Rows of the children")
    mct_index = col("Index of the generator record", "i8")
    mcst_index = col("Index of the track or shower record", "i8")
    group_primary = col("1 when first of its group", "i8")
    interaction_primary = col("1 when made at the vertex of the interaction", "i8")
    track_id = col("Geant4 track number", "i8")
    parent_track_id = col("Geant4 track number of the parent", "i8")
    ancestor_track_id = col("Geant4 track number of the ancestor", "i8")
    pdg_code = col("PDG code", "i8", missing=0)
    parent_pdg_code = col("PDG code of the parent", "i8", missing=0)
    ancestor_pdg_code = col("PDG code of the ancestor", "i8", missing=0)
    num_voxels = col("Number of voxels", "i8")
    t = col("Creation time", unit="ns")
    end_t = col("End time", unit="ns")
    first_step_t = col("Time of the first step in the detector", unit="ns")
    last_step_t = col("Time of the last step in the detector", unit="ns")
    parent_t = col("Creation time of the parent", unit="ns")
    ancestor_t = col("Creation time of the ancestor", unit="ns")
    energy_init = col("Total energy at creation", unit="MeV")
    energy_deposit = col("Energy deposited", unit="MeV")
    distance_travel = col("Distance travelled", unit="cm")
    creation_process = text("Process that made it")
    parent_creation_process = text("Process that made the parent")
    ancestor_creation_process = text("Process that made the ancestor")
    shape = col("Semantic class", "i8", enum=Shape)
    pid = col("Species", "i8", enum=Pid)
    position = point("Creation point")
    end_position = point("End point")
    parent_position = point("Creation point of the parent")
    ancestor_position = point("Creation point of the ancestor")
    first_step = point("First point in the detector")
    last_step = point("Last point in the detector")
    momentum = vector("Momentum at creation", unit="MeV/c")
    end_momentum = vector("Momentum at the end", unit="MeV/c")
    p = derived(col("Momentum at creation", unit="MeV/c"), of=lambda t: norm(t, "momentum"))
    end_p = derived(col("Momentum at the end", unit="MeV/c"), of=lambda t: norm(t, "end_momentum"))
    mass = derived(col("Rest mass from energy and momentum", unit="MeV/c^2"), of=_mass)


class Neutrino(Record):
    """Neutrino interaction of the generator."""

    units = text("Unit of positions (cm or px)", missing="cm")
    id = col("Row in the neutrino list", "i8")
    interaction_id = col("Interaction number", "i8")
    current_type = col("Charged or neutral current", "i8", enum=NuCurrentType)
    interaction_scheme = col("Generator whose numbering is used", "i8", enum=NuInteractionScheme)
    interaction_mode = col("Interaction mode of the generator", "i8")
    interaction_type = col("Interaction type of the generator", "i8")
    mct_index = col("Index of the generator record", "i8")
    track_id = col("Geant4 track number of the neutrino", "i8")
    lepton_track_id = col("Geant4 track number of the lepton", "i8")
    pdg_code = col("PDG code of the neutrino", "i8", missing=0)
    lepton_pdg_code = col("PDG code of the lepton", "i8", missing=0)
    target = col("PDG code of the target nucleus", "i8", missing=0)
    nucleon = col("PDG code of the struck nucleon", "i8", missing=0)
    quark = col("PDG code of the struck quark", "i8", missing=0)
    energy_init = col("Energy of the neutrino", unit="GeV")
    hadronic_invariant_mass = col("Invariant mass of the hadrons, W", unit="GeV/c^2")
    momentum_transfer = col("Momentum transfer squared, Q^2", unit="(GeV/c)^2")
    momentum_transfer_mag = col("Size of the three-momentum transfer", unit="GeV/c")
    energy_transfer = col("Energy transfer", unit="GeV")
    lepton_p = col("Momentum of the lepton", unit="GeV/c")
    distance_travel = col("Distance travelled", unit="cm")
    t = col("Interaction time", unit="ns")
    theta = col("Angle of the lepton to the neutrino", unit="rad")
    bjorken_x = col("Bjorken x")
    inelasticity = col("Inelasticity y")
    creation_process = text("Process that made it")
    position = point("Interaction point")
    momentum = vector("Momentum of the neutrino", unit="MeV/c")
    dir = derived(vector("Direction of the neutrino"), of=lambda t: direction(t, "momentum"))


class ParticleLabel(Record):
    """Labels of a row of the particle list, to which the voxels of a cluster-label product point."""

    particle = col("Row in the particle list", "i8")
    group = col("Row of the leader of the group", "i8")
    ancestor = col("Row of the ancestor", "i8")
    interaction = col("Interaction number", "i8")
    nu = col("Neutrino number", "i8")
    pid = col("Species", "i8", enum=Pid)
    group_primary = col("1 when first of its group", "i8")
    interaction_primary = col("1 when made at the vertex", "i8")
    vertex = col("Interaction point", "f4", shape=(3,), axes="xyz", unit="px", position=True)
    momentum = col("Momentum at creation", unit="MeV/c")
    energy_init = col("Total energy at creation", unit="MeV")
    shape = col("Semantic class", "i8", enum=Shape)
