"""Checks one by one: ``nox -l`` lists them."""

from __future__ import annotations

import nox

nox.options.default_venv_backend = "venv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["hooks", "types", "layers", "tests"]

PEER = "spine==1.4.3"


@nox.session
def hooks(session: nox.Session) -> None:
    """Format and lint: what to run before a commit."""
    session.install("ruff", "snakefmt>=2.0,<3")
    session.run("ruff", "format", ".")
    session.run("ruff", "check", "--fix", ".")
    session.run("snakefmt", "Snakefile", "workflow")


@nox.session
def types(session: nox.Session) -> None:
    """Type check."""
    session.install("torch==2.13.0")
    session.install("-e", ".[model,root,sim,report,dev]")
    session.run("mypy", "spine")


@nox.session
def layers(session: nox.Session) -> None:
    """Imports go one way."""
    session.install("-e", ".", "import-linter>=2.1")
    session.run("lint-imports")


@nox.session
def tests(session: nox.Session) -> None:
    """All tests."""
    session.install("torch==2.13.0")
    session.install("-e", ".[model,root,sim,report,dev]")
    session.run("pytest", "-q", "-n", "2", *session.posargs)


@nox.session
def peer(session: nox.Session) -> None:
    """Environment of the SPINE distribution, whose reader opens what we write; prints its interpreter."""
    session.install(PEER)
    session.run("python", "-c", "import spine, sys; print(sys.executable)")
