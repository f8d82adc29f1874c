"""Jobs of so many events: every event in exactly one, names that say what is in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spine.config.inputs import SHARD
from spine.config.jobs import JOB_PATTERN, Span, parse_entries, plan_jobs, read_jobs, tables_places, write_jobs
from spine.errors import ConfigError, DataError


def planned(counts: dict[str, int], size: int, order: list[str] | None = None) -> list[Span]:
    return plan_jobs({stem: f"{stem}.root" for stem in counts}, counts, size, order or list(counts))


@given(st.lists(st.integers(-1, 40), max_size=12), st.integers(1, 30))
def test_every_event_is_in_one_job_of_no_more_than_the_size(counts: list[int], size: int) -> None:
    events = {f"in_{i}": count for i, count in enumerate(counts)}
    spans = planned(events, size)
    for stem, count in events.items():
        mine = [span for span in spans if span.stem == stem]
        if count < 0:
            assert [span.entries for span in mine] == ["0:"]
            assert [span.job for span in spans].count(mine[0].job) == 1
        else:
            assert [i for span in mine for i in range(span.first, span.last)] == list(range(count))
            assert mine
    for job in {span.job for span in spans}:
        assert sum(max(span.last - span.first, 0) for span in spans if span.job == job) <= size
        assert re.fullmatch(JOB_PATTERN, job)
    assert not any(re.fullmatch(JOB_PATTERN, stem) for stem in events)


def test_names() -> None:
    spans = planned({"a": 2, "b": 3, "long": 11, "c": 1}, 5)
    assert [(span.job, span.name, span.entries) for span in spans] == [
        ("a+", "a", "0:2"),
        ("a+", "b", "0:3"),
        ("long.000000-000005", "long.000000-000005", "0:5"),
        ("long.000005-000010", "long.000005-000010", "5:10"),
        ("long.000010-000011", "long.000010-000011", "10:11"),
        ("c+", "c", "0:1"),
    ]
    places = tables_places(spans, ["c", "a", "b", "long"], "ana")
    assert places["long"][1] == "ana/long.000005-000010/long.000005-000010"
    assert list(places) == ["c", "a", "b", "long"]


@given(st.lists(st.integers(-1, 40), min_size=1, max_size=12), st.integers(-1, 40), st.integers(1, 30))
def test_an_input_more_changes_the_last_job_at_most(counts: list[int], more: int, size: int) -> None:
    events = {f"in_{i}": count for i, count in enumerate(counts)}
    before, after = planned(events, size), planned({**events, "new": more}, size)
    assert after[: len(before)] == before


def test_many_jobs_lie_in_numbered_directories() -> None:
    spans = planned({"big": 2 * SHARD + 1}, 1)
    assert [spans[i].job for i in (0, SHARD, 2 * SHARD)] == [
        "0000/big.000000-000001", "0001/big.001000-001001", "0002/big.002000-002001",
    ]  # fmt: skip
    assert all(re.fullmatch(JOB_PATTERN, span.job) for span in spans)


def test_tables_of_jobs(tmp_path: Path) -> None:
    spans = planned({"a, b": 2, "c": 30}, 7)
    write_jobs(tmp_path / "jobs.csv", spans)
    assert read_jobs(tmp_path / "jobs.csv") == spans
    (tmp_path / "other.csv").write_text("a,b\n")
    with pytest.raises(DataError, match="not a table of jobs"):
        read_jobs(tmp_path / "other.csv")


def test_ranges_as_text() -> None:
    assert parse_entries("0:40,7:") == [(0, 40), (7, None)]
    with pytest.raises(ConfigError, match="FIRST:LAST"):
        parse_entries("3-4")
