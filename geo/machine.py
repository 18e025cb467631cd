"""Two instructions of the processor that numba has no name for. For compiled functions only."""

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


def _prefetch(_typing: Any, array: Any, _row: Any) -> Any:
    """Type and code of ``prefetch``, for numba."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        view = context.make_array(array)(context, builder, arguments[0])
        stride = builder.extract_value(view.strides, 0)
        tools: Any = cgutils
        place = tools.pointer_add(builder, view.data, builder.mul(arguments[1], stride), ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [place.type, number, number, number])
        function = tools.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [place, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.none(array, types.int64), generate


prefetch = cast(Callable[[Any, int], None], intrinsic(_prefetch))
"""Ask for the cache line where ``array[row]`` begins. Never faults, and changes nothing but speed."""


def _popcount(_typing: Any, _number: Any) -> Any:
    """Type and code of ``popcount``, for numba."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.ctpop(arguments[0])

    return types.int64(types.int64), generate


popcount = cast(Callable[[int], int], intrinsic(_popcount))
"""How many bits of a 64-bit number are 1."""
