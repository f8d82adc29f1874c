"""A campaign whose jobs run in conda environments, none of which needs a network."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.workflow.campaign import ROOT, Campaign
from tests.workflow.conda.channel import make_channel
from tests.workflow.conda.environment import read_environment
from tests.workflow.conda.wheels import make_wheels

HERE = Path(__file__).parent
ENVIRONMENTS = sorted((ROOT / "envs").glob("*.yaml"))


def make_sources(place: Path) -> dict[str, str]:
    """Make the channels and wheels that the shipped environments name; variables that make conda and pip take them."""
    wanted = [read_environment(path) for path in ENVIRONMENTS]
    for channel in {name for environment in wanted for name in environment.channels}:
        make_channel(place / "channels" / channel, {name for e in wanted for name in e.conda_names})
    make_wheels(place / "wheels")
    return {
        "CONDA_CHANNEL_ALIAS": (place / "channels").as_uri(),
        "CONDA_PKGS_DIRS": str(place / "packages"),
        "CONDA_PYTHON_EXE": sys.executable,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(place / "wheels"),
        "PIP_NO_CACHE_DIR": "1",
    }


@dataclass(frozen=True)
class Job:
    """A start of the package's command line.

    Parameters
    ----------
    stage : str
        Its command.
    prefix : Path
        Where the interpreter's installation lies.
    """

    stage: str
    prefix: Path


class CondaCampaign(Campaign):
    """A campaign with conda environments, on simulated events."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.trace = self.home / "trace.jsonl"
        self.sources = make_sources(self.home / "sources")

    def environment(self) -> dict[str, str]:
        """Environment in which conda is the front end of these tests; interpreters note their start."""
        plain = {k: v for k, v in super().environment().items() if not k.startswith(("CONDA", "PIP_"))}
        return plain | self.sources | {
            "PATH": os.pathsep.join([str(HERE / "bin"), plain["PATH"]]),
            "PYTHONPATH": os.pathsep.join([plain["PYTHONPATH"], str(HERE / "trace")]),
            "INTERPRETER_TRACE": str(self.trace),
        }  # fmt: skip

    def jobs(self) -> Iterator[Job]:
        """The commands of the package that ran."""
        for line in self.trace.read_text().splitlines():
            start = json.loads(line)
            if start["argv"][1:3] == ["-m", "spine"]:
                yield Job(start["argv"][3], Path(start["prefix"]))

    def prefixes(self) -> dict[str, Path]:
        """Environments that snakemake made, by the name of their file."""
        made = self.run_dir / ".snakemake" / "conda"
        contents = {path.read_bytes(): path.stem for path in ENVIRONMENTS}
        return {contents[copy.read_bytes()]: copy.with_suffix("") for copy in made.glob("*.yaml")}
