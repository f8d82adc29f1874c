"""Inner loops of sparse convolutions on CPUs: blocks of sums that stay in vector registers.

Rows are read where they lie, by their numbers, so that nothing is gathered or scattered. Numba compiles the loops;
what runs inside them is written as LLVM vector code, which LLVM turns into the instructions of any processor. A block
only decides which sums are held in registers at the same time, never the order of a sum.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from spine.sparse.compiled import compiled

__all__ = ["CHANNELS", "VECTOR_BYTES", "convolve_tiles", "multiply_tiles"]

Real: TypeAlias = NDArray[np.floating[Any]]
Rows: TypeAlias = NDArray[np.int32]
Pairs: TypeAlias = tuple[Rows, Rows]
Emit: TypeAlias = Callable[..., Any]

VECTOR_BYTES = 64
MANY_REGISTERS = bool(llvmlite.binding.get_host_cpu_features().get("avx512f", False))
ROWS = 6
CHANNELS, PASSES = (8, 2) if MANY_REGISTERS else (6, 1)
INT64 = ir.IntType(64)
FUSED = ("contract",)


def _inside_loops(emit: Emit) -> Emit:
    """Make a function that emits LLVM code callable in compiled loops."""
    made: Emit = intrinsic(emit)
    return made


@_inside_loops
def add_products(_typing: Any, arrays: Any, pairs: Any, place: Any) -> tuple[Any, Emit]:
    """Add ``x[i] @ w[k]`` to ``out[j]`` for a few pairs and one vector of columns.

    ``arrays`` are x, w and out; ``place`` is the first pair, where they end (at most `ROWS` are taken), k and the first
    column.
    """

    def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        (x, w, out), rows, (begin, end, k, column) = _unpacked(context, builder, signature, values)
        last = builder.sub(end, _number(1))
        following = [builder.add(begin, _number(r)) for r in range(ROWS)]
        here = [builder.icmp_signed("<", spot, end) for spot in following]
        spots = [builder.select(inside, spot, last) for inside, spot in zip(here, following, strict=True)]
        inputs = [x.at(builder, rows[0].row(builder, spot)) for spot in spots]
        outputs = [out.at(builder, rows[1].row(builder, spot), column) for spot in spots]
        weights = w.at(builder, builder.mul(k, x.columns), column)

        def terms(channel: Any) -> tuple[Any, list[Any]]:
            vector = w.vector(builder, builder.gep(weights, [builder.mul(channel, w.columns)]))
            return vector, [builder.load(builder.gep(row, [channel])) for row in inputs]

        sums = _sums(builder, (_number(0), x.columns), (w.vector_type(), ROWS), terms)
        for at, total, inside in zip(outputs, sums, here, strict=True):
            with builder.if_then(inside):
                out.add_vector(builder, at, total)
        return context.get_dummy_value()

    return types.void(arrays, pairs, place), emit


def _outer_products(passes: int) -> Emit:
    """Make the function for so many vectors of columns at once."""

    @_inside_loops
    def add(_typing: Any, arrays: Any, pairs: Any, place: Any) -> tuple[Any, Emit]:
        """Add ``x[i]^T g[j]`` over pairs to a block of ``out[k]``.

        ``arrays`` are x, g and out; ``place`` is the first and last pair, k, the first channel and the first column.
        """

        def emit(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            (x, g, out), rows, (begin, end, k, channel, column) = _unpacked(context, builder, signature, values)
            last = builder.sub(x.columns, _number(1))
            channels = [builder.add(channel, _number(c)) for c in range(CHANNELS)]
            here = [builder.icmp_signed("<", c, x.columns) for c in channels]
            inside = [builder.select(h, c, last) for h, c in zip(here, channels, strict=True)]

            def terms(pair: Any) -> tuple[Any, list[Any]]:
                left = x.at(builder, rows[0].row(builder, pair))
                right = g.at(builder, rows[1].row(builder, pair), column)
                return g.vector(builder, right, passes), [builder.load(builder.gep(left, [c])) for c in inside]

            sums = _sums(builder, (begin, end), (g.vector_type(passes), CHANNELS), terms)
            for c, total, exists in zip(channels, sums, here, strict=True):
                with builder.if_then(exists):
                    row = builder.add(builder.mul(k, x.columns), c)
                    out.add_vector(builder, out.at(builder, row, column), total, passes)
            return context.get_dummy_value()

        return types.void(arrays, pairs, place), emit

    return add


add_outer_products = _outer_products(PASSES)
add_narrow_outer_products = _outer_products(1)


@compiled
def convolve_tiles(x: Real, w: Real, out: Real, pairs: Pairs, tiles: tuple[NDArray[np.int64], int, int, int]) -> None:
    """Fill tiles of output rows with ``out[j] = sum of x[i] @ w[k]`` over the pairs (k, i, j).

    Parameters
    ----------
    x, w : (N, A) features and (K, A, C) weights
    out : (M, C) filled; C is a multiple of the numbers in a vector
    pairs : Input and output rows of the pairs
    tiles : (K, T + 1) first pair of every offset in every tile, rows of a tile, first and last tile to fill
    """
    starts, size, first, last = tiles
    lanes = VECTOR_BYTES // x.itemsize
    for tile in range(first, last):
        out[tile * size : (tile + 1) * size] = 0
        for k in range(w.shape[0]):
            end = starts[k, tile + 1]
            for column in range(0, out.shape[1], lanes):
                for begin in range(starts[k, tile], end, ROWS):
                    add_products((x, w, out), pairs, (begin, end, k, column))


@compiled
def multiply_tiles(x: Real, g: Real, out: Real, pairs: Pairs, units: tuple[NDArray[np.int64], int, int]) -> None:
    """Add ``x[i]^T g[j]`` over the pairs (k, i, j) to ``out[k]``.

    Parameters
    ----------
    x, g : (N, A) features and (M, C) gradients; C is a multiple of the numbers in a vector
    out : (K, A, C) sums
    pairs : Input and output rows of the pairs
    units : (K, T + 1) first pair of every offset in every tile, first and last unit to fill; unit u is block
        ``u % B`` of the B blocks of channels of offset ``u // B``
    """
    starts, first, last = units
    lanes = VECTOR_BYTES // x.itemsize
    blocks = (x.shape[1] + CHANNELS - 1) // CHANNELS
    broad = g.shape[1] - g.shape[1] % (lanes * PASSES)
    for tile in range(starts.shape[1] - 1):
        for unit in range(first, last):
            k, channel = unit // blocks, unit % blocks * CHANNELS
            begin, end = starts[k, tile], starts[k, tile + 1]
            if begin < end:
                for column in range(0, broad, lanes * PASSES):
                    add_outer_products((x, g, out), pairs, (begin, end, k, channel, column))
                for column in range(broad, g.shape[1], lanes):
                    add_narrow_outer_products((x, g, out), pairs, (begin, end, k, channel, column))


class _Array:
    """An array inside LLVM code: its first number, and the length of its last axis."""

    def __init__(self, context: Any, builder: Any, kind: Any, value: Any) -> None:
        array = context.make_array(kind)(context, builder, value)
        self.data = array.data
        self.columns = builder.extract_value(array.shape, kind.ndim - 1)
        self.number = context.get_data_type(kind.dtype)
        self.bytes = kind.dtype.bitwidth // 8

    def vector_type(self, passes: int = 1) -> Any:
        return ir.VectorType(self.number, passes * VECTOR_BYTES // self.bytes)

    def row(self, builder: Any, spot: Any) -> Any:
        """Element of a list of row numbers."""
        return builder.sext(builder.load(builder.gep(self.data, [spot])), INT64)

    def at(self, builder: Any, row: Any, column: Any = None) -> Any:
        """Pointer to an element."""
        start = builder.mul(row, self.columns)
        return builder.gep(self.data, [start if column is None else builder.add(start, column)])

    def vector(self, builder: Any, pointer: Any, passes: int = 1) -> Any:
        """Vector of numbers from a pointer on."""
        return builder.load(builder.bitcast(pointer, self.vector_type(passes).as_pointer()), align=self.bytes)

    def add_vector(self, builder: Any, pointer: Any, summand: Any, passes: int = 1) -> None:
        """Add a vector to the numbers from a pointer on."""
        total = builder.fadd(self.vector(builder, pointer, passes), summand)
        builder.store(total, builder.bitcast(pointer, self.vector_type(passes).as_pointer()), align=self.bytes)


def _number(value: int) -> Any:
    return ir.Constant(INT64, value)


def _unpacked(context: Any, builder: Any, signature: Any, values: Any) -> tuple[list[Any], list[Any], list[Any]]:
    """Elements of the three tuples of arguments: arrays, arrays, numbers."""
    parts = [
        [(kind, builder.extract_value(value, i)) for i, kind in enumerate(of.types if of.count else ())]
        for of, value in zip(signature.args, values, strict=True)
    ]
    arrays, pairs = ([_Array(context, builder, *part) for part in row] for row in parts[:2])
    return arrays, pairs, [value for _, value in parts[2]]


def _sums(builder: Any, span: tuple[Any, Any], shape: tuple[Any, int], terms: Emit) -> list[Any]:
    """Emit a loop over a span of one or more; return the sums of ``number * vector`` for all numbers of ``terms``.

    ``shape`` is the type of the vector and how many numbers there are.
    """
    kind, many = shape
    before, loop, after = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("after")
    builder.branch(loop)
    builder.position_at_end(loop)
    step = builder.phi(INT64)
    totals = [builder.phi(kind) for _ in range(many)]
    vector, numbers = terms(step)
    spread = ir.Constant(ir.VectorType(ir.IntType(32), kind.count), None)
    blank = ir.Constant(kind, ir.Undefined)
    sums = []
    for total, number in zip(totals, numbers, strict=True):
        first = builder.insert_element(blank, number, ir.Constant(ir.IntType(32), 0))
        product = builder.fmul(builder.shuffle_vector(first, blank, spread), vector, flags=FUSED)
        sums.append(builder.fadd(total, product, flags=FUSED))
    following = builder.add(step, _number(1))
    starts = [span[0], *[ir.Constant(kind, None)] * many]
    for phi, start, value in zip([step, *totals], starts, [following, *sums], strict=True):
        phi.add_incoming(start, before)
        phi.add_incoming(value, loop)
    builder.cbranch(builder.icmp_signed("<", following, span[1]), loop, after)
    builder.position_at_end(after)
    return sums
