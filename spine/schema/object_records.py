"""What reconstruction makes: fragments, particles and interactions, found and true."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spine.schema import kinematics
from spine.schema.columns import Record, col, derived, point, ragged, text, vector
from spine.schema.enums import Pid, Shape
from spine.schema.table import Table
from spine.schema.truth_records import Neutrino, Particle, direction

__all__ = [
    "OBJECT_RECORDS",
    "RecoFragment",
    "RecoInteraction",
    "RecoParticle",
    "TruthFragment",
    "TruthInteraction",
    "TruthParticle",
]


def _size(name: str) -> Callable[[Table], object]:
    def lengths(table: Table) -> object:
        return table[name].lengths

    return lengths


def _track_end_dir(table: Table) -> object:
    """(n, 3) direction of the end momentum of tracks, NaN for other classes."""
    track = table["shape"] == Shape.TRACK
    return np.where(track[:, None], direction(table, "end_momentum"), np.nan)


def _best(name: str, missing: float) -> Callable[[Table], object]:
    """First entry of each row: matches are kept best first."""

    def first(table: Table) -> object:
        rows = table[name]
        out = np.full(len(rows), missing, dtype=np.float64)
        filled = rows.lengths > 0
        out[filled] = rows.values[rows.offsets[:-1][filled]]
        return out

    return first


class Built(Record):
    """Columns of every object that is built from voxels."""

    units = text("Unit of positions (cm or px)", missing="cm")
    id = col("Row in the list of its kind", "i8")
    is_contained = col("All points away from the walls", "?")
    is_time_contained = col("All points inside the drift window", "?")
    is_cathode_crosser = col("Crosses a cathode", "?")
    is_matched = col("Has at least one match", "?")
    cathode_offset = col("Shift along the drift that joins the two sides", unit="cm")
    index = ragged("Points of the object in the image", lite=False)
    orig_index = ragged("Points of the object in the input image", lite=False)
    match_ids = ragged("Matched objects of the other kind, best first")
    match_overlaps = ragged("Overlap with each of them", "f4")
    size = derived(col("Number of points", "i8"), of=_size("index"), needs=("index",))
    depositions_sum = derived(col("Sum of depositions", unit="MeV", missing=0.0))
    depositions_q_sum = derived(col("Sum of uncalibrated depositions", missing=0.0))
    best_match_id = derived(col("Best match", "i8"), of=_best("match_ids", -1), needs=("match_ids",))
    best_match_overlap = derived(
        col("Overlap with the best match"), of=_best("match_overlaps", -1.0), needs=("match_overlaps",)
    )
    module_ids = derived(ragged("Detector modules that contribute"))


class Found(Record):
    """Marks objects that were reconstructed."""

    is_truth = col("True object of the simulation", "?", missing=False)


class TrueSide(Record):
    """Columns of objects of the simulation."""

    orig_id = col("Number in the input", "i8")
    is_truth = col("True object of the simulation", "?", missing=True)
    index_adapt = ragged("Points in the image with labels adapted to the prediction", lite=False)
    index_g4 = ragged("Points in the image of true depositions", lite=False)
    size_adapt = derived(col("Number of adapted points", "i8"), of=_size("index_adapt"), needs=("index_adapt",))
    size_g4 = derived(col("Number of true points", "i8"), of=_size("index_g4"), needs=("index_g4",))
    depositions_adapt_sum = derived(col("Sum of adapted depositions", unit="MeV", missing=0.0))
    depositions_adapt_q_sum = derived(col("Sum of uncalibrated adapted depositions", missing=0.0))
    depositions_g4_sum = derived(col("Sum of true depositions", unit="MeV", missing=0.0))


class FragmentColumns(Record):
    """Columns of found and true fragments."""

    particle_id = col("Particle it belongs to", "i8")
    interaction_id = col("Interaction it belongs to", "i8")
    is_primary = col("First fragment of its particle", "?")
    length = col("Length", unit="cm")
    shape = col("Semantic class", "i8", enum=Shape)
    start_point = point("Start point")
    end_point = point("End point")


class ParticleColumns(Record):
    """Columns of found and true particles."""

    interaction_id = col("Interaction it belongs to", "i8")
    chi2_pid = col("Species by energy loss along the track", "i8", enum=Pid)
    is_primary = col("Made at the vertex", "?")
    is_crt_matched = col("Has a hit of the cosmic-ray tagger", "?")
    is_valid = col("Counts in the topology of its interaction", "?", missing=True)
    length = col("Length", unit="cm")
    calo_ke = col("Kinetic energy from charge", unit="MeV")
    csda_ke = col("Kinetic energy from range", unit="MeV")
    mcs_ke = col("Kinetic energy from multiple scattering", unit="MeV")
    shape = col("Semantic class", "i8", enum=Shape)
    pid = col("Species", "i8", enum=Pid)
    fragment_ids = ragged("Fragments it is made of")
    start_point = point("Start point")
    end_point = point("End point")
    chi2_per_pid = col("Chi square of each species", "f4", shape=(6,))
    csda_ke_per_pid = col("Kinetic energy from range for each species", "f4", shape=(6,), unit="MeV")
    mcs_ke_per_pid = col("Kinetic energy from scattering for each species", "f4", shape=(6,), unit="MeV")
    crt_ids = ragged("Matched tagger hits")
    crt_times = ragged("Times of the matched tagger hits", "f4", unit="us")
    crt_scores = ragged("Scores of the matched tagger hits", "f4")
    num_fragments = derived(col("Number of fragments", "i8"), of=_size("fragment_ids"), needs=("fragment_ids",))


class InteractionColumns(Record):
    """Columns of found and true interactions."""

    is_fiducial = col("Vertex away from the walls", "?")
    is_flash_matched = col("Has a matched flash", "?")
    flash_total_pe = col("Photo-electrons of the matched flashes")
    flash_hypo_pe = col("Expected photo-electrons")
    particle_ids = ragged("Particles of the interaction")
    vertex = point("Vertex position")
    flash_ids = ragged("Matched flashes")
    flash_volume_ids = ragged("Optical volumes of the matched flashes")
    flash_times = ragged("Times of the matched flashes", "f4", unit="us")
    flash_scores = ragged("Scores of the matched flashes", "f4")
    flash_hypothesis_ids = ragged("Expected light of the interaction")
    primary_particle_ids = derived(ragged("Primary particles of the interaction"))
    num_particles = derived(col("Number of particles", "i8", missing=0))
    num_primary_particles = derived(col("Number of primary particles", "i8", missing=0))
    particle_counts = derived(col("Valid particles by species", "i4", shape=(6,), missing=0))
    primary_particle_counts = derived(col("Valid primary particles by species", "i4", shape=(6,), missing=0))
    is_crt_matched = derived(col("Has a particle with a tagger hit", "?"))
    crt_ids = derived(ragged("Tagger hits of its particles"))
    crt_times = derived(ragged("Times of these hits", "f4", unit="us"))
    crt_scores = derived(ragged("Scores of these hits", "f4"))
    topology = derived(text("Valid primary particles, as in '1mu1p'"))


class TruthLinks(Record):
    """Numbers of the input and directions measured on true points."""

    orig_interaction_id = col("Interaction number in the input", "i8")
    orig_parent_id = col("Parent in the input", "i8")
    orig_group_id = col("Group in the input", "i8")


class TruthFamily(Record):
    """Children of a true object and directions measured on its points."""

    orig_children_id = ragged("Children in the input")
    children_counts = ragged("Number of children by class or species")
    reco_start_dir = vector("Direction at the start, from points")
    reco_end_dir = vector("Direction at the end, from points")
    start_dir = derived(vector("Direction at creation"), of=lambda t: direction(t, "momentum"))
    end_dir = derived(vector("Direction at the end of a track"), of=_track_end_dir)


class RecoFragment(FragmentColumns, Built, Found):
    """Fragment found by reconstruction."""

    start_dir = vector("Direction at the start")
    end_dir = vector("Direction at the end")
    primary_scores = col("Scores of secondary and primary", "f4", shape=(2,))


class TruthFragment(TruthFamily, TruthLinks, Particle, FragmentColumns, Built, TrueSide):
    """Fragment of the simulation."""


class RecoParticle(ParticleColumns, Built, Found):
    """Particle found by reconstruction."""

    start_dedx = col("Energy loss at the start", unit="MeV/cm")
    end_dedx = col("Energy loss at the end", unit="MeV/cm")
    vertex_distance = col("Distance to the vertex", unit="cm")
    start_straightness = col("Share of the first principal axis at the start")
    directional_spread = col("Spread of directions around the mean")
    axial_spread = col("Correlation of transverse spread and depth")
    start_dir = vector("Direction at the start")
    end_dir = vector("Direction at the end")
    pid_scores = col("Score of each species", "f4", shape=(6,))
    primary_scores = col("Scores of secondary and primary", "f4", shape=(2,))
    ppn_ids = ragged("Points of interest on the particle")
    pdg_code = derived(col("PDG code of the species", "i8", missing=0), of=kinematics.pdg_code)
    mass = derived(col("Rest mass of the species", unit="MeV/c^2"), of=kinematics.rest_mass)
    ke = derived(col("Best kinetic energy", unit="MeV"), of=kinematics.best_ke)
    momentum = derived(
        col("Momentum from energy and direction", "f4", shape=(3,), unit="MeV/c"),
        of=kinematics.measured_momentum,
    )
    p = derived(col("Momentum", unit="MeV/c"), of=kinematics.momentum_size)


class ReconstructedLength(Record):
    """Length measured on true points."""

    reco_length = col("Length measured on the points", unit="cm")


class TruthParticle(TruthFamily, ReconstructedLength, TruthLinks, Particle, ParticleColumns, Built, TrueSide):
    """Particle of the simulation, as an image shows it."""

    start_dir = TruthFamily.start_dir
    end_dir = derived(vector("Direction at the end of a track"), of=_track_end_dir)
    ke = derived(col("Kinetic energy at creation", unit="MeV"), of=kinematics.true_ke)
    reco_ke = derived(col("Best kinetic energy measured on the points", unit="MeV"), of=kinematics.best_ke)
    reco_momentum = derived(
        col("Momentum from reconstructed energy and direction", "f4", shape=(3,), unit="MeV/c"),
        of=kinematics.measured_momentum,
    )


class RecoInteraction(InteractionColumns, Built, Found):
    """Interaction found by reconstruction."""

    dir = vector("Direction of the charge seen from the vertex")


class TruthInteraction(Neutrino, InteractionColumns, Built, TrueSide):
    """Interaction of the simulation."""

    nu_id = col("Neutrino number, -1 for none", "i8")
    reco_vertex = point("Vertex found from true particles")
    reco_dir = vector("Direction of the charge seen from the vertex")
    time = derived(col("Time of the neutrino, or else of the earliest particle", unit="ns"))


OBJECT_RECORDS = {
    ("reco", "fragment"): RecoFragment,
    ("truth", "fragment"): TruthFragment,
    ("reco", "particle"): RecoParticle,
    ("truth", "particle"): TruthParticle,
    ("reco", "interaction"): RecoInteraction,
    ("truth", "interaction"): TruthInteraction,
}
