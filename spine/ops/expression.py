"""Expressions over columns, as cuts are written in a configuration: a small language, not Python."""

from __future__ import annotations

import ast
import io
import operator
import tokenize
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spine.errors import ConfigError, did_you_mean
from spine.schema import Pid, Shape

__all__ = ["Expression", "parse"]

Array = NDArray[Any]
Lookup = Callable[[str], Array]

WORDS = {"&": "and", "|": "or", "~": "not", "&&": "and", "||": "or"}
ENUMS = {"Pid": Pid, "Shape": Shape}
BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: np.divide,
    ast.Mod: np.mod,
    ast.Pow: np.float_power,
}
COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
FUNCTIONS: dict[str, tuple[Callable[..., Any], int]] = {
    "abs": (np.abs, 1),
    "arctan": (np.arctan, 1),
    "cos": (np.cos, 1),
    "exp": (np.exp, 1),
    "expm1": (np.expm1, 1),
    "hypot": (np.hypot, 2),
    "isfinite": (np.isfinite, 1),
    "isnan": (np.isnan, 1),
    "log": (np.log, 1),
    "log10": (np.log10, 1),
    "log1p": (np.log1p, 1),
    "max": (np.maximum, 2),
    "min": (np.minimum, 2),
    "sin": (np.sin, 1),
    "sqrt": (np.sqrt, 1),
    "tanh": (np.tanh, 1),
    "where": (np.where, 3),
}
LEAVES: tuple[type[ast.AST], ...] = (
    ast.And,
    ast.Or,
    ast.Not,
    ast.USub,
    ast.UAdd,
    ast.In,
    ast.NotIn,
    ast.Load,
    *BINARY,
    *COMPARISONS,
)


@dataclass(frozen=True)
class Expression:
    """An expression that was found to be sound.

    Parameters
    ----------
    text : str
        As written.
    tree : ast.expr
        Its parts.
    names : tuple of str
        Columns that it needs, ``pid`` or ``truth.pid``.
    """

    text: str
    tree: ast.expr
    names: tuple[str, ...]

    def values(self, lookup: Lookup, n: int) -> Array:
        """(n,) value of the expression; ``lookup`` gives the (n,) column of a name."""
        with np.errstate(all="ignore"):
            return np.asarray(np.broadcast_to(_value(self.tree, lookup), (n,)))

    def mask(self, lookup: Lookup, n: int) -> NDArray[np.bool_]:
        """(n,) truth value of the expression.

        Raises
        ------
        ConfigError
            When it is not one, but a number or text.
        """
        try:
            return _truth(self.values(lookup, n))
        except (TypeError, ConfigError) as error:
            raise ConfigError(f"the expression is not true or false: {error}", where=repr(self.text)) from error


def parse(text: str) -> Expression:
    """Read an expression.

    Columns (``length``, ``truth.pid``), numbers, text in quotes, ``Pid.MUON``, ``Shape.TRACK``; ``+ - * / % **``;
    ``< <= > >= == !=`` (also chained), ``in [...]``; ``and or not``, for which ``& | ~`` also stand, which bind less
    than comparisons here; ``abs sqrt exp expm1 log log10 log1p sin cos
    arctan tanh hypot min max where isnan isfinite``. As a comparison with a
    missing value is false, ``!=`` with it is true.

    Parameters
    ----------
    text : str
        The expression.

    Raises
    ------
    ConfigError
        When it cannot be read or holds something else.
    """
    try:
        tree = ast.parse(_with_words(text), mode="eval").body
    except (SyntaxError, tokenize.TokenError, ValueError, RecursionError, MemoryError) as error:
        raise ConfigError(f"the expression cannot be read: {error.args[0]}", where=repr(text)) from error
    names = _Names(text)
    names.visit(tree)
    return Expression(text, tree, tuple(dict.fromkeys(names.found)))


def _with_words(text: str) -> str:
    """The text with logical words for the signs that Python lets bind tighter than comparisons."""
    tokens = tokenize.generate_tokens(io.StringIO(text.strip()).readline)
    kept = [t for t in tokens if t.type not in (tokenize.NEWLINE, tokenize.NL, tokenize.ENDMARKER)]
    return " ".join(WORDS.get(t.string, t.string) if t.type == tokenize.OP else t.string for t in kept)


class _Names(ast.NodeVisitor):
    """Collects the columns of an expression and refuses whatever is not in the language."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.found: list[str] = []

    def refuse(self, what: str, mend: str = "") -> ConfigError:
        """The error for something that the language does not have."""
        return ConfigError(f"{what} cannot stand in an expression", where=repr(self.text), mend=mend)

    def generic_visit(self, node: ast.AST) -> None:
        """Anything without a method of its own."""
        allowed = (ast.BoolOp, ast.UnaryOp, ast.BinOp, *LEAVES)
        if not isinstance(node, allowed):
            raise self.refuse(f"{type(node).__name__.lower()!r}")
        super().generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        """Numbers and text."""
        if not isinstance(node.value, bool | int | float | str) or abs(_size(node.value)) > 2**62:
            raise self.refuse(repr(node.value))

    def visit_Name(self, node: ast.Name) -> None:
        """A column."""
        self.found.append(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        """A column of one side, or a member of an enumeration."""
        if not isinstance(node.value, ast.Name):
            raise self.refuse(ast.unparse(node))
        if node.value.id in ENUMS:
            members = ENUMS[node.value.id].__members__
            if node.attr not in members:
                raise self.refuse(ast.unparse(node), did_you_mean(node.attr, members))
        else:
            self.found.append(f"{node.value.id}.{node.attr}")

    def visit_Call(self, node: ast.Call) -> None:
        """A function."""
        name = node.func.id if isinstance(node.func, ast.Name) else ast.unparse(node.func)
        if name not in FUNCTIONS:
            raise self.refuse(f"function {name!r}", did_you_mean(name, FUNCTIONS))
        if node.keywords or len(node.args) != FUNCTIONS[name][1]:
            raise self.refuse(ast.unparse(node), f"{name} takes {FUNCTIONS[name][1]} values")
        for part in node.args:
            self.visit(part)

    def visit_Compare(self, node: ast.Compare) -> None:
        """A comparison, or membership of a list of constants."""
        self.visit(node.left)
        for sign, right in zip(node.ops, node.comparators, strict=True):
            if isinstance(sign, ast.In | ast.NotIn):
                self._visit_list(right)
            elif type(sign) in COMPARISONS:
                self.visit(right)
            else:
                raise self.refuse(f"{type(sign).__name__.lower()!r}")

    def _visit_list(self, node: ast.expr) -> None:
        before = len(self.found)
        if not isinstance(node, ast.List | ast.Tuple):
            raise self.refuse(ast.unparse(node), "write: in [1, 2]")
        for part in node.elts:
            self.visit(part)
        if len(self.found) > before:
            raise self.refuse(f"column {self.found[-1]!r} in a list")


def _size(value: bool | int | float | str) -> float:
    return 0 if isinstance(value, str) else value


def _truth(value: Any) -> NDArray[np.bool_]:
    array = np.asarray(value)
    if array.dtype.kind != "b":
        raise ConfigError("a number or text stands where true or false is needed")
    return array


def _number(value: Any) -> Array:
    array = np.asarray(value)
    if array.dtype.kind not in "iufb":
        raise ConfigError("text stands where a number is needed")
    return array


def _value(node: ast.expr, lookup: Lookup) -> Any:
    """Value of a node which `_Names` let pass."""
    if isinstance(node, ast.BoolOp):
        parts = [_truth(_value(part, lookup)) for part in node.values]
        return (np.logical_and if isinstance(node.op, ast.And) else np.logical_or).reduce(np.broadcast_arrays(*parts))
    if isinstance(node, ast.UnaryOp):
        return _unary(node, lookup)
    if isinstance(node, ast.BinOp):
        return BINARY[type(node.op)](_number(_value(node.left, lookup)), _number(_value(node.right, lookup)))
    if isinstance(node, ast.Compare):
        return _compared(node, lookup)
    if isinstance(node, ast.Call):
        function, _ = FUNCTIONS[ast.unparse(node.func)]
        return function(*(_number(_value(part, lookup)) for part in node.args))
    return _leaf(node, lookup)


def _leaf(node: ast.expr, lookup: Lookup) -> Any:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else np.asarray(node.value)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ENUMS:
        return np.asarray(int(ENUMS[node.value.id][node.attr]))
    return lookup(ast.unparse(node))


def _unary(node: ast.UnaryOp, lookup: Lookup) -> Any:
    value = _value(node.operand, lookup)
    if isinstance(node.op, ast.Not):
        return ~_truth(value)
    return -_number(value) if isinstance(node.op, ast.USub) else _number(value)


def _compared(node: ast.Compare, lookup: Lookup) -> NDArray[np.bool_]:
    left, out = _value(node.left, lookup), np.asarray(True)
    for sign, right_node in zip(node.ops, node.comparators, strict=True):
        if isinstance(right_node, ast.List | ast.Tuple):
            found = np.asarray(False)
            for part in right_node.elts:
                found = found | _same(left, _value(part, lookup))
            out = out & (~found if isinstance(sign, ast.NotIn) else found)
            continue
        right = _value(right_node, lookup)
        _comparable(left, right)
        out = out & np.asarray(COMPARISONS[type(sign)](left, right), dtype=np.bool_)
        left = right
    return out


def _comparable(left: Any, right: Any) -> None:
    """Refuse to compare text with numbers."""
    if len({np.asarray(side).dtype.kind in "OU" for side in (left, right)}) > 1:
        raise ConfigError("text is compared with a number")


def _same(left: Any, right: Any) -> NDArray[np.bool_]:
    _comparable(left, right)
    return np.asarray(left == right, dtype=np.bool_)
