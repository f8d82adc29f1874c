"""Trigger times from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from spine.errors import ConfigError, DataError
from spine.post.trigger import TriggerConfig, trigger
from spine.schema import Event, Table, row_of
from spine.schema.detector_records import Flash
from tests.post.peer_objects import applied

HEAD = "run_number,event_no,wr_seconds,wr_nanoseconds,beam_seconds,beam_nanoseconds,trigger_type\n"
ROWS = "1,0,100,2000,99,999998000,5\n1,1,100,7000,100,1000,1\n1,2,7,0,7,0,1\n1,2,7,0,7,0,1\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """File with one row for events 0 and 1 of run 1, and two for event 2."""
    file = tmp_path / "trigger.csv"
    file.write_text(HEAD + ROWS)
    return file


def flashing(number: int) -> Event:
    """Event of run 1 with two flashes."""
    event = Event({}, number)
    event["run_info"] = row_of("run_info", run=1, subrun=0, event=number)
    event["flashes"] = Table(Flash, 2, {"time": [1.5, -20.0]})
    return event


def test_times_of_trigger_and_flashes(path: Path) -> None:
    """SPINE: time + (s - beam_s) 1e6 + (ns - beam_ns) 1e-3 - 4 us; here 4 us and 6 us after the beam."""
    events = [flashing(0), flashing(1)]
    source = [event.table("flashes") for event in events]
    applied(trigger, events=events, file_path=str(path), flash_keys=["flashes"])
    assert [event["trigger"].type for event in events] == [5, 1]
    assert events[0]["trigger"].beam_time_ns == 999998000
    np.testing.assert_allclose(events[0].table("flashes")["time"], [1.5, -20.0], atol=1e-6)
    np.testing.assert_allclose(events[1].table("flashes")["time"], [3.5, -18.0], atol=1e-6)
    assert [table["time"].tolist() for table in source] == [[1.5, -20.0]] * 2


def test_flashes_stay_on_request(path: Path) -> None:
    (event,) = applied(trigger, events=[flashing(1)], file_path=str(path), correct_flash_times=False)
    assert event.table("flashes")["time"].tolist() == [1.5, -20.0]


def test_errors_say_what_is_wrong(path: Path) -> None:
    for number, count in ((2, "2 rows"), (9, "0 rows")):
        with pytest.raises(DataError, match=count):
            applied(trigger, events=[flashing(number)], file_path=str(path), correct_flash_times=False)
    with pytest.raises(ConfigError, match="no such file"):
        applied(trigger, events=[flashing(0)], file_path="nowhere.csv", correct_flash_times=False)
    with pytest.raises(ValidationError, match="flash_keys"):
        TriggerConfig(file_path=str(path))
    path.write_text("run_number\n1\n")
    with pytest.raises(ConfigError, match="lacks columns"):
        applied(trigger, events=[flashing(0)], file_path=str(path), correct_flash_times=False)
