"""The labelling rules on events made by hand, and the derived columns against those of SPINE 1.4.3."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spine.sim.config import ImageConfig, LabelConfig
from spine.sim.hits import Hits, make_hits
from spine.sim.labels import Instances, find_instances, overlay
from spine.sim.transport import Deposits, Tracks
from spine.sim.trees import grow_trees
from spine.sim.truth import group_primary, interaction_primary, particle_species

IMAGE = ImageConfig(voxel_size=1.0, cells=(60, 60, 60), lower=(0, 0, 0), voxel_threshold=0.0)
Point = tuple[float, float, float]


@dataclass
class Story:
    """Tracks told one after the other, each with straight deposits."""

    pdg: list[int] = field(default_factory=list)
    parent: list[int] = field(default_factory=list)
    process: list[str] = field(default_factory=list)
    kinetic: list[float] = field(default_factory=list)
    lines: list[tuple[int, Point, Point, float]] = field(default_factory=list)

    def add(self, pdg: int, parent: int, process: str, kinetic: float, *lines: tuple[Point, Point]) -> int:
        row = len(self.pdg)
        self.pdg.append(pdg)
        self.parent.append(parent)
        self.process.append(process)
        self.kinetic.append(kinetic)
        self.lines += [(row, a, b, float(len(self.lines))) for a, b in lines]
        return row

    def label(self) -> tuple[Hits, Instances]:
        count = len(self.pdg)
        nought, place = np.zeros(count), np.zeros((count, 3))
        parent = np.array(self.parent, np.int64)
        primary = np.arange(count)
        for row in range(count):
            if parent[row] >= 0:
                primary[row] = primary[parent[row]]
        tracks = Tracks(
            parent, primary, np.array(self.pdg, np.int64), np.array(self.process, "U24"),
            np.array(self.kinetic, np.float64), nought, nought, nought, place, place, place, place,
        )  # fmt: skip
        owner = np.array([line[0] for line in self.lines], np.int64)
        start = np.array([line[1] for line in self.lines], np.float64)
        end = np.array([line[2] for line in self.lines], np.float64)
        time = np.array([line[3] for line in self.lines], np.float64)
        hits, _ = make_hits(Deposits(owner, np.ones(len(owner)), start, end, time, time + 0.5), IMAGE)
        return hits, find_instances(hits, tracks, grow_trees(tracks, 1.0), IMAGE.cells, LabelConfig())


def along_x(x0: float, x1: float, y: float = 30.5) -> tuple[Point, Point]:
    return (x0, y, 30.5), (x1, y, 30.5)


def along_y(x: float, y0: float, y1: float) -> tuple[Point, Point]:
    return (x, y0, 30.5), (x, y1, 30.5)


def test_delta_rays_must_leave_the_track() -> None:
    story = Story()
    muon = story.add(13, -1, "primary", 300, along_x(5.5, 40.5))
    short = story.add(11, muon, "muIoni", 2, along_y(15.5, 30.5, 33.5))
    long = story.add(11, muon, "muIoni", 9, along_y(25.5, 30.5, 36.5))
    hits, found = story.label()
    np.testing.assert_array_equal(found.track, [muon, long])
    np.testing.assert_array_equal(found.shape, [1, 3])
    np.testing.assert_array_equal(found.hit[hits.track == short], 0)
    clusters = overlay(hits, found)
    crossing = np.flatnonzero(hits.voxel == 25 + 60 * (30 + 60 * 30))
    assert clusters.winner[crossing] == 0
    assert np.bincount(clusters.instance).tolist() == [36 + 3, 7]


def test_michel_electrons_and_their_photons() -> None:
    story = Story()
    muon = story.add(-13, -1, "primary", 100, along_x(5.5, 20.5))
    michel = story.add(-11, muon, "Decay", 40, along_y(20.5, 30.5, 40.5))
    photon = story.add(22, michel, "annihil", 5)
    small = story.add(11, photon, "compt", 1, along_y(30.5, 50.5, 52.5))
    large = story.add(11, photon, "compt", 9, along_y(40.5, 40.5, 55.5))
    slow = story.add(11, muon, "muMinusCaptureAtRest", 0.5, along_x(20.5, 21.2))
    hits, found = story.label()
    np.testing.assert_array_equal(found.track, [muon, michel, small, large])
    np.testing.assert_array_equal(found.shape, [1, 2, 4, 0])
    np.testing.assert_array_equal(found.group, [0, 1, 1, 1])
    np.testing.assert_array_equal(found.hit[hits.track == slow], 0)


def test_shower_fragments_share_the_group_of_the_photon() -> None:
    story = Story()
    pion = story.add(111, -1, "primary", 200)
    photon = story.add(22, pion, "Decay", 150)
    blip = story.add(11, photon, "compt", 1, along_y(8.5, 8.5, 9.5))
    electron = story.add(11, photon, "conv", 70, along_x(15.5, 30.5))
    positron = story.add(-11, photon, "conv", 70, along_x(15.5, 28.5, 31.5))
    second = story.add(22, electron, "eBrem", 20)
    pair = story.add(11, second, "conv", 10, along_x(40.5, 55.5))
    hits, found = story.label()
    np.testing.assert_array_equal(found.track, [photon, blip, second])
    np.testing.assert_array_equal(found.shape, [0, 4, 0])
    np.testing.assert_array_equal(found.group, [0, 0, 0])
    for track, row in ((electron, 0), (positron, 0), (pair, 2)):
        np.testing.assert_array_equal(found.hit[hits.track == track], row)


def test_nuclei() -> None:
    story = Story()
    pion = story.add(-211, -1, "primary", 100, along_x(5.5, 20.5))
    story.add(1000180390, pion, "pi-Inelastic", 1, ((20.5, 30.5, 30.5), (20.6, 30.5, 30.5)))
    deuteron = story.add(1000010020, pion, "pi-Inelastic", 90, along_y(20.5, 30.5, 45.5))
    neutron = story.add(2112, pion, "pi-Inelastic", 20)
    recoil = story.add(1000180400, neutron, "hadElastic", 1, along_x(50.5, 50.6))
    _, found = story.label()
    np.testing.assert_array_equal(found.track, [pion, deuteron, recoil])
    np.testing.assert_array_equal(found.shape, [1, 1, 4])


def test_labels_do_not_depend_on_the_order_of_deposits() -> None:
    story = Story()
    photon = story.add(22, -1, "primary", 100)
    rng = np.random.default_rng(8)
    for _ in range(40):
        a, b = rng.uniform(2, 58, 3), rng.normal(0, 4, 3)
        story.add(11, photon, "compt", 5, (tuple(a), tuple(np.clip(a + b, 0.1, 59.9))))
    hits, found = story.label()
    order = rng.permutation(len(story.lines))
    shuffled = Story(story.pdg, story.parent, story.process, story.kinetic, [story.lines[i] for i in order])
    again, other = shuffled.label()
    np.testing.assert_array_equal(found.track, other.track)
    np.testing.assert_array_equal(found.shape, other.shape)
    np.testing.assert_array_equal(overlay(hits, found).winner, overlay(again, other).winner)


def test_derived_columns_agree_with_the_peer() -> None:
    """Columns of one simulated event (seed 11, event 2) as SPINE 1.4.3 derives and cleans them, frozen."""
    with np.load(Path(__file__).parent / "data" / "peer_labels.npz") as stored:
        d: dict[str, NDArray[np.int64]] = {k: stored[k] for k in stored.files}
        first: NDArray[np.float64] = stored["first_step_t"]
    visible = d["num_voxels"] > 0
    np.testing.assert_array_equal(group_primary(d["group_id"], d["shape"], first, visible), d["peer_group_primary"])
    primary = interaction_primary(
        d["group_id"], d["track_id"], d["ancestor_track_id"], d["parent_track_id"], d["parent_pdg_code"]
    )
    np.testing.assert_array_equal(primary, d["peer_interaction_primary"])
    np.testing.assert_array_equal(particle_species(d["pdg_code"], d["group_id"]), d["peer_pid"])
    count = int(d["row"].max()) + 1
    empty, place = np.zeros(len(d["row"])), np.zeros((len(d["row"]), 3))
    row = d["row"].astype(np.int64)
    hits = Hits(np.arange(count), row, row, d["cluster_charge"].astype(np.float64), empty, place, place, empty, empty)
    instances = Instances(row, d["shape"].astype(np.int64), row, d["part"].astype(np.int64))
    winner = overlay(hits, instances).winner
    cluster = np.where(d["shape"][winner] == 4, -1, winner)
    np.testing.assert_array_equal(cluster, d["peer_cluster"])
    seen = np.isin(np.arange(len(visible)), cluster)
    found = group_primary(d["group_id"], d["shape"], first, seen)
    np.testing.assert_array_equal(found, d["peer_visible_group_primary"])
