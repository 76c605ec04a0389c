"""Answers to conversations that the caller keeps, in the model's own chat template."""

from collections.abc import Callable, Sequence
from typing import Self

from townsfolk.dialogue.chat_model import ChatModel
from townsfolk.dialogue.encoding import PromptEncoder
from townsfolk.dialogue.limits import check_length
from townsfolk.dialogue.prompt import Message
from townsfolk.dialogue.tools import Tool, ToolBox, ToolReply
from townsfolk.engine.generation import Generation
from townsfolk.engine.outputs import FinishReason
from townsfolk.engine.repetition import guard_of
from townsfolk.engine.rules import ReplyRules
from townsfolk.grammar import CompiledGrammar
from townsfolk.sampling.params import SamplingParams
from townsfolk.text.repetition import RepetitionGuard
from townsfolk.text.stop import StopScanner
from townsfolk.text.thoughts import ThoughtFilter

# Who speaks in the script of a model without a template.
SPEAKER = "Assistant"


class Chat:
    """Has the model answer conversations; keeps none."""

    def __init__(self, model: ChatModel, adapter: str = "") -> None:
        """Answer through a model."""
        self._model = model
        self._adapter = adapter

    def by(self, adapter: str) -> Self:
        """Return the same with an adapter, which answers; see `Engine.submit`."""
        return type(self)(self._model, adapter)

    def encode(self, messages: Sequence[Message]) -> list[int]:
        """Return the prompt of a conversation; takes milliseconds, may run in any thread.

        System messages that lead become one; later ones are lines of the user's side, as templates
        have no place for them. So are consecutive messages of one side.

        Raises:
            InvalidFieldError: It is longer than the model's context.
            UnsupportedTemplateError: The chat template refuses this conversation.
        """
        characters = sum(len(message["content"]) for message in messages)
        check_length("messages: the conversation", characters, self._model.context_tokens)
        units = self._model.template.render(_in_turn(messages), SPEAKER)
        return PromptEncoder(self._model.tokenizer).encode(units).token_ids

    def submit(
        self,
        prompt_ids: list[int],
        params: SamplingParams,
        grammar: CompiledGrammar | None = None,
    ) -> Generation:
        """Begin a reply to a conversation from `encode`.

        Raises:
            EngineError: The engine does not take it.
            InvalidSamplingError: A parameter doesn't fit the model.
        """
        in_thought = self._model.template.begins_in_thought
        if grammar is not None:  # which holds from the first token on
            prompt_ids, in_thought = self._model.without_thought(prompt_ids), False
        spoken = None
        if grammar is None:
            spoken = _Spoken(self._model.template.stops, guard_of(params), in_thought=in_thought)
        return self._begin(prompt_ids, params, spoken, grammar)

    def toolbox(self, tools: Sequence[Tool], *, required: bool = False) -> ToolBox:
        """Return functions as the model is told of them."""
        return ToolBox(tools, self._model.tokenizer.chat_template, required=required)

    def submit_with_tools(
        self, prompt_ids: list[int], params: SamplingParams, box: ToolBox, grammar: CompiledGrammar
    ) -> ToolReply:
        """Begin a reply that may call functions; see `submit`. The grammar is the box's."""
        begun = self._model.without_thought(prompt_ids)

        def speak() -> tuple[Generation, Callable[[], bool]]:
            spoken = _Spoken(
                (*self._model.template.stops, box.format.begins),
                guard_of(params),
                in_thought=self._model.template.begins_in_thought,
            )
            begins = box.format.begins
            generation = self._begin(prompt_ids, params, spoken, None, begins_action=begins)
            return generation, lambda: spoken.stopped == box.format.begins

        def write(text: str, how: SamplingParams) -> Generation:
            more = self._model.encode_more(text) if text else []
            return self._begin(begun + more, how, None, grammar, is_action=True)

        return ToolReply(box, params, speak, write)

    def _begin(
        self,
        prompt_ids: list[int],
        params: SamplingParams,
        spoken: "_Spoken | None",
        grammar: CompiledGrammar | None,
        *,
        begins_action: str = "",
        is_action: bool = False,
    ) -> Generation:
        return self._model.engine.submit(
            prompt_ids,
            params,
            namespace=self._model.namespace,
            rules=ReplyRules(
                end_ids=frozenset(self._model.template.stop_token_ids),
                penalizes_prompt=False,
                text_filter=spoken,
                speaker=SPEAKER,
                is_action=is_action,
                begins_action=begins_action,
            ),
            grammar=grammar,
            adapter=self._adapter,
        )


class _Spoken:
    """A reply's text without thoughts, up to where its template ends a turn, or it is a loop."""

    def __init__(self, stops: Sequence[str], guard: RepetitionGuard, *, in_thought: bool) -> None:
        self.finish_reason: FinishReason | None = None
        self._guard = guard
        self._thoughts = ThoughtFilter(is_open=in_thought)
        self._stops = StopScanner(stops)
        self._begun = False

    @property
    def stopped(self) -> str | None:
        """Which of the stops ended it, if one did."""
        return self._stops.stopped

    def push(self, text: str, tokens_left: int) -> str:
        """Take more text; give what can be shown."""
        text = self._guard.push(text, tokens_left)
        shown = self._shown(self._thoughts.push(text))
        if self._guard.found and self.finish_reason is None:
            self.finish_reason = FinishReason.REPETITION
        return shown

    def finish(self, text: str) -> str:
        """Take the last text; give what was held back."""
        text = self._guard.push(text) + self._guard.flush()
        shown = self._shown(self._thoughts.push(text) + self._thoughts.finish())
        return shown if self._stops.stopped is not None else shown + self._stops.flush()

    def _shown(self, text: str) -> str:
        # A template's last words leave the white space before a reply to the model.
        text = text if self._begun else text.lstrip()
        self._begun = self._begun or bool(text)
        shown = self._stops.push(text)
        if self._stops.stopped is not None:
            self.finish_reason = FinishReason.END
        return shown


def _in_turn(messages: Sequence[Message]) -> list[Message]:
    result: list[Message] = []
    for message in messages:
        role = message["role"]
        if role == "system" and any(each["role"] != "system" for each in result):
            role = "user"
        if result and result[-1]["role"] == role:
            joint = "\n\n" if role == "system" else "\n"
            text = result.pop()["content"] + joint + message["content"]
            result.append({"role": role, "content": text})
        else:
            result.append({"role": role, "content": message["content"]})
    return result
