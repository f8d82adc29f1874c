"""Detectors and containment against answers of SPINE, and errors for files that describe none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from spine.errors import ConfigError
from spine.geometry import (
    Detector,
    VolumeMode,
    contained,
    contained_by_source,
    detector_names,
    load_detector,
    margins,
    volumes_of,
)
from spine.ops.segments import lengths_to_offsets

FROZEN = dict(np.load(Path(__file__).parent / "data" / "detectors.npz"))
CASES: dict[str, tuple[str, object, float | None]] = {
    "ICARUS": ("icarus_v4", 10.0, 20.0),
    "2x2": ("mr6-5", 3.0, 5.0),
    "ProtoDUNE-SP": ("protodunev7", (10.0, 5.0, 7.0), None),
    "ND-LAr": ("mp5-1", ((1.0, 2.0), (3.0, 4.0), (5.0, 6.0)), None),
}


def frozen(name: str, key: str) -> np.ndarray:
    return FROZEN[f"{name}/{key}"]


def detector(name: str) -> Detector:
    return load_detector(name, CASES[name][0])


@pytest.mark.parametrize("name", CASES)
def test_volumes(name: str) -> None:
    one = detector(name)
    for key in ("tpcs", "modules", "cathodes", "anodes"):
        assert_allclose(getattr(one, key), frozen(name, key), err_msg=key)
    assert_array_equal(one.nearest_tpcs(frozen(name, "points")), frozen(name, "nearest_tpcs"))
    assert_array_equal(one.nearest_modules(frozen(name, "points")), frozen(name, "nearest_modules"))
    assert_array_equal(one.tpc_rows(frozen(name, "sources")), frozen(name, "tpc_rows"))


@pytest.mark.parametrize("name", CASES)
def test_sensors_and_tagger(name: str) -> None:
    one = detector(name)
    assert one.optical is not None
    assert_allclose(one.optical.positions, frozen(name, "optical"))
    assert_allclose(one.optical.box, frozen(name, "optical_box"))
    if f"{name}/crt" in FROZEN:
        assert one.tagger is not None
        assert_allclose(one.tagger.boxes, frozen(name, "crt"))
        assert_allclose(one.tagger.box, frozen(name, "crt_box"))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("mode", ["detector", "module", "tpc"])
@pytest.mark.parametrize("limits", [True, False])
def test_points_inside(name: str, mode: VolumeMode, limits: bool) -> None:
    margin, cathode = CASES[name][1], CASES[name][2] if mode == "tpc" else None
    volumes = volumes_of(detector(name), margin, cathode, mode, limits)  # type: ignore[arg-type]
    points = frozen(name, "points")
    inside = contained(volumes, points, np.arange(len(points) + 1))
    assert_array_equal(inside, frozen(name, f"{mode}/{int(limits)}"))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("several", [False, True])
def test_objects_inside_the_volumes_that_contributed(name: str, several: bool) -> None:
    _, margin, cathode = CASES[name]
    volumes = volumes_of(detector(name), margin, cathode, "source", limits=False)  # type: ignore[arg-type]
    points, sources = frozen(name, "src_points"), frozen(name, "src_sources")
    offsets = lengths_to_offsets(frozen(name, "src_lengths"))
    inside = contained_by_source(detector(name), volumes, points, offsets, sources, several)
    assert_array_equal(inside, frozen(name, f"src_contained{int(several)}"))


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 6), max_size=8), st.integers(0, 99))
def test_an_object_is_inside_when_all_its_points_are_in_one_box(lengths: list[int], seed: int) -> None:
    one = detector("ICARUS")
    volumes = volumes_of(one, 5.0, mode="module")
    rng = np.random.default_rng(seed)
    points = rng.uniform(one.modules[0, :, 0] - 3, one.modules[0, :, 1] + 3, (sum(lengths), 3))
    offsets = lengths_to_offsets(np.array(lengths, dtype=np.int64))
    got = contained(volumes, points, offsets)
    for i, inside in enumerate(got):
        mine = points[offsets[i] : offsets[i + 1]]
        boxes = [((mine > box[:, 0]) & (mine < box[:, 1])).all() for box in volumes.boxes]
        planes = (mine @ volumes.normals.T < volumes.bounds).all()
        assert inside == (len(mine) == 0 or (any(boxes) and planes))


def test_all_shipped_detectors_load() -> None:
    for name, tags in detector_names().items():
        for tag in tags:
            one = load_detector(name.upper(), tag)
            assert (one.tpcs[:, :, 1] > one.tpcs[:, :, 0]).all()
            assert np.isin(one.cathode_sides, (0, 1)).all()
    assert load_detector("dune10kt-1x2x6").name == "DUNE-HD-10kt-1x2x6"
    assert load_detector("2x2").tag == "mr6-5"


@pytest.mark.parametrize(
    ("name", "tag", "message"),
    [
        ("ICARSU", None, "did you mean 'ICARUS'"),
        ("ICARUS", "icarus_v5", "did you mean 'icarus_v4'"),
        ("nowhere.yaml", None, "no such geometry file"),
    ],
)
def test_unknown_detectors(name: str, tag: str | None, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_detector(name, tag)


def test_own_file(tmp_path: Path) -> None:
    path = tmp_path / "box.yaml"
    text = "{name: Box, tag: a, version: 1, tpc: {dimensions: [10, 20, 30], positions: [[0, 0, 0]], module_ids: [0]"
    path.write_text(text + ", drift_dirs: [[0, -1, 0]]}}")
    one = load_detector(str(path))
    assert_allclose(one.box, [[-5, 5], [-10, 10], [-15, 15]])
    assert (one.cathodes[0], one.anodes[0]) == (10.0, -10.0)
    path.write_text(text + "}}")
    with pytest.raises(ConfigError, match="drift_dirs must be given"):
        load_detector(str(path))


def test_margins_have_one_of_three_shapes() -> None:
    assert margins(2.0).tolist() == [[2.0, 2.0]] * 3
    assert margins((1.0, 2.0, 3.0)).tolist() == [[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]
    with pytest.raises(ConfigError, match="a margin is one length"):
        margins((1.0, 2.0))


def test_margins_that_make_no_sense() -> None:
    with pytest.raises(ConfigError, match="walls per drift volume"):
        volumes_of(detector("ICARUS"), 5.0, cathode_margin=1.0, mode="module")
    with pytest.raises(ConfigError, match="slanted limits"):
        volumes_of(detector("ICARUS"), (1.0, 2.0, 3.0))
