"""Assignments of the command line in SPINE's language."""

from __future__ import annotations

from collections.abc import Sequence

from spine.config.peer.compose import Composed
from spine.config.peer.directives import OPERATORS, Directive, apply_directives
from spine.config.source import Tree
from spine.errors import ConfigError

__all__ = ["assigned"]


def assigned(composed: Composed, texts: Sequence[str]) -> Composed:
    """A configuration after assignments.

    Parameters
    ----------
    composed : Composed
        Changed in place.
    texts : sequence of str
        ``key.path=value``; the value is YAML. A key that ends in ``+``, ``-`` or ``~`` adds to a list, takes from a
        list or mapping, or edits a list by names. Mappings on the way are made where there are none.

    Raises
    ------
    ConfigError
        When an assignment is malformed, or acts on a value of the wrong kind.
    """
    for text in texts:
        key, found, value = text.partition("=")
        if not found:
            raise ConfigError("an override needs key=value", where="--set", got=text)
        key = key.strip()
        operation = key[-1] if key.endswith(OPERATORS) else "="
        one = Directive(key if operation == "=" else key[:-1], operation, value.strip(), f"--set {text}")
        if operation == "=":
            _make_parents(composed.tree, one)
        apply_directives(composed, [one], composed.notes, final=True)
    return composed


def _make_parents(tree: Tree, one: Directive) -> None:
    for key in one.keys[:-1]:
        value = tree.setdefault(key, {})
        if not isinstance(value, dict):
            raise ConfigError(f"{key!r} is no mapping", where=one.where, got=one.path)
        tree = value
