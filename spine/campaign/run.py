"""A run from a configuration and files to tables and a report: a thin face on Snakemake."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spine.campaign.plan import durations, plan_of, plan_text
from spine.config.inputs import expand_inputs
from spine.errors import ConfigError, StageError

__all__ = ["Run", "dry_run", "run", "shown_results"]

ROOT = Path(__file__).resolve().parents[2]
SNAKEFILE = ROOT / "Snakefile"
PROFILES = ROOT / "workflow" / "profiles"
RESULTS = ("results/report.html", "results/events.html", "results/metrics.json", "results/tables")


@dataclass(frozen=True)
class Run:
    """What to run, where.

    Parameters
    ----------
    config : Path
        Configuration, laid over that of the workflow.
    files : sequence of str
        Inputs: files, globs, lists; none to take those of the configuration.
    directory : Path
        Directory of the run, in which results appear.
    profile : str
        Name of a shipped profile, or a directory.
    cores : int
        Jobs at a time on this machine.
    settings : str
        Overrides in the dotted language.
    options : sequence of str
        Further options of Snakemake.
    """

    config: Path
    files: Sequence[str] = ()
    directory: Path = Path()
    profile: str = "default"
    cores: int = 1
    settings: str = ""
    options: Sequence[str] = ()

    def _profile(self) -> Path:
        for place in (PROFILES / self.profile, Path(self.profile)):
            if (place / "config.yaml").exists():
                return place
        known = ", ".join(sorted(path.name for path in PROFILES.iterdir()))
        raise ConfigError("no such profile", where="--profile", got=self.profile, expected=f"a directory, or {known}")

    def command(self, *more: str) -> list[str]:
        """The command of Snakemake.

        Raises
        ------
        ConfigError
            When the workflow, the configuration, the profile or an input cannot be found.
        """
        if not SNAKEFILE.exists():
            raise ConfigError(
                "the workflow is not where the package is", where=SNAKEFILE, mend="install from a clone: make install"
            )
        if not self.config.exists():
            raise ConfigError("no such configuration", where=self.config)
        inputs = [str(Path(file).absolute()) for file in expand_inputs(list(self.files))]
        values = [f"input={','.join(inputs)}"] if inputs else []
        values += [f"set={self.settings}"] if self.settings else []
        return [
            sys.executable, "-m", "snakemake", "--snakefile", str(SNAKEFILE), "--directory", str(self.directory),
            "--configfile", str(self.config.absolute()), "--profile", str(self._profile()),
            "--cores", str(self.cores), *self.options, *more, *(["--config", *values] if values else []),
        ]  # fmt: skip


def _environment() -> dict[str, str]:
    beside = os.environ.get("PYTHONPATH", "")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), beside]))}


def dry_run(what: Run) -> str:
    """What would be done and why, as text; empty when nothing is to be done.

    Raises
    ------
    StageError
        When Snakemake finds something wrong.
    """
    done = subprocess.run(
        what.command("--dry-run"), env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        found = [line for line in done.stdout.splitlines() if line.strip()]
        raise StageError("the run cannot be planned", where=what.config, got="\n    ".join(["", *found[-12:]]))
    plan = plan_of(done.stdout)
    return plan_text(plan, durations(what.directory / "benchmarks-run"), what.cores) if plan else ""


def _owner(directory: Path) -> Path:
    """File that names the process and machine of the run which holds the lock of a directory."""
    return directory / ".snakemake" / "spine-run"


def _unlock(what: Run) -> None:
    """Take away the lock of a run that was killed.

    Raises
    ------
    StageError
        When another run works in the directory, or may do so.
    """
    locks = what.directory / ".snakemake" / "locks"
    if not locks.is_dir() or not any(locks.iterdir()):
        return
    owner = _owner(what.directory)
    machine, _, number = owner.read_text().partition(" ") if owner.exists() else ("", "", "")
    if machine != platform.node() or not number.isdigit() or Path("/proc", number).exists():
        raise StageError(
            "another run works in the directory, or was killed on another machine", where=what.directory,
            mend="wait for it, or when it is gone: snakemake --unlock",
        )  # fmt: skip
    subprocess.run(what.command("--unlock"), env=_environment(), check=True, capture_output=True)


def shown_results(directory: Path) -> list[Path]:
    """Results that a person opens first."""
    return [directory / name for name in RESULTS if (directory / name).exists()]


def run(what: Run) -> int:
    """Run the workflow; what is there and up to date stays.

    Returns
    -------
    int
        Exit status of Snakemake.

    Raises
    ------
    ConfigError, StageError
        When the run cannot begin.
    """
    what.directory.mkdir(parents=True, exist_ok=True)
    _unlock(what)
    process = subprocess.Popen(what.command("--quiet", "rules", "host"), env=_environment())
    owner = _owner(what.directory)
    owner.parent.mkdir(exist_ok=True)
    owner.write_text(f"{platform.node()} {process.pid}")
    try:
        return process.wait()
    except KeyboardInterrupt:
        return process.wait()
    finally:
        owner.unlink(missing_ok=True)
