"""The model's own chat template, rendered so that no outside text can open or close a turn.

The template never sees outside text. Every content is replaced by a sentinel before rendering, so
what the template does can't depend on what a player typed, and the rendered text is cut at the
control tokens *before* the contents are put in their places. A control token is thus always one
that the template itself wrote; the same characters in a content are plain text.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from jinja2.exceptions import TemplateError

from townsfolk.dialogue.errors import UnsupportedTemplateError
from townsfolk.dialogue.prompt import Message
from townsfolk.text.template import compile_template
from townsfolk.text.tokenizer import Tokenizer

BASE_TEMPLATE = """\
{{ bos_token }}
{%- for message in messages %}
{%- if message.role == 'system' %}{{ message.content + '\n\n' }}
{%- elif message.role == 'user' %}{{ message.content + '\n' }}
{%- else %}{{ character + ': ' + message.content + '\n' }}
{%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ character + ':' }}{% endif %}"""
"""For base models, which have no template: a script, a line for each utterance.

The model continues it after the character's name; `ChatTemplate.stops` ends the reply with the
line, before the model writes somebody else's.
"""

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


class ChatTemplate:
    """A chat template, ready to render. Immutable: all sessions of a runtime share one.

    Contents pass through a template unchanged, apart from trimming; a template that, say, turned
    contents to lower case would not do so here. Turn markers that a template writes as plain text,
    such as `[INST]`, are broken up by a space where they occur in contents.
    """

    stops: tuple[str, ...]
    """Texts that end a reply, for templates whose turns don't end with a control token."""
    stop_token_ids: tuple[int, ...]
    """The control tokens that the template writes: where the model draws one, the reply ends."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        """Take the tokenizer's template, or `BASE_TEMPLATE` where it has none.

        Raises:
            UnsupportedTemplateError: The template is faulty, or refuses a plain conversation.
        """
        source = tokenizer.chat_template
        self.stops = () if source else ("\n",)
        self._variables = dict(tokenizer.named_tokens)
        self._controls = _any_of(tokenizer.special_tokens)
        try:
            self._template = compile_template(source or BASE_TEMPLATE)
        except TemplateError as error:
            raise UnsupportedTemplateError(f"chat template: {error}") from error
        self._takes_system = self._leads_with_system()
        lead = [_SYSTEM] if self._takes_system else []
        self._takes_reply_first = self._works([*lead, _ASSISTANT, _USER])
        messages = self._adapted([_SYSTEM, _USER, _ASSISTANT, _USER])
        written = self._skeleton(messages, True)
        if len({match[2] for match in _SENTINEL.finditer(written)}) < len(messages):
            raise UnsupportedTemplateError("chat template: leaves out the text of a message")
        controls = dict.fromkeys(self._controls.findall(written))
        self.stop_token_ids = tuple(tokenizer.special_tokens[text] for text in controls)
        plain = self._controls.sub("\n", _SENTINEL.sub("\n", written))
        self._markers = _any_of(_MARKER.findall(plain), re.IGNORECASE)

    def render(
        self, messages: Sequence[Message], character: str, *, add_generation_prompt: bool = True
    ) -> list[Unit]:
        """The prompt of a conversation.

        A template without a system role (or one that moves the system text along with the newest
        message, so that no KV could be used again) gets the system text in its first user message.
        A template that insists on a user message first gets one saying nothing.

        Args:
            messages: The conversation. System and user and assistant must take turns as the
                template demands; `prompt.messages` does so.
            character: The character's name, which `BASE_TEMPLATE` writes before replies.
            add_generation_prompt: End with the beginning of the character's next message.

        Raises:
            UnsupportedTemplateError: The template refuses this conversation.
        """
        messages = self._adapted(messages)
        outside = [message["content"] for message in messages] + [character]
        skeleton = self._skeleton(messages, add_generation_prompt)
        return [
            Unit(control, "".join(self._filled(text, outside)))
            for control, text in self._cut(skeleton)
        ]

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

    def _skeleton(self, messages: Sequence[Message], add_generation_prompt: bool) -> str:
        """The rendered template with sentinels for contents; blank contents stay as they are."""
        slots = [
            _sentinel(i) if m["content"].strip() else m["content"] for i, m in enumerate(messages)
        ]
        try:
            return self._template.render(
                **self._variables,
                messages=[
                    {"role": message["role"], "content": slot}
                    for message, slot in zip(messages, slots, strict=True)
                ],
                character=f"{_OPEN}{len(messages)}{_CLOSE}",
                add_generation_prompt=add_generation_prompt,
                tools=None,
                documents=None,
            )
        except Exception as error:  # A template can raise anything: it is a program.
            raise UnsupportedTemplateError(f"chat template: {error}") from error

    def _cut(self, skeleton: str) -> Iterator[tuple[str | None, str]]:
        """Cut a skeleton into control tokens, each with the text after it."""
        control, start = None, 0
        for match in self._controls.finditer(skeleton):
            if control is not None or match.start() > 0:
                yield control, skeleton[start : match.start()]
            control, start = match[0], match.end()
        yield control, skeleton[start:]

    def _filled(self, text: str, outside: Sequence[str]) -> Iterator[str]:
        """The pieces of `text`, with contents instead of sentinels."""
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
        order = [int(match[2]) for match in _SENTINEL.finditer(self._skeleton(messages, True))]
        return order[:1] == [0]

    def _works(self, messages: Sequence[Message]) -> bool:
        try:
            self._skeleton(messages, True)
        except UnsupportedTemplateError:
            return False
        return True


_SYSTEM: Message = {"role": "system", "content": "s"}
_USER: Message = {"role": "user", "content": "u"}
_ASSISTANT: Message = {"role": "assistant", "content": "a"}


def _sentinel(index: int) -> str:
    return f"{_PAD}{_OPEN}{index}{_CLOSE}{_PAD}"


def _any_of(texts: Iterable[str], flags: re.RegexFlag = re.NOFLAG) -> re.Pattern[str]:
    """A pattern that matches each of `texts`, the longest first, and nothing if there is none."""
    longest_first = sorted({text for text in texts if text}, key=len, reverse=True)
    return re.compile("|".join(map(re.escape, longest_first)) or "(?!)", flags)
