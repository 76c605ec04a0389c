"""The model's own chat template, rendered so that no outside text can open or close a turn.

The template never sees outside text. Every content is replaced by a sentinel before rendering, so
what the template does can't depend on what a player typed, and the rendered text is cut at the
control tokens *before* the contents are put in their places. A control token is thus always one
that the template itself wrote; the same characters in a content are plain text.

So what is rendered depends on nothing but who speaks in which order. It is kept: a conversation of
a shape that there was before, in any session, is not rendered again. The rendering itself happens
in a process of its own, see `TemplateRenderer`.
"""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from townsfolk.dialogue.errors import UnsupportedTemplateError
from townsfolk.dialogue.prompt import Message
from townsfolk.dialogue.tool_section import ToolSection
from townsfolk.sampling.params import MAX_END_TOKENS
from townsfolk.text.renderer import RenderingError
from townsfolk.text.thoughts import is_thinking, without_thought
from townsfolk.text.tokenizer import Tokenizer

# A sentinel is OPEN number CLOSE with a PAD on either side. The pad is white space: where it is
# gone after rendering, the template trims its contents. Contents never meet these characters.
_OPEN, _CLOSE, _PAD = "\ue000", "\ue001", "\u2003"
_SENTINEL = re.compile(f"({_PAD}?){_OPEN}([0-9]+){_CLOSE}({_PAD}?)")

# Turn markers that templates write as plain text: <|user|>, [INST], <<SYS>>, ### User:, USER:
_MARKER = re.compile(r"<+[^<>\s]+>+|\[[^\[\]\s]+\]|#{2,} *\w+:?|[A-Z]{3,}:")


@dataclass(frozen=True, slots=True)
class Unit:
    """A piece of a rendered prompt: a control token, and the text up to the next one."""

    control: str | None
    """The text of a control token that the template wrote; None where a prompt starts with text."""
    text: str
    """Template text and outside text. Control tokens in it are plain text."""


Skeleton = tuple[tuple[str | None, str], ...]
"""A rendered template with sentinels for contents: control tokens, each with the text after it."""

_Shape = tuple[tuple[str, ...], bool]
"""What a skeleton depends on: roles and blank contents, and whether a reply is to follow."""


class ChatTemplate:
    """A chat template, ready to render. All sessions of a runtime share one, from any thread.

    A model without a template, a base model, gets a script: a line for each utterance. The model
    continues it after the character's name; `stops` ends the reply with the line, before the model
    writes somebody else's.

    Contents pass through a template unchanged, apart from trimming; a template that, say, turned
    contents to lower case would not do so here. Turn markers that a template writes as plain text,
    such as `[INST]`, are broken up by a space where they occur in contents.
    """

    stops: tuple[str, ...]
    """Texts that end a reply, for templates whose turns don't end with a control token."""
    stop_token_ids: tuple[int, ...]
    """The control tokens that the template writes: where the model draws one, the reply ends."""
    tools: ToolSection | None
    """What it says of tools; None for a template that knows of none."""
    begins_in_thought: bool
    """Whether a prompt ends within a thought, which the model goes on with."""

    def __init__(self, tokenizer: Tokenizer, *, thinking: bool = False) -> None:
        """Take the tokenizer's template, or the script where it has none.

        Args:
            tokenizer: The model's.
            thinking: Let a model think before it speaks that is made for it. Otherwise the template
                is told not to have it think, and a prompt that begins a thought ends it at once.

        Raises:
            UnsupportedTemplateError: The template is faulty, refuses a plain conversation, or takes
                too much time or memory.
        """
        self._renderer = tokenizer.renderer
        self._thinking = thinking
        self._bos = tokenizer.named_tokens.get("bos_token", "")
        self.stops = () if self._renderer else ("\n",)
        self._controls = _any_of(tokenizer.special_tokens)
        self._skeletons = _Skeletons()
        self._takes_system = self._leads_with_system()
        lead = [_SYSTEM] if self._takes_system else []
        self._takes_reply_first = self._works([*lead, _ASSISTANT, _USER])
        messages = self._adapted([_SYSTEM, _USER, _ASSISTANT, _USER])
        written = self._skeleton(messages, True)
        self.begins_in_thought = is_thinking(written[-1][1])
        shown = [{match[2] for match in _SENTINEL.finditer(text)} for _, text in written]
        if len(set().union(*shown)) < len(messages):
            raise UnsupportedTemplateError("chat template: leaves out the text of a message")
        controls = list(dict.fromkeys(control for control, _ in written if control is not None))
        if len(controls) > MAX_END_TOKENS:
            raise UnsupportedTemplateError(
                f"chat template: writes {len(controls)} different control tokens (allowed: at most "
                f"{MAX_END_TOKENS})"
            )
        self.stop_token_ids = tuple(tokenizer.special_tokens[text] for text in controls)
        # Without control tokens between messages the whole prompt would be one unit, and encoded
        # anew with each line.
        self._is_plain = len([1 for numbers in shown if numbers]) == 1
        plain = _SENTINEL.sub("\n", "\n".join(text for _, text in written))
        self.tools = ToolSection.of(tokenizer)
        self._markers = _any_of(_MARKER.findall(plain), re.IGNORECASE)

    def is_ready(self, messages: Sequence[Message], *, add_generation_prompt: bool = True) -> bool:
        """Return whether `render` returns at once: there was a conversation of this shape."""
        return self._skeletons.has(_shape(self._adapted(messages), add_generation_prompt))

    def render(
        self, messages: Sequence[Message], character: str, *, add_generation_prompt: bool = True
    ) -> list[Unit]:
        """Return the prompt of a conversation.

        A template without a system role (or one that moves the system text along with the newest
        message, so that no KV could be used again) gets the system text in its first user message.
        A template that insists on a user message first gets one saying nothing.

        Args:
            messages: The conversation. System and user and assistant must take turns as the
                template demands; `prompt.messages` does so.
            character: The character's name, which a script has before replies.
            add_generation_prompt: End with the beginning of the character's next message.

        Raises:
            UnsupportedTemplateError: The template refuses this conversation, or takes too much time
                or memory for it.
        """
        messages = self._adapted(messages)
        outside = [message["content"] for message in messages] + [character]
        units = [
            Unit(control, "".join(self._filled(text, outside)))
            for control, text in self._skeleton(messages, add_generation_prompt)
        ]
        return [line for unit in units for line in _lines(unit)] if self._is_plain else units

    def _adapted(self, messages: Sequence[Message]) -> list[Message]:
        """`messages` in roles and an order that this template takes."""
        turns = list(messages)
        leads = [turns.pop(0)] if turns and turns[0]["role"] == "system" else []
        reply_first = bool(turns) and turns[0]["role"] == "assistant"
        if leads and not self._takes_system:
            asked = "" if reply_first or not turns else turns.pop(0)["content"]
            text = "\n\n".join(filter(None, [leads[0]["content"], asked]))
            leads = [{"role": "user", "content": text}]
        elif reply_first and not self._takes_reply_first:
            leads.append({"role": "user", "content": "..."})
        return leads + turns

    def _skeleton(self, messages: Sequence[Message], add_generation_prompt: bool) -> Skeleton:
        """Return the template rendered with sentinels for contents; blank contents stay."""
        shape = _shape(messages, add_generation_prompt)
        return self._skeletons.get(shape, partial(self._rendered, messages, add_generation_prompt))

    def _rendered(self, messages: Sequence[Message], add_generation_prompt: bool) -> Skeleton:
        slots: list[Message] = [
            {
                "role": message["role"],
                "content": _sentinel(i) if message["content"].strip() else message["content"],
            }
            for i, message in enumerate(messages)
        ]
        character = f"{_OPEN}{len(messages)}{_CLOSE}"
        if self._renderer is None:
            text = _script(self._bos, slots, character, add_generation_prompt)
        else:
            text = self._renderer.render(
                slots,
                add_generation_prompt=add_generation_prompt,
                character=character,
                enable_thinking=self._thinking,
                thinking=self._thinking,  # as Granite's templates call it
            )
            if add_generation_prompt and not self._thinking:
                text = without_thought(text)
        return tuple(self._cut(text))

    def _cut(self, skeleton: str) -> Iterator[tuple[str | None, str]]:
        """Cut a skeleton into control tokens, each with the text after it."""
        control, start = None, 0
        for match in self._controls.finditer(skeleton):
            if control is not None or match.start() > 0:
                yield control, skeleton[start : match.start()]
            control, start = match[0], match.end()
        yield control, skeleton[start:]

    def _filled(self, text: str, outside: Sequence[str]) -> Iterator[str]:
        """Yield the pieces of `text`, with contents instead of sentinels."""
        end = 0
        for match in _SENTINEL.finditer(text):
            yield text[end : match.start()]
            content = outside[int(match[2])]
            content = content if match[1] else content.lstrip()
            content = content if match[3] else content.rstrip()
            yield self._markers.sub(lambda marker: f"{marker[0][0]} {marker[0][1:]}", content)
            end = match.end()
        yield text[end:]

    def _leads_with_system(self) -> bool:
        messages = [_SYSTEM, _USER, _ASSISTANT, _USER]
        if not self._works(messages):
            return False
        texts = (text for _, text in self._skeleton(messages, True))
        order = [int(match[2]) for text in texts for match in _SENTINEL.finditer(text)]
        return order[:1] == [0]

    def _works(self, messages: Sequence[Message]) -> bool:
        try:
            self._skeleton(messages, True)
        except UnsupportedTemplateError:
            return False
        return True


class _Skeletons:
    """Skeletons by shape, the newest of them; also why there is none."""

    def __init__(self, most_characters: int = 8 * 1024 * 1024) -> None:
        self._most = most_characters
        self._lock = threading.Lock()
        self._known: OrderedDict[_Shape, Skeleton | UnsupportedTemplateError] = OrderedDict()
        self._characters = 0

    def has(self, shape: _Shape) -> bool:
        """Return whether `get` would not have to make it."""
        with self._lock:
            return shape in self._known

    def get(self, shape: _Shape, make: Callable[[], Skeleton]) -> Skeleton:
        """Return the skeleton of a shape; make it where there is none.

        Raises:
            UnsupportedTemplateError: There can't be one. That is remembered, too: what took too
                long is not tried again with every line.
        """
        with self._lock:
            found = self._known.get(shape)
            if found is not None:
                self._known.move_to_end(shape)
        if found is None:
            found = self._made(shape, make)
        if isinstance(found, UnsupportedTemplateError):
            raise found
        return found

    def _made(
        self, shape: _Shape, make: Callable[[], Skeleton]
    ) -> Skeleton | UnsupportedTemplateError:
        made: Skeleton | UnsupportedTemplateError
        try:
            made = make()
        except RenderingError as error:
            made = UnsupportedTemplateError(f"chat template: {error}")
            if error.again:
                return made
        with self._lock:
            if shape not in self._known:
                self._known[shape] = made
                self._characters += _size(shape, made)
            while self._characters > self._most and len(self._known) > 1:
                self._characters -= _size(*self._known.popitem(last=False))
        return made


_SYSTEM: Message = {"role": "system", "content": "s"}
_USER: Message = {"role": "user", "content": "u"}
_ASSISTANT: Message = {"role": "assistant", "content": "a"}


def _script(
    bos: str, messages: Sequence[Message], character: str, add_generation_prompt: bool
) -> str:
    """Return the script of a conversation, for models that have no template."""
    lines = {"system": "{}\n\n", "user": "{}\n", "assistant": character + ": {}\n"}
    said = [lines[message["role"]].format(message["content"]) for message in messages]
    return bos + "".join(said) + (f"{character}:" if add_generation_prompt else "")


def _shape(messages: Sequence[Message], add_generation_prompt: bool) -> _Shape:
    """Return what the skeleton of these messages depends on."""
    texts = (m["content"] if not m["content"].strip() else _OPEN for m in messages)
    roles = (message["role"] for message in messages)
    return tuple(part for pair in zip(roles, texts, strict=True) for part in pair), (
        add_generation_prompt
    )


def _size(shape: _Shape, made: Skeleton | UnsupportedTemplateError) -> int:
    """About how many characters an entry takes."""
    if isinstance(made, UnsupportedTemplateError):
        return 8 * len(shape[0])
    return 8 * len(shape[0]) + sum(64 + len(text) for _, text in made)


def _lines(unit: Unit) -> Iterator[Unit]:
    """Yield a unit in lines: where one ends, text is encoded as if another text began."""
    first, *others = re.split(r"(?<=\n)(?!\n)", unit.text)
    yield Unit(unit.control, first)
    for line in others:
        if line:
            yield Unit(None, line)


def _sentinel(index: int) -> str:
    return f"{_PAD}{_OPEN}{index}{_CLOSE}{_PAD}"


def _any_of(texts: Iterable[str], flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    """Return a pattern of any of `texts`, the longest first; it matches nothing without them."""
    longest_first = sorted({text for text in texts if text}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or "(?!)", flags)
