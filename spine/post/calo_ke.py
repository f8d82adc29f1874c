"""Kinetic energy from the sum of depositions."""

from __future__ import annotations

import ast
import operator
from typing import Annotated, Any, Final

import numpy as np
from pydantic import BeforeValidator, Field

from spine.ops.segments import segment_sum
from spine.post.objects import DepMode, Particles, RunMode, columns, kinds, objects_of
from spine.schema import Event, Shape
from spine.steps import StepConfig, step

__all__ = ["CaloKeConfig", "calo_ke", "evaluated"]

OPERATORS: Final = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def evaluated(value: Any) -> Any:
    """The value of a text such as ``1/0.83``; anything but text is given back.

    Raises
    ------
    ValueError
        When the text is more than numbers and + - * / **.
    """
    if not isinstance(value, str):
        return value
    try:
        return _value(ast.parse(value, mode="eval").body)
    except (SyntaxError, ZeroDivisionError) as error:
        raise ValueError(f"{value!r} is not a number: {error}") from error


def _value(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return float(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_value(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
        return float(OPERATORS[type(node.op)](_value(node.left), _value(node.right)))
    raise ValueError(f"{ast.unparse(node)!r} is not arithmetic on numbers")


Factor = Annotated[float, BeforeValidator(evaluated)]


class CaloKeConfig(StepConfig):
    """Options of calo_ke."""

    scaling: Factor = Field(1.0, description="Factor on the depositions, a number or a text like '1/0.83'")
    shower_fudge: Factor = Field(1.0, description="Further factor on objects that are not tracks")
    obj_type: Particles = Field(("particle",), description="Kinds of objects: particle")
    run_mode: RunMode = Field("reco", description="Sides: reco, truth or both")
    truth_dep_mode: DepMode = Field("depositions", description="Depositions of true objects")


@step(
    reads=(
        "depositions", "depositions_q", "depositions_label", "depositions_q_label", "depositions_g4",
        *columns(kinds("particle"), "index", "shape"),
    ),
    writes=columns(kinds("particle"), "calo_ke"),
)  # fmt: skip
def calo_ke(event: Event, cfg: CaloKeConfig) -> None:
    """Sum of depositions times a factor, for objects that are not tracks times another one.

    Parameters
    ----------
    event : Event
        Fills calo_ke (MeV); 0 without points.
    cfg : CaloKeConfig
    """
    for objects in objects_of(event, cfg.obj_type, cfg.run_mode, in_cm=False):
        depositions = objects.depositions(cfg.truth_dep_mode)
        sums = segment_sum(depositions.values.astype(np.float64), depositions.offsets)
        fudge = np.where(objects.table["shape"] == Shape.TRACK, 1.0, cfg.shower_fudge)
        objects.table["calo_ke"] = cfg.scaling * fudge * sums
