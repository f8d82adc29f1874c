"""All truth labels of a list of simulated particles, by the rules of the modules beside this one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spine.store.larcv.leaves import ObjectList
from spine.store.larcv.sentinels import INVALID_ID, INVALID_INDEX, INVALID_TRACK, without_any, without_ids
from spine.store.larcv.truth.ids import interaction_numbers, labelled
from spine.store.larcv.truth.neutrinos import by_interaction, by_multiplicity, by_position
from spine.store.larcv.truth.primaries import group_primaries, interaction_primaries, leader_species, seen

__all__ = ["TruthLabels", "leaders", "truth_labels"]

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class TruthLabels:
    """Labels of the particles of an event, all (n,) int64 but ``valid``, which is bool; -1 for none.

    ``parent`` and ``group`` are rows of the list, ``ancestor_track`` is a Geant4 track number, ``nu`` the row of the
    neutrino.
    """

    valid: Bools
    parent: Ints
    group: Ints
    ancestor_track: Ints
    interaction: Ints
    nu: Ints
    group_primary: Ints
    interaction_primary: Ints
    pid: Ints

    def __len__(self) -> int:
        return len(self.group)


def truth_labels(
    particles: ObjectList,
    vertex_particles: ObjectList | None = None,
    neutrinos: ObjectList | None = None,
    low_energy: bool = False,
) -> TruthLabels:
    """Labels which the file does not hold, or holds with sentinels.

    Parameters
    ----------
    particles : ObjectList
        Columns of the particles, numbers as in the file.
    vertex_particles : ObjectList, optional
        Particles made by the generator at the neutrino vertex; where they are, there are neutrinos.
    neutrinos : ObjectList, optional
        Neutrinos of the generator. Without either list, interactions with two primary groups count as neutrinos.
    low_energy : bool
        Low-energy particles can lead their group.
    """
    group = without_ids(particles.array("group_id"))
    ancestor = without_any(particles.array("ancestor_track_id"), INVALID_TRACK)
    valid = labelled(
        particles.array("interaction_id"), particles.array("ancestor_track_id"),
        particles.array("ancestor_creation_process"),
    )  # fmt: skip
    interaction = interaction_numbers(
        particles.array("interaction_id"), particles.array("ancestor_position"), valid
    )  # fmt: skip
    if vertex_particles is None and neutrinos is None:
        nu = by_multiplicity(interaction, group, _from_vertex(particles, group, ancestor, interaction >= 0))
    else:
        nu = _listed_neutrinos(particles, interaction, vertex_particles, neutrinos)
    return TruthLabels(
        valid=valid,
        parent=without_ids(particles.array("parent_id")),
        group=group,
        ancestor_track=ancestor,
        interaction=interaction,
        nu=nu,
        group_primary=leaders(particles, group, valid, low_energy, particles.array("num_voxels") != 0),
        interaction_primary=_from_vertex(particles, group, ancestor, valid),
        pid=leader_species(group, valid, particles.array("pdg_code")),
    )


def leaders(particles: ObjectList, group: Ints, valid: Bools, low_energy: bool, visible: Bools) -> Ints:
    """(n,) 1 for the visible progenitor of each group; see `group_primaries`."""
    eligible = seen(particles.array("shape"), visible, low_energy)
    return group_primaries(group, valid, eligible, particles.array("first_step_t"))


def _from_vertex(particles: ObjectList, group: Ints, ancestor: Ints, valid: Bools) -> Ints:
    tracks = (without_any(particles.array(name), INVALID_TRACK) for name in ("track_id", "parent_track_id"))
    track, parent = tracks
    return interaction_primaries(group, valid, track, parent, ancestor, particles.array("parent_pdg_code"))


def _listed_neutrinos(
    particles: ObjectList, interaction: Ints, vertex_particles: ObjectList | None, neutrinos: ObjectList | None
) -> Ints:
    """Neutrino of each particle from the neutrinos or vertex particles of the generator."""
    origins = particles.array("ancestor_position")
    if vertex_particles is not None and len(vertex_particles):
        return by_position(interaction, origins, np.unique(vertex_particles.array("position"), axis=0))
    if neutrinos is None or not len(neutrinos):
        return np.full(len(particles), -1, dtype=np.int64)
    numbers = without_any(neutrinos.array("interaction_id"), INVALID_INDEX, INVALID_ID)
    if (numbers >= 0).any():
        return by_interaction(interaction, numbers)
    return by_position(interaction, origins, neutrinos.array("position"))
