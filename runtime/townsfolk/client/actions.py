"""What a character can do in the game: functions that it may call."""

from __future__ import annotations

import asyncio
import enum
import inspect
import json
import types
import typing
from collections.abc import Callable, Iterable
from typing import Any, Literal, Union

from townsfolk.client.arguments import message
from townsfolk.client.errors import InvalidArgumentError
from townsfolk.v1 import dialogue_pb2 as pb

Function = Callable[..., Any]

_TYPES: dict[Any, pb.ParameterType] = {
    str: pb.PARAMETER_TYPE_STRING,
    int: pb.PARAMETER_TYPE_INTEGER,
    float: pb.PARAMETER_TYPE_NUMBER,
    bool: pb.PARAMETER_TYPE_BOOLEAN,
}


class ActionRefusedError(Exception):
    """Raise this in a function that is an action: it is not done, and the message says why."""


class Actions:
    """The actions of one character, and the functions behind them."""

    def __init__(self, actions: Iterable[pb.ActionSpec | Function] = ()) -> None:
        """Take actions; of functions those that `action` would make.

        Raises:
            InvalidArgumentError: A function can't be an action.
        """
        self.messages: list[pb.ActionSpec] = []
        self._functions: dict[str, tuple[Function, dict[str, type[enum.Enum]]]] = {}
        for each in actions:
            if isinstance(each, pb.ActionSpec):
                self.messages.append(each)
                continue
            made = action(each)
            self.messages.append(made)
            hints = typing.get_type_hints(each)
            enums = {name: hint for name, hint in hints.items() if _is_enum(hint)}
            self._functions[made.name] = (each, enums)

    def runs(self, name: str) -> bool:
        """Return whether a function is behind this action."""
        return name in self._functions

    async def run(self, request: pb.ActionRequested) -> tuple[bool, str]:
        """Call the function of an action; return whether it is done, and the result or reason.

        A function that is not a coroutine runs in a thread. What it returns is the result; True and
        None are none, and False means that it is not done.
        """
        function, enums = self._functions[request.name]
        arguments = json.loads(request.arguments_json)
        arguments |= {
            name: enums[name](value) for name, value in arguments.items() if name in enums
        }
        try:
            if inspect.iscoroutinefunction(function):
                result = await function(**arguments)
            else:
                result = await asyncio.to_thread(function, **arguments)
        except ActionRefusedError as refused:
            return False, str(refused)
        except Exception as error:  # the game's own: the character must not wait for ever
            asyncio.get_running_loop().call_exception_handler(
                {"message": f"the action {request.name} failed", "exception": error}
            )
            return False, f"it failed: {error}"
        if result is False:
            return False, ""
        return True, "" if result is None or result is True else str(result)


def action(function: Function, *, description: str = "", when: str = "") -> pb.ActionSpec:
    """Return the action that a function is: its name, its docstring's first line, its parameters.

    Parameters are of the types str, int, float and bool, `Literal` of texts or an enum of texts;
    those with a default may be left out.

    Args:
        function: What the game does.
        description: What it does, for the model; the docstring's first line if not given.
        when: When the character may do it.

    Raises:
        InvalidArgumentError: A parameter has no such type.
    """
    about = description or (inspect.getdoc(function) or "").partition("\n")[0]
    hints = typing.get_type_hints(function)
    parameters = [
        _parameter(function.__name__, each, hints.get(each.name))
        for each in inspect.signature(function).parameters.values()
    ]
    return message(
        pb.ActionSpec,
        name=function.__name__,
        description=about,
        condition=when,
        parameters=parameters,
    )


def actions_now(actions: pb.ActionsNow | Iterable[str] | None) -> pb.ActionsNow | None:
    """Return which actions a turn may take, as the contract says it."""
    if actions is None or isinstance(actions, pb.ActionsNow):
        return actions
    return message(pb.ActionsNow, names=list(actions))


def _parameter(function: str, parameter: inspect.Parameter, hint: Any) -> pb.ActionParameter:
    is_optional = parameter.default is not inspect.Parameter.empty
    if typing.get_origin(hint) in (Union, types.UnionType):
        kinds = [each for each in typing.get_args(hint) if each is not type(None)]
        hint = kinds[0] if len(kinds) == 1 else None
    options: list[str] = []
    if typing.get_origin(hint) is Literal:
        options, hint = [*typing.get_args(hint)], str
    elif _is_enum(hint):
        options, hint = [each.value for each in hint], str
    is_named = parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
    if hint not in _TYPES or not is_named or not all(isinstance(each, str) for each in options):
        raise InvalidArgumentError(
            f"actions: {function} has the parameter {parameter.name!r}, which is no str, int, "
            "float, bool, and no Literal or enum of texts"
        )
    return pb.ActionParameter(
        name=parameter.name, type=_TYPES[hint], options=options, optional=is_optional
    )


def _is_enum(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, enum.Enum)
