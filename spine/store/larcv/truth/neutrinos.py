"""From which neutrino each particle comes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["by_interaction", "by_multiplicity", "by_position"]

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


def _spread(interaction: Ints, numbers: Ints, neutrinos: Ints) -> Ints:
    """Give each particle the neutrino of its interaction: ``neutrinos[i]`` belongs to interaction ``numbers[i]``."""
    result = np.full(len(interaction), -1, dtype=np.int64)
    if len(numbers):
        place = np.searchsorted(numbers, interaction).clip(max=len(numbers) - 1)
        known = (numbers[place] == interaction) & (interaction >= 0)
        result[known] = neutrinos[place[known]]
    return result


def by_multiplicity(interaction: Ints, group: Ints, interaction_primary: Ints) -> Ints:
    """Take interactions with primaries in two groups or more for neutrinos (a guess, when the file lists none).

    Parameters
    ----------
    interaction : (n,) int64
        Interaction numbers, -1 for none.
    group : (n,) int64
        Rows of the leaders of the groups, -1 for none.
    interaction_primary : (n,) int64
        1 for particles made at the vertex.

    Returns
    -------
    (n,) int64
        Neutrino numbers, counted in the order of the interaction numbers; -1 for other particles.
    """
    first = (interaction >= 0) & (interaction_primary == 1)
    pairs = np.unique(np.stack([interaction[first], group[first]], axis=1), axis=0)
    numbers, groups = np.unique(pairs[:, 0], return_counts=True)
    found = numbers[groups > 1]
    return _spread(interaction, found, np.arange(len(found)))


def by_interaction(interaction: Ints, neutrino_interaction: Ints) -> Ints:
    """Match neutrinos to particles by interaction number.

    Parameters
    ----------
    interaction : (n,) int64
        Interaction numbers of the particles, -1 for none.
    neutrino_interaction : (m,) int64
        Interaction numbers of the neutrinos, -1 for none; of equal ones the first counts.

    Returns
    -------
    (n,) int64
        Row of the neutrino, -1 for none.
    """
    numbers, first = np.unique(neutrino_interaction, return_index=True)
    return _spread(interaction, numbers, first.astype(np.int64))


def by_position(interaction: Ints, ancestor_position: Floats, neutrino_position: Floats) -> Ints:
    """Match neutrinos to interactions in which an ancestor of a particle was made at exactly the same point.

    Parameters
    ----------
    interaction : (n,) int64
        Interaction numbers of the particles, -1 for none.
    ancestor_position : (n, 3) float64
        Creation points of the ancestors.
    neutrino_position : (m, 3) float64
        Interaction points; when several match, the first counts.

    Returns
    -------
    (n,) int64
        Row of the interaction point, -1 for none.
    """
    equal = (ancestor_position[:, None] == neutrino_position[None]).all(axis=2)
    hit = equal.any(axis=1) & (interaction >= 0)
    numbers, inverse = np.unique(interaction[hit], return_inverse=True)
    lowest = np.full(len(numbers), len(neutrino_position), dtype=np.int64)
    np.minimum.at(lowest, inverse.reshape(-1), equal[hit].argmax(axis=1) if hit.any() else np.empty(0, np.int64))
    return _spread(interaction, numbers, lowest)
