"""Configuration and inputs; for every stage its slice of the configuration and the fingerprint of its code."""

import os
import shlex
import sys

from snakemake.settings.types import DeploymentMethod

sys.path.insert(0, workflow.basedir)

from spine.config import resolve_config
from spine.config.check import table_names
from spine.config.fingerprint import code_fingerprint
from spine.config.inputs import expand_inputs, named_inputs
from spine.config.jobs import JOB_PATTERN
from spine.config.recipe import (
    chain_slice,
    modules_until,
    sample_slice,
    step_slice,
)
from spine.config.slices import stage_code, stage_slice
from spine.errors import SpineError


def checked_config():
    """The typed configuration; keys that only the command line has are taken out first."""
    tree = {key: value for key, value in config.items() if key not in ("set", "input")}
    files = [Path(name) for name in workflow.configfiles]
    return resolve_config(tree, files, str(config.get("set", "")))


def stage(name):
    """The two params of a stage. Nothing else may reach its jobs, so that exactly these decide about a rerun."""
    return {"config": stage_slice(CONFIG, name), "code": stage_code(CONFIG, name)}


def site(gpu=False):
    """Partition and account of a job, where the configuration names them; no part of what decides about a rerun."""
    block = CONFIG.workflow
    named = {
        "slurm_partition": block.gpu_partition if gpu else block.partition,
        "slurm_account": block.account,
    }
    return {name: value for name, value in named.items() if value}


try:
    CONFIG = checked_config()
    INPUTS = named_inputs(
        expand_inputs(config.get("input", CONFIG.workflow.input)), CONFIG.sim.files
    )
    TABLES = ("events", "failures", *table_names(CONFIG.ana))
except SpineError as error:
    sys.exit(f"error: {error}")

if not INPUTS:
    sys.exit(
        "error: no input\n  mend: --config input=FILES, workflow.input in the configuration, or sim.files above 0"
    )

EVENTS_PER_JOB = CONFIG.workflow.events_per_job
CONDA = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
PYTHON = "python" if CONDA else sys.executable
ON_PATH = [
    place for place in os.environ.get("PYTHONPATH", "").split(os.pathsep) if place
]
PYTHONPATH = os.pathsep.join(dict.fromkeys([str(workflow.basedir), *ON_PATH]))

# `spine` in a command is the package beside this workflow, in the interpreter of the job's environment. A prefix of ours
# replaces the one that makes a failing command of a pipe count.
shell.prefix(
    f"set -euo pipefail; export PYTHONPATH={shlex.quote(PYTHONPATH)} OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1; "
    f'spine() ( exec {shlex.quote(PYTHON)} -m spine "$@" ); '
)


RECIPE = CONFIG.recipe


def step_files(wildcards):
    """Files that a training reads."""
    name = RECIPE.steps[wildcards.step].input
    folder = "sample" if name == "sample" else f"inputs/{name}"
    return [f"results/train/{folder}/{n}.h5" for n in RECIPE.numbers(wildcards.step)]


def trained(networks):
    """Weights of trained networks, as MODULE=FILE."""
    return {
        network: f"results/train/{RECIPE.step_of(network)}/weights.ckpt"
        for network in networks
    }


onstart:
    Path("results").mkdir(exist_ok=True)
    Path("results/files.txt").write_text(
        "".join(f"{file}\n" for file in INPUTS.values())
    )
    if not EVENTS_PER_JOB:
        Path("results/inputs.txt").write_text(
            "".join(f"results/ana/{stem}\n" for stem in INPUTS)
        )


wildcard_constraints:
    stem=JOB_PATTERN if EVENTS_PER_JOB else r"[^/]+(/[^/]+)?",
    input=r"(\d{4}/)?[^/]+",
    number=r"\d+",
