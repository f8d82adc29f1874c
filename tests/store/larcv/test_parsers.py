"""Parsers: options against SPINE's parse of genuine events; without genuine files, against what was written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from spine.errors import DataError
from spine.schema import Table, Tensor
from spine.schema.species import PDG_TO_PID, PID_MASSES
from spine.store.larcv import DEFAULT_SCHEMA, LArCVReader
from spine.store.larcv.parsers import PARSERS
from spine.store.larcv.parsers.cleaning import class_ranks, one_per_voxel
from spine.store.larcv.parsers.clusters import Cluster3DOptions
from tests.store.larcv import trees

SAMPLE = Path(__file__).parents[2] / "data" / "larcv2_sample.root"
GOLDEN = dict(np.load(Path(__file__).parent / "data" / "parser_options.npz"))
IMAGE = {"sparse_event": "sparse3d_pcluster"}


def parsed(path: Path, name: str, **options: object) -> list[Any]:
    """A product of all events of a file (events 1 to 3 of the sample)."""
    with LArCVReader(path, {name: options}) as reader:
        return [event[name] for event in (reader.products(1, 4) if path == SAMPLE else reader.products())]


CLUSTERS: dict[str, Mapping[str, object]] = {
    "bare": {"particle_info": None},
    "broken": {"break_clusters": True},
    "broken_euclidean": {"break_clusters": True, "break_eps": 1.8, "break_metric": "euclidean"},
    "low": {
        "particle_info": {"particle_event": "particle_pcluster", "label_le": True, "type_include_secondary": False},
    },
    "nonu": {
        "particle_info": {
            "particle_event": "particle_pcluster", "type_include_mpr": False, "primary_include_mpr": False,
        },
        "shape_precedence": [3, 0, 1, 2, 4],
    },
    "reco": {"sparse_value_event": "sparse3d_reco"},
}  # fmt: skip


@pytest.mark.parametrize("variant", list(CLUSTERS))
def test_cluster_options(variant: str) -> None:
    found = parsed(SAMPLE, "clust_label", **{**DEFAULT_SCHEMA["clust_label"], **CLUSTERS[variant]})
    names = {"value": "value", "cluster": "cluster", "particle": "particle_index"}
    compared = 0
    for entry, label in enumerate(found, start=1):
        for part in ("value", "cluster", "particle", "pid", "group_primary", "interaction_primary"):
            key = f"{variant}/{entry}/{part}"
            if key in GOLDEN:
                values = label.feature(names[part]) if part in names else label.particles[part]
                np.testing.assert_array_equal(values, GOLDEN[key], err_msg=key)
                compared += 1
    assert compared >= 4
    assert (found[0].particles is None) == (variant == "bare")


def test_clusters_that_share_voxels_must_be_cleaned() -> None:
    with pytest.raises(DataError, match=r"cluster3d_pcluster: voxels occur more than once[\s\S]*clean_data"):
        parsed(SAMPLE, "clust_label", provider="cluster3d", cluster_event="cluster3d_pcluster")


def test_older_places_of_the_options_of_particles() -> None:
    beside = Cluster3DOptions.model_validate(
        {"cluster_event": "cluster3d_a", "add_particle_info": True, "particle_event": "particle_a", "label_le": True}
    )
    nested = Cluster3DOptions.model_validate(
        {"cluster_event": "cluster3d_a", "particle_info": {"particle_event": "particle_a", "label_le": True}}
    )
    assert beside == nested
    assert nested.inputs() == ("cluster3d_a", "particle_a")
    with pytest.raises(ValidationError, match="given twice"):
        Cluster3DOptions.model_validate(
            {"cluster_event": "cluster3d_a", "label_le": True, "particle_info": {"label_le": False}}
        )


@settings(deadline=None, max_examples=80)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-1, 3)), max_size=12))
def test_one_row_per_voxel(rows: list[tuple[int, int]]) -> None:
    ids, classes = np.array(rows, dtype=np.int64).reshape(-1, 2).T
    values = np.linspace(0, 1, len(ids), dtype=np.float32)
    order = (1, 2, 0)
    clean = one_per_voxel(ids, values, class_ranks(classes, order))
    assert clean.ids.tolist() == sorted(set(ids.tolist()))
    for voxel, row, value in zip(*clean, strict=True):
        same = np.flatnonzero(ids == voxel)
        ranks = [order.index(c) if c in order else len(order) for c in classes[same]]
        assert row == max(i for i, rank in zip(same, ranks, strict=True) if rank == min(ranks))
        total = np.float32(0)
        for part in values[same]:
            total = np.float32(total + part)
        assert value == total


@pytest.mark.parametrize("particles", ["particle_pcluster", "particle_corrected"])
def test_points_and_vertices(particles: str) -> None:
    points = parsed(SAMPLE, "ppn_label", provider="particle_points", particle_event=particles, **IMAGE)
    vertices = parsed(SAMPLE, "vertex_label", provider="vertex_points", particle_event=particles, **IMAGE)
    for entry, (point, vertex) in enumerate(zip(points, vertices, strict=True), start=1):
        np.testing.assert_array_equal(np.hstack([point.coords, point.features]), GOLDEN[f"points/{entry}"])
        np.testing.assert_array_equal(np.hstack([vertex.coords, vertex.features]), GOLDEN[f"vertex/{entry}"])
        assert point.names == ("shape", "particle", "endpoint")


def test_particle_options() -> None:
    common = {"provider": "particle", "particle_event": "particle_pcluster"}
    plain = parsed(SAMPLE, "particles", **common, pixel_coordinates=False, post_process=False)
    raw = parsed(SAMPLE, "particles", **common, pixel_coordinates=False, post_process=False, asis=True)
    pixels = parsed(SAMPLE, "particles", **common, **IMAGE)
    for entry in range(3):
        np.testing.assert_array_equal(plain[entry]["position"], GOLDEN[f"cm/{entry + 1}/position"])
        np.testing.assert_array_equal(plain[entry]["group_primary"], GOLDEN[f"cm/{entry + 1}/group_primary"])
        assert set(plain[entry]["units"]) == {"cm"}
        assert set(pixels[entry]["units"]) == {"px"}
        assert set(raw[entry]["mct_index"]) == {65535}


def test_edges_within_groups() -> None:
    options = {"particle_event": "particle_pcluster", "include_fragment_edges": True}
    edges = parsed(SAMPLE, "graph_label", provider="particle_graph", cluster_event="cluster3d_pcluster", **options)
    for entry, found in enumerate(edges, start=1):
        np.testing.assert_array_equal(found, GOLDEN[f"graph/{entry}"])


def test_ghosts_features_and_hits(tmp_path: Path) -> None:
    ids = [[3, 70], [1]]
    products = {
        "sparse3d_class": trees.image(ids, [[5.0, 1.0], [5.0]]),
        "sparse3d_u": trees.image(ids, [[1.0, -1.0], [2.0]]),
        "sparse3d_v": trees.image(ids, [[3.0, 4.0], [-1.0]]),
        "sparse3d_w": trees.image([[2], [0]], [[9.0], [8.0]]),
        "sparse3d_x": trees.image([[2], [0]], [[7.0], [-6.0]]),
    }
    path = trees.write(tmp_path / "planes.root", products)
    ghosts = parsed(path, "ghost_label", provider="sparse3d_ghost", sparse_event="sparse3d_class")
    assert [g.features.ravel().tolist() for g in ghosts] == [[1.0, 0.0], [1.0]]
    names = ["sparse3d_u", "sparse3d_v", "sparse3d_w", "sparse3d_x"]
    options = {"num_features": 2, "hit_keys": [0, 1], "nhits_idx": 1, "lexsort": True}
    first = parsed(path, "data", provider="sparse3d", sparse_event_list=names, **options)[0]
    assert first.names == ("value", "nhits", "value_1")
    assert first.coords.tolist() == [[2, 0, 0], [3, 0, 0], [6, 0, 1]]
    assert first.features.tolist() == [[9.0, 2.0, 7.0], [1.0, 2.0, 3.0], [-1.0, 1.0, 4.0]]
    with pytest.raises(DataError, match="the voxels are not those of 'sparse3d_u'"):
        parsed(path, "data", provider="sparse3d", sparse_event_list=["sparse3d_u", "sparse3d_w"])


def old_particles(counts: list[int]) -> trees.Entries:
    """Particles of the first years: no groups, no interactions, no voxel counts."""
    rows = [np.arange(n) for n in counts]
    return trees.Entries("_part_v").add("_index", rows, "u2").add("_shape", [r * 0 + 1 for r in rows], "i4").add(
        "_trackid", [r + 1 for r in rows], "u4"
    )  # fmt: skip


def old_products() -> dict[str, Any]:
    clusters = [[([1, 2], [0.5, 0.25]), ([2, 3], [1.0, 2.0]), ([7], [4.0])], [], [([1, 2], [1.0, 1.0])]]
    return {
        "particle_a": old_particles([2, 0, 3]).leaves,
        "cluster3d_a": trees.clusters(clusters),
        "sparse3d_a": trees.image([[2, 3, 7], [], [1, 2]], [[1.0, 1.0, 4.0], [], [1.0, 1.0]]),
    }


OLD: dict[str, object] = {
    "provider": "cluster3d", "cluster_event": "cluster3d_a", "particle_info": {"particle_event": "particle_a"},
    "sparse_semantics_event": "sparse3d_a", "clean_data": True,
}  # fmt: skip


def test_files_older_than_their_members(tmp_path: Path) -> None:
    path = trees.write(tmp_path / "old.root", old_products())
    first = parsed(path, "particles", provider="particle", particle_event="particle_a", sparse_event="sparse3d_a")[0]
    assert isinstance(first, Table)
    for name in ("group_id", "parent_id", "interaction_id", "num_voxels", "nu_id", "pid", "group_primary"):
        assert first[name].tolist() == [-1, -1]
    assert np.isnan(first["energy_init"]).all()
    assert first["creation_process"].tolist() == ["", ""]
    assert first["children_id"].tolist() == [[], []]
    assert first["id"].tolist() == [0, 1]


def test_lists_that_do_not_match_their_clusters(tmp_path: Path) -> None:
    path = trees.write(tmp_path / "old.root", old_products())
    with LArCVReader(path, {"clust_label": OLD}) as reader:
        full, empty, wrong = reader.attempts()
    assert isinstance(full, dict)
    label = full["clust_label"]
    assert isinstance(label, Tensor)
    assert label.coords[:, 0].tolist() == [2, 3, 7]
    np.testing.assert_array_equal(label.feature("particle_index"), [1, 1, -1])
    np.testing.assert_array_equal(label.feature("value"), [1.25, 2.0, 4.0])
    assert isinstance(empty, dict)
    assert isinstance(wrong, DataError)
    assert "entry 2, particle_a: the particle list does not match its clusters" in str(wrong)


def test_semantics_must_be_a_part_of_the_clusters(tmp_path: Path) -> None:
    products = old_products()
    products["sparse3d_a"] = trees.image([[2, 9], [5], []], [[1.0, 1.0], [1.0], []])
    path = trees.write(tmp_path / "more.root", products)
    with LArCVReader(path, {"clust_label": OLD}) as reader:
        found = reader.attempts(0, 2)
    assert all("voxels which are in no cluster" in str(error) for error in found)


def test_blank_particles(tmp_path: Path) -> None:
    entries = old_particles([3])
    entries.add("_num_voxels", [[4, 0, 0]], "i4").add("_group_id", [[0, 0, 2]], "u8").add("_pdg", [[13, 11, 11]], "i4")
    path = trees.write(tmp_path / "empty.root", {"particle_a": entries.leaves})
    options = {"particle_event": "particle_a", "pixel_coordinates": False, "skip_empty": True}
    table = parsed(path, "particles", provider="particle", **options)[0]
    assert table["id"].tolist() == [0, -1, 2]
    assert table["pdg_code"].tolist() == [13, 0, 11]
    assert table["num_voxels"].tolist() == [4, -1, 0]


def test_neutrinos(tmp_path: Path) -> None:
    entries = trees.Entries("_part_v")
    entries.add("_id", [[0, 1], []], "u8").add("_interaction_id", [[7, 65535], []], "u8")
    entries.add("_mct_index", [[0, 65535], []], "u2").add("_trackid", [[3, 2**32 - 1], []], "u4")
    entries.add("_pdg", [[14, -12], []], "i4").add("_w", [[1.5, 0.9], []], "f8").add("_x", [[0.25, 0.5], []], "f8")
    entries.add("_qsqr", [[2.0, 3.0], []], "f8").add("_current_type", [[0, 1], []], "i2")
    for axis, value in zip("xyzt", (1.0, 2.0, 3.5, 12.0), strict=True):
        entries.add(f"_vtx._{axis}", [[value, 9.0], []], "f8")
    for axis in "xyz":
        entries.add(f"_p{axis}", [[0.0, 3.0] if axis != "z" else [2.0, 4.0], []], "f8")
    entries.raw("_process", trees.texts([["primary", ""], []]))
    image = trees.image([[1], []], [[1.0], []])
    path = trees.write(tmp_path / "nu.root", {"neutrino_mpv": entries.leaves, "sparse3d_a": image})
    options = {"neutrino_event": "neutrino_mpv", "sparse_event": "sparse3d_a"}
    first, second = parsed(path, "neutrinos", provider="neutrino", interaction_scheme="genie", **options)
    assert len(second) == 0
    assert first["interaction_id"].tolist() == [7, -1]
    assert first["track_id"].tolist() == [3, -1]
    assert first["mct_index"].tolist() == [0, -1]
    assert first["interaction_scheme"].tolist() == [1, 1]
    assert first["position"].tolist() == [[2.0, 4.0, 7.0], [18.0, 18.0, 18.0]]
    assert first["t"].tolist() == [12.0, 9.0]
    assert first["bjorken_x"].tolist() == [0.25, 0.5]
    assert first["hadronic_invariant_mass"].tolist() == [1.5, 0.9]
    assert first["dir"][0].tolist() == [0.0, 0.0, 1.0]
    assert first["creation_process"].tolist() == ["primary", ""]
    vertices = parsed(path, "vertex_label", provider="vertex_points", **options)
    assert vertices[0].coords.tolist() == [[2.0, 4.0, 7.0]]
    assert len(vertices[1]) == 0


def flashes(container: str = "_flash_v") -> dict[str, Any]:
    entries = trees.Entries(container)
    entries.add("_id", [[0, 65535], []], "u8").add("_time", [[1.5, -2.0], []], "f8")
    entries.add("_inBeamFrame", [[True, False], []], "?").add("_onBeamTime", [[1, 0], []], "i4")
    entries.add("_frame", [[2, 3], []], "u4").add("_zCenter", [[10.0, 20.0], []], "f8")
    return entries.raw("_PEPerOpDet", trees.nested([[[1.0, 2.0, 3.0, 4.0], [5.0]], []], "f8")).leaves


def test_flashes(tmp_path: Path) -> None:
    path = trees.write(tmp_path / "light.root", {"opflash_e": flashes(), "opflash_w": flashes("_part_v")})
    single = parsed(path, "flashes", provider="flash", flash_event="opflash_e")
    assert single[0]["id"].tolist() == [0, -1]
    assert single[0]["in_beam_frame"].tolist() == [True, False]
    assert single[0]["total_pe"].tolist() == [10.0, 5.0]
    assert single[0]["pe_per_ch"].tolist() == [[1.0, 2.0, 3.0, 4.0], [5.0]]
    assert single[0]["center"][:, 2].tolist() == [10.0, 20.0]
    assert np.isnan(single[0]["center"][:, 0]).all()
    assert len(single[1]) == 0
    options = {"flash_event_list": ["opflash_e", "opflash_w"], "channels_per_volume": 2}
    both = parsed(path, "flashes", provider="opflash", **options)
    assert both[0]["id"].tolist() == [0, 1, 2, 3]
    assert both[0]["volume_id"].tolist() == [0, 0, 1, 1]
    assert both[0]["pe_per_ch"].tolist() == [[1.0, 2.0], [5.0, 0.0], [3.0, 4.0], [5.0, 0.0]]
    assert len(both[1]) == 0


def test_tagger_hits(tmp_path: Path) -> None:
    entries = trees.Entries("_crthit_v").add("_id", [[], [0, 1]], "u8").add("_plane", [[], [3, 4]], "i4")
    entries.add("_ts0_s", [[], [17, 18]], "u8").add("_ts1_ns", [[], [1500.0, -20.0]], "f8")
    entries.add("_peshit", [[], [90.5, 3.0]], "f4").add("_x_pos", [[], [1.0, 2.0]], "f4")
    entries.raw("_tagger", trees.texts([[], ["top", "side"]])).raw("_feb_id", trees.nested([[], [[7, 255], []]], "u1"))
    path = trees.write(tmp_path / "tagger.root", {"crthit_crthit": entries.leaves})
    empty, hits = parsed(path, "crthits", provider="crthit", crthit_event="crthit_crthit")
    assert len(empty) == 0
    assert hits["tagger"].tolist() == ["top", "side"]
    assert hits["feb_id"].tolist() == [[7, 255], []]
    assert hits["time"].tolist() == [1.5, -0.02]
    assert hits["total_pe"].tolist() == [90.5, 3.0]
    assert hits["ts0_s"].tolist() == [17, 18]


def test_triggers(tmp_path: Path) -> None:
    leaves = {"_id": np.array([4, 2**63 - 1], "u8"), "_type": np.array([2, 2**31 - 1], "i4")}
    leaves |= {"_time_s": np.array([1_700_000_000, 2**64 - 1], "u8"), "_time_ns": np.array([65535, 2**32 - 1], "u4")}
    path = trees.write(tmp_path / "trigger.root", {"trigger_base": leaves})
    first, second = parsed(path, "trigger", provider="trigger", trigger_event="trigger_base")
    missing = {"beam_time_s": -1, "beam_time_ns": -1}
    assert first.as_dict() == {"id": 4, "type": 2, "time_s": 1_700_000_000, "time_ns": 65535, **missing}
    assert set(second.as_dict().values()) == {-1}


@pytest.mark.parametrize("name", list(PARSERS))
def test_unknown_options_are_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        PARSERS[name].options.model_validate({"no_such_option": 1})


def test_image_of_the_clusters() -> None:
    options = DEFAULT_SCHEMA["clust_label"]
    images = parsed(SAMPLE, "data", **{**options, "provider": "cluster3d_image"})
    for image, clusters in zip(images, parsed(SAMPLE, "clust_label", **options), strict=True):
        np.testing.assert_array_equal(image.coords, clusters.coords)
        np.testing.assert_array_equal(image.features[:, 0], clusters.feature("value"))


def test_species_and_energy_of_the_first_particle() -> None:
    lists = parsed(
        SAMPLE, "particles", provider="particle", particle_event="particle_pcluster", pixel_coordinates=False
    )
    options = {"particle_event": "particle_pcluster"}
    species = parsed(SAMPLE, "image_pid", provider="single_particle_pid", **options)
    energies = parsed(SAMPLE, "image_energy", provider="single_particle_energy", **options)
    for particles, pid, energy in zip(lists, species, energies, strict=True):
        first = np.flatnonzero(particles["track_id"] == 1)
        known = PDG_TO_PID.get(int(particles["pdg_code"][first[0]]), -1) if len(first) else -1
        assert pid == known
        mass = PID_MASSES[pid] if pid >= 0 else np.nan
        expected = particles["energy_init"][first[0]] - mass if pid >= 0 else -1.0
        assert energy == pytest.approx(expected, rel=1e-6)
    assert max(species) >= 0
