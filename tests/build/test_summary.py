"""What interactions know of their particles."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from spine.build.family import visible_edges
from spine.build.summary import summarise_interactions
from spine.schema import Ragged, Table
from spine.schema.object_records import RecoInteraction, RecoParticle

TAGS = ("g", "e", "mu", "pi", "p", "ka")


def particles_and_interactions(owner: list[int], rng: np.random.Generator) -> tuple[Table, Table]:
    n = len(owner)
    particles = Table(RecoParticle, n, {"id": np.arange(n), "pid": rng.integers(-1, 6, n)})
    for name in ("is_primary", "is_valid", "is_crt_matched"):
        particles[name] = rng.random(n) < 0.5
    particles["crt_ids"] = Ragged.from_list([rng.integers(0, 9, rng.integers(0, 3)) for _ in range(n)], np.int32)
    interactions = Table(RecoInteraction, 4, {"particle_ids": Ragged.by_label(owner, 4)})
    return particles, interactions


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 3), max_size=12), st.integers(0, 99))
def test_columns_follow_the_particles(owner: list[int], seed: int) -> None:
    particles, interactions = particles_and_interactions(owner, np.random.default_rng(seed))
    summarise_interactions(interactions, particles)
    for i, row in enumerate(interactions):
        members = [p for p, o in zip(particles, owner, strict=True) if o == i]
        primaries = [p for p in members if p.is_primary]
        assert row.primary_particle_ids.tolist() == [p.id for p in primaries]
        assert (row.num_particles, row.num_primary_particles) == (len(members), len(primaries))
        for group, name in ((members, "particle_counts"), (primaries, "primary_particle_counts")):
            counts = [sum(p.pid == pid and p.is_valid for p in group) for pid in range(6)]
            assert getattr(row, name).tolist() == counts
        assert row.topology == "".join(f"{c}{tag}" for c, tag in zip(counts, TAGS, strict=True) if c)
        assert row.is_crt_matched == any(p.is_crt_matched for p in members)
        assert row.crt_ids.tolist() == [hit for p in members for hit in p.crt_ids]


def test_hidden_generations_are_skipped() -> None:
    edges = np.array([[0, 1], [1, 2], [2, 3], [4, 5], [3, 6], [7, 7]])
    assert_array_equal(visible_edges(edges, np.array([0, 3, 5, 6, 7])), [[0, 1], [1, 3]])
    assert visible_edges(edges[:0], np.array([0, 3])).shape == (0, 2)
