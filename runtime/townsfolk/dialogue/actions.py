"""What a character can do in the game, and how a model says that it does."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Self

from pydantic import Field, model_validator

from townsfolk.dialogue.errors import InvalidFieldError
from townsfolk.dialogue.outside import Outside
from townsfolk.dialogue.persona import Line
from townsfolk.dialogue.tool_section import ToolSection
from townsfolk.grammar import Grammar

MAX_ACTIONS = 64
MAX_PARAMETERS = 16
NAME = r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"
NONE = "none"
"""What a model does that finds no action fitting after all."""
# Behind what a template says of tools, which is for assistants that are there to call them.
_MANNERS = (
    "These are what you can do. Call one behind what you say, and only where it fits; mostly just "
    "speak."
)
_NAME_RULE = "a letter or underscore, then up to 63 letters, digits or underscores"


class ParameterType(Enum):
    """The values are JSON Schema's names."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"


class ActionParameter(Outside):
    """What an action has to know."""

    name: str = Field(pattern=NAME, description=_NAME_RULE)
    description: Line = Field(default="", max_length=512, description="at most 512 characters")
    type: ParameterType = ParameterType.STRING
    options: tuple[str, ...] = Field(default=(), max_length=256, description="at most 256")
    minimum: float | None = Field(default=None, allow_inf_nan=False, description="a number")
    maximum: float | None = Field(default=None, allow_inf_nan=False, description="a number")
    optional: bool = False

    @property
    def schema_(self) -> dict[str, Any]:
        """As a JSON Schema."""
        if self.options:
            return {"enum": list(self.options)}
        schema: dict[str, Any] = {"type": self.type.value}
        if self.type is ParameterType.STRING:
            schema["maxLength"] = 256
        if self.type in (ParameterType.INTEGER, ParameterType.NUMBER):
            whole = self.type is ParameterType.INTEGER
            bounds = {"minimum": self.minimum, "maximum": self.maximum}
            schema |= {
                name: int(bound) if whole else bound
                for name, bound in bounds.items()
                if bound is not None
            }
        return schema

    @property
    def signature(self) -> str:
        """As a line for the model."""
        values = " | ".join(self.options) or self.type.value
        about = f" ({self.description})" if self.description else ""
        return f"{self.name}{'?' if self.optional else ''}: {values}{about}"


class Action(Outside):
    """Something that a character can do."""

    name: str = Field(pattern=NAME, description=_NAME_RULE)
    description: Line = Field(default="", max_length=1024, description="at most 1024 characters")
    parameters: tuple[ActionParameter, ...] = Field(
        default=(), max_length=MAX_PARAMETERS, description=f"at most {MAX_PARAMETERS}"
    )
    json_schema: str = Field(default="", max_length=16_384, description="at most 16384 characters")
    condition: Line = Field(default="", max_length=512, description="at most 512 characters")

    @model_validator(mode="after")
    def _says_once_what_it_takes(self) -> Self:
        if self.name == NONE:
            raise ValueError(f"{NONE!r} is what a character does that does nothing")
        if self.parameters and self.json_schema:
            raise ValueError("has parameters and a json_schema: give one of them")
        names = [each.name for each in self.parameters]
        if len(set(names)) < len(names):
            raise ValueError("has a parameter twice")
        if self.json_schema:
            try:
                is_object = isinstance(json.loads(self.json_schema), dict)
            except (ValueError, RecursionError):
                is_object = False
            if not is_object:
                raise ValueError("json_schema is no JSON object")
        return self

    @property
    def schema_(self) -> dict[str, Any]:
        """Of its arguments."""
        if self.json_schema:
            schema: dict[str, Any] = json.loads(self.json_schema)
            return schema
        return {
            "type": "object",
            "properties": {each.name: each.schema_ for each in self.parameters},
            "required": [each.name for each in self.parameters if not each.optional],
            "additionalProperties": False,
        }

    @property
    def tool(self) -> dict[str, Any]:
        """As chat templates have tools: OpenAI's notation, which Hugging Face took up."""
        when = f"When: {self.condition}" if self.condition else ""
        about = " ".join(filter(None, [self.description, when]))
        function = {"name": self.name, "description": about, "parameters": self.schema_}
        return {"type": "function", "function": function}

    @property
    def line(self) -> str:
        """For the model."""
        takes = ", ".join(each.signature for each in self.parameters)
        if self.json_schema:
            takes = json.dumps(self.schema_, ensure_ascii=False)
        when = f" When: {self.condition}" if self.condition else ""
        return f"- {self.name}({takes}): {self.description}{when}".rstrip(": ")


class Placement(Enum):
    """Where actions stand in an answer."""

    AFTER = "after"
    """Behind what is said."""
    BETWEEN = "between"
    """Anywhere: the character goes on speaking behind each."""


class ActionsNow(Outside):
    """Which actions a turn may take, and how."""

    names: tuple[str, ...] | None = Field(default=None, max_length=MAX_ACTIONS)
    placement: Placement = Placement.AFTER
    required: bool = False
    most: int = Field(default=0, ge=0, le=16, description="0 (1 after, 4 between) to 16")
    timeout_ms: int = Field(default=0, ge=0, le=600_000, description="0 (10,000) to 600000")
    silent: bool = False

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if self.silent and not self.required:
            raise ValueError("is silent, but requires no action: set required, too")
        if self.silent and self.placement is Placement.BETWEEN:
            raise ValueError("is silent: nothing is said that actions could stand between")
        return self

    @property
    def limit(self) -> int:
        """How many actions at most."""
        return self.most or (1 if self.placement is Placement.AFTER else 4)

    @property
    def timeout_s(self) -> float:
        """How long the game may take to answer one."""
        return (self.timeout_ms or 10_000) / 1000


@dataclass(frozen=True, slots=True)
class ActionFormat:
    """How a family of models writes that it acts."""

    begins: str
    """What a reply shows when it begins to act."""
    opens: str
    """What the prompt has before the action's JSON."""
    arguments: str
    """The name of the arguments in it."""
    closes: str
    answer: str
    """Around what came of it."""

    @classmethod
    def of(cls, template: str | None) -> "ActionFormat":
        """Return the one that a chat template has, or `OURS`."""
        template = template or ""
        if "<tool_call>" in template:  # Hermes, Qwen 2.5 and 3, SmolLM3
            return cls(
                "<tool_call>", "<tool_call>\n", "arguments", "\n</tool_call>",
                "\n<tool_response>\n{}\n</tool_response>\n",
            )  # fmt: skip
        if '"parameters"' in template and '{"name"' in template:  # Llama 3.1 to 3.3
            return cls('{"name":', "", "parameters", "", "\n[{}]\n")
        return OURS

    @property
    def example(self) -> str:
        """For the model."""
        call = f'{{"name": "...", "{self.arguments}": {{...}}}}'
        return f"{self.opens}{call}{self.closes}".replace("\n", "")


OURS = ActionFormat("<action>", "<action>", "arguments", "</action>", "\n[{}]\n")
"""For models whose template has none."""


def possible(names: Iterable[str]) -> str:
    """Return what the model is told where a turn may not take all actions, in a line."""
    return f"Possible actions now: {', '.join(names) or NONE}"


@dataclass(frozen=True, slots=True)
class ActionCall:
    """An action that a character takes."""

    name: str
    arguments: Mapping[str, Any]
    text: str
    """As the model wrote it."""

    def told(self, character: str, outcome: "Outcome") -> str:
        """Return what the character learns of it, in a line."""
        takes = ", ".join(
            f"{name}={json.dumps(value, ensure_ascii=False)}"
            for name, value in self.arguments.items()
        )
        became = "done" if outcome.is_accepted else "not done"
        text = " ".join(outcome.text.split())
        return f"{character}: {self.name}({takes}) is {became}{': ' + text if text else ''}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the game makes of an action."""

    is_accepted: bool
    text: str
    """The result, or the reason why not."""


class ActionBook:
    """The actions of one session, in the words of its model."""

    def __init__(
        self, actions: Sequence[Action], template: str | None, tools: ToolSection | None = None
    ) -> None:
        """Take actions.

        Args:
            actions: What the character can do.
            template: The model's chat template.
            tools: What it says of tools, if it does.
        """
        self._actions = {action.name: action for action in actions}
        self.format = ActionFormat.of(template)
        self._tools = tools if self.format is not OURS else None

    def __bool__(self) -> bool:
        return bool(self._actions)

    @property
    def text(self) -> str:
        """What the model is told of them; empty where there are none."""
        if not self._actions:
            return ""
        if self._tools is not None:
            section = self._tools.text([action.tool for action in self._actions.values()])
            return f"{section}\n\n{_MANNERS}"
        lines = "\n".join(action.line for action in self._actions.values())
        return (
            f"To act, write {self.format.example} behind what you say. Act only where it fits; "
            f"mostly just speak. What you can do:\n{lines}"
        )

    def names(self, wanted: Iterable[str] | None) -> tuple[str, ...]:
        """Return which actions a turn may take.

        Raises:
            InvalidFieldError: One is not registered.
        """
        if wanted is None:
            return tuple(self._actions)
        names = tuple(dict.fromkeys(wanted))
        for name in names:
            if name not in self._actions:
                raise InvalidFieldError(
                    f"actions.names: this session has no action {name!r}, but "
                    + (", ".join(self._actions) or "none")
                )
        return names

    def is_all(self, names: Sequence[str]) -> bool:
        """Return whether these are all of them."""
        return len(names) == len(self._actions)

    def grammar(self, names: Sequence[str], *, or_none: bool = True) -> Grammar:
        """Return what an action is, of these, or none of them."""
        key = self.format.arguments
        calls: list[dict[str, Any]] = [
            {
                "type": "object",
                "properties": {"name": {"const": name}, key: self._actions[name].schema_},
                "required": ["name", key],
                "additionalProperties": False,
            }
            for name in names
        ]
        none = {
            "type": "object",
            "properties": {"name": {"const": NONE}},
            "required": ["name"],
            "additionalProperties": False,
        }
        calls += [none] if or_none else []
        return Grammar.json_schema({"anyOf": calls})

    def read(self, text: str) -> ActionCall | None:
        """Return the action in a text that keeps to the grammar; None for none."""
        call = json.loads(text)
        if call["name"] == NONE:
            return None
        return ActionCall(call["name"], call[self.format.arguments], text)
