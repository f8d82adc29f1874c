from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from spine.errors import DataError
from spine.report import ReportOptions, write_display
from spine.report.display import shares
from spine.report.payload import box_edges, decode, encode
from spine.report.scene import Cloud, Scene, scene_of
from spine.schema import Event, Ragged, Table, product, row_of
from spine.store.reader import EventFile
from spine.store.writer import EventWriter, Failure, FileInfo

CHROMIUM = shutil.which("chromium")
CORNER, VOXEL = np.full(3, -30.0), 0.3


def cloud(points: NDArray[np.float64], seed: int = 0) -> Cloud:
    rng, n = np.random.default_rng(seed), len(points)
    particle = rng.integers(-1, 5, n)
    return Cloud(points, rng.exponential(2.0, n), particle, np.where(particle < 0, 4, -1), {"id": [0, 1, 2, 3, 4]}, {})


def scene(clouds: dict[str, Cloud]) -> Scene:
    return Scene({"number": 3}, clouds, CORNER, -CORNER, np.full(3, VOXEL))


def sorted_rows(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values[np.lexsort(values.T)]


def walk(rng: np.random.Generator, n: int) -> NDArray[np.float64]:
    """Voxel centres along random walks of 200 steps from random places."""
    start = rng.integers(50, 150, (n // 200, 1, 3))
    steps = rng.integers(-1, 2, (n // 200, 200, 3)).cumsum(axis=1)
    cells = np.unique(np.clip(start + steps, 0, 199).reshape(-1, 3), axis=0)
    return CORNER + VOXEL * (cells + 0.5)


def written(path: Path, sizes: Sequence[int], truth: bool = True) -> Path:
    """A file of events of the given numbers of points, each with two particles."""
    rng = np.random.default_rng(len(sizes))
    with EventWriter(path, FileInfo(stage="post")) as writer:
        for entry, n in enumerate(sizes):
            event = Event({}, entry)
            event["run_info"] = row_of("run_info", run=1, subrun=2, event=100 + entry)
            event["meta"] = row_of("meta", lower=CORNER, upper=-CORNER, size=np.full(3, VOXEL), count=np.full(3, 200))
            event["index"] = entry
            points = CORNER + VOXEL * (rng.integers(0, 200, (n, 3)) + 0.5)
            for ending in ("", "_label") if truth else ("",):
                event[f"points{ending}"] = points
                event[f"depositions{ending}"] = rng.exponential(1.0, n)
            for side in ("reco", "truth") if truth else ("reco",):
                event[f"{side}_particles"] = particles(side, n)
                event[f"{side}_interactions"] = interactions(side)
            writer.append([event])
        writer.failures = [Failure(9, 1, 2, 3, "post", "bad")]
    return path


def particles(side: str, n: int) -> Table:
    record = product(f"{side}_particles").record
    assert record is not None
    halves = [np.arange(0, n // 2), np.arange(n // 2, n - n // 10)]
    table = Table(record, 2, {"id": [0, 1], "shape": [1, 0], "pid": [2, 1], "interaction_id": [0, 0]})
    table["index"] = Ragged.from_list(halves, np.int32)
    table["match_ids"] = Ragged.from_list([[1], []], np.int32)
    table["match_overlaps"] = Ragged.from_list([[0.75], []], np.float32)
    table["length"] = [12.345678, np.nan]
    table["start_point"] = np.array([[1.0, 2.0, 3.0], [np.nan] * 3])
    return table


def interactions(side: str) -> Table:
    record = product(f"{side}_interactions").record
    assert record is not None
    return Table(record, 1, {"id": [0], "vertex": np.zeros((1, 3)), "topology": ["1mu1e"]})


@given(hnp.arrays(np.int64, st.tuples(st.integers(0, 30), st.just(3)), elements=st.integers(0, 199)))
@settings(deadline=None, max_examples=40)
def test_voxels_go_through_unchanged(cells: NDArray[np.int64]) -> None:
    mine = cloud(CORNER + VOXEL * (cells + 0.5))
    header, sides = decode(encode(scene({"reco": mine, "truth": mine}), 1000))
    assert header["sides"]["truth"]["shared"]
    assert header["number"] == 3
    for side in ("reco", "truth"):
        found = np.column_stack([sides[side][name] for name in ("points", "particle", "shape")])
        given_rows = np.column_stack([mine.points, mine.particle, mine.shape])
        np.testing.assert_allclose(sorted_rows(found.round(6)), sorted_rows(given_rows.round(6)), atol=1e-6)


def test_charges_keep_two_digits_over_their_range() -> None:
    mine = cloud(CORNER + VOXEL * (np.arange(600).reshape(200, 3) % 200 + 0.5))
    header, sides = decode(encode(scene({"reco": mine}), 1000))
    low, high = header["charge"]
    found = low * (high / low) ** (sides["reco"]["charge"] / 255.0)
    np.testing.assert_allclose(np.sort(found), np.sort(np.clip(mine.charge, low, high)), rtol=0.03)


def test_points_off_the_grid_keep_a_fraction_of_a_voxel() -> None:
    points = np.random.default_rng(2).uniform(-40, 40, (500, 3))
    other = cloud(points[::2] + 0.1, 3)
    header, sides = decode(encode(scene({"reco": cloud(points), "truth": other}), 1000))
    assert not header["sides"]["truth"]["shared"]
    for side, expected in (("reco", points), ("truth", other.points)):
        distance = np.linalg.norm(sides[side]["points"][:, None] - expected[None], axis=2)
        assert distance.min(axis=0).max() < 0.01 * VOXEL
        assert len(sides[side]["points"]) == len(expected)


def test_large_events_are_thinned_evenly_and_say_so() -> None:
    points = walk(np.random.default_rng(0), 4000)
    header, sides = decode(encode(scene({"reco": cloud(points)}), 100))
    assert (header["sides"]["reco"]["n"], header["sides"]["reco"]["total"]) == (100, len(points))
    assert sides["reco"]["points"].std(axis=0) == pytest.approx(points.std(axis=0), rel=0.3)


def test_event_without_points() -> None:
    header, sides = decode(encode(scene({"reco": cloud(np.zeros((0, 3)))}), 10))
    assert header["sides"]["reco"]["n"] == 0
    assert len(sides["reco"]["points"]) == 0


def test_twenty_events_of_twenty_thousand_points_take_less_than_3_mb() -> None:
    rng = np.random.default_rng(4)
    sizes = []
    for seed in range(2):
        points = walk(rng, 50_000)[:20_000]
        assert len(points) == 20_000
        sizes.append(len(encode(scene({"reco": cloud(points, seed), "truth": cloud(points, seed + 9)}), 20_000)))
    assert 10 * sum(sizes) < 3e6


def test_edges_of_a_box() -> None:
    ends = np.array(box_edges([0, 0, 0], [1, 2, 3])).reshape(12, 2, 3)
    lengths = np.abs(ends[:, 1] - ends[:, 0])
    assert (np.count_nonzero(lengths, axis=1) == 1).all()
    assert lengths.sum(axis=0).tolist() == [4.0, 8.0, 12.0]
    assert len(np.unique(ends.reshape(12, 6), axis=0)) == 12


@pytest.mark.parametrize(
    ("lengths", "total", "expected"),
    [([5, 5], 3, [2, 1]), ([1, 0, 9], 6, [1, 0, 5]), ([2, 2], 9, [2, 2]), ([], 3, []), ([4], 0, [0])],
)
def test_events_are_taken_of_each_file_in_turn(lengths: list[int], total: int, expected: list[int]) -> None:
    assert shares(lengths, total) == expected


def test_objects_reach_the_page(tmp_path: Path) -> None:
    with EventFile(written(tmp_path / "a.h5", [40])) as file:
        header, sides = decode(encode(scene_of(file.event(0), {"number": 0}), 1000))
    columns = header["sides"]["reco"]["particles"]
    assert columns["match"] == [1, -1]
    assert columns["overlap"] == [0.75, -1.0]
    assert columns["length"] == [12.346, None]
    assert columns["start"] == [[1.0, 2.0, 3.0], [None, None, None]]
    assert header["sides"]["truth"]["interactions"]["topology"] == ["1mu1e"]
    assert np.bincount(sides["reco"]["particle"] + 1).tolist() == [4, 20, 16]


def test_gallery_numbers_events_as_the_merged_tables(tmp_path: Path) -> None:
    files = [written(tmp_path / "a.h5", [30, 0]), written(tmp_path / "b.h5", [50])]
    shown = write_display(files, tmp_path / "events.html", ReportOptions(events=9))
    assert shown == (0, 1, 3)
    page = (tmp_path / "events.html").read_text()
    assert "://" not in page
    assert re.findall(r'id="event-(\d+)"', page) == ["0", "1", "3"]
    write_display(files, tmp_path / "again.html", ReportOptions(events=9))
    assert (tmp_path / "again.html").read_bytes() == (tmp_path / "events.html").read_bytes()


def test_titles_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    options = ReportOptions(title="</script><b>", detector="<i>", boxes=(((0, 0, 0), (1, 1, 1)),))
    write_display([written(tmp_path / "a.h5", [20])], tmp_path / "e.html", options)
    page = (tmp_path / "e.html").read_text()
    assert "</script><b>" not in page
    assert "<i>" not in page
    island = re.search(r'id="settings">(.*?)</script>', page)
    assert island is not None
    assert len(json.loads(island[1])["boxes"]) == 24


def test_no_files_and_no_truth(tmp_path: Path) -> None:
    assert write_display([], tmp_path / "none.html", ReportOptions()) == ()
    assert write_display([written(tmp_path / "d.h5", [25], truth=False)], tmp_path / "d.html", ReportOptions()) == (0,)


def test_events_without_points_to_draw(tmp_path: Path) -> None:
    event = Event({}, 0, "x.h5")
    event["index"] = 0
    with pytest.raises(DataError, match="no points to draw"):
        scene_of(event, {})
    event["points"] = np.zeros((3, 3), dtype=np.float32)
    event["reco_particles"] = particles("reco", 20)
    with pytest.raises(DataError, match="points which the event does not have"):
        scene_of(event, {})


def test_script_is_short() -> None:
    script = Path(__file__).parents[2] / "spine" / "report" / "display.js"
    assert len(script.read_text().splitlines()) <= 300


def browse(page: Path, hash_: str, folder: Path, *flags: str) -> str:
    """The page as Chromium has it after its scripts ran, and a picture in ``shot.png``."""
    assert CHROMIUM is not None
    gpu = flags or ("--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
    command = [
        CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", *gpu, f"--user-data-dir={folder / 'profile'}",
        "--virtual-time-budget=6000", "--window-size=900,600", "--enable-logging=stderr",
        f"--screenshot={folder / 'shot.png'}", "--dump-dom", f"{page.as_uri()}{hash_}",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line and "GL Driver Message" not in line]
    assert said == []
    return done.stdout


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_chromium_draws_the_event_that_the_address_names(tmp_path: Path) -> None:
    from matplotlib.image import imread

    write_display([written(tmp_path / "a.h5", [300, 500])], tmp_path / "e.html", ReportOptions())
    page = browse(tmp_path / "e.html", "#event=1&color=pid", tmp_path)
    body = re.search(r"<body[^>]*>", page)
    assert body is not None
    assert 'data-state="ready"' in body[0]
    assert 'data-event="1"' in body[0]
    assert 'data-points="500"' in body[0]
    assert "data-error" not in body[0]
    assert "muon (1 | 1)" in page
    picture = imread(tmp_path / "shot.png")[..., :3]
    muon = np.abs(picture - np.array([0xFF, 0x8C, 0x3B]) / 255).max(axis=2) < 0.05
    half = picture.shape[1] // 2
    assert muon[:, :half].sum() > 100
    assert muon[:, half:].sum() > 100


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_chromium_without_webgl_gets_a_message(tmp_path: Path) -> None:
    write_display([written(tmp_path / "a.h5", [30])], tmp_path / "e.html", ReportOptions())
    page = browse(tmp_path / "e.html", "", tmp_path, "--disable-3d-apis")
    assert 'data-state="no-webgl"' in page
    assert "does not offer WebGL" in page


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_chromium_says_when_an_event_is_not_on_the_page(tmp_path: Path) -> None:
    write_display([written(tmp_path / "a.h5", [30], truth=False)], tmp_path / "e.html", ReportOptions())
    assert "Event 7 is not on this page; it holds 0." in browse(tmp_path / "e.html", "#event=7", tmp_path)


def test_texts_of_events_are_plain_base64(tmp_path: Path) -> None:
    write_display([written(tmp_path / "a.h5", [30])], tmp_path / "e.html", ReportOptions())
    text = re.search(r'id="event-0">([^<]*)<', (tmp_path / "e.html").read_text())
    assert text is not None
    assert base64.b64encode(base64.b64decode(text[1], validate=True)).decode() == text[1]
