"""Trigger times from a table, and flash times with respect to the beam."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from pydantic import Field, model_validator

from spine.errors import ConfigError, DataError
from spine.schema import Event, Row, row_of
from spine.steps import StepConfig, step

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["TriggerConfig", "trigger"]

TIMES: Final = {
    "time_s": "wr_seconds",
    "time_ns": "wr_nanoseconds",
    "beam_time_s": "beam_seconds",
    "beam_time_ns": "beam_nanoseconds",
}
"""Column of the file for each time."""

KEYS: Final = ("run_number", "event_no")


class TriggerConfig(StepConfig):
    """Options of trigger."""

    file_path: str = Field(
        description="CSV file with the columns run_number, event_no, wr_seconds, wr_nanoseconds, beam_seconds, "
        "beam_nanoseconds and, where known, trigger_type"
    )
    correct_flash_times: bool = Field(True, description="Count flash times from the beam gate")
    flash_keys: tuple[str, ...] | None = Field(None, description="Products with the flashes to correct")
    flash_time_corr_us: float = Field(4.0, description="Further time to subtract from flash times (us)")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.correct_flash_times and not self.flash_keys:
            raise ValueError("give flash_keys, or set correct_flash_times: false")
        return self


@step(reads=("run_info", "flashes"), writes=("trigger", "flashes"))
def trigger(event: Event, cfg: TriggerConfig) -> None:
    """Look up the trigger of the event, and shift flash times by its delay after the beam gate.

    Parameters
    ----------
    event : Event
        Gets the product trigger; the time of flashes changes (us), at each run of the step.
    cfg : TriggerConfig

    Raises
    ------
    ConfigError
        When there is no such file, or it has not the columns.
    DataError
        When the event has no number, or not exactly one row of the file.
    """
    found = _row(event, cfg)
    event["trigger"] = found
    if not cfg.correct_flash_times:
        return
    delay = (found.time_s - found.beam_time_s) * 1e6 + (found.time_ns - found.beam_time_ns) * 1e-3
    for key in cfg.flash_keys or ():
        flashes = event.table(key).copy()
        flashes["time"] = flashes["time"] + (delay - cfg.flash_time_corr_us)
        event[key] = flashes


def _row(event: Event, cfg: TriggerConfig) -> Row:
    path = Path(cfg.file_path)
    if not path.is_file():
        raise ConfigError("no such file of triggers", where="post.trigger.file_path", got=path.absolute())
    info = event.run_info
    if info is None:
        raise DataError("an event without run and event number has no trigger", where=event.label)
    table = _triggers(path, path.stat().st_mtime_ns)
    rows = table[(table["run_number"] == info.run) & (table["event_no"] == info.event)]
    if len(rows) != 1:
        raise DataError(
            "the trigger of an event cannot be told", where=event.label, got=f"{len(rows)} rows of {path}",
            expected=1, mend="give a file with one row per run and event",
        )  # fmt: skip
    row = rows.iloc[0]
    times = {name: int(row[column]) for name, column in TIMES.items()}
    return row_of("trigger", type=int(row.get("trigger_type", -1)), **times)


@lru_cache(maxsize=4)
def _triggers(path: Path, changed: int) -> pd.DataFrame:
    """The file; ``changed`` is its time of change, so that a new file is read anew."""
    import pandas as pd

    del changed
    table = pd.read_csv(path)
    missing = sorted({*KEYS, *TIMES.values()} - set(table.columns))
    if missing:
        raise ConfigError("the file of triggers lacks columns", where=path, got=list(table.columns), expected=missing)
    return table
