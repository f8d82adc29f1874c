"""A copy of the project in which code may be edited, and a run directory."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("Snakefile", "workflow", "config", "envs", "spine", "README.md")

CONFIG = """\
extends: label
sim: {files: 1, events_per_file: 2, bomb: {multiplicity: [1, 2]}, cosmics: null}
post:
  direction: {optimize: false}
  scaled: {provider: scaled.py}
ana:
  save: {obj_type: [particle]}
  mine: {provider: mine.py}
"""

USER_STEP = '''
"""How many particles each event has."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from spine.schema import Event
from spine.steps import Columns, StepConfig, step


class CountConfig(StepConfig):
    """Options of the count."""

    scale: int = Field(1, description="Factor")


@step(reads=("reco_particles.id",), tables=lambda cfg: ("particle_count",))
def count(event: Event, cfg: CountConfig) -> dict[str, Columns]:
    """Count the particles."""
    return {"particle_count": {"particles": np.array([cfg.scale * len(event.reco.particles)])}}
'''


USER_POST_STEP = '''
"""Charge energies times a factor."""

from __future__ import annotations

from spine.schema import Event
from spine.steps import StepConfig, step


class ScaledConfig(StepConfig):
    """Options of scaled."""


@step(reads=("reco_particles.calo_ke",), writes=("reco_particles.calo_ke",))
def scaled(event: Event, cfg: ScaledConfig) -> None:
    """Scale the energies."""
    event.reco.particles["calo_ke"] = 1.5 * event.reco.particles["calo_ke"]
'''


@dataclass
class Campaign:
    """A copy of the project and a directory in which it runs.

    Parameters
    ----------
    home : Path
        Directory of both.
    inputs : list of Path
        Detector files, beside what is simulated.
    """

    home: Path
    inputs: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.clone, self.run_dir = self.home / "clone", self.home / "run"
        self.clone.mkdir(parents=True)
        self.run_dir.mkdir()
        skip = shutil.ignore_patterns("__pycache__")
        for part in PARTS:
            source, target = ROOT / part, self.clone / part
            if source.is_dir():
                shutil.copytree(source, target, ignore=skip)
            else:
                shutil.copy(source, target)
        (self.run_dir / "config.yaml").write_text(CONFIG)
        (self.run_dir / "mine.py").write_text(USER_STEP)
        (self.run_dir / "scaled.py").write_text(USER_POST_STEP)

    def command(self, *options: str, settings: str = "") -> list[str]:
        """The snakemake command of this run."""
        values = [f"input={','.join(map(str, self.inputs))}"] if self.inputs else []
        values += [f"set={settings}"] if settings else []
        return [
            sys.executable, "-m", "snakemake", "-s", str(self.clone / "Snakefile"), "--directory", str(self.run_dir),
            "--cores", "2", "--profile", str(self.clone / "workflow" / "profiles" / "default"), *options,
            *(["--config", *values] if values else []),
        ]  # fmt: skip

    def environment(self) -> dict[str, str]:
        """Environment without anything of this project's own installation in front of the copy."""
        plain = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTEST_CURRENT_TEST")}
        return plain | {"PYTHONPATH": str(self.clone), "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}

    def snakemake(self, *options: str, settings: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run snakemake.

        Parameters
        ----------
        *options : str
            Options of snakemake.
        settings : str
            Overrides, as after ``set=``.
        check : bool
            Fail, with the output, when snakemake does.
        """
        done = subprocess.run(
            self.command(*options, settings=settings), text=True, capture_output=True, env=self.environment(),
            cwd=self.home,
        )  # fmt: skip
        if check and done.returncode:
            raise AssertionError(f"snakemake failed\n{done.stdout}\n{done.stderr}")
        return done

    def planned(self, settings: str = "", target: str = "all") -> dict[str, int]:
        """Jobs that a dry run for a target announces, by rule; without the target itself."""
        text = self.snakemake(target, "--dry-run", "--quiet", "rules", settings=settings)
        lines = (text.stdout + text.stderr).splitlines()
        jobs: dict[str, int] = {}
        for i, line in enumerate(lines):
            if line.startswith("Job stats:"):
                for row in lines[i + 3 :]:
                    words = row.split()
                    if len(words) != 2 or words[0] in ("total",):
                        break
                    jobs[words[0]] = int(words[1])
                break
        jobs.pop(target, None)
        return jobs

    def results(self) -> Path:
        """Directory of the results."""
        return self.run_dir / "results"
