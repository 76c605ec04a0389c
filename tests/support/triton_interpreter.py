"""Mends Triton's interpreter, which tests/conftest.py chooses on machines without CUDA."""

from __future__ import annotations

import inspect
from types import SimpleNamespace

import numpy as np
from triton.runtime import interpreter

_patch_tensor = interpreter._patch_lang_tensor


def _patch_tensor_for_numpy(tensor, scope):
    """Triton 3.6 takes int() of arrays of one element, which NumPy 2.4 refuses."""
    _patch_tensor(tensor, scope)
    scope.set_attr(tensor, "__index__", lambda self: self.handle.data.item())


interpreter._patch_lang_tensor = _patch_tensor_for_numpy


_generic_reduce = interpreter.ReduceOps.generic_reduce


def _reduce(self, input):  # noqa: A002
    """Triton 3.6 takes exclusive ors, of which its sorts are made, element by element."""
    if self.combine_fn != interpreter.tl.standard._xor_combine or self.axis is None:
        return _generic_reduce(self, input)
    data = np.bitwise_xor.reduce(input[0].handle.data, axis=self.axis, keepdims=self.keep_dims)
    return [self.to_tensor(data, input[0].dtype)]


interpreter.ReduceOps.generic_reduce = _reduce


_create_dot = interpreter.InterpreterBuilder.create_dot


def _dot(self, a, b, d, input_precision, max_num_imprecise_acc):
    """Triton 3.6 multiplies the bits of bfloat16 numbers as integers."""
    a, b = (_widened(each) for each in (a, b))
    return _create_dot(self, a, b, d, input_precision, max_num_imprecise_acc)


def _widened(handle):
    if handle.dtype.scalar != interpreter.tl.bfloat16:
        return handle
    data = (handle.data.astype(np.uint32) << 16).view(np.float32)
    return interpreter.TensorHandle(data, interpreter.tl.float32)


interpreter.InterpreterBuilder.create_dot = _dot


_builtins: dict[object, list[str]] = {}


def _patch_builtin(package, builder, scope):
    """Triton 3.6 looks at each member of a package for each call of a function."""
    if package not in _builtins:
        members = inspect.getmembers(package)
        _builtins[package] = [
            name for name, each in members if interpreter.tl.core.is_builtin(each)
        ]
    for name in _builtins[package]:
        interpreter._patch_attr(package, name, getattr(package, name), builder, scope)


interpreter._patch_builtin = _patch_builtin


_LANGUAGE = SimpleNamespace(__globals__={"tl": interpreter.tl, "core": interpreter.tl.core})
_patch_lang = interpreter._patch_lang


class _Patches(interpreter._LangPatchScope):
    """What is patched for a launch: for the functions that its kernel calls, too."""

    are_there = False

    def restore(self):
        super().restore()
        _Patches.are_there = False


def _patch_lang_once(fn):
    """Triton 3.6 patches the whole language once more for each call of a function."""
    if _Patches.are_there:
        return interpreter._LangPatchScope()
    scope = _Patches()
    scope._changes = _patch_lang(_LANGUAGE)._changes
    _Patches.are_there = True
    return scope


interpreter._patch_lang = _patch_lang_once
