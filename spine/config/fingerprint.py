"""Fingerprints of code: what a stage's result depends on, and nothing else."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

__all__ = ["closure", "code_fingerprint", "file_fingerprint"]

ROOT = Path(__file__).resolve().parents[2]


def _files(module: str) -> Iterator[Path]:
    """Files of a module of this package and of the packages around it; of a path, the file itself."""
    if module.endswith(".py"):
        yield Path(module).resolve()
        return
    parts = module.split(".")
    for n in range(1, len(parts) + 1):
        place = ROOT.joinpath(*parts[:n])
        yield from (f for f in (place / "__init__.py", place.with_suffix(".py")) if f.is_file())


def _is_type_checking(node: ast.stmt) -> bool:
    test = node.test if isinstance(node, ast.If) else None
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _package_of(path: Path) -> list[str]:
    try:
        parts = path.relative_to(ROOT).with_suffix("").parts
    except ValueError:
        return []
    return list(parts[:-1])


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Statements inside a node, at all depths; those that hold others come before them."""
    for name in ("body", "orelse", "finalbody", "handlers", "cases"):
        inside = getattr(node, name, ())
        for child in inside if isinstance(inside, list) else ():
            yield child
            yield from _statements(child)


def _imports(tree: ast.Module, path: Path) -> Iterator[str]:
    """Modules that a source imports, anywhere in it, those for type checkers left out."""
    statements = list(_statements(tree))
    skipped = {id(n) for s in statements if isinstance(s, ast.If) and _is_type_checking(s) for n in _statements(s)}
    for node in statements:
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = _package_of(path)
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *filter(None, [node.module])])
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _without_docstrings(tree: ast.Module) -> str:
    """The code as a canonical text: no comments, docstrings, line numbers."""
    for node in (tree, *_statements(tree)):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and body:
            first = body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                node.body = body[1:]
    return ast.dump(tree)


@cache
def _read(path: Path) -> tuple[str, tuple[str, ...]]:
    """Hash of the code of a file, and what it imports of this package."""
    tree = ast.parse(path.read_bytes(), filename=str(path))
    names = tuple(dict.fromkeys(n for n in _imports(tree, path) if n.split(".")[0] == "spine"))
    return hashlib.sha256(_without_docstrings(tree).encode()).hexdigest(), names


def closure(*modules: str) -> dict[Path, str]:
    """Files of this package that modules import, directly or not, with the hash of each.

    Parameters
    ----------
    *modules : str
        Module names, or paths of Python files of users.

    Returns
    -------
    dict of Path to str
        Hash of the code of each file; comments and docstrings do not count.
    """
    todo = [path for module in modules for path in _files(module)]
    seen: dict[Path, str] = {}
    while todo:
        path = todo.pop()
        if path not in seen:
            seen[path], names = _read(path)
            todo += [file for name in names for file in _files(name)]
    return seen


def code_fingerprint(*modules: str) -> str:
    """16 hexadecimal digits which change when code that the modules depend on changes."""
    files = closure(*modules)
    lines = sorted(f"{_name(path)} {digest}" for path, digest in files.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name


def file_fingerprint(path: Path) -> str:
    """sha256 of the bytes of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
