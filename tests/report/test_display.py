from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from typer.testing import CliRunner

from spine.cli import app
from spine.errors import DataError
from spine.geometry import load_detector
from spine.report import ReportOptions, write_display
from spine.report.display import shares
from spine.report.payload import box_edges, decode, encode
from spine.report.scene import Cloud, Scene, scene_of
from spine.schema import Event, Ragged, Table, product, row_of
from spine.store.reader import EventFile
from spine.store.writer import EventWriter, Failure, FileInfo
from tests.browser import Browser, needs_browser

PEER = Path(__file__).parents[1] / "golden" / "data" / "post" / "reco" / "events3_v1.h5"
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


def lit_pixels(path: Path) -> int:
    """Pixels of the drawing that are not of the ground, below the bar and the headings."""
    from matplotlib.image import imread

    picture = imread(path)[160:, :, :3]
    return int((np.abs(picture - picture[0, 0]).max(axis=2) > 0.2).sum())


def opened(browser: Browser, page: Path, hash_: str = "") -> dict[str, str]:
    """What the page says of itself when it is ready."""
    browser.open(page, hash_)
    for _ in range(200):
        data: dict[str, str] = browser.run(
            "return {...document.body.dataset, message: document.getElementById('message').textContent}"
        )
        if "state" in data or "error" in data or data["message"]:
            return data
        time.sleep(0.05)
    raise AssertionError(browser.said())


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("browser")) as one:
        yield one


@needs_browser
def test_chromium_draws_the_event_that_the_address_names(browser: Browser, tmp_path: Path) -> None:
    from matplotlib.image import imread

    write_display([written(tmp_path / "a.h5", [300, 500])], tmp_path / "e.html", ReportOptions())
    data = opened(browser, tmp_path / "e.html", "#event=1&color=pid")
    assert (data["state"], data["event"], data["points"]) == ("ready", "1", "500")
    assert "error" not in data
    assert "muon (1 | 1)" in browser.run("return document.getElementById('legend').textContent")
    picture = imread(browser.picture(tmp_path / "shot.png"))[..., :3]
    muon = np.abs(picture - np.array([0xFF, 0x8C, 0x3B]) / 255).max(axis=2) < 0.05
    half = picture.shape[1] // 2
    assert muon[:, :half].sum() > 100
    assert muon[:, half:].sum() > 100
    assert browser.said() == []


@needs_browser
@pytest.mark.parametrize("color", ["shape", "pid", "particle", "interaction", "charge", "match"])
def test_every_colouring_draws(browser: Browser, tmp_path: Path, color: str) -> None:
    write_display([written(tmp_path / "a.h5", [300])], tmp_path / "e.html", ReportOptions())
    assert opened(browser, tmp_path / "e.html", f"#event=0&color={color}")["state"] == "ready"
    assert browser.run("return document.getElementById('color').value") == color
    assert lit_pixels(browser.picture(tmp_path / "shot.png")) > 200
    assert browser.said() == []


PLACE = """
const side = state.event.sides.reco, i = side.particle.findIndex((row) => row === 0), pane = panes()[0];
const m = matrix(pane.width / pane.height), [x, y, z] = side.points.slice(3 * i, 3 * i + 3);
const at = (k) => m[k] * x + m[4 + k] * y + m[8 + k] * z + m[12 + k], box = canvas.getBoundingClientRect();
return [box.x + (at(0) / at(3) + 1) / 2 * pane.width, box.y + (1 - at(1) / at(3)) / 2 * pane.height];
"""
"""Where a point of the first particle is seen on the page."""


@needs_browser
def test_pointer_brings_up_the_card_and_lights_the_match(browser: Browser, tmp_path: Path) -> None:
    write_display([PEER], tmp_path / "e.html", ReportOptions())
    opened(browser, tmp_path / "e.html", "#event=1")
    browser.point(*browser.run(PLACE))
    card = browser.run("return getComputedStyle($('card')).display + $('card').textContent")
    assert card.startswith("block")
    assert re.search(r"particle\d+.*class.*species.*kinetic energy.*length.*match", card)
    assert browser.run("return lit('reco')") == browser.run("return state.hover.row")
    browser.point(5, 5)
    assert browser.said() == []


@needs_browser
def test_switches_keys_and_links(browser: Browser, tmp_path: Path) -> None:
    options = ReportOptions(detector="box", boxes=(((-30, -30, -30), (30, 30, 30)),))
    write_display([written(tmp_path / "a.h5", [300, 500])], tmp_path / "e.html", options)
    opened(browser, tmp_path / "e.html", "#event=0")
    counts = {"frame": "lines", "boxes": "lines", "vertices": "marks", "ends": "ends", "directions": "lines"}
    for name, layer in counts.items():
        before = browser.run(f"return layers.reco.{layer}.n || 0")
        browser.run(f"$('{name}').click()")
        after = browser.run(f"return layers.reco.{layer}.n || 0")
        assert after != before or name == "directions", name  # made-up particles have no direction
    assert (
        browser.run("$('raw').click(); return pointColors('reco').filter((v, i) => i % 4 == 3 && v == 0).length") == 30
    )
    browser.run("$('next').click()")
    assert waited(browser, "return document.body.dataset.event", "1") == "1"
    assert browser.run("return location.hash") == "#event=1&color=shape"
    browser.run("location.hash = '#event=0&color=charge'")
    assert waited(browser, "return document.body.dataset.event", "0") == "0"
    assert browser.run("return $('color').value") == "charge"
    distance = browser.run("return view.distance")
    browser.run("canvas.dispatchEvent(new WheelEvent('wheel', { deltaY: 90 }))")
    assert browser.run("return view.distance") > distance
    assert browser.said() == []


def waited(browser: Browser, script: str, value: str) -> str:
    """Value of a script once it is the expected one, or the last one."""
    for _ in range(100):
        if browser.run(script) == value:
            break
        time.sleep(0.05)
    return str(browser.run(script))


@needs_browser
def test_chromium_says_when_an_event_is_not_on_the_page(browser: Browser, tmp_path: Path) -> None:
    write_display([written(tmp_path / "a.h5", [30], truth=False)], tmp_path / "e.html", ReportOptions())
    assert opened(browser, tmp_path / "e.html", "#event=7")["message"] == "Event 7 is not on this page; it holds 0."


@needs_browser
def test_chromium_without_webgl_gets_a_message(tmp_path: Path) -> None:
    write_display([written(tmp_path / "a.h5", [30])], tmp_path / "e.html", ReportOptions())
    with Browser(tmp_path, "--disable-3d-apis") as plain:
        assert opened(plain, tmp_path / "e.html")["state"] == "no-webgl"
        assert "does not offer WebGL" in plain.run("return document.getElementById('message').textContent")


def test_files_of_spine_and_their_detector(tmp_path: Path) -> None:
    assert write_display([PEER], tmp_path / "e.html", ReportOptions()) == (0, 1, 2)
    out = tmp_path / "boxes.html"
    done = CliRunner().invoke(app, ["display", str(PEER), "-o", str(out), "--events", "2", "--detector", "icarus"])
    assert done.output == f"{out}: 2 events\n"
    island = re.search(r'id="settings">(.*?)</script>', out.read_text())
    assert island is not None
    known = json.loads(island[1])
    assert known["detector"] == "ICARUS"
    assert len(known["boxes"]) == 24 * len(load_detector("icarus").tpcs)


@pytest.mark.parametrize(("geo", "name"), [({"detector": "sbnd"}, "SBND"), ({"detector": "gone.yaml"}, ""), ({}, "")])
def test_detector_that_the_configuration_of_the_file_names(tmp_path: Path, geo: dict[str, str], name: str) -> None:
    written(tmp_path / "a.h5", [20])
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file["info"].attrs["config"] = json.dumps({"geo": geo})
    write_display([tmp_path / "a.h5"], tmp_path / "e.html", ReportOptions())
    page = (tmp_path / "e.html").read_text()
    assert (f"checked>{name}" in page) if name else ('id="boxes"' not in page)


def test_texts_of_events_are_plain_base64(tmp_path: Path) -> None:
    write_display([written(tmp_path / "a.h5", [30])], tmp_path / "e.html", ReportOptions())
    text = re.search(r'id="event-0">([^<]*)<', (tmp_path / "e.html").read_text())
    assert text is not None
    assert base64.b64encode(base64.b64decode(text[1], validate=True)).decode() == text[1]
