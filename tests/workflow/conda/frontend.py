"""The calls of `conda` that Snakemake makes for environment files, answered with rattler.

Configured like conda: ``CONDA_CHANNEL_ALIAS`` is put before names of channels, ``CONDA_PKGS_DIRS`` caches packages.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

from rattler import Channel, ChannelConfig, Gateway, VirtualPackage, install, solve
from rattler.platform import Subdir

from tests.workflow.conda.environment import Environment, read_environment

VERSION = "25.1.0"  # of the calls that are answered; Snakemake asks for 24.7.1 at least
HOME = Path(__file__).parent


def show_info() -> None:
    """`conda info --json`."""
    print(json.dumps({"conda_prefix": str(HOME), "platform": str(Subdir.current())}))  # noqa: T201


def show_setting(name: str) -> None:
    """`conda config --get NAME --json`."""
    known = {"channel_priority": "strict"}
    print(json.dumps({"get": {name: known[name]}}))  # noqa: T201


async def install_conda(wanted: Environment, prefix: Path) -> None:
    """Solve for the conda packages of an environment and install them."""
    cache = Path(os.environ["CONDA_PKGS_DIRS"])
    naming = ChannelConfig(channel_alias=os.environ["CONDA_CHANNEL_ALIAS"].rstrip("/") + "/")
    records = await solve(
        sources=[Channel(name, naming) for name in wanted.channels],
        specs=list(wanted.conda),
        gateway=Gateway(cache_dir=cache),
        platforms=[Subdir.current(), Subdir("noarch")],
        virtual_packages=VirtualPackage.detect(),
    )
    await install(records, target_prefix=prefix, cache_dir=cache, show_progress=False)


def install_pip(requirements: tuple[str, ...], prefix: Path) -> None:
    """Install with the pip of an environment."""
    command = [str(prefix / "bin" / "python"), "-I", "-m", "pip", "install", "--quiet", "--no-compile"]
    subprocess.run([*command, *requirements], check=True)


def create_environment(file: Path, prefix: Path) -> None:
    """`conda env create --file FILE --prefix PREFIX`."""
    wanted = read_environment(file)
    asyncio.run(install_conda(wanted, prefix))
    if wanted.pip:
        install_pip(wanted.pip, prefix)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="conda")
    parser.add_argument("--version", action="version", version=f"conda {VERSION}")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("info").add_argument("--json", action="store_true", required=True)
    config = commands.add_parser("config")
    config.add_argument("--get", required=True)
    config.add_argument("--json", action="store_true", required=True)
    clean = commands.add_parser("clean", help="does nothing: rattler keeps no archives of packages")
    clean.add_argument("-y", action="store_true", required=True)
    clean.add_argument("--tarballs", action="store_true", required=True)
    create = commands.add_parser("env").add_subparsers(dest="action", required=True).add_parser("create")
    create.add_argument("--quiet", action="store_true")
    create.add_argument("--no-default-packages", action="store_true")
    create.add_argument("--file", type=Path, required=True)
    create.add_argument("--prefix", type=Path, required=True)
    return parser


def main(arguments: list[str]) -> None:
    """Answer one call."""
    call = _parser().parse_args(arguments)
    if call.command == "info":
        show_info()
    elif call.command == "config":
        show_setting(call.get)
    elif call.command == "env":
        create_environment(call.file, call.prefix)


if __name__ == "__main__":
    main(sys.argv[1:])
