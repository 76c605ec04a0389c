"""Functions of compiled code that are made of LLVM's instructions."""

from __future__ import annotations

import inspect
import platform
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

IS_X86 = platform.machine().lower() in ("x86_64", "amd64")

Build = Callable[..., ir.Value]
"""Writes the instructions, from an LLVM builder and values; returns the result."""


def operation(result: types.Type, *parameters: types.Type) -> Callable[[Build], Any]:
    """Make a function of an LLVM builder and values one of compiled code: a decorator."""

    def make(build: Build) -> Any:
        def typed(_context: Any, *_arguments: Any) -> tuple[Any, Any]:
            def generate(
                context: Any, builder: ir.IRBuilder, _signature: Any, values: Any
            ) -> ir.Value:
                value = build(builder, *values)
                return context.get_dummy_value() if result is types.void else value

            return result(*parameters), generate

        names = ("context", *(f"value_{number}" for number in range(len(parameters))))
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        typed.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [inspect.Parameter(name, kind) for name in names]
        )
        typed.__name__ = build.__name__
        typed.__doc__ = build.__doc__
        return intrinsic(typed)

    return make


def call(builder: ir.IRBuilder, name: str, result: ir.Type, *values: ir.Value) -> ir.Value:
    """Call a function by its name, such as one of LLVM's intrinsics."""
    function = builder.module.globals.get(name)
    if function is None:
        kind = ir.FunctionType(result, [value.type for value in values])
        function = ir.Function(builder.module, kind, name)
    return builder.call(function, values)


def pointer(builder: ir.IRBuilder, address: ir.Value, of: ir.Type) -> ir.Value:
    """Return an address as a pointer."""
    return builder.inttoptr(address, of.as_pointer())
